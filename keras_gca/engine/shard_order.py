"""The order in which a training run reads rows that are stored in shards on disk (`storage/token_files.py`).

The seed determines the order of an epoch: the shards are shuffled, batches are taken in turn from SHARDS_TOGETHER
shards, and the rows within each shard are shuffled by `batching.plan`, like rows in memory. With a single shard, the
order is exactly the same as for rows in memory.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

SHARDS_TOGETHER = 4  # shards whose batches take turns; more mix better, and need more memory
OPEN_SHARDS = 2 * SHARDS_TOGETHER


@dataclass(frozen=True)
class Lane:
    """The part of the shards that one process of a training run reads.

    Attributes:
        index: The index of the process, from 0.
        count: The number of processes.
        replicas: The total number of replicas in all processes.
    """

    index: int = 0
    count: int = 1
    replicas: int = 1

    def share(self, batch_size: int) -> int:
        """Return how many rows of a batch each process reads."""
        return -(-batch_size // self.replicas) * self.replicas // self.count if self.count > 1 else batch_size


class Planned(Protocol):
    """Rows in shards, for which an `Epoch` plans batches."""

    def rows_of(self, number: int) -> int:
        """Return the number of rows in a shard."""

    def shard_batches(self, number: int, batch_size: int, seed: int | None) -> list[np.ndarray]:
        """Plan the batches of one shard: the indices of each batch's rows."""


def entropy(seed: int | None, shard: int) -> tuple[int, int] | None:
    """Return the seed of the random generator that shuffles one shard, or None for the order of the corpus.

    The generator is seeded with (seed, shard). NumPy pads seeds with zeros, so shard 0 gets the same order as rows in
    memory, for which the seed is used alone.
    """
    return None if seed is None else (seed, shard)


class Epoch(Sequence[np.ndarray]):
    """The batches of one epoch, planned a few shards at a time. Each batch is given by the indices of its rows.

    Any batch can be requested, so an epoch can be resumed at any step. With several lanes, a batch contains only the
    rows of this process; after the last shard of the process's lane, batches are empty. All lanes have the same number
    of batches.

    Args:
        rows: The rows.
        numbers: The numbers of the shards that contain rows.
        batch_size: The number of rows in a batch, over all lanes.
        seed: The seed of the order, or None for the order of the corpus.
        lane: The part of the shards that this process reads, or None for all shards.
    """

    def __init__(
        self, rows: Planned, numbers: Sequence[int], batch_size: int, seed: int | None, lane: Lane | None = None
    ):
        lane = lane or Lane()
        self._rows, self._seed, self._size = rows, seed, lane.share(batch_size)
        lanes = [lane_shards(numbers, index, lane.count, seed) for index in range(lane.count)]
        own = lanes[lane.index]
        self._groups = [own[i : i + SHARDS_TOGETHER] for i in range(0, len(own), SHARDS_TOGETHER)]
        self._begins = np.cumsum([0, *(sum(map(self._steps_of, group)) for group in self._groups)])
        self._steps = max(sum(map(self._steps_of, shards)) for shards in lanes)
        self._planned: tuple[int, list[np.ndarray]] = (-1, [])

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> np.ndarray:  # type: ignore[override]  # an epoch has no slices
        if not 0 <= step < self._steps:
            raise IndexError(step)
        if step >= self._begins[-1]:
            return np.empty(0, np.int64)
        group = int(np.searchsorted(self._begins, step, side="right")) - 1
        if self._planned[0] != group:
            self._planned = (group, self._plan(group))
        return self._planned[1][step - self._begins[group]]

    def _steps_of(self, number: int) -> int:
        """Return the number of batches in a shard."""
        return -(-self._rows.rows_of(number) // self._size)

    def _plan(self, group: int) -> list[np.ndarray]:
        """Plan the batches of a group of shards. Batches are taken from the shards in turn until all are exhausted."""
        plans = [self._rows.shard_batches(number, self._size, self._seed) for number in self._groups[group]]
        turns = range(max(map(len, plans)))
        return [batches[turn] for turn in turns for batches in plans if turn < len(batches)]


def lane_shards(numbers: Sequence[int], lane: int, lanes: int, seed: int | None) -> list[int]:
    """Return a lane's shards in the order of one epoch. A lane has the same shards in every epoch.

    Args:
        numbers: The numbers of all shards that contain rows.
        lane: The index of the lane.
        lanes: The number of lanes.
        seed: The seed of the order, or None for the order of the corpus.
    """
    own = np.array(numbers[lane::lanes], int)
    order = own if seed is None else np.random.default_rng((seed, lane, 1)).permutation(own)
    return order.tolist()
