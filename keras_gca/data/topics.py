"""Fits a topic model to the training text, and finds the topic of a context and the words of a topic.

Xing et al. 2017, "Topic Aware Neural Response Generation", assign one topic to each message, and give the most probable
words of this topic to the decoder. They fit Twitter LDA, in which each message has one topic. Here latent Dirichlet
allocation (Blei et al. 2003, scikit-learn) is fitted to complete conversations, because single messages are too short
for it. The topic z of a context x is then the most probable one if all words of x have the same topic:

    z = argmax over z of  log p(z) + sum over words w of x that occur in topics of  log p(w|z)

Words that say little about a topic, such as stop words, belong to no topic. Shapes: Z topics with n words each, and
s_v tokens in the vocabulary.
"""

import collections
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from keras_gca.data.vocabulary import Vocabulary
from keras_gca.engine.loading import needs_extra
from keras_gca.errors import UserError

SHORTEST = 3  # the minimum number of letters in a topic word
FEWEST = 3  # a topic word occurs in at least this many conversations
COMMONEST = 0.2  # a word that occurs in more than this share of the conversations does not belong to any topic
ITERATIONS = 30  # of variational Bayes


@dataclass(frozen=True)
class TopicModel:
    """The probabilities of topics, and of words in topics. The topics are ordered by p(z), the most probable one first.

    float16 can represent all values exactly.

    Attributes:
        log_words: log p(w|z), shape (s_v, Z) and dtype float32. The values are negative, except that tokens outside all
            topics have 0.
        log_topics: log p(z), shape (Z,) and dtype float32.
    """

    log_words: np.ndarray
    log_topics: np.ndarray

    def __post_init__(self) -> None:
        shapes = self.log_words.shape, self.log_topics.shape
        if self.log_words.ndim != 2 or self.log_words.shape[1:] != self.log_topics.shape or 0 in self.log_words.shape:
            raise ValueError(f"the shapes of the topic model, {shapes[0]} and {shapes[1]}, do not fit together")
        if not all(np.isfinite(values).all() and (values <= 0).all() for values in self.weights):
            raise ValueError("the topic model has values that are not logarithms of probabilities")
        if not (self.log_words < 0).all(axis=1).any():
            raise ValueError("no word belongs to a topic")

    @classmethod
    def of_weights(cls, weights: Sequence[np.ndarray]) -> "TopicModel":
        """Make a topic model from its stored weights.

        Raises:
            ValueError: The weights are not those of a topic model.
        """
        if len(weights) != 2:
            raise ValueError(f"a topic model has 2 arrays, but {len(weights)} are stored")
        return cls(*(np.asarray(values, np.float32) for values in weights))

    @property
    def weights(self) -> list[np.ndarray]:
        """The arrays `log_words` and `log_topics`, for storage."""
        return [self.log_words, self.log_topics]

    def topic_words(self, count: int) -> np.ndarray:
        """Return the most probable words of each topic.

        Args:
            count: The number of words per topic. If fewer words belong to topics, all of them are returned.

        Returns:
            An int32 array of shape (Z, n): the tokens of each topic in order of decreasing probability. Tokens of equal
            probability are in order of their indices.
        """
        used = np.flatnonzero((self.log_words < 0).all(axis=1))
        order = np.argsort(-self.log_words[used], axis=0, kind="stable")[:count]
        return used[order].T.astype(np.int32)

    def topics_of(self, contexts: np.ndarray) -> np.ndarray:
        """Return the topic of each context, ignoring tokens outside the vocabulary; shapes (B, s) -> (B,)."""
        known = contexts < len(self.log_words)
        scores = np.where(known[..., None], self.log_words[np.where(known, contexts, 0)], 0).sum(axis=1)
        return np.argmax(scores + self.log_topics, axis=1)


def topical_words(
    vocabulary: Vocabulary, documents: Iterable[Sequence[int] | np.ndarray], stop_words: Iterable[str]
) -> tuple[np.ndarray, list[collections.Counter]]:
    """Find the words that may belong to topics, and count the tokens of each document.

    Args:
        vocabulary: The vocabulary.
        documents: The tokens of each conversation.
        stop_words: Words that belong to no topic.

    Returns:
        The tokens that may belong to topics, an int64 array in ascending order, and the number of occurrences of each
        token in each document. These tokens are words of at least SHORTEST letters that are not stop words, and are
        neither too rare (FEWEST) nor too common (COMMONEST).
    """
    counts = [collections.Counter(np.asarray(document).tolist()) for document in documents]
    frequency = collections.Counter(token for document in counts for token in document)
    stopped, most = set(stop_words), max(FEWEST, COMMONEST * len(counts))
    kept = [
        token
        for token in sorted(frequency)
        if FEWEST <= frequency[token] <= most
        and (word := vocabulary.tokens[token]).isalpha()
        and len(word) >= SHORTEST
        and word not in stopped
    ]
    return np.array(kept, np.int64), counts


def fit_topics(
    documents: Iterable[Sequence[int] | np.ndarray], vocabulary: Vocabulary, topics: int, seed: int
) -> TopicModel:
    """Fit a topic model to conversations.

    Args:
        documents: The tokens of each conversation.
        vocabulary: The vocabulary of the tokens.
        topics: Z, the number of topics.
        seed: The random seed.

    Raises:
        UserError: scikit-learn is missing, or the conversations have too few words that may belong to topics.
    """
    with needs_extra("topics"):
        from sklearn.decomposition import LatentDirichletAllocation
        from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS
    import scipy.sparse

    words, counts = topical_words(vocabulary, documents, ENGLISH_STOP_WORDS)
    if len(words) < topics:
        raise UserError(
            f"--topics {topics}: only {len(words)} words of the training text can belong to a topic (words of "
            f"{SHORTEST} letters or more in at least {FEWEST} conversations, but in at most {COMMONEST:.0%} of them); "
            "use fewer topics or more data"
        )
    column = {int(word): number for number, word in enumerate(words)}
    entries = [
        (row, column[token], times)
        for row, document in enumerate(counts)
        for token, times in document.items()
        if token in column
    ]
    rows, columns, times = np.array(entries, np.int64).T
    matrix = scipy.sparse.csr_matrix((times, (rows, columns)), (len(counts), len(words)), dtype=np.float64)
    model = LatentDirichletAllocation(topics, max_iter=ITERATIONS, learning_method="batch", random_state=seed)
    shares = model.fit_transform(matrix)[matrix.getnnz(axis=1) > 0].mean(axis=0)
    order = np.argsort(-shares, kind="stable")
    in_topics = model.components_[order] / model.components_[order].sum(axis=1, keepdims=True)
    log_words = np.zeros((len(vocabulary), topics), np.float32)
    log_words[words] = _as_float16(np.log(in_topics)).T
    return TopicModel(log_words, _as_float16(np.log(shares[order])))


def _as_float16(values: np.ndarray) -> np.ndarray:
    """Round logarithms of probabilities to float16 and return them as float32; all values stay below 0."""
    rounded = values.astype(np.float16).astype(np.float32)
    return np.minimum(rounded, -np.finfo(np.float16).tiny)
