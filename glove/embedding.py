"""Arranges word vectors in a vocabulary's order for an embedding layer, and measures how many words have vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from glove.text_files import counted
from glove.vectors import Vectors


@dataclass(frozen=True)
class EmbeddingMatrix:
    """The word vectors of a vocabulary as a matrix, and the share of the vocabulary that has a vector.

    The matrix is the transpose of W_e in the first paper's Eq. 1, with one row per word.

    Attributes:
        matrix: A float32 array of shape (vocabulary size, dimension). Words without a vector have rows of zeros.
        words: The vocabulary.
        missing: The words without a vector, in the vocabulary's order.
        counts: The frequency of each word in the corpus; empty if the frequencies are unknown.
    """

    matrix: np.ndarray
    words: Sequence[str]
    missing: list[str]
    counts: Mapping[str, int]

    @property
    def word_coverage(self) -> float:
        """The share of the vocabulary that has a vector, in [0, 1]."""
        return 1.0 - len(self.missing) / len(self.words) if len(self.words) else 0.0

    @property
    def token_coverage(self) -> float:
        """The share of the corpus's tokens that have a vector, in [0, 1], or NaN if no counts were given."""
        total = sum(self.counts.get(word, 0) for word in self.words)
        lost = sum(self.counts.get(word, 0) for word in self.missing)
        return 1.0 - lost / total if total else float("nan")

    def report(self, most: int = 10) -> str:
        """Describe the coverage in at most two lines, which also list the most frequent words without a vector.

        Args:
            most: The maximum number of words to list.
        """
        known = len(self.words) - len(self.missing)
        text = f"word vectors: {known:,} of {len(self.words):,} words ({self.word_coverage:.1%})"
        if self.counts:
            text += f", {self.token_coverage:.1%} of the tokens"
        if not self.missing:
            return text
        first = sorted(self.missing, key=lambda word: -self.counts.get(word, 0))[:most]
        dots = ", ..." if len(self.missing) > most else ""
        rows = counted(len(self.missing), "word without a vector is a row", "words without a vector are rows")
        return f"{text}\n{rows} of zeros: {', '.join(first)}{dots}"


def embedding_matrix(
    words: Sequence[str], vectors: Vectors, counts: Mapping[str, int] | None = None
) -> EmbeddingMatrix:
    """Build the matrix of word vectors for a vocabulary.

    A word without a vector gets a row of zeros, as in the first paper's original program.

    Args:
        words: The vocabulary. Row i of the matrix belongs to words[i].
        vectors: The word vectors.
        counts: The frequencies of the words in a corpus, from which `token_coverage` is computed, or None if they are
            unknown.
    """
    position = {word: i for i, word in enumerate(vectors.words)}
    matrix = np.zeros((len(words), vectors.dimension), np.float32)
    known = [(i, position[word]) for i, word in enumerate(words) if word in position]
    if known:
        target, source = map(list, zip(*known, strict=True))
        matrix[target] = vectors.matrix[source]
    missing = [word for word in words if word not in position]
    return EmbeddingMatrix(matrix, words, missing, counts or {})
