"""Divides any number of conversations into train, test and validation splits, in bounded memory.

The result is that of `trajectories.split`, which sorts all conversations by a hash, their place. Here only the number
of conversations in each of BINS equal ranges of places is kept. From these numbers follows in which ranges the splits
end, and only the places in these ranges are sorted.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from gail_tf.data.token_shard import GENERAL, TEST, TRAIN, VALIDATION

NO_PART, GENERAL_PART = 3, 4  # besides the numbers of the official parts in `conversations.PARTS`
BINS, _SHIFT = 2**16, np.uint64(48)  # ranges of places, which have 64 bits
_END = 2**64


class Division(NamedTuple):
    """Where the splits end in the order of places.

    Attributes:
        test: The first place that does not belong to the split train.
        validation: The first place that does not belong to the splits train and test.
    """

    test: int = _END
    validation: int = _END

    def parts(self, official: np.ndarray, places: np.ndarray) -> np.ndarray:
        """Return the part of each conversation as in `token_folder`, (c,) uint8.

        Args:
            official: (c,) uint8, the official parts, as numbers in `conversations.PARTS`, GENERAL_PART or NO_PART.
            places: (c,) uint64, the places.
        """
        drawn = np.full(len(places), TRAIN, np.uint8)
        for end, part in ((self.test, TEST), (self.validation, VALIDATION)):
            if end < _END:
                drawn[places >= np.uint64(end)] = part
        fixed = np.array([TRAIN, VALIDATION, TEST, TRAIN, GENERAL], np.uint8)[official]
        return np.where(official == NO_PART, drawn, fixed)


def divide(places: Callable[[], Iterable[np.ndarray]], fractions: Sequence[float]) -> Division:
    """Find where the splits end.

    Args:
        places: A function that yields the places of all conversations to divide, (c,) uint64, in pieces. It is called
            twice.
        fractions: The shares of train, test and validation.
    """
    counts = np.zeros(BINS, np.int64)
    for piece in places():
        counts += np.bincount((piece >> _SHIFT).astype(np.int64), minlength=BINS)
    total, before = int(counts.sum()), np.cumsum(counts) - counts
    if not total:
        return Division()
    limits = fractions[0], fractions[0] + fractions[1]
    # A split ends in the first range after which its share is reached.
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
    """Return the first place after a split; as in `trajectories.split`, the middle of equal places decides."""
    for place in sorted(found):
        if (done + found[place] / 2) / total >= limit:
            return place
        done += found[place]
    return (end + 1) << int(_SHIFT)
