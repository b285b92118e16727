"""NLTK's interpolated Kneser-Ney trigram model, a baseline for the held-out perplexity of a generator.

The model sees only the two previous words, not the context. A generator that reaches a lower perplexity benefits from
the context and from its longer memory.
"""

import collections
import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

import numpy as np
from nltk.lm import KneserNeyInterpolated, Vocabulary
from nltk.lm.smoothing import KneserNey
from nltk.util import everygrams

from keras_gca.data.vocabulary import BOS, EOS

ORDER = 3
DISCOUNTS = (0.1, 0.75)  # NLTK's default, and a value that suits small corpora better


class IndexedKneserNey(KneserNey):
    """NLTK's smoothing with an index of continuation counts, because NLTK's class searches all n-grams in each call."""

    def index(self) -> None:
        """Count the distinct words that precede each n-gram and each context."""
        self._types: collections.Counter = collections.Counter()
        self._totals: collections.Counter = collections.Counter()
        for order in range(2, self._order + 1):
            for context, words in self.counts[order].items():
                self._totals[context[1:]] += len(words)
                self._types.update((*context[1:], word) for word in words)

    def _continuation_counts(self, word: str, context: tuple[str, ...] = ()) -> tuple[int, int]:
        return self._types[(*context, word)], self._totals[context]


class TrigramModel:
    """An interpolated Kneser-Ney trigram model of answers, which are sequences of token indices, `BOS ... EOS`.

    Args:
        answers: The answers to fit.
        vocabulary_size: The number of tokens. All tokens of the answers are smaller.
        discount: The absolute discount of every order; NLTK's default is 0.1, and 0.75 is usual for small corpora.
    """

    def __init__(self, answers: Iterable[Sequence[int]], vocabulary_size: int, discount: float = 0.1):
        vocabulary = Vocabulary(map(str, range(vocabulary_size)))
        self._vocabulary_size = vocabulary_size
        self._model = KneserNeyInterpolated(ORDER, discount=discount, vocabulary=vocabulary)
        self._model.estimator = IndexedKneserNey(vocabulary, self._model.counts, discount=discount, order=ORDER)
        # `fit` would also look up each n-gram's tokens in the vocabulary, which takes three quarters of its time. Here
        # all of them are known.
        self._model.counts.update(everygrams(_padded(answer), max_len=ORDER) for answer in answers)
        self._model.estimator.index()

    def with_discount(self, discount: float) -> Self:
        """Return a model with another discount. It shares the counts of this model."""
        other = copy.copy(self)
        other._model = copy.copy(self._model)
        other._model.estimator = copy.copy(self._model.estimator)
        other._model.estimator.discount = discount
        return other

    def log_probabilities(self, answer: Sequence[int]) -> np.ndarray:
        """Compute the natural logarithm of the probability of each token after BOS, including EOS.

        NLTK's model gives unseen tokens a probability of 0. Here they get 1 / vocabulary_size, which favours the
        trigram model in comparisons.

        Returns:
            A float64 array of shape (tokens - 1,).
        """
        sentence = _padded(answer)
        scores = [
            self._model.unmasked_score(sentence[i], sentence[i - ORDER + 1 : i])
            for i in range(ORDER - 1, len(sentence))
        ]
        return np.log([score if score > 0 else 1 / self._vocabulary_size for score in scores])

    def perplexity(self, answers: Iterable[Sequence[int]]) -> float:
        """Compute exp(total negative log-likelihood / number of tokens), counting EOS but not BOS as a token."""
        values = np.concatenate([self.log_probabilities(answer) for answer in answers])
        return float(np.exp(-values.mean()))


def fitted(answers: np.ndarray, vocabulary_size: int) -> Iterator[tuple[str, TrigramModel]]:
    """Fit trigram models with each of DISCOUNTS, and yield the name of each and the model.

    Args:
        answers: The answers to fit, `BOS ... EOS` padded on the right, an integer array of shape (n, s_s + 1).
        vocabulary_size: The number of tokens.
    """
    model = TrigramModel(answers, vocabulary_size)
    for discount in DISCOUNTS:
        yield f"Kneser-Ney trigram, discount {discount}", model.with_discount(discount)


def _padded(answer: Sequence[int]) -> tuple[str, ...]:
    """Return `BOS BOS w1 ... wn EOS` as words for NLTK, without padding; trigrams need the second BOS."""
    tokens = [int(token) for token in answer]
    tokens = tokens[: tokens.index(EOS) + 1] if EOS in tokens else [token for token in tokens if token]
    return tuple(map(str, [BOS] * (ORDER - 2) + tokens))
