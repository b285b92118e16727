"""Simulates conversations of two agents, starting from human contexts (Li et al. 2016, Section 4.3).

A conversation continues a human context. The first agent answers the last utterance of the context, so this utterance
counts as a turn of the second agent. The utterance before it, if there is one, counts as a turn of the first agent.
Both agents are the same generator.

Shapes: B is the number of conversations, T the number of turns in each, and n = B * T. N_u is the number of utterances
in a context, and s is the maximum number of tokens in a context.
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
    """Human contexts that start conversations.

    Attributes:
        contexts: Token ids of the contexts, padded on the left, shape (B, s) and dtype int32.
        utterances: Token ids of their utterances, padded on the left, shape (B, N_u, s) and dtype int32. If a context
            has fewer utterances, the first rows are padding.
    """

    contexts: np.ndarray
    utterances: np.ndarray

    def some(self, rows: np.ndarray) -> "Openings":
        """Return the contexts with the given indices."""
        return Openings(self.contexts[rows], self.utterances[rows])


class Simulated(NamedTuple):
    """Simulated conversations as pairs of a context and an answer.

    Attributes:
        pairs: The n pairs in the order of turns: the first turns of all conversations, the second turns, and so on. The
            `conversation` attribute of a pair is the index of the simulated conversation.
        said: All utterances of each conversation, shape (B, N_u + T, s) and dtype int32. The utterances of the human
            context come first, followed by the turns.
        length: T, the number of turns.
    """

    pairs: Pairs
    said: np.ndarray
    length: int

    @property
    def turns(self) -> np.ndarray:
        """The turns as utterances, in the order of `pairs`: an int32 array of shape (n, s)."""
        return self.earlier(0)

    def earlier(self, steps: int) -> np.ndarray:
        """Return, for each turn, the utterance that comes the given number of utterances earlier.

        Returns:
            An int32 array of shape (n, s). Rows without such an utterance are padding.
        """
        first = self.said.shape[1] - self.length - steps
        before = np.pad(self.said, ((0, 0), (max(-first, 0), 0), (0, 0)), constant_values=PAD)
        start = max(first, 0)
        return np.concatenate(list(np.moveaxis(before[:, start : start + self.length], 1, 0)))


def openings(pairs: Pairs | TokenPairs, count: int, seed: int, config: Config, vocabulary_size: int) -> Openings:
    """Choose human contexts to start conversations.

    Args:
        pairs: The human pairs, with the pairs of each conversation in order.
        count: The number of contexts, which may exceed the number of pairs.
        seed: The random seed for the choice.
        config: The settings, which include N_u.
        vocabulary_size: s_v, the size of the vocabulary. Ids from s_v on are speaker tokens, which are not part of any
            utterance.

    Returns:
        The contexts. If the utterances of a context are unknown (see `seeds_with_utterances`), the whole context counts
        as its last utterance.
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
    """Simulate conversations that start from human contexts.

    Args:
        answered: A function that takes contexts and the number of a turn, and returns the answers: an int32 array of
            shape (B, s_s + 1).
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
