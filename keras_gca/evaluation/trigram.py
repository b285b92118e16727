"""An interpolated Kneser-Ney trigram model (NLTK's), the yardstick for a generator's held-out perplexity.

It sees no context: what a generator gains over it is what the context and a longer memory are worth.
"""

import collections
from collections.abc import Iterable, Sequence

import numpy as np
from nltk.lm import KneserNeyInterpolated, Vocabulary
from nltk.lm.smoothing import KneserNey
from nltk.util import everygrams

from keras_gca.data.vocabulary import BOS, EOS

ORDER = 3


class IndexedKneserNey(KneserNey):
    """NLTK's smoothing with its continuation counts indexed once, where NLTK searches all n-grams at every call."""

    def index(self) -> None:
        """Count, for each n-gram and each context, the distinct words that stand before it."""
        self._types: collections.Counter = collections.Counter()
        self._totals: collections.Counter = collections.Counter()
        for order in range(2, self._order + 1):
            for context, words in self.counts[order].items():
                self._totals[context[1:]] += len(words)
                self._types.update((*context[1:], word) for word in words)

    def _continuation_counts(self, word: str, context: tuple[str, ...] = ()) -> tuple[int, int]:
        return self._types[(*context, word)], self._totals[context]


class TrigramModel:
    """An interpolated Kneser-Ney trigram over answers `BOS ... EOS` of token indices.

    discount: the absolute discount of every order; NLTK's default is 0.1, and 0.75 is usual for small corpora.
    """

    def __init__(self, answers: Iterable[Sequence[int]], vocabulary_size: int, discount: float = 0.1):
        sentences = [_padded(answer) for answer in answers]
        vocabulary = Vocabulary(map(str, range(vocabulary_size)))
        self._vocabulary_size = vocabulary_size
        self._model = KneserNeyInterpolated(ORDER, discount=discount, vocabulary=vocabulary)
        self._model.estimator = IndexedKneserNey(vocabulary, self._model.counts, discount=discount, order=ORDER)
        self._model.fit(everygrams(sentence, max_len=ORDER) for sentence in sentences)
        self._model.estimator.index()

    def log_probabilities(self, answer: Sequence[int]) -> np.ndarray:
        """The natural logarithm of each token's probability after BOS, EOS included; float64, (tokens - 1,).

        NLTK's model gives no probability to a token it has never seen; it counts as 1 / vocabulary_size, in its favour.
        """
        sentence = _padded(answer)
        scores = [
            self._model.unmasked_score(sentence[i], sentence[i - ORDER + 1 : i])
            for i in range(ORDER - 1, len(sentence))
        ]
        return np.log([score if score > 0 else 1 / self._vocabulary_size for score in scores])

    def perplexity(self, answers: Iterable[Sequence[int]]) -> float:
        """exp of the total negative log-likelihood over the total of tokens, EOS counted, BOS not."""
        values = np.concatenate([self.log_probabilities(answer) for answer in answers])
        return float(np.exp(-values.mean()))


def _padded(answer: Sequence[int]) -> tuple[str, ...]:
    """`BOS BOS w1 ... wn EOS` as NLTK's words: the order's extra BOS in front, padding behind left out."""
    tokens = [int(token) for token in answer]
    tokens = tokens[: tokens.index(EOS) + 1] if EOS in tokens else [token for token in tokens if token]
    return tuple(map(str, [BOS] * (ORDER - 2) + tokens))
