"""Batches of context/answer pairs; see `engine/batching.py`."""

import numpy as np

from keras_gca.data.pairs import Pairs
from keras_gca.engine.batching import filled, fitted, plan, width_of


def plan_batches(pairs: Pairs, batch_size: int, seed: int | None = None) -> list[np.ndarray]:
    """The batches of one epoch, as arrays of indices; seed: see `batching.plan`."""
    lengths, then = (np.count_nonzero(array, axis=1) for array in (pairs.contexts, pairs.answers))
    return plan(lengths, batch_size, seed, then)


def take_batch(pairs: Pairs, selection: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """(contexts, answers) of one batch, cut to the width that its longest needs.

    A batch of fewer pairs is filled up with rows of padding: every batch of a width has one shape, compiled once.
    """
    contexts, answers = (filled(array[selection], batch_size) for array in (pairs.contexts, pairs.answers))
    steps = width_of(np.count_nonzero(answers, axis=1) - 1, answers.shape[1] - 1)
    return cut_contexts(contexts), fitted(answers, steps + 1, on_left=False)


def cut_contexts(contexts: np.ndarray) -> np.ndarray:
    """Contexts, (n, s_s) padded on the left, without columns that no row needs."""
    width = width_of(np.count_nonzero(contexts, axis=1), contexts.shape[1])
    return fitted(contexts, width, on_left=True)
