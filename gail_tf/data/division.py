"""Divides any number of conversations into train, test and validation splits, with bounded memory.

`trajectories.split` sorts all conversations by a hash, which is called the place of a conversation. This module gives
the same result without sorting all places: it counts the conversations in BINS equal ranges of places, finds the ranges
in which the splits end, and sorts only the places in these ranges.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gail_tf.data.token_shard import GENERAL, TEST, TRAIN, VALIDATION

NO_PART, GENERAL_PART = 3, 4  # in addition to the indices of the official splits in `conversations.PARTS`
BINS, _SHIFT = 2**16, np.uint64(48)  # ranges of places, which have 64 bits
_END = 2**64


class Division(NamedTuple):
    """The places at which the splits train, test and validation begin, in this order.

    Attributes:
        test: The first place of the test split.
        validation: The first place of the validation split.
    """

    test: int = _END
    validation: int = _END

    def parts(self, official: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the part of each conversation.

        Args:
            official: The official split of each conversation, a uint8 array of shape (c,): an index in
                `conversations.PARTS`, GENERAL_PART or NO_PART.
            places: The place of each conversation, a uint64 array of shape (c,).

        Returns:
            A uint8 array of shape (c,): GENERAL, TRAIN, TEST or VALIDATION for each conversation.
        """
        drawn = np.full(len(places), TRAIN, np.uint8)
        for end, part in ((self.test, TEST), (self.validation, VALIDATION)):
            if end < _END:
                drawn[places >= np.uint64(end)] = part
        fixed = np.array([TRAIN, VALIDATION, TEST, TRAIN, GENERAL], np.uint8)[official]
        return np.where(official == NO_PART, drawn, fixed)


def divide(places: Callable[[], Iterable[np.ndarray]], fractions: Sequence[float]) -> Division:
    """Find the places at which the splits begin.

    Args:
        places: A function that yields the places of all conversations to divide, in uint64 arrays of shape (c,). The
            function is called twice.
        fractions: The fractions of conversations for training, test and validation.
    """
    counts = np.zeros(BINS, np.int64)
    for piece in places():
        counts += np.bincount((piece >> _SHIFT).astype(np.int64), minlength=BINS)
    total, before = int(counts.sum()), np.cumsum(counts) - counts
    if not total:
        return Division()
    limits = fractions[0], fractions[0] + fractions[1]
    # A split ends in the first range at whose end the split's share is reached.
    ends = [int(np.argmax((before + counts) / total >= limit)) for limit in limits]
    inside: dict[int, Counter[int]] = {end: Counter() for end in ends}
    for piece in places():
        ranges = (piece >> _SHIFT).astype(np.int64)
        for end, found in inside.items():
            found.update(piece[ranges == end].tolist())
    return Division(
        *(_first(inside[end], end, int(before[end]), total, limit) for end, limit in zip(ends, limits, strict=True))
    )


def _first(found: Counter[int], end: int, done: int, total: int, limit: float) -> int:
    """Return the first place after a split. As in `trajectories.split`, the middle of equal places decides."""
    for place in sorted(found):
        if (done + found[place] / 2) / total >= limit:
            return place
        done += found[place]
    return (end + 1) << int(_SHIFT)
