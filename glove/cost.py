"""The cost of long commands: an estimate of time and memory before they start, and a limit of their time.

All packages use this file. The operations of a command are counted in the package that computes them.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from glove.text_files import counted

LONG = 60  # seconds; the cost of a shorter command is not worth a line


class Estimate(NamedTuple):
    """The expected cost of a command.

    Attributes:
        seconds: The seconds of each part, by its name.
        memory: The peak of memory, in bytes.
        machine: What this machine can do, in words, from which the seconds were computed.
    """

    seconds: Mapping[str, float]
    memory: float
    machine: str

    @property
    def total(self) -> float:
        """The seconds of all parts."""
        return sum(self.seconds.values())

    @property
    def is_long(self) -> bool:
        """Whether the command takes so long that its cost is worth a line."""
        return self.total >= LONG

    def __str__(self) -> str:
        parts = ", ".join(f"{name.replace('_', ' ')} {value / 60:.0f}" for name, value in self.seconds.items() if value)
        minutes = f"about {counted(round(self.total / 60), 'minute')} ({parts})"
        return f"estimate: {minutes} and {self.memory / 1e9:.1f} GB of memory; this machine {self.machine}"


def in_turn(estimates: Sequence[Estimate]) -> Estimate:
    """Add the estimates of parts of a command that run one after the other.

    Args:
        estimates: The estimates, all of this machine.

    Returns:
        The sums of the seconds by name, and the largest peak of memory.
    """
    if not estimates:
        return Estimate({}, 0.0, "has nothing to compute")
    seconds: dict[str, float] = {}
    for one in estimates:
        for name, value in one.seconds.items():
            seconds[name] = seconds.get(name, 0.0) + value
    largest = max(estimates, key=lambda one: one.memory)
    return largest._replace(seconds=seconds)


class TimeLimit:
    """A limit of the time of a command (`--minutes`).

    Args:
        minutes: The time limit in minutes, counted from now, or None for no limit.
        clock: Returns the time in seconds.
    """

    def __init__(self, minutes: float | None = None, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._end = None if minutes is None else clock() + 60 * minutes

    @property
    def is_over(self) -> bool:
        """Whether the time limit has been reached."""
        return self._end is not None and self._clock() >= self._end

    @property
    def remaining(self) -> float | None:
        """The minutes that are left, at least 0, or None for no limit."""
        return None if self._end is None else max(0.0, (self._end - self._clock()) / 60)


def median_rate(work: Callable[[], object], amount: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return how much of some work this machine does in a second: the median of several measurements.

    Args:
        work: Does the work once.
        amount: How much that is, in operations or any other unit.
        clock: Returns the time in seconds.
    """
    times = []
    for _ in range(12):
        began = clock()
        work()
        times.append(clock() - began)
    times.sort()
    return 2 * amount / (times[5] + times[6])
