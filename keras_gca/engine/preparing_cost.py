"""Estimates the cost of the first pass of a preparation (`preparing.py`) from its first chunk."""

from typing import NamedTuple

# A corpus of fewer chunks takes less than a minute on usual machines, and the measurement would be a larger part of it.
MEASURED_FROM = 20
WARM_UP = 100  # conversations, because the first call of a tokeniser takes longer than the others


class Read(NamedTuple):
    """How far the corpora have been read when their first chunk is complete.

    Attributes:
        seconds: The time that this has taken.
        lines: The bytes of the lines that have been read. 0: the format does not consist of lines.
        text: The bytes of the utterances.
        files: The bytes of all files.
    """

    seconds: float
    lines: int
    text: int
    files: int

    @property
    def chunks(self) -> float:
        """The expected number of chunks of the corpora.

        Some readers read a whole file before its first conversation. Then the size of the text takes the place of the
        lines.
        """
        done = self.lines if 0 < self.lines < self.files else self.text
        return max(1.0, self.files / done)

    @property
    def whole(self) -> float:
        """The expected time of reading the corpora, in seconds."""
        return self.seconds * (max(1.0, self.files / self.lines) if self.lines else self.chunks)


def first_pass(reading: float, work: float, processes: int, cores: int) -> float:
    """Estimate the time of the first pass, in which one process reads, and all processes make chunks.

    Args:
        reading: The time of reading the corpora, in seconds.
        work: The time in which one process makes the chunks, in seconds.
        processes: The number of processes that make chunks. 1: this process also reads.
        cores: The number of cores of this machine.

    Returns:
        The time in seconds.
    """
    if processes == 1:
        return reading + work
    return max(reading, work / min(processes, cores), (reading + work) / min(processes + 1, cores))
