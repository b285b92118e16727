"""An interpolated Kneser-Ney 5-gram model of words that derives the probability of an unseen word from its spelling.

The model measures the quality of replies. A word model that gives the same probability to all unseen words can prefer a
meaningless string of letters to a rare word. In this model, a word that occurs at most once in the training data has
the probability

    p(unseen | previous words) * product of p(letter) over its letters and its end

so each additional letter of a meaningless string makes a reply less probable.
"""

import collections
import math
from collections.abc import Iterable, Sequence

import numpy as np
from nltk.lm import KneserNeyInterpolated, Vocabulary
from nltk.util import everygrams

from keras_gca.evaluation.trigram import IndexedKneserNey

ORDER, DISCOUNT = 5, 0.75
CHARACTERS = 0x110000  # the number of code points in Unicode
_BEGIN, _END, _UNSEEN = "<begin>", "<end>", "<unseen>"  # words of replies do not have these forms


class WordModel:
    """A 5-gram model of replies, which are sequences of words. The model does not see the context.

    Args:
        replies: The replies to fit, without markers for their beginning and end.
        order: The length of the longest n-grams.
        discount: The absolute discount of every order.

    Raises:
        ValueError: There are no replies.
    """

    def __init__(self, replies: Iterable[Sequence[str]], order: int = ORDER, discount: float = DISCOUNT):
        replies = [list(reply) for reply in replies]
        if not replies:
            raise ValueError("there are no replies to fit a word model to")
        counts = collections.Counter(word for reply in replies for word in reply)
        self._order = order
        self._known = {word for word, count in counts.items() if count > 1}
        letters = collections.Counter(letter for word in counts for letter in word)
        # Add-one smoothing: one additional count for each known letter, for the end of a word, and for all other
        # characters together.
        self._letters = letters
        self._spellings = letters.total() + len(counts) + len(letters) + 2
        self._ends = len(counts) + 1
        sentences = [self._padded(reply) for reply in replies]
        if not any(_UNSEEN in sentence for sentence in sentences):  # unseen words must get some probability
            sentences.append(self._padded([_UNSEEN]))
        vocabulary = Vocabulary([*self._known, _BEGIN, _END, _UNSEEN])
        self._model = KneserNeyInterpolated(order, discount=discount, vocabulary=vocabulary)
        self._model.estimator = IndexedKneserNey(vocabulary, self._model.counts, discount=discount, order=order)
        self._model.fit(everygrams(sentence, max_len=order) for sentence in sentences)
        self._model.estimator.index()

    def log_probabilities(self, reply: Sequence[str]) -> np.ndarray:
        """Compute the natural logarithm of the probability of each word in a reply and of its end.

        Returns:
            A float64 array of shape (words + 1,).
        """
        sentence = self._padded(reply)
        logs = []
        for i in range(self._order - 1, len(sentence)):
            log = math.log(self._model.unmasked_score(sentence[i], sentence[i - self._order + 1 : i]))
            if sentence[i] == _UNSEEN:
                log += self._spelling(reply[i - self._order + 1])
            logs.append(log)
        return np.array(logs)

    def costs(self, replies: Sequence[Sequence[str]]) -> np.ndarray:
        """Compute the negative log-likelihood and the number of words for each of n replies.

        The end of a reply counts as a word. The perplexity is exp(sum of the first column / sum of the second column).

        Returns:
            A float64 array of shape (n, 2).
        """
        logs = [self.log_probabilities(reply) for reply in replies]
        return np.array([(-of_reply.sum(), len(of_reply)) for of_reply in logs], np.float64).reshape(-1, 2)

    def _padded(self, reply: Sequence[str]) -> tuple[str, ...]:
        words = [word if word in self._known else _UNSEEN for word in reply]
        return tuple([_BEGIN] * (self._order - 1) + words + [_END])

    def _spelling(self, word: str) -> float:
        """Compute the log-probability of a word's letters and end."""
        total = math.log(self._ends / self._spellings)
        for letter in word:
            known = (self._letters[letter] + 1) if letter in self._letters else 1 / CHARACTERS
            total += math.log(known / self._spellings)
        return total
