"""`Survey`: lines of human dialogue, each with two machine-generated answers and the discriminator's scores."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from keras_gca.errors import UserError
from keras_gca.storage import json_files

FORMAT = "keras_gca survey 1"
DIALOGUES, LINES = 10, 24  # Section 5: each volunteer was given 10 dialogues of 24 lines on average


@dataclass(frozen=True)
class MachineAnswer:
    """One model's answer to a dialogue line.

    Args:
        text: The answer.
        human: The probability that a human gave this answer: p(y+|x) of Eq. 9, in [0, 1].
        score: The discriminator's score for the answer: S(y+) of Eq. 10, in [0, 1].
    """

    text: str
    human: float
    score: float


@dataclass(frozen=True)
class Line:
    """A line of dialogue and two machine-generated answers to it.

    Args:
        context: The last N_u utterances, ending with the human line to answer.
        answers: The answers of the two models, in the order of `Survey.models`.
        order: The indices of the two answers in the order in which volunteers see them: (0, 1) or (1, 0).
    """

    context: tuple[str, ...]
    answers: tuple[MachineAnswer, MachineAnswer]
    order: tuple[int, int]

    @property
    def shown(self) -> tuple[str, str]:
        """The texts of the two answers, in the order in which volunteers see them."""
        return self.answers[self.order[0]].text, self.answers[self.order[1]].text


@dataclass(frozen=True)
class Survey:
    """The questionnaire that all volunteers fill in.

    Args:
        models: The names of the two models. Volunteers do not see them.
        dialogues: The lines of each dialogue. Lines are numbered from 0 across all dialogues.
        source: A description of where the lines and answers come from.
    """

    models: tuple[str, str]
    dialogues: tuple[tuple[Line, ...], ...]
    source: dict[str, Any]

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines of all dialogues, in order."""
        return tuple(line for dialogue in self.dialogues for line in dialogue)

    def numbered(self, dialogue: int) -> list[tuple[int, Line]]:
        """Return the lines of the dialogue with the given index, each with its number in the survey."""
        start = sum(len(earlier) for earlier in self.dialogues[:dialogue])
        return list(enumerate(self.dialogues[dialogue], start))

    @property
    def fingerprint(self) -> str:
        """A short string that identifies this survey. It is stored with the votes on the survey."""
        return f"survey-{hashlib.sha256(self.to_json().encode()).hexdigest()[:16]}"

    def to_json(self) -> str:
        """Return the survey as JSON. Equal surveys give the same string."""
        dialogues = [[asdict(line) for line in dialogue] for dialogue in self.dialogues]
        facts = {"format": FORMAT, "source": self.source, "models": self.models, "dialogues": dialogues}
        return json.dumps(facts, indent=1, ensure_ascii=False) + "\n"

    @classmethod
    def read(cls, path: str | os.PathLike) -> "Survey":
        """Read a survey.json file.

        Raises:
            UserError: The file is missing, damaged, or not a survey.
        """
        value = json_files.read(path)
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise UserError(f"{path}: the file is not a survey that this version can read ({FORMAT} is expected)")
        try:
            return cls._from_facts(value)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: the file is damaged ({error})") from None

    @classmethod
    def _from_facts(cls, value: dict[str, Any]) -> "Survey":
        models = tuple(value["models"])
        if len(models) != 2 or len(set(models)) != 2 or not all(isinstance(name, str) for name in models):
            raise ValueError("two models with different names are expected")
        dialogues, number = [], 0
        for dialogue in value["dialogues"]:
            lines = []
            for line in dialogue:
                number += 1
                lines.append(_line(line, number))
            dialogues.append(tuple(lines))
        if not number or not all(dialogues):
            raise ValueError("dialogues with at least one line each are expected")
        return cls(models, tuple(dialogues), dict(value["source"]))

    def write(self, path: str | os.PathLike) -> None:
        """Write a survey.json file.

        Raises:
            UserError: The file already exists. It is never overwritten, because votes may belong to it.
        """
        try:
            with Path(path).open("x", encoding="utf-8", newline="") as stream:
                stream.write(self.to_json())
        except FileExistsError:
            raise UserError(f"{path} already exists, and votes may belong to it; choose another file") from None


def _line(value: dict[str, Any], number: int) -> Line:
    """Convert a JSON value to a line of the survey, and check the line."""
    context, order = tuple(value["context"]), tuple(value["order"])
    answers = [MachineAnswer(**answer) for answer in value["answers"]]
    if not context or not all(isinstance(text, str) for text in context):
        raise ValueError(f"line {number}: a context with at least one utterance is expected")
    if len(answers) != 2 or not all(isinstance(answer.text, str) for answer in answers):
        raise ValueError(f"line {number}: two answers are expected")
    if not all(0 <= score <= 1 for answer in answers for score in (answer.human, answer.score)):
        raise ValueError(f"line {number}: scores in [0, 1] are expected")
    if order not in ((0, 1), (1, 0)):
        raise ValueError(f"line {number}: the order [0, 1] or [1, 0] is expected")
    first, second = answers
    return Line(context, (first, second), order)
