"""Batches of context/answer pairs: pairs of like lengths go together, so that little is padding."""

import numpy as np

from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import PAD

BUCKET = 8  # batches are padded to multiples of this many tokens: few shapes to compile, little padding to compute
POOL = 32  # batches whose pairs are sorted by length together: wider pools pad less, narrower ones mix more


def plan_batches(pairs: Pairs, batch_size: int, seed: int | None = None) -> list[np.ndarray]:
    """The batches of one epoch, as arrays of indices: pairs of like lengths go together, so that little is padding.

    seed: shuffles; None keeps a fixed order, for validation. The same seed gives the same plan, so that an epoch can be
        resumed in its middle.
    """
    random = np.random.default_rng(seed)
    order = np.arange(len(pairs)) if seed is None else random.permutation(len(pairs))
    context_widths = _bucket(np.count_nonzero(pairs.contexts, axis=1))
    answer_lengths = np.count_nonzero(pairs.answers, axis=1)
    batches = []
    pool = POOL * batch_size
    for start in range(0, len(order), pool):
        drawn = order[start : start + pool]
        drawn = drawn[np.lexsort((answer_lengths[drawn], context_widths[drawn]))]
        batches += [drawn[i : i + batch_size] for i in range(0, len(drawn), batch_size)]
    if seed is not None:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches


def take_batch(pairs: Pairs, selection: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
    """(contexts, answers) of one batch, cut to the width that its longest needs, rounded up to a multiple of BUCKET.

    A batch of fewer pairs is filled up with rows of padding, which have no tokens and count for nothing: every batch
    of a width has one shape, compiled once.
    """
    contexts = np.full((batch_size, pairs.contexts.shape[1]), PAD, np.int32)
    answers = np.full((batch_size, pairs.answers.shape[1]), PAD, np.int32)
    contexts[: len(selection)], answers[: len(selection)] = pairs.contexts[selection], pairs.answers[selection]
    steps = int(_bucket(np.count_nonzero(answers, axis=1) - 1).max())
    return cut_contexts(contexts), answers[:, : min(steps + 1, answers.shape[1])]


def cut_contexts(contexts: np.ndarray) -> np.ndarray:
    """Contexts without columns that are padding in every row: the widest row's length, rounded up to BUCKET."""
    width = int(_bucket(np.count_nonzero(contexts, axis=1)).max())
    return contexts[:, -min(width, contexts.shape[1]) :]


def _bucket(lengths: np.ndarray) -> np.ndarray:
    return np.maximum(-(-lengths // BUCKET), 1) * BUCKET
