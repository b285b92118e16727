"""Estimates the cost of the first pass of a preparation (`preparing.py`) from the first chunk."""

from typing import NamedTuple

# A corpus of fewer chunks takes less than a minute on usual machines, and the measurement would be a larger part of it.
MEASURED_FROM = 20
WARM_UP = 100  # conversations, because the first call of a tokeniser takes longer than the others


class Read(NamedTuple):
    """How much of the corpora has been read when the first chunk is complete.

    Attributes:
        seconds: The reading time so far, in seconds.
        lines: The size in bytes of the lines read so far, or 0 if the format is not line-based.
        text: The size in bytes of the utterances read so far.
        files: The size in bytes of all files.
    """

    seconds: float
    lines: int
    text: int
    files: int

    @property
    def chunks(self) -> float:
        """The expected number of chunks in the corpora.

        Some readers read a whole file before they yield its first conversation. For these readers, the size of the text
        is used instead of the size of the lines.
        """
        done = self.lines if 0 < self.lines < self.files else self.text
        return max(1.0, self.files / done)

    @property
    def whole(self) -> float:
        """The expected time for reading the corpora, in seconds."""
        return self.seconds * (max(1.0, self.files / self.lines) if self.lines else self.chunks)


def first_pass(reading: float, work: float, processes: int, cores: int) -> float:
    """Estimate the time of the first pass, which reads the corpora and writes chunks.

    Args:
        reading: The time for reading the corpora, in seconds.
        work: The time for writing the chunks with a single process, in seconds.
        processes: The number of processes that write chunks. If 1, this process also reads the corpora; otherwise one
            more process reads them.
        cores: The number of cores of this machine.

    Returns:
        The time of the pass in seconds.
    """
    if processes == 1:
        return reading + work
    return max(reading, work / min(processes, cores), (reading + work) / min(processes + 1, cores))
