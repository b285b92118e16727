"""One exchange of a chat: a message with its answers, or with the crisis note that replaces them.

Every chat (terminal, browser, `--say`) gets its answers from `respond`, so every message is checked for signs of a
crisis before it reaches a model.
"""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_gca.serving.protocol import Answer, Chatting

NO_WORDS = "There are no words to answer."
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Exchange:
    """A message and the reply that a chat shows.

    Args:
        line: The message.
        note: The crisis note that is shown instead of a reply, or None.
        answers: The answers, the first of which the chat shows. Empty if there is a note or the message has no words.
        remarks: Remarks on how the message was read, one sentence each.
        unknown: The words in the message that the model does not know.
    """

    line: str
    note: str | None = None
    answers: tuple[Answer, ...] = ()
    remarks: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def transcript(self) -> str:
        """The exchange as lines of a transcript."""
        reply = f"bot> {self.answers[0].text}{cut_mark(self.answers[0])}" if self.note is None else f"note> {self.note}"
        return f"you> {self.line}\n{reply}\n"

    def as_json(self, agent: Chatting) -> dict[str, Any]:
        """Return the exchange in a form that can be written as JSON.

        Args:
            agent: The agent that answered.
        """
        if self.note is not None:
            return {"note": self.note}
        answers = [_answer_as_json(answer) | {"figures": agent.figures(answer)} for answer in self.answers]
        return {"answers": answers, "remarks": list(self.remarks), "unknown": list(self.unknown)}


def respond(agent: Chatting, history: Sequence[str], ask: Callable[[list[str]], Sequence[Answer]]) -> Exchange:
    """Answer the last message of a conversation, unless it speaks of a crisis or has no words.

    Args:
        agent: The agent.
        history: The utterances so far. The last one is answered.
        ask: A function that returns the model's answers to a conversation, starting with the chosen answer.

    Returns:
        The exchange, which has neither a note nor answers if the message has no words.
    """
    line = history[-1]
    note = agent.crisis_note(line)
    if note is not None:
        return Exchange(line, note)
    tokens = len(agent.tokenise([line])[0])
    if not tokens:
        return Exchange(line, remarks=(NO_WORDS,))
    remarks = (
        [f"The bot reads only the last {agent.longest} of the {tokens} tokens in this message."]
        if tokens > agent.longest
        else []
    )
    answers = [dataclasses.replace(answer, text=without_controls(answer.text)) for answer in ask(list(history))]
    return Exchange(line, None, tuple(answers), tuple(remarks), tuple(agent.unknown_words(line)))


def without_controls(text: str) -> str:
    """Return a text in which control characters, except line breaks, are replaced by spaces.

    A bot's words may come from somebody else, and control characters can change the settings of a terminal.
    """
    return _CONTROLS.sub(" ", text)


def cut_mark(answer: Answer) -> str:
    """Return a mark if an answer was truncated at the maximum number of tokens, or "" otherwise."""
    return "" if answer.ended else " [cut off at the length limit]"


def _answer_as_json(answer: Answer) -> dict[str, Any]:
    tokens = zip(answer.token_scores, answer.token_probabilities, strict=True)
    return {
        "generator": answer.generator.replace("_", " "),
        "text": answer.text,
        "ended": answer.ended,
        "probability": _number(answer.probability),
        "human": _number(answer.human),
        "score": _number(answer.score),
        "tokens": [{"text": text, "human": _number(human), "probability": _number(p)} for (text, human), p in tokens],
    }


def _number(value: float) -> float | None:
    """Return the number, or None if JSON cannot represent it."""
    return value if math.isfinite(value) else None
