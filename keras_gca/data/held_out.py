"""Chooses the conversations or pairs of a corpus that are held out for validation, and limits those to train on."""

import numpy as np

from glove.text_files import counted
from keras_gca.errors import UserError

MINIMUM_PAIRS = 20


def refuse_too_few(pairs: int) -> None:
    """Raise UserError if a corpus has too few pairs to be divided."""
    if pairs < MINIMUM_PAIRS:
        available = counted(pairs, "context/answer pair")
        raise UserError(f"the corpus has {available}; at least {MINIMUM_PAIRS} are needed")


def hold_out(owner: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """Choose the pairs to hold out, by drawing complete conversations at random.

    A corpus cannot be divided in this way if it has fewer than ten conversations, or if one conversation has more than
    a tenth of all pairs. An example is the paper's own corpus, which has no boundaries between conversations. From such
    a corpus, single pairs are drawn instead, and their contexts overlap with training utterances.

    Args:
        owner: The index of the conversation that each pair comes from, an integer array of shape (n,).
        fraction: The fraction of the conversations, or of the pairs, to hold out.
        seed: The seed for the random choice.

    Returns:
        Whether each pair is held out, a Boolean array of shape (n,).
    """
    sizes = np.unique(owner, return_counts=True)[1]
    whole = is_divisible(len(sizes), len(owner), int(sizes.max()))
    held_out = drawn_to_hold_out(len(sizes) if whole else len(owner), fraction, seed)
    return np.isin(owner, np.unique(owner)[held_out]) if whole else np.isin(np.arange(len(owner)), held_out)


def limited(owner: np.ndarray, training: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Choose some of the pairs to train on, one conversation after another in random order.

    With the same seed, a larger choice contains every smaller one. The last conversation may be cut off.

    Args:
        owner: The index of the conversation that each pair comes from, an integer array of shape (n,).
        training: Whether each pair may be trained on, a Boolean array of shape (n,).
        count: The number of pairs to choose. If there are fewer, all of them are chosen.
        seed: The seed of the order.

    Returns:
        Whether each pair is chosen, a Boolean array of shape (n,).
    """
    rows = np.flatnonzero(training)
    conversations, index = np.unique(owner[rows], return_inverse=True)
    # Another generator than that of `hold_out`, so that the two choices do not depend on each other.
    place = np.random.default_rng((seed, 1)).permutation(len(conversations))[index]
    chosen = np.zeros(len(owner), bool)
    chosen[rows[np.argsort(place, kind="stable")[:count]]] = True
    return chosen


def drawn_to_hold_out(units: int, fraction: float, seed: int, most: int | None = None) -> np.ndarray:
    """Draw the indices of the conversations or pairs to hold out; see `hold_out`.

    Args:
        units: The number of conversations or pairs.
        fraction: The fraction to hold out.
        seed: The seed for the random choice.
        most: The maximum number to hold out, or None for no limit.
    """
    count = max(1, round(fraction * units))
    return np.random.default_rng(seed).choice(units, count if most is None else min(count, most), replace=False)


def is_divisible(conversations: int, pairs: int, largest: int) -> bool:
    """Return whether complete conversations can be held out; see `hold_out`.

    Args:
        conversations: The number of conversations.
        pairs: The number of pairs.
        largest: The number of pairs in the longest conversation.
    """
    return conversations >= 10 and largest <= max(pairs / 10, 10)
