"""Batches of few shapes: rows of like lengths go together, and widths are rounded up.

Few shapes have to be compiled, and little padding is computed.
"""

import numpy as np

BUCKET = 8  # widths are rounded up to multiples of this many tokens
POOL = 32  # batches whose rows are sorted by length together: wider pools pad less, narrower ones mix more


def plan(
    lengths: np.ndarray, size: int, seed: int | None = None, then: np.ndarray | None = None, pool: int = POOL
) -> list[np.ndarray]:
    """The batches of one epoch, as arrays of row numbers; rows of like lengths go together.

    lengths: (n,) of the rows' first part, in tokens. size: rows of a batch; the last one of a pool may have fewer.
    seed: shuffles; None keeps a fixed order, for validation. The same seed gives the same plan, so that an epoch can be
    resumed in its middle. then: (n,) of the second part; rows whose first parts need one width are put in the order of
    these. pool: batches among whose rows like ones are sought.
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
    """Lengths rounded up to a multiple, one at least."""
    return np.maximum(-(-np.asarray(lengths) // multiple), 1) * multiple


def width_of(lengths: np.ndarray, limit: int) -> int:
    """The width that rows of these lengths need, rounded up within the limit."""
    return min(int(bucket(lengths.max(initial=1))), limit)


def fitted(rows: np.ndarray, width: int, on_left: bool) -> np.ndarray:
    """Rows, (n, w) padded on one side, at another width that holds all their tokens."""
    surplus = rows.shape[1] - width
    if surplus >= 0:
        return rows[:, surplus:] if on_left else rows[:, :width]
    return np.pad(rows, [(0, 0), (-surplus, 0) if on_left else (0, -surplus)])


def filled(rows: np.ndarray, size: int) -> np.ndarray:
    """Rows, (n, ...), filled up with rows of zeros: (size, ...). Such rows have no tokens and count for nothing."""
    return np.pad(rows, [(0, size - len(rows)), *[(0, 0)] * (rows.ndim - 1)])
