"""The folder `live` of a run, through which the training run and its live view exchange questions and replies.

questions.json   the user's questions; replies are recorded only if this file exists
0001.json ...    the replies after each stage, numbered by the stage's row in the log
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

FOLDER = "live"
QUESTIONS = 3  # the maximum number of questions
LONGEST_QUESTION = 500  # the maximum number of characters in a question


class Judged(NamedTuple):
    """A text, and the scores that the discriminator D gives it.

    Attributes:
        text: The text.
        score: D's score for the whole text, from 0 (machine) to 1 (human). None if D has not judged the text.
        tokens: Each token and the probability, according to D, that a human wrote it. Empty if D does not judge single
            tokens.
    """

    text: str
    score: float | None = None
    tokens: tuple[tuple[str, float], ...] = ()


class Exchange(NamedTuple):
    """A question or a held-out context, and the reply to it.

    Attributes:
        context: The text to reply to.
        reply: The reply of the network being trained, or None if a crisis note replaces the reply.
        human: A human's reply to the same context, or None if there is none.
        note: The crisis note that replaces the reply, or None.
    """

    context: str
    reply: Judged | None
    human: Judged | None = None
    note: str | None = None


class LiveFiles:
    """The folder `live` of a run.

    Args:
        run: The run folder.
    """

    def __init__(self, run: Path):
        self.path = run / FOLDER
        self.questions_file = self.path / "questions.json"

    def questions(self) -> list[str] | None:
        """Return the user's questions, or None if no questions have been stored.

        Raises:
            UserError: The file is damaged.
        """
        if not self.questions_file.exists():
            return None
        try:
            return checked_questions(json_files.read(self.questions_file))
        except ValueError as error:
            raise UserError(f"{self.questions_file}: {error}") from None

    def ask(self, questions: list[str]) -> None:
        """Store the questions to answer after each stage from now on."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.questions_file, json.dumps(questions, ensure_ascii=False))

    def write(self, row: int, stage: str, asked: list[Exchange], samples: list[Exchange]) -> None:
        """Write the replies after a stage.

        Args:
            row: The number of the stage's row in the log, starting from 1.
            stage: The name of the stage.
            asked: The user's questions and the replies to them.
            samples: Held-out contexts, each with a reply from the network and one from a human.

        Raises:
            OSError: The file cannot be written.
        """
        self.path.mkdir(exist_ok=True)
        exchanges = {"asked": asked, "samples": samples}
        values = {"row": row, "stage": stage} | {name: [_values(e) for e in made] for name, made in exchanges.items()}
        write_text(self._file(row), json.dumps(values, ensure_ascii=False))

    def rows(self) -> list[int]:
        """Return the numbers of all log rows that have replies, in ascending order."""
        return sorted(int(path.stem) for path in self.path.glob("*.json") if path.stem.isdecimal())

    def read(self, row: int) -> dict[str, Any] | None:
        """Return the JSON object written by `write` for a row of the log, or None if nothing was written for that row.

        Raises:
            UserError: The file is damaged.
        """
        return json_files.read_object(self._file(row)) if self._file(row).exists() else None

    def remove(self, after: int) -> None:
        """Remove the replies of all rows after a given row, because these rows are about to be replaced.

        Args:
            after: The number of the last row to keep.
        """
        for row in self.rows():
            if row > after:
                self._file(row).unlink()

    def _file(self, row: int) -> Path:
        return self.path / f"{row:04d}.json"


def checked_questions(values: Any) -> list[str]:
    """Check questions, and return them with control characters replaced by spaces.

    Raises:
        ValueError: There are no questions or more than QUESTIONS questions, or a question is not a string, is longer
            than LONGEST_QUESTION characters, or contains no words.
    """
    if not isinstance(values, list) or not 1 <= len(values) <= QUESTIONS:
        raise ValueError(f"1 to {QUESTIONS} questions are expected")
    if not all(isinstance(text, str) and len(text) <= LONGEST_QUESTION for text in values):
        raise ValueError(f"each question must be a text of at most {LONGEST_QUESTION} characters")
    questions = ["".join(c if c.isprintable() else " " for c in text).strip() for text in values]
    if not all(any(c.isalnum() for c in text) for text in questions):
        raise ValueError("a question needs at least one word")
    return questions


def _values(exchange: Exchange) -> dict[str, Any]:
    """Convert an exchange to a JSON-serialisable dictionary."""
    judged = {
        name: None if text is None else text._asdict()
        for name, text in exchange._asdict().items()
        if name in ("reply", "human")
    }
    return exchange._asdict() | judged
