"""Counts words in bounded memory: when memory is full, the counts are written to sorted files that are merged later."""

import collections
import heapq
import itertools
import operator
from collections.abc import Iterable, Iterator
from pathlib import Path

MOST_WORDS = 1_000_000  # the maximum number of different words in memory; beyond it, counts are written to a file


class WordCounts:
    """The frequencies of words.

    Args:
        folder: An existing folder for the files of counts.
        most: The maximum number of distinct words in memory.
    """

    def __init__(self, folder: Path, most: int = MOST_WORDS):
        self._folder, self._most = folder, most
        self._counts: collections.Counter[str] = collections.Counter()
        self._files: list[Path] = []

    def add(self, words: Iterable[str], counts: Iterable[int]) -> None:
        """Add counts to the frequencies of words."""
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
