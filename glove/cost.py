"""Estimates the time and memory that a long command needs, and limits the command's running time.

All packages of this project use this module. Each package counts the operations of its own commands.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from glove.text_files import counted

LONG = 60  # seconds; the cost of a shorter command is not printed


class Estimate(NamedTuple):
    """The expected cost of a command.

    Attributes:
        seconds: The time that each part takes, in seconds, keyed by the part's name.
        memory: The peak memory use, in bytes.
        machine: The measured speed of this machine, from which the seconds were computed, as a phrase such as "copies
            90 million numbers a second".
    """

    seconds: Mapping[str, float]
    memory: float
    machine: str

    @property
    def total(self) -> float:
        """The total time of all parts, in seconds."""
        return sum(self.seconds.values())

    @property
    def is_long(self) -> bool:
        """Whether the expected time is long enough for the cost to be printed."""
        return self.total >= LONG

    def __str__(self) -> str:
        parts = ", ".join(f"{name.replace('_', ' ')} {value / 60:.0f}" for name, value in self.seconds.items() if value)
        minutes = f"about {counted(round(self.total / 60), 'minute')} ({parts})"
        return f"estimate: {minutes} and {self.memory / 1e9:.1f} GB of memory; this machine {self.machine}"


def in_turn(estimates: Sequence[Estimate]) -> Estimate:
    """Add up the estimates for parts of a command that run one after another.

    Args:
        estimates: The estimates, all for this machine.

    Returns:
        An estimate with the sum of the seconds for each name and the highest peak memory use.
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
    """A time limit for a command (`--minutes`).

    Args:
        minutes: The time limit in minutes, counted from now, or None for no limit.
        clock: A function that returns the time in seconds.
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
        """The remaining minutes, at least 0, or None if there is no limit."""
        return None if self._end is None else max(0.0, (self._end - self._clock()) / 60)


def median_rate(work: Callable[[], object], amount: float, clock: Callable[[], float] = time.perf_counter) -> float:
    """Return the amount of work that this machine does per second, as the median of several measurements.

    Args:
        work: A function that does the work once.
        amount: The amount of work done in one call, in operations or any other unit.
        clock: A function that returns the time in seconds.
    """
    times = []
    for _ in range(12):
        began = clock()
        work()
        times.append(clock() - began)
    times.sort()
    return 2 * amount / (times[5] + times[6])
