"""The files in the folder `live` of a run, with which a training run and its live view exchange questions and replies.

questions.json   the user's questions; replies are recorded only if this file exists
0001.json ...    the replies after a stage; the number is that of the stage's row in the log
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
    """A text with the scores that the discriminator D gives it.

    Attributes:
        text: The text.
        score: D's score of the complete text, in [0, 1]; higher is more human. None if D has not judged the text.
        tokens: Each token with D's probability that a human wrote it. Empty if D does not judge tokens.
    """

    text: str
    score: float | None = None
    tokens: tuple[tuple[str, float], ...] = ()


class Exchange(NamedTuple):
    """A question or a held-out context, and the reply to it.

    Attributes:
        context: The text that is answered.
        reply: The reply of the network in training, or None if a note replaces it.
        human: The reply that a human gave to the same context, or None if there is no such reply.
        note: The crisis note that replaces the reply, or None.
    """

    context: str
    reply: Judged | None
    human: Judged | None = None
    note: str | None = None


class LiveFiles:
    """Reads and writes the folder `live` of a run.

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
        """Store the questions that the bot answers from now on."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.questions_file, json.dumps(questions, ensure_ascii=False))

    def write(self, row: int, stage: str, asked: list[Exchange], samples: list[Exchange]) -> None:
        """Write the replies after a stage.

        Args:
            row: The number of the stage's row in the log, from 1.
            stage: The name of the stage.
            asked: The user's questions with their replies.
            samples: Held-out contexts with the replies of the network and of a human.

        Raises:
            OSError: The file cannot be written.
        """
        self.path.mkdir(exist_ok=True)
        exchanges = {"asked": asked, "samples": samples}
        values = {"row": row, "stage": stage} | {name: [_values(e) for e in made] for name, made in exchanges.items()}
        write_text(self._file(row), json.dumps(values, ensure_ascii=False))

    def rows(self) -> list[int]:
        """Return the numbers of the rows after which replies were written, in order."""
        return sorted(int(path.stem) for path in self.path.glob("*.json") if path.stem.isdecimal())

    def read(self, row: int) -> dict[str, Any] | None:
        """Return the JSON object that `write` wrote for a row, or None if there is no such file.

        Raises:
            UserError: The file is damaged.
        """
        return json_files.read_object(self._file(row)) if self._file(row).exists() else None

    def remove(self, after: int) -> None:
        """Remove the replies that belong to rows after a given one, because these rows are computed again.

        Args:
            after: The number of the last row whose replies are kept.
        """
        for row in self.rows():
            if row > after:
                self._file(row).unlink()

    def _file(self, row: int) -> Path:
        return self.path / f"{row:04d}.json"


def checked_questions(values: Any) -> list[str]:
    """Check questions, and return them with spaces instead of control characters.

    Raises:
        ValueError: There are no questions or more than QUESTIONS, or a question is not a text, has more than
            LONGEST_QUESTION characters, or has no words.
    """
    if not isinstance(values, list) or not 1 <= len(values) <= QUESTIONS:
        raise ValueError(f"1 to {QUESTIONS} questions are expected")
    if not all(isinstance(text, str) and len(text) <= LONGEST_QUESTION for text in values):
        raise ValueError(f"questions must be texts of at most {LONGEST_QUESTION} characters")
    questions = ["".join(c if c.isprintable() else " " for c in text).strip() for text in values]
    if not all(any(c.isalnum() for c in text) for text in questions):
        raise ValueError("a question needs at least one word")
    return questions


def _values(exchange: Exchange) -> dict[str, Any]:
    """Return an exchange in a form that can be written as JSON."""
    judged = {
        name: None if text is None else text._asdict()
        for name, text in exchange._asdict().items()
        if name in ("reply", "human")
    }
    return exchange._asdict() | judged
