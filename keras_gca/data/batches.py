"""Makes batches of context/answer pairs with `engine/batching.py`."""

from collections.abc import Sequence

import numpy as np

from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.engine.batching import filled, fitted, plan, width_of


def plan_batches(pairs: Pairs | TokenPairs, batch_size: int, seed: int | None = None) -> Sequence[np.ndarray]:
    """Plan the batches of one epoch.

    Args:
        pairs: The pairs.
        batch_size: The number of pairs in a batch.
        seed: The seed for shuffling, or None for a fixed order (needed for validation).

    Returns:
        The indices of each batch's pairs; see `batching.plan`.
    """
    if isinstance(pairs, TokenPairs):
        return pairs.plan(batch_size, seed)
    lengths, then = (np.count_nonzero(array, axis=1) for array in (pairs.contexts, pairs.answers))
    return plan(lengths, batch_size, seed, then)


def take_batch(pairs: Pairs | TokenPairs, selection: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Take the contexts and answers of one batch, trimmed to the width of the longest row.

    A batch with fewer than `batch_size` pairs is filled up with rows of padding. Batches of the same width then have
    the same shape, so fewer functions are compiled. If several processes read token files, each process fills only the
    rows of its own replicas; all other rows are padding.

    Args:
        pairs: The pairs.
        selection: The indices of the batch's pairs, at most `batch_size`.
        batch_size: B, the number of rows.

    Returns:
        The contexts, an int32 array of shape (B, s) padded on the left, and the answers, an int32 array of shape
        (B, T + 1) padded on the right. s and T are the widths needed for the longest context and answer, rounded up.
    """
    before = 0
    if isinstance(pairs, TokenPairs) and pairs.lane.count > 1:
        share = pairs.lane.share(batch_size)
        before, batch_size = pairs.lane.index * share, pairs.lane.count * share
    chosen = pairs[selection]
    contexts, answers = (filled(array, batch_size, before) for array in (chosen.contexts, chosen.answers))
    steps = width_of(np.count_nonzero(answers, axis=1) - 1, answers.shape[1] - 1)
    return cut_contexts(contexts), fitted(answers, steps + 1, on_left=False)


def cut_contexts(contexts: np.ndarray) -> np.ndarray:
    """Trim left-padded contexts of shape (n, s_s) to the width of the longest one."""
    width = width_of(np.count_nonzero(contexts, axis=1), contexts.shape[1])
    return fitted(contexts, width, on_left=True)
