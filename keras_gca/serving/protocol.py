"""The interface between a chat and an agent: `Chatting` and `Answer`. Chats use no other parts of an agent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from keras_gca.errors import UserError

MESSAGES_PER_MINUTE = 30  # the maximum number of messages that one visitor of a page may send


@dataclass(frozen=True)
class Answer:
    """One generator's answer, with the discriminator's scores for it.

    Args:
        generator: The name of the generator, with underscores.
        text: The answer as text.
        probability: p(y|x), the probability of the answer y to the context x under the generator.
        probability_of_words: p(y|x) without the factor for the end of the sentence.
        human: The probability that a human gave the complete answer. In the first paper, this is Eq. 9.
        score: The score by which answers are ranked. In the first paper, this is Eq. 10.
        token_scores: Each token of the answer, with the probability that a human produced the token. The last token is
            the end of the sentence. If the discriminator scores only complete answers, the last token has the score of
            the answer, and all other tokens have NaN.
        token_probabilities: The probability of each of these tokens under the generator, p(y_t | x, y).
        ended: Whether the generator ended the answer; False if it was truncated at the maximum number of tokens.
    """

    generator: str
    text: str
    probability: float
    probability_of_words: float
    human: float
    score: float
    token_scores: tuple[tuple[str, float], ...]
    token_probabilities: tuple[float, ...]
    ended: bool = True


@dataclass(frozen=True)
class Decodings:
    """The decodings (ways of generating answers) that the users of a chat may choose from.

    Args:
        usual: The decoding that is used unless the user chooses another one; see `Chatting.answers_to_all`.
        name: A description of `usual`.
        is_random: Whether answers generated with `usual` depend on the seed.
        at_temperature: A function that takes a temperature and returns the decoding that samples at this temperature.
    """

    usual: Any
    name: str
    is_random: bool
    at_temperature: Callable[[float], Any]


class Chatting(Protocol):
    """The interface between a chat and an agent, implemented by the agents of both papers."""

    @property
    def description(self) -> str:
        """A one-line description of the agent."""
        ...

    @property
    def longest(self) -> int:
        """The maximum number of tokens that the agent reads from an utterance."""
        ...

    @property
    def generators(self) -> tuple[str, ...]:
        """The names of the generators, with underscores."""
        ...

    @property
    def judges_words(self) -> bool:
        """Whether the discriminator scores every token of an answer rather than only complete answers."""
        ...

    def answers(
        self, history: str | Sequence[str], context_utterances: int | None, decoding: Any, seed: int
    ) -> list[Answer]:
        """Return the answer of every generator to a conversation, starting with the discriminator's choice.

        Args:
            history: The utterances so far. The last one is answered. A single text is a conversation with one
                utterance.
            context_utterances: The number of utterances in the context, or None for the number used in training.
            decoding: How answers are generated. Each kind of agent defines its own type of decoding.
            seed: The seed for sampling.

        Raises:
            UserError: The history is not a valid conversation; see `as_history`.
        """
        ...

    def answers_to_all(
        self,
        histories: Sequence[str | Sequence[str]],
        context_utterances: int | None,
        decoding: Any,
        seeds: Sequence[int],
    ) -> list[list[Answer]]:
        """Answer several conversations in one batch, each with its own seed; see `answers`."""
        ...

    def figures(self, answer: Answer) -> str:
        """Describe the scores of an answer as text."""
        ...

    def crisis_note(self, message: str) -> str | None:
        """Return the note to show instead of a reply if a message speaks of a crisis, or None otherwise."""
        ...

    def tokenise(self, utterances: Sequence[str]) -> list[list[str]]:
        """Split each utterance into the tokens that the model reads."""
        ...

    def unknown_words(self, utterance: str) -> list[str]:
        """Return the words of an utterance that the model does not know."""
        ...


def as_history(history: str | Sequence[str]) -> list[str]:
    """Turn a conversation into a list of utterances, and check that the last one can be answered.

    Args:
        history: The utterances so far, or a single utterance as a text.

    Returns:
        A list of the utterances, which has one element if `history` is a single text.

    Raises:
        UserError: There are no utterances, an utterance is not a text, or the last utterance is blank.
    """
    utterances = [history] if isinstance(history, str) else list(history)
    if not all(isinstance(utterance, str) for utterance in utterances):
        raise UserError("an utterance is not a text; give a conversation as a text or as a list of texts")
    if not utterances or not utterances[-1].strip():
        raise UserError("there is nothing to answer: the last text is blank, or the list of texts is empty")
    return utterances


def as_histories(histories: Sequence[str | Sequence[str]]) -> list[list[str]]:
    """Turn several conversations into lists of utterances; see `as_history`.

    Raises:
        UserError: An element is not a valid conversation, or `histories` is a single text.
    """
    if isinstance(histories, str):
        raise UserError("a list of conversations is expected, not a single text")
    return [as_history(history) for history in histories]
