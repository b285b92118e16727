"""What a chat asks of an agent, and what it gets: all that this room knows of a model."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

MESSAGES_PER_MINUTE = 30  # that one visitor of a page may send


@dataclass(frozen=True)
class Answer:
    """One generator's answer and what the discriminator holds of it.

    generator:     its name, with underscores.
    probability:   p(y|x) under that generator. probability_of_words: the same without the factor of the end.
    human:         the probability that a human has given the whole answer. score: what answers are ranked by. Of the
        first paper they are Eq. 9 and Eq. 10.
    token_scores:  for each token of the answer, the end of the sentence last, the token and the probability that it is
        a human's. A discriminator of whole answers scores the last token alone; the others have NaN.
    token_probabilities: p(y_t | x, y) of the same tokens under the generator.
    """

    generator: str
    text: str
    probability: float
    probability_of_words: float
    human: float
    score: float
    token_scores: tuple[tuple[str, float], ...]
    token_probabilities: tuple[float, ...]


class Chatting(Protocol):
    """An agent that one can chat with.

    description: a line about it. longest: tokens of an utterance that are read.
    """

    description: str
    longest: int
    generators: tuple[str, ...]

    def answers(
        self, history: Sequence[str], context_utterances: int | None, decoding: Any, seed: int
    ) -> list[Answer]: ...

    def answers_to_all(
        self,
        histories: Sequence[Sequence[str]],
        context_utterances: int | None,
        decoding: Any,
        seeds: Sequence[int],
    ) -> list[list[Answer]]:
        """What `answers` gives to each history, in one batch."""
        ...

    def figures(self, answer: Answer) -> str:
        """An answer's scores, for people."""
        ...

    def note_instead(self, message: str) -> str | None:
        """What a message is answered with in place of a reply, if it should be."""
        ...

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]: ...

    def unknown_words(self, utterance: str) -> list[str]: ...
