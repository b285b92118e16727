"""Predicts a keyword for the answer to a context by pointwise mutual information, and splits answers at a keyword.

Mou et al. 2016, "Sequence to Backward and Forward Sequences: A Content-Introducing Approach to Generative Short-Text
Conversation" (seq2BF, arXiv 1607.00970), choose the word w with the highest pointwise mutual information (PMI) with a
context x of the words x_1 ... x_m, as if these words were independent:

    PMI(x, w) = sum over i of log p(x_i|w) / p(x_i) = sum over i of log p(w|x_i) / p(w)

The probabilities are shares of the N training pairs. n(x_i) is the number of pairs whose context contains x_i, n(w) the
number of pairs whose answer contains w, and n(x_i, w) the number of pairs for which both are true:

    p(x_i) = n(x_i) / N,    p(x_i|w) = (n(x_i, w) + alpha p(x_i)) / (n(w) + alpha)

The prior alpha p(x_i) makes the logarithm finite, and keeps a rare w from having a high PMI by chance. Shapes: C
candidates for keywords; s_v tokens in the vocabulary; B contexts; R pairs of a context word and a candidate that occur
in the same training pair.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import BOS, EOS, PAD, SPECIAL_TOKENS, Vocabulary
from keras_gca.errors import UserError

SHORTEST = 3  # the minimum number of letters in a keyword
FEWEST = 5  # a keyword occurs in at least this many training answers
COMMONEST = 0.01  # a word that occurs in more than this share of the training answers is not a keyword
PRIOR = 256.0  # alpha, as a number of pairs; chosen on held-out pairs of the embedded corpus (docs/fidelity.md)


class Seq2BF(NamedTuple):
    """The parts of a bot that build answers around keywords.

    Attributes:
        keywords: The arrays of the `KeywordModel`.
        network: The weights of the generator that continues a keyword back to the beginning of the answer.
    """

    keywords: list[np.ndarray]
    network: list[np.ndarray]


@dataclass(frozen=True, eq=False)
class KeywordModel:
    """The numbers of training pairs from which PMI is computed. All arrays are int32.

    Attributes:
        pairs: N, the number of training pairs, shape (1,).
        words: The tokens of the candidates in ascending order, shape (C,).
        answers: n(w), the number of pairs whose answer contains each candidate, shape (C,).
        contexts: n(x_i), the number of pairs whose context contains each token, shape (s_v,). Special tokens have 0.
        starts: For each token, the position of its first row in `columns` and `together`, shape (s_v + 1,).
        columns: The number of the candidate in each row, shape (R,).
        together: n(x_i, w) of each row, shape (R,).
    """

    pairs: np.ndarray
    words: np.ndarray
    answers: np.ndarray
    contexts: np.ndarray
    starts: np.ndarray
    columns: np.ndarray
    together: np.ndarray

    def __post_init__(self) -> None:
        if any(array.ndim != 1 or array.dtype.kind not in "iu" for array in self.arrays) or self.pairs.shape != (1,):
            raise ValueError("the keywords must be rows of whole numbers")
        tokens, (count,) = len(self.contexts), self.pairs
        shapes = len(self.answers) == len(self.words) > 0, len(self.starts) == tokens + 1
        if not all(shapes) or not len(self.columns) == len(self.together) == self.starts[-1]:
            raise ValueError("the numbers of the keywords do not fit together")
        ranges = (
            (self.words, len(SPECIAL_TOKENS), tokens - 1),
            (self.answers, 1, count),
            (self.contexts, 0, count),
            (np.diff(self.words), 1, tokens),
            (np.diff(self.starts), 0, len(self.words)),
            (self.starts[:1], 0, 0),
            (self.columns, 0, len(self.words) - 1),
            (self.together, 1, count),
        )
        if any(array.size and not low <= array.min() <= array.max() <= high for array, low, high in ranges):
            raise ValueError("the keywords have a number that is out of range")
        if not self.contexts[np.repeat(np.arange(tokens), np.diff(self.starts))].all():
            raise ValueError("the keywords count pairs with a word that no context contains")

    @classmethod
    def of_arrays(cls, arrays: Sequence[np.ndarray]) -> "KeywordModel":
        """Make a model from its stored arrays.

        Raises:
            ValueError: The arrays are not those of a keyword model.
        """
        if len(arrays) != 7:
            raise ValueError(f"keywords have 7 arrays, but {len(arrays)} are stored")
        return cls(*arrays)

    @property
    def arrays(self) -> list[np.ndarray]:
        """The arrays in the order of the attributes, for storage."""
        parts = self.pairs, self.words, self.answers, self.contexts, self.starts, self.columns, self.together
        return list(parts)

    @property
    def candidates(self) -> np.ndarray:
        """Whether each token is a candidate for keywords, a bool array of shape (s_v,)."""
        made = np.zeros(len(self.contexts), bool)
        made[self.words] = True
        return made

    @cached_property
    def _alone(self) -> np.ndarray:
        """log alpha / (n(w) + alpha), the PMI of each candidate with a context word it never occurs with."""
        return np.log(PRIOR / (self.answers + PRIOR))

    @cached_property
    def _gains(self) -> np.ndarray:
        """log(1 + n(x_i, w) / (alpha p(x_i))), which n(x_i, w) adds to the PMI, for each row."""
        share = np.repeat(self.contexts, np.diff(self.starts)) / self.pairs
        return np.log1p(self.together / (PRIOR * share))

    def scores(self, contexts: np.ndarray) -> np.ndarray:
        """Compute PMI(x, w) for all candidates.

        Words that no training context contains say nothing about the answer. They are left out, and so are special
        tokens and the tokens of speakers.

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded with PAD.

        Returns:
            A float64 array of shape (B, C).
        """
        scores = np.zeros((len(contexts), len(self.words)))
        for row, words in zip(scores, self._known(contexts), strict=True):
            row += len(words) * self._alone
            for word in words:
                found = slice(self.starts[word], self.starts[word + 1])
                row[self.columns[found]] += self._gains[found]
        return scores

    def keywords_of(self, contexts: np.ndarray) -> np.ndarray:
        """Predict the keyword of the answer to each context: the candidate with the highest PMI.

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded with PAD.

        Returns:
            The tokens of the keywords, shape (B,) and dtype int32, or PAD for contexts without a known word.
        """
        best = self.words[self.scores(contexts).argmax(axis=1)]
        known = np.array([len(words) > 0 for words in self._known(contexts)], bool)
        return np.where(known, best, PAD).astype(np.int32)

    def _known(self, contexts: np.ndarray) -> list[np.ndarray]:
        """Return the words of each context that occur in training contexts."""
        inside = [row[row < len(self.contexts)] for row in contexts]
        return [row[self.contexts[row] > 0] for row in inside]


def fit_keywords(pairs: Pairs, vocabulary: Vocabulary) -> KeywordModel:
    """Choose the candidates for keywords, and count how often they occur with the words of contexts.

    A candidate is a word of at least SHORTEST letters that is neither too rare (FEWEST) nor too common (COMMONEST) in
    the answers.

    Args:
        pairs: The training pairs.
        vocabulary: The vocabulary of the pairs.

    Raises:
        UserError: No word can be a keyword.
    """
    in_contexts, in_answers = (_occurrences(rows, len(vocabulary)) for rows in (pairs.contexts, pairs.answers))
    contexts, answers = (np.asarray(of.sum(axis=0), np.int64).ravel() for of in (in_contexts, in_answers))
    most = max(FEWEST, COMMONEST * len(pairs))
    words = np.array(
        [
            token
            for token in np.flatnonzero((answers >= FEWEST) & (answers <= most))
            if len(word := vocabulary.tokens[token]) >= SHORTEST and word.isalpha()
        ],
        np.int32,
    )
    if not len(words):
        raise UserError(
            f"--keyword-epochs: no word of the training answers can be a keyword (words of {SHORTEST} letters or more "
            f"in at least {FEWEST} answers, but in at most {COMMONEST:.0%} of them); use more data"
        )
    together = (in_contexts.T @ in_answers[:, words]).tocsr()
    together.sort_indices()
    parts = np.array([len(pairs)]), words, answers[words], contexts, together.indptr, together.indices, together.data
    return KeywordModel(*(np.asarray(part, np.int32) for part in parts))


def _occurrences(rows: np.ndarray, tokens: int) -> Any:
    """Return which words of the vocabulary occur in each row of tokens, as a sparse matrix of 0 and 1, (n, s_v)."""
    import scipy.sparse  # importing it takes time, and only training needs it

    row, column = np.nonzero((rows >= len(SPECIAL_TOKENS)) & (rows < tokens))
    found = np.unique(np.stack([row, rows[row, column]], 1), axis=0)
    return scipy.sparse.csr_matrix((np.ones(len(found), np.int32), found.T), (len(rows), tokens))


def beginnings(pairs: Pairs, candidates: np.ndarray, seed: int) -> Pairs:
    """Replace each answer by its beginning, read backwards from a split word to the first word.

    Each answer y_1 ... y_T is split at a random word y_k, and becomes `y_k y_(k-1) ... y_1 EOS`. The split word stands
    where an answer otherwise has BOS, so teacher forcing trains p(y_(k-1) ... y_1 | y_k, x), and no network has to
    predict the split word. If an answer contains candidates for keywords, one of them is chosen.

    Args:
        pairs: The n pairs.
        candidates: Whether each token is a candidate for keywords, a bool array of shape (s_v,).
        seed: The seed for the choice of split words, which are uniformly distributed.

    Returns:
        The pairs with the same contexts. The answers have the same shape, and are padded on the right.
    """
    answers = pairs.answers
    words = (answers != PAD) & (answers != BOS) & (answers != EOS)
    preferred = words & candidates[answers]
    allowed = np.where(preferred.any(axis=1, keepdims=True), preferred, words)
    drawn = np.random.default_rng(seed).random(answers.shape, np.float32)
    split = np.where(allowed, drawn, -1).argmax(axis=1)[:, None]  # k, or 0 for an answer without words
    place = split - np.arange(answers.shape[1])
    made = np.where(place > 0, np.take_along_axis(answers, np.maximum(place, 0), axis=1), PAD)
    made[np.arange(len(made)), split[:, 0]] = EOS
    return Pairs(pairs.contexts, made.astype(np.int32), pairs.conversation)
