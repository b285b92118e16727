"""Reads word2vec's binary files (Mikolov et al. 2013), as written by word2vec.c and gensim.

The first line of the file gives the number of words and the dimension. Each word follows as its bytes, a space, and its
vector in little-endian float32. word2vec.c writes a newline after each vector; gensim does not.
"""

import re
from collections.abc import Iterator

import numpy as np

from glove.text_files import BadLines, BoundedStream

LARGEST_DIMENSION = 10_000
LONGEST_WORD = 1_000  # bytes
_HEADER = re.compile(rb"(\d{1,15}) (\d{1,15})[ \r]*\n")
_FASTTEXT = (793712314).to_bytes(4, "little")  # the first bytes of a fastText model
_BLOCK = 1 << 16


class BinaryVectors:
    """An iterator over the words and vectors in a binary file, in the order of the file.

    The file is read block by block, so memory use does not grow with the file's size. `bad.error` is raised if the
    first line is not that of a word2vec file, or if the file is shorter than the first line implies.

    Args:
        stream: The file's content.
        bad: An object whose attribute `error` is the class of the exceptions to raise.
        size: The size of the file in bytes, or None if the file is compressed.

    Attributes:
        words: The number of words given in the first line.
        dimension: The dimension given in the first line.
    """

    def __init__(self, stream: BoundedStream, bad: BadLines, size: int | None = None):
        self._stream, self._bad = stream, bad
        self._block, self._at = b"", 0
        line = stream.readline(100)
        if not line:
            raise bad.error(f"{stream.name}: the file is empty; a word2vec binary file is expected")
        where, parts = f"{stream.name}:1", _HEADER.fullmatch(line)
        if line.startswith(_FASTTEXT):
            raise bad.error(f"{where}: this is a fastText model; use the model's .vec file instead")
        if parts is None:
            raise bad.error(
                f"{where}: this is not the first line of a word2vec binary file; the number of words and the dimension "
                "are expected"
            )
        self.words, self.dimension = int(parts[1]), int(parts[2])
        if not 1 <= self.dimension <= LARGEST_DIMENSION:
            dimensions = f"the dimension is {self.dimension:,}; 1 to {LARGEST_DIMENSION:,} is expected"
            raise bad.error(f"{where}: {dimensions}")
        if not self.words:
            raise bad.error(f"{where}: the number of words is 0; at least 1 is expected")
        if size is not None and self.words * (4 * self.dimension + 1) > size:
            claim = f"{self.words:,} vectors of {self.dimension:,} numbers need more than the file's {size:,} bytes"
            raise bad.error(f"{stream.name}: the file is cut short: {claim}")

    def __iter__(self) -> Iterator[tuple[int, bytes, np.ndarray]]:
        """For each word, yield its number (from 1), its bytes, and its float32 vector of shape (dimension,)."""
        for number in range(1, self.words + 1):
            self._stream.place = f" word {number}"
            word = self._word(number).lstrip(b"\n")
            yield number, word, np.frombuffer(self._take(4 * self.dimension, number), "<f4")
        while not self._rest().strip(b"\n"):
            self._at = len(self._block)
            if not self._more():
                return
        raise self._bad.error(
            f"{self._stream.name}: the file continues after the {self.words:,} words announced in its first line"
        )

    def _word(self, number: int) -> bytes:
        while (end := self._block.find(b" ", self._at)) < 0:
            if len(self._block) - self._at > LONGEST_WORD:
                break
            if not self._more():
                raise self._cut(number)
        word = self._block[self._at : end]
        if end < 0 or len(word) > LONGEST_WORD:
            unending = f"the word does not end within {LONGEST_WORD:,} bytes"
            raise self._bad.error(f"{self._stream.name}: word {number}: {unending}")
        self._at = end + 1
        return word

    def _take(self, count: int, number: int) -> bytes:
        while len(self._block) - self._at < count:
            if not self._more():
                raise self._cut(number)
        self._at += count
        return self._block[self._at - count : self._at]

    def _rest(self) -> bytes:
        return self._block[self._at :]

    def _more(self) -> bool:
        """Read the next block, and return whether there was one."""
        read = self._stream.read(_BLOCK)
        self._block, self._at = self._rest() + read, 0
        return bool(read)

    def _cut(self, number: int) -> Exception:
        return self._bad.error(
            f"{self._stream.name}: the file is cut short: word {number:,} of {self.words:,} is incomplete"
        )
