"""Simulates conversations of two agents, which begin with human contexts (Li et al. 2016, Section 4.3).

A conversation continues a human context, whose last utterance is the message that the first agent answers. The message
counts as a turn of the second agent, and the utterance before it, if there is one, as a turn of the first agent. Both
agents are the same generator.

Shapes: B conversations of T turns, n = B T; N_u utterances in a context; at most s tokens in a context.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs, answers_as_contexts
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.vocabulary import PAD
from keras_gca.training.self_conversation import seeds_with_utterances, take_turns


class Openings(NamedTuple):
    """Human contexts with which conversations begin.

    Attributes:
        contexts: (B, s) int32, padded on the left.
        utterances: (B, N_u, s) int32, the utterances of these contexts, padded on the left. A context with fewer
            utterances has rows of padding before them.
    """

    contexts: np.ndarray
    utterances: np.ndarray

    def some(self, rows: np.ndarray) -> "Openings":
        """Return some of the contexts."""
        return Openings(self.contexts[rows], self.utterances[rows])


class Simulated(NamedTuple):
    """Simulated conversations, as pairs of a context and an answer.

    Attributes:
        pairs: n pairs, the first turns of all conversations before the second turns, and so on; `conversation` is the
            number of the conversation.
        said: (B, N_u + T, s) int32, all utterances: those of the human context, and then the turns.
        length: T.
    """

    pairs: Pairs
    said: np.ndarray
    length: int

    @property
    def turns(self) -> np.ndarray:
        """The turns as utterances, (n, s) int32, in the order of `pairs`."""
        return self.earlier(0)

    def earlier(self, steps: int) -> np.ndarray:
        """Return the utterance that is so many steps before each turn: (n, s) int32, padding where there is none."""
        first = self.said.shape[1] - self.length - steps
        before = np.pad(self.said, ((0, 0), (max(-first, 0), 0), (0, 0)), constant_values=PAD)
        start = max(first, 0)
        return np.concatenate(list(np.moveaxis(before[:, start : start + self.length], 1, 0)))


def openings(pairs: Pairs | TokenPairs, count: int, seed: int, config: Config, vocabulary_size: int) -> Openings:
    """Choose human contexts with which conversations begin.

    Args:
        pairs: The pairs of H. Those of one conversation are in the order of the conversation.
        count: The number of contexts, which may be greater than the number of pairs.
        seed: The seed of the choice.
        config: The settings, with N_u.
        vocabulary_size: s_v. The tokens of speakers, which are not below s_v, do not belong to an utterance.

    Returns:
        The contexts. If the utterances of no context are known (see `seeds_with_utterances`), a whole context counts as
        its last utterance.
    """
    words = vocabulary_size if config.names_speakers else None
    contexts, utterances = seeds_with_utterances(
        pairs, count, seed, config.context_utterances, config.hierarchical, words
    )
    unknown = ~utterances[:, -1].any(axis=1)
    utterances[unknown, -1] = np.where(contexts[unknown] < vocabulary_size, contexts[unknown], PAD)
    return Openings(contexts, utterances)


def simulate(
    answered: Callable[[np.ndarray, int], np.ndarray], begun: Openings, turns: int, hierarchical: bool = False
) -> Simulated:
    """Simulate conversations.

    Args:
        answered: Returns the answers, (B, s_s + 1) int32, to the contexts of a turn, whose number it gets.
        begun: The human contexts.
        turns: T, the number of answers in each conversation.
        hierarchical: Whether the contexts are for a hierarchical encoder.
    """
    number, length = np.arange(len(begun.contexts), dtype=np.int32), begun.contexts.shape[1]
    made = [
        Pairs(contexts, answers, number)
        for contexts, answers in take_turns(answered, begun.contexts, turns, begun.utterances[:, 1:], hierarchical)
    ]
    heard = [answers_as_contexts(pairs.answers, length, hierarchical)[:, None] for pairs in made]
    return Simulated(Pairs.concatenate(made), np.concatenate([begun.utterances, *heard], axis=1), turns)
