"""Fits GloVe vectors to a corpus (Pennington, Socher and Manning 2014, Eq. 8 and 9), in NumPy.

X_ij counts how often words i and j occur together. Word i has two vectors and two biases: w_i and b_i as the centre of
a window, v_i and c_i as a context word. These vectors and biases are fitted to minimise

    J = sum over i, j of f(X_ij) (w_i . v_j + b_i + c_j - log X_ij)^2

with the weights f(x) = min(1, x / x_max)^alpha. The vector of a word is the sum w_i + v_i, as in the paper's
Section 4.2.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from glove.cost import Estimate, median_rate
from glove.vectors import Vectors

BATCH = 2048
# Processing one entry takes as long as copying this many rows, as measured in two fits, with 50 and 100 dimensions.
# These rows are the vectors, gradients, sorted gradients, sums, squares and accumulators for the word and its context
# word. The rest is the cost of sorting.
ROWS_OF_AN_ENTRY = 75


class Entries(NamedTuple):
    """The non-zero entries of the co-occurrence matrix X, sorted by row, then by column.

    Attributes:
        rows: The row indices i, an int32 array of shape (n,).
        columns: The column indices j, an int32 array of shape (n,).
        counts: The counts X_ij, a float64 array of shape (n,).
    """

    rows: np.ndarray
    columns: np.ndarray
    counts: np.ndarray

    @classmethod
    def of_keys(cls, keys: np.ndarray, counts: np.ndarray, vocabulary_size: int) -> "Entries":
        """Make entries from the int64 keys i * vocabulary_size + j, and sum the counts of equal keys."""
        unique, inverse = np.unique(keys, return_inverse=True)
        totals = np.bincount(inverse, weights=counts, minlength=len(unique))
        rows, columns = unique // vocabulary_size, unique % vocabulary_size
        return cls(rows.astype(np.int32), columns.astype(np.int32), totals)


def estimate(
    tokens: int, entries: int, words: int, dimension: int, window: int, epochs: int, rate: float | None = None
) -> Estimate:
    """Estimate the cost of `fit` from the number of entries in X, which is known before the first epoch.

    Args:
        tokens: The number of tokens in the documents.
        entries: The number of entries in X.
        words: The number of words.
        dimension: The dimension of the vectors.
        window: The maximum distance between two words that count as occurring together.
        epochs: The number of passes over the entries.
        rate: The speed at which this machine copies rows between matrices, in numbers per second. If None, the speed is
            measured.
    """
    rate = rate or _rate(words, dimension)
    # Counting needs the keys and weights of all pairs, and a sorted copy of both. Fitting needs the word vectors, the
    # context vectors, and accumulators for both.
    memory = 4 * 8 * 2 * window * tokens + 24 * entries + 4 * 4 * words * (dimension + 2)
    machine = f"copies {rate / 1e6:.0f} million numbers a second, row by row"
    return Estimate({"epochs": epochs * entries * ROWS_OF_AN_ENTRY * (dimension + 2) / rate}, memory, machine)


def _rate(words: int, dimension: int) -> float:
    matrix = np.ones((words, dimension + 2), np.float32)
    rows = np.random.default_rng(0).integers(words, size=BATCH)
    return median_rate(lambda: matrix[rows], BATCH * (dimension + 2))


def cooccurrences(documents: Iterable[Sequence[int]], vocabulary_size: int, window: int = 10) -> Entries:
    """Count how often each pair of words occurs together (X_ij).

    Two words at a distance d <= window in the same document add 1 / d to their count, in both orders.

    Args:
        documents: Sequences of word indices in [0, vocabulary_size). A negative index stands for a word that is not
            counted but still takes up a position in the text. Windows do not cross document boundaries.
        vocabulary_size: The number of words.
        window: The maximum distance between two words that count as occurring together.

    Returns:
        The non-zero entries of X.
    """
    arrays = [np.asarray(document, np.int64) for document in documents]
    indices = np.concatenate([np.empty(0, np.int64), *arrays])
    owner = np.repeat(np.arange(len(arrays)), [len(array) for array in arrays])
    return joined_cooccurrences(indices, owner, vocabulary_size, window)


def joined_cooccurrences(indices: np.ndarray, owner: np.ndarray, vocabulary_size: int, window: int = 10) -> Entries:
    """Count how often each pair of words occurs together, in documents joined into one array.

    Args:
        indices: The word indices of all documents, an int64 array of shape (t,); see `cooccurrences`.
        owner: The index of the document that contains each word, an integer array of shape (t,).
        vocabulary_size: The number of words.
        window: The maximum distance between two words that count as occurring together.

    Returns:
        The non-zero entries of X, as returned by `cooccurrences`.
    """
    keys, weights = [np.empty(0, np.int64)], [np.empty(0)]
    for distance in range(1, window + 1):
        left, right = indices[:-distance], indices[distance:]
        valid = (owner[:-distance] == owner[distance:]) & (left >= 0) & (right >= 0)
        left, right = left[valid], right[valid]
        keys += [left * vocabulary_size + right, right * vocabulary_size + left]
        weights += [np.full(2 * len(left), 1.0 / distance)]
    return Entries.of_keys(np.concatenate(keys), np.concatenate(weights), vocabulary_size)


def added(parts: Iterable[Entries], vocabulary_size: int) -> Entries:
    """Add up the co-occurrences of several parts of a corpus.

    Parts are added two at a time, so memory is needed only for two parts and their sum.

    Args:
        parts: The entries of each part, as returned by `cooccurrences`, all with the same vocabulary.
        vocabulary_size: The number of words.

    Returns:
        The entries for the complete corpus. A single part is returned unchanged. With several parts, the counts differ
        from the counts of a single pass by float64 rounding errors.
    """
    # Sums of 1, 2, 4, ... parts, as in a binary counter, so that an entry is sorted only log2(parts) times.
    sums: list[tuple[int, Entries]] = []
    for part in parts:
        size = 1
        while sums and sums[-1][0] == size:
            part, size = _sum(sums.pop()[1], part, vocabulary_size), 2 * size
        sums.append((size, part))
    if not sums:
        return cooccurrences([], vocabulary_size)
    total = sums.pop()[1]
    while sums:
        total = _sum(sums.pop()[1], total, vocabulary_size)
    return total


def _sum(one: Entries, other: Entries, vocabulary_size: int) -> Entries:
    rows, columns, counts = (np.concatenate(arrays) for arrays in zip(one, other, strict=True))
    return Entries.of_keys(rows.astype(np.int64) * vocabulary_size + columns, counts, vocabulary_size)


def fit(
    documents: Iterable[Sequence[str]],
    words: Sequence[str] | None = None,
    dimension: int = 100,
    window: int = 10,
    x_max: float = 100.0,
    alpha: float = 0.75,
    learning_rate: float = 0.05,
    epochs: int = 50,
    batch_size: int = BATCH,
    seed: int = 0,
    report: Callable[[int, float], object] | None = None,
    begin: Callable[[int], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Vectors:
    """Fit GloVe vectors by AdaGrad over shuffled batches of the non-zero co-occurrences.

    An entry is a pair of words with its count. The same arguments, including the seed, always give the same vectors.

    The authors' C program takes one step per entry. Here, each step uses the summed gradients of a batch of entries.
    AdaGrad's accumulators start at 1, as in the C program. The square of the summed gradient is added to the
    accumulators before the step, so no parameter can change by more than the learning rate in one step. (The C program
    adds the square of the gradient times the learning rate, after the step.)

    Args:
        documents: Tokenised texts. Windows do not cross document boundaries.
        words: The vocabulary. If None, the vocabulary contains every word of the texts, most frequent first. A word
            that never occurs together with a word of the vocabulary gets no vector.
        dimension: The dimension of the vectors.
        window: The maximum distance between two words that count as occurring together.
        x_max: Entries with at least this count have weight 1 (Eq. 9).
        alpha: The exponent in the weight of an entry whose count is below `x_max` (Eq. 9).
        learning_rate: AdaGrad's learning rate.
        epochs: The number of passes over the entries.
        batch_size: The number of entries per step.
        seed: The random seed for the initial vectors and the order of the entries.
        report: A function called after each epoch with the epoch's number, counted from 1, and the mean weighted
            squared error.
        begin: A function called before the first epoch with the number of entries.
        stop: A function called after each epoch. If it returns True, fitting ends.

    Returns:
        The float32 vectors of the words that occur together with a word of the vocabulary.

    Raises:
        ValueError: No two words occur together.
    """
    documents = [list(document) for document in documents]
    if words is None:
        words = _by_frequency(documents)
    index = {word: i for i, word in enumerate(words)}
    entries = cooccurrences(([index.get(word, -1) for word in document] for document in documents), len(words), window)
    return fit_entries(
        entries, words, dimension, x_max, alpha, learning_rate, epochs, batch_size, seed, report, begin, stop
    )


def fit_entries(
    entries: Entries,
    words: Sequence[str],
    dimension: int = 100,
    x_max: float = 100.0,
    alpha: float = 0.75,
    learning_rate: float = 0.05,
    epochs: int = 50,
    batch_size: int = BATCH,
    seed: int = 0,
    report: Callable[[int, float], object] | None = None,
    begin: Callable[[int], object] | None = None,
    stop: Callable[[], bool] | None = None,
) -> Vectors:
    """Fit GloVe vectors to co-occurrences that have already been counted.

    For the method, see `fit`.

    Args:
        entries: The non-zero entries of X, as returned by `cooccurrences`.
        words: The words, in the order of their indices.
        dimension: The dimension of the vectors.
        x_max: Entries with at least this count have weight 1 (Eq. 9).
        alpha: The exponent in the weight of an entry whose count is below `x_max` (Eq. 9).
        learning_rate: AdaGrad's learning rate.
        epochs: The number of passes over the entries.
        batch_size: The number of entries per step.
        seed: The random seed for the initial vectors and the order of the entries.
        report: A function called after each epoch; see `fit`.
        begin: A function called before the first epoch; see `fit`.
        stop: A function called after each epoch. If it returns True, fitting ends.

    Returns:
        The float32 vectors of the words that occur together with a word of the vocabulary.

    Raises:
        ValueError: There are no entries.
    """
    rows, columns, counts = entries
    if not len(rows):
        raise ValueError("no two words in the corpus occur in the same window, so there is nothing to fit")
    targets = np.log(counts).astype(np.float32)
    weights = np.minimum(1.0, (counts / x_max) ** alpha).astype(np.float32)

    random = np.random.default_rng(seed)
    # Two extra columns hold the biases: [w, b, 1] . [v, 1, c] = w . v + b + c.
    word_side = _initial(random, len(words), dimension, bias=dimension)
    context_side = _initial(random, len(words), dimension, bias=dimension + 1)
    word_squares, context_squares = np.ones_like(word_side), np.ones_like(context_side)
    if begin is not None:
        begin(len(rows))
    for epoch in range(1, epochs + 1):
        order = random.permutation(len(rows))
        total = 0.0
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            i, j = rows[batch], columns[batch]
            w, v = word_side[i], context_side[j]
            errors = np.einsum("nd,nd->n", w, v) - targets[batch]
            scale = weights[batch] * errors
            total += float(scale @ errors)
            _step(word_side, word_squares, i, scale[:, None] * v, learning_rate, constant=dimension + 1)
            _step(context_side, context_squares, j, scale[:, None] * w, learning_rate, constant=dimension)
        if report is not None:
            report(epoch, total / len(rows))
        if stop is not None and stop():
            break
    present = np.unique(rows)
    matrix = word_side[present, :dimension] + context_side[present, :dimension]
    return Vectors([words[i] for i in present], matrix)


def _by_frequency(documents: Sequence[Sequence[str]]) -> list[str]:
    unique, counts = np.unique(np.array([word for document in documents for word in document]), return_counts=True)
    return [str(unique[i]) for i in np.argsort(-counts, kind="stable")]


def _initial(random: np.random.Generator, count: int, dimension: int, bias: int) -> np.ndarray:
    """Draw initial vectors and biases from the interval (-0.5, 0.5) and divide them by the dimension.

    Each row has two additional columns: the column `bias` holds the biases, and the other column holds ones.
    """
    side = np.ones((count, dimension + 2), np.float32)
    side[:, :dimension] = (random.random((count, dimension), np.float32) - 0.5) / dimension
    side[:, bias] = (random.random(count, np.float32) - 0.5) / dimension
    return side


def _step(
    parameters: np.ndarray,
    squares: np.ndarray,
    indices: np.ndarray,
    gradients: np.ndarray,
    learning_rate: float,
    constant: int,
) -> None:
    """Take one in-place AdaGrad step on the rows of `parameters` listed in `indices`.

    The gradients of a row that is listed more than once are summed. The column `constant` is not changed.
    """
    order = np.argsort(indices, kind="stable")
    touched, starts = np.unique(indices[order], return_index=True)
    sums = np.add.reduceat(gradients[order], starts, axis=0)
    sums[:, constant] = 0.0
    squares[touched] += sums**2
    parameters[touched] -= learning_rate * sums / np.sqrt(squares[touched])
