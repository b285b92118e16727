"""Counts words in bounded memory: counts that exceed it are written to files in sorted order, and merged when read."""

import collections
import heapq
import itertools
import operator
from collections.abc import Iterable, Iterator
from pathlib import Path

MOST_WORDS = 1_000_000  # different words in memory; more are written to a file


class WordCounts:
    """The frequencies of words.

    Args:
        folder: The folder for the files of counts, which must exist.
        most: The largest number of different words in memory.
    """

    def __init__(self, folder: Path, most: int = MOST_WORDS):
        self._folder, self._most = folder, most
        self._counts: collections.Counter[str] = collections.Counter()
        self._files: list[Path] = []

    def add(self, words: Iterable[str], counts: Iterable[int]) -> None:
        """Add to the frequencies of some different words."""
        known = self._counts
        for word, count in zip(words, counts, strict=True):
            known[word] += count
        if len(known) > self._most:
            path = self._folder / f"counts-{len(self._files):04d}.txt"
            with path.open("w", encoding="utf-8", newline="") as stream:
                stream.writelines(f"{word} {count}\n" for word, count in sorted(known.items()))
            self._files.append(path)
            known.clear()

    def items(self) -> Iterator[tuple[str, int]]:
        """Yield each word once, with its frequency."""
        if not self._files:
            yield from self._counts.items()
            return
        parts = [sorted(self._counts.items()), *map(_read, self._files)]
        for word, entries in itertools.groupby(heapq.merge(*parts), operator.itemgetter(0)):
            yield word, sum(count for _, count in entries)


def _read(path: Path) -> Iterator[tuple[str, int]]:
    with path.open(encoding="utf-8", newline="\n") as stream:
        for line in stream:
            word, _, count = line.rpartition(" ")
            yield word, int(count)
