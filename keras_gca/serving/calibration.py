"""Calibration of a chat: plain questions about what the user wishes, and the file that keeps the answers.

The questions have fixed answers. The terminal asks them before the chat, and the page shows them as a form. The answers
stay on this computer: in the file, which only its owner can read, or in the browser's tab.
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
NONE = "no wish"  # what a user answers who does not mind


class Question(NamedTuple):
    """A question with fixed answers.

    Attributes:
        name: The name of the property that it is about.
        text: The question.
        answers: The possible values of the property, with the words for each.
    """

    name: str
    text: str
    answers: Mapping[str, str]


Answers = dict[str, str]  # the value for each question that was answered; others are left out


class AnswersFile:
    """A JSON file with the answers of a user, which only its owner can read and write (mode 600).

    Args:
        path: The file; it need not exist.
        questions: The questions.
    """

    def __init__(self, path: Path, questions: Sequence[Question]):
        self.path, self._questions = path, questions

    def read(self) -> Answers:
        """Return the answers; there are none if the file does not exist.

        Raises:
            UserError: The file is damaged, or has other answers than those that are possible. The message names it.
        """
        if not self.path.exists():
            return {}
        values = json_files.read_object(self.path)
        if values.get("format") != FORMAT or not isinstance(values.get("answers"), dict):
            raise UserError(f"{self.path}: this is not a profile that chat --calibrate has written")
        try:
            return checked(values["answers"], self._questions)
        except UserError as error:
            raise UserError(f"{self.path}: {error}") from None

    def write(self, answers: Answers) -> None:
        """Replace the file.

        Raises:
            UserError: The file cannot be written.
        """
        text = json.dumps({"format": FORMAT, "answers": answers}, indent=2) + "\n"
        try:
            with replacing(self.path) as temporary:
                temporary.unlink(missing_ok=True)  # the mode of a file that a killed process has left may be another
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
    """What a page needs for a calibration.

    Args:
        questions: The questions.
        apply: Takes a decoding (`Decodings`) and answers, and returns the decoding that follows these wishes.
        file: The file that keeps the answers of the user of this computer, or None for a page that others can reach:
            then the answers of each visitor stay in the visitor's browser.
        is_open: Whether the form is open when the page is loaded.
    """

    questions: Sequence[Question]
    apply: Callable[[Any, Answers], Any]
    file: AnswersFile | None = None
    is_open: bool = False


def checked(answers: Any, questions: Sequence[Question]) -> Answers:
    """Return answers in the order of the questions, after checking them.

    Args:
        answers: Names of questions and values.
        questions: The questions.

    Raises:
        UserError: There is no such question, or it does not have such an answer.
    """
    possible = {question.name: question.answers for question in questions}
    if not isinstance(answers, dict):
        raise UserError("the answers are not an object of questions and values")
    for name, value in answers.items():
        if name not in possible:
            raise UserError(f"there is no question {name!r}; the questions are {', '.join(possible)}")
        if not isinstance(value, str) or value not in possible[name]:
            raise UserError(f"{name}: {value!r} is not one of {', '.join(possible[name])}")
    return {name: answers[name] for name in possible if name in answers}


def described(answers: Answers) -> str:
    """Write answers as one line, for example "ask yes, length short"."""
    return ", ".join(f"{name} {value}" for name, value in answers.items()) or "no wishes"


def note_on_answers(answers: Any, crisis_note: Callable[[str], str | None]) -> str | None:
    """Return the note of the crisis check on any text in answers that a page has sent, or None.

    Args:
        answers: Values of JSON, which need not be answers.
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

    A user may answer with a number, with the words of an answer or their beginning, or with an empty line for no wish.
    Each line is first checked for a crisis. If it speaks of one, the note is shown and the questions end.

    Args:
        questions: The questions.
        crisis_note: See `Chatting.crisis_note`.
        read_line: Reads a line of the user, or returns None at the end of the input.

    Returns:
        The answers, or None if the user has ended the questions, or a line speaks of a crisis.
    """
    print(f"{len(questions)} questions about what helps you. Enter alone: {NONE}. /quit ends the questions.")
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
                print("(the questions have ended; nothing was kept)")
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
            print(f"   (not understood; {' or '.join(numbers)}, the words of an answer, or Enter is expected)")
    return answers


def line_of_user(prompt: str = "you> ") -> str | None:
    """Read a line in the terminal; return None at the end of the input or after Ctrl-C."""
    with contextlib.suppress(EOFError, KeyboardInterrupt):
        return input(prompt)
    print()
    return None
