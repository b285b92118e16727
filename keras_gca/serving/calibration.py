"""The calibration of a chat: simple questions about the user's preferences, and the file that stores the answers.

The user chooses among fixed answers. The terminal asks the questions before the chat, and the web page shows them as a
form. The answers are stored only on the user's computer: in a file that only its owner can read, or in the browser tab.
"""

import contextlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing

FORMAT = "calibration 1"
NONE = "no preference"  # the additional answer that every question offers


class Question(NamedTuple):
    """A question with fixed answers.

    Attributes:
        name: The name of the property that the question asks about.
        text: The question.
        answers: {value of the property: the words that the user sees}.
    """

    name: str
    text: str
    answers: Mapping[str, str]


Answers = dict[str, str]  # {name of an answered question: value}


class AnswersFile:
    """A JSON file with the answers of a user, which only its owner can read and write (mode 600).

    Args:
        path: The file, which need not exist yet.
        questions: The questions.
    """

    def __init__(self, path: Path, questions: Sequence[Question]):
        self.path, self._questions = path, questions

    def read(self) -> Answers:
        """Return the stored answers, or no answers if the file does not exist.

        Raises:
            UserError: The file is damaged or contains an invalid answer; the message names the file.
        """
        if not self.path.exists():
            return {}
        values = json_files.read_object(self.path)
        if values.get("format") != FORMAT or not isinstance(values.get("answers"), dict):
            raise UserError(f"{self.path}: the file is not a profile; choose a file written by chat --calibrate")
        try:
            return checked(values["answers"], self._questions)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from None

    def write(self, answers: Answers) -> None:
        """Write answers to the file, replacing the stored ones.

        Raises:
            UserError: The file cannot be written.
        """
        text = json.dumps({"format": FORMAT, "answers": answers}, indent=2) + "\n"
        try:
            with replacing(self.path) as temporary:
                temporary.unlink(missing_ok=True)  # a killed process may have left this file with a different mode
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with open(descriptor, "w", encoding="utf-8") as stream:
                    stream.write(text)
        except OSError as error:
            raise UserError(f"{self.path}: the profile cannot be written ({error.strerror})") from None

    def delete(self) -> None:
        """Delete the file.

        Raises:
            UserError: The file does not exist or cannot be deleted.
        """
        try:
            self.path.unlink()
        except FileNotFoundError:
            raise UserError(f"{self.path}: there is no profile to delete") from None
        except OSError as error:
            raise UserError(f"{self.path}: the profile cannot be deleted ({error.strerror})") from None


@dataclass(frozen=True)
class Calibration:
    """Everything that a chat page needs for a calibration.

    Args:
        questions: The questions.
        apply: A function that takes a decoding (`Decodings`) and answers, and returns a decoding adapted to these
            answers.
        file: The file that stores the answers of this computer's user. None for a page that others can reach, where
            each visitor's answers stay in the visitor's browser.
        is_open: Whether the form is open when the page is loaded.
    """

    questions: Sequence[Question]
    apply: Callable[[Any, Answers], Any]
    file: AnswersFile | None = None
    is_open: bool = False


def checked(answers: Any, questions: Sequence[Question]) -> Answers:
    """Check answers, and return them in the order of the questions.

    Args:
        answers: The answers to check, {name of a question: value}.
        questions: The questions.

    Raises:
        UserError: An answer belongs to an unknown question, or is not one of the possible answers to its question.
    """
    possible = {question.name: question.answers for question in questions}
    if not isinstance(answers, dict):
        raise UserError("the answers must be an object that maps questions to values")
    for name, value in answers.items():
        if name not in possible:
            raise UserError(f"there is no question {name!r}; the questions are {', '.join(possible)}")
        if not isinstance(value, str) or value not in possible[name]:
            raise UserError(f"{name}: {value!r} is not one of {', '.join(possible[name])}")
    return {name: answers[name] for name in possible if name in answers}


def described(answers: Answers) -> str:
    """Format answers as one line, for example "ask yes, length short"."""
    return ", ".join(f"{name} {value}" for name, value in answers.items()) or "no preferences"


def note_on_answers(answers: Any, crisis_note: Callable[[str], str | None]) -> str | None:
    """Return the crisis note if any text in the answers from a page speaks of a crisis, or None otherwise.

    Args:
        answers: The JSON value that the page sent, which may have any form.
        crisis_note: See `Chatting.crisis_note`.
    """
    texts = [answers] if isinstance(answers, str) else []
    if isinstance(answers, dict):
        texts = [text for pair in answers.items() for text in pair if isinstance(text, str)]
    return next((note for text in texts if (note := crisis_note(text)) is not None), None)


def ask(
    questions: Sequence[Question],
    crisis_note: Callable[[str], str | None],
    read_line: Callable[[], str | None],
) -> Answers | None:
    """Ask the questions in the terminal.

    The user answers with a number or with the first letters of an answer. An empty line means no preference. Each line
    is first checked for signs of a crisis. If there are any, the crisis note is shown, and no further questions are
    asked.

    Args:
        questions: The questions.
        crisis_note: See `Chatting.crisis_note`.
        read_line: A function that reads a line from the user, or returns None at the end of the input.

    Returns:
        The answers, or None if the user quits or a line speaks of a crisis.
    """
    print(f"{len(questions)} questions about what helps you. Press Enter for {NONE}. Type /quit to stop.")
    answers: Answers = {}
    for number, question in enumerate(questions, start=1):
        values, words = [*question.answers], [*question.answers.values()]
        print(f"\n{number}. {question.text}")
        print("   " + "   ".join(f"{place} {text}" for place, text in enumerate(words, start=1)))
        while True:
            line = read_line()
            note = None if line is None else crisis_note(line)
            if note is not None:
                print(f"note> {note}")
                return None
            said = "/quit" if line is None else line.strip().lower()
            if said == "/quit":
                print("(you stopped before the last question; no answers were saved)")
                return None
            if not said or said == NONE:
                break
            numbers = [str(place) for place in range(1, len(values) + 1)]
            fitting = [
                value
                for value, text, place in zip(values, words, numbers, strict=True)
                if said == place or any(form.lower().startswith(said) for form in (text, value))
            ]
            if len(fitting) == 1:
                answers[question.name] = fitting[0]
                break
            print(
                f"   (not understood; type {' or '.join(numbers)}, type the first letters of an answer, or press Enter)"
            )
    return answers


def line_of_user(prompt: str = "you> ") -> str | None:
    """Read a line in the terminal, or return None at the end of the input or after Ctrl-C."""
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        return input(prompt)
    print()
    return None
