"""One exchange of a chat: a message, and the answers to it, or the note that replaces them.

Every chat (terminal, browser, `--say`) gets its answers from `respond`. Therefore no message reaches a model before the
agent has looked for a crisis in it.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from keras_gca.serving.protocol import Answer, Chatting

NO_WORDS = "There are no words to answer."


@dataclass(frozen=True)
class Exchange:
    """A message and what a chat shows in reply.

    Args:
        line: The message.
        note: The note that is shown in place of a reply, or None if there is none.
        answers: The answers, of which the chat shows the first one; empty if there is a note or nothing to answer.
        remarks: Remarks about how the message was read and answered, one sentence each.
        unknown: The words of the message that the model does not know.
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
        """Return the exchange as values of JSON.

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
        ask: A function that has the model answer a conversation, the chosen answer first.

    Returns:
        The exchange. It has neither a note nor answers if the message has no words.
    """
    line = history[-1]
    note = agent.crisis_note(line)
    if note is not None:
        return Exchange(line, note)
    tokens = len(agent.tokenise([line])[0])
    if not tokens:
        return Exchange(line, remarks=(NO_WORDS,))
    remarks = (
        [f"Only the last {agent.longest} of {tokens} tokens of this message are read."]
        if tokens > agent.longest
        else []
    )
    return Exchange(line, None, tuple(ask(list(history))), tuple(remarks), tuple(agent.unknown_words(line)))


def cut_mark(answer: Answer) -> str:
    """Return the mark after an answer that was cut at the largest number of tokens; an empty text for other answers."""
    return "" if answer.ended else " [cut at the length limit]"


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
    """Return a number, or None if JSON cannot express it."""
    return value if math.isfinite(value) else None
