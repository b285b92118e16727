"""Plans batches with few different shapes: rows of similar lengths share a batch, and widths are rounded up.

XLA compiles a program for each shape, so using few shapes saves time. A batch of rows with similar lengths needs little
padding.
"""

import numpy as np

BUCKET = 8  # widths are rounded up to multiples of this many tokens
POOL = 32  # the number of batches whose rows are sorted together; larger pools need less padding, but mix rows less


def plan(
    lengths: np.ndarray,
    size: int,
    seed: int | tuple[int, ...] | None = None,
    then: np.ndarray | None = None,
    pool: int = POOL,
) -> list[np.ndarray]:
    """Plan the batches of one epoch; rows of similar lengths share a batch.

    Args:
        lengths: The length in tokens of each row's first part, such as the context. An integer array of shape (n,).
        size: The number of rows in a batch. The last batch of a pool may have fewer.
        seed: The seed for shuffling, or None for a fixed order (needed for validation). The same seed gives the same
            plan, so an interrupted epoch can be resumed.
        then: The length of each row's second part, such as the answer, or None if rows have only one part. An integer
            array of shape (n,). Rows whose first parts need the same width are sorted by this length.
        pool: The number of batches in a pool. Rows are sorted by length only within their pool.

    Returns:
        The indices of the rows in each batch.
    """
    first = lengths if then is None else bucket(lengths)
    then = lengths if then is None else then
    random = np.random.default_rng(seed)
    count = len(lengths)
    order = np.arange(count) if seed is None else random.permutation(count)
    batches = []
    for start in range(0, count, pool * size):
        drawn = order[start : start + pool * size]
        drawn = drawn[np.lexsort((then[drawn], first[drawn]))]
        batches += [drawn[i : i + size] for i in range(0, len(drawn), size)]
    if seed is not None:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches


def bucket(lengths: np.ndarray | int, multiple: int = BUCKET) -> np.ndarray:
    """Round lengths up to a multiple of a number. The result is at least that number."""
    return np.maximum(-(-np.asarray(lengths) // multiple), 1) * multiple


def width_of(lengths: np.ndarray, limit: int) -> int:
    """Return the width that rows of these lengths need, rounded up but at most `limit`."""
    return min(int(bucket(lengths.max(initial=1))), limit)


def fitted(rows: np.ndarray, width: int, on_left: bool) -> np.ndarray:
    """Change the width of rows of shape (n, w), which are padded on one side. The new width must hold all tokens."""
    surplus = rows.shape[1] - width
    if surplus >= 0:
        return rows[:, surplus:] if on_left else rows[:, :width]
    return np.pad(rows, [(0, 0), (-surplus, 0) if on_left else (0, -surplus)])


def filled(rows: np.ndarray, size: int, before: int = 0) -> np.ndarray:
    """Pad an array of n rows with zeros to `size` rows. Rows of zeros contain only padding.

    Args:
        rows: The array, of shape (n, ...).
        size: The number of rows in the result, whose shape is (size, ...).
        before: The number of rows of zeros to add before the given rows. The rest are added after them.
    """
    return np.pad(rows, [(before, size - before - len(rows)), *[(0, 0)] * (rows.ndim - 1)])
