"""Reads and writes GloVe text files, in which each line holds a word and its vector, separated by single spaces.

This module also reads word2vec and fastText text files, whose first line gives the number of words and the dimension.
"""

import codecs
import gzip
import itertools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from glove.compressed_files import open_vectors
from glove.text_files import BadLines, BoundedStream, VectorFileError, counted, read_lines
from glove.word2vec import LARGEST_DIMENSION, BinaryVectors

LONGEST_NUMBER = 50  # characters
_HEADER = re.compile(rb"\d{1,15} (\d{1,5})[ \r]*\n")  # the first line of word2vec's and fastText's text files
_LOOKED_AT = 10  # the number of lines that are examined to decide whether the line before them is a header


@dataclass(frozen=True)
class Vectors:
    """Words and their vectors.

    Args:
        words: n words, in the order of the file.
        matrix: A float32 array of shape (n, dimension). Row i belongs to words[i].

    Raises:
        ValueError: The matrix does not have one row per word.
    """

    words: list[str]
    matrix: np.ndarray

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.words) != len(self.matrix):
            raise ValueError(f"{len(self.words)} words do not fit a matrix of shape {self.matrix.shape}")

    @property
    def dimension(self) -> int:
        """The dimension of the vectors."""
        return self.matrix.shape[1]

    def nearest(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """Return the `count` words with the highest cosine similarity to a word, most similar first.

        The word itself is left out.

        Returns:
            Pairs of a word and its similarity, from -1 to 1.

        Raises:
            KeyError: The word has no vector.
        """
        if word not in self.words:
            raise KeyError(word)
        norms = np.linalg.norm(self.matrix, axis=1)
        directions = self.matrix / np.where(norms > 0, norms, 1)[:, None]
        index = self.words.index(word)
        similarity = directions @ directions[index]
        similarity[index] = -np.inf
        best = np.argsort(-similarity, kind="stable")[: min(count, len(self.words) - 1)]
        return [(self.words[i], float(similarity[i])) for i in best]


def read_vectors(
    path: str | os.PathLike,
    words: Iterable[str] | None = None,
    dimension: int | None = None,
    member: str | None = None,
    bad: BadLines | None = None,
) -> Vectors:
    """Read a file of word vectors in one pass, keeping only the requested words.

    Args:
        path: A GloVe, word2vec or fastText text file, or a word2vec binary file, whose name must end with .bin. The
            file may be compressed as .gz or in a .zip such as glove.6B.zip.
        words: The words to keep, or None to keep all. Memory use grows with the number of words kept, not with the size
            of the file.
        dimension: The required number of values per line. If None, the number is taken from the header or, without a
            header, from the first usable line.
        member: The name of the file inside a .zip. If None, the .zip must contain only one file whose name ends with
            .txt, .vec or .bin or, if `dimension` is given, only one file named `*.{dimension}d.txt`.
        bad: The handler for bad lines. If None, the first bad line raises an error.

    Returns:
        The vectors, in the order of the file.

    Raises:
        VectorFileError: A line has the wrong number of values or is not UTF-8; a word to keep occurs twice or has a
            value that is not a finite number; the file is cut short or unpacks to far more than text would; or more
            than 9 in 10 lines would be skipped. The message names the file and the line.
        FileNotFoundError: The file does not exist.
    """
    path, bad = Path(path), bad or BadLines()
    bad.begin()
    kept = _Kept(None if words is None else set(words), dimension)
    with open_vectors(path, dimension, member, bad) as (stream, name, most):
        if name.endswith((".bin", ".bin.gz")):
            size = path.stat().st_size if most is None else None
            vectors = BinaryVectors(BoundedStream(stream, name, bad, most), bad, size)
            used = _read_binary(vectors, kept, name, bad)
        else:
            used = _read_text(read_lines(stream, name, bad, most=most), kept, name, bad)
    bad.refuse_nearly_all(name, used)
    if kept.dimension is None:
        raise bad.error(f"{name}: the file is empty; a word and its numbers are expected on each line")
    return kept.vectors()


def refuse_unreadable_name(path: Path) -> None:
    """Raise VectorFileError if `read_vectors` would read a file with this name as a .zip or binary file."""
    if path.suffix == ".zip" or path.name.endswith((".bin", ".bin.gz")):
        raise VectorFileError(f"{path}: word vectors are written only as text; use a name that ends with .txt or .gz")


def write_vectors(path: str | os.PathLike, vectors: Vectors) -> None:
    """Write word vectors in GloVe's text format to a .txt or .gz file, with six significant digits.

    An existing file is replaced atomically.

    Raises:
        ValueError: A word contains white space or is empty.
        VectorFileError: The file's name ends with .zip, .bin or .bin.gz.
    """
    path = Path(path)
    refuse_unreadable_name(path)
    for word in vectors.words:
        if not word or word != "".join(word.split()):
            raise ValueError(f"a word with white space cannot be written to {path}: {word!r}")
    temporary = path.with_name(path.name + ".part")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(temporary, "wt", encoding="utf-8", newline="\n") as stream:
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            stream.write(word + " " + " ".join(f"{value:.6g}" for value in row) + "\n")
    temporary.replace(path)


class _Kept:
    """A growing table of the requested words and their vectors.

    The vectors are rows of a float32 matrix that doubles in size when it is full, so the numbers of a large file are
    never stored as Python objects. `dimension` is None until a line has determined it.
    """

    def __init__(self, wanted: set[str] | None, dimension: int | None):
        self.dimension = dimension
        self._wanted = wanted
        self._places: dict[str, int] = {}
        self._data: np.ndarray | None = None
        self._count = 0

    def wants(self, word: str, place: str) -> bool:
        """Return whether the vector of a word is requested.

        An error is raised if the word has already been kept. The error message consists of the word, `place` (for
        example, "is already on line"), and the number of the line on which the word first occurred.
        """
        if self._wanted is not None and word not in self._wanted:
            return False
        if word in self._places:
            raise _BadLineError("with a repeated word", f"{word!r} {place} {self._places[word]}")
        return True

    def append(self, word: str, number: int, row: np.ndarray) -> None:
        if self._data is None:
            self._data = np.empty((1024, len(row)), np.float32)
        if self._count == len(self._data):
            self._data.resize((2 * len(self._data), len(row)), refcheck=False)
        self._data[self._count] = row
        self._count += 1
        self._places[word] = number

    def vectors(self) -> Vectors:
        matrix = np.empty((0, self.dimension or 0), np.float32) if self._data is None else self._data[: self._count]
        return Vectors(list(self._places), matrix)


class _BadLineError(Exception):
    """Raised if a line cannot be used. The arguments are the kind of fault and a message; see `BadLines.report`."""


def _read_text(lines: Iterator[tuple[int, bytes]], kept: _Kept, name: str, bad: BadLines) -> int:
    """Add the requested vectors to `kept`, and return the number of usable lines, not counting a header."""
    used = 0
    for number, line in _without_header(lines, kept, name, bad):
        try:
            word, fields = _divided(line.rstrip(b"\r\n "), kept.dimension)
            wanted = kept.wants(word, "is already on line")
            if wanted or kept.dimension is None:  # the first line is always read: it determines the dimension
                row = _numbers(fields[1:])
                kept.dimension = len(row)
                if wanted:
                    kept.append(word, number, row)
            used += 1
        except _BadLineError as error:
            bad.report(f"{name}:{number}", *error.args)
    return used


def _without_header(
    lines: Iterator[tuple[int, bytes]], kept: _Kept, name: str, bad: BadLines
) -> Iterator[tuple[int, bytes]]:
    """Yield all lines except the header, if there is one.

    The first line is a header if it gives a dimension and one of the next lines has this dimension. A byte order mark
    before the first line is removed.
    """
    first = [(number, line.removeprefix(codecs.BOM_UTF8)) for number, line in itertools.islice(lines, 1)]
    header = _HEADER.fullmatch(first[0][1]) if first and first[0][0] == 1 else None
    if header is not None:
        size = int(header[1])
        first += itertools.islice(lines, _LOOKED_AT)
        if size > 1 and any(_has_numbers(line, size) for _, line in first[1:]):
            if kept.dimension not in (None, size):
                raise bad.error(f"{name}:1: the vectors have {size} numbers; {kept.dimension} are expected")
            del first[0]
    yield from first
    yield from lines


def _has_numbers(line: bytes, size: int) -> bool:
    fields = line.rstrip(b"\r\n ").rsplit(b" ", size)
    return len(fields) == size + 1 and all(map(_is_number, fields[1:]))


def _read_binary(vectors: BinaryVectors, kept: _Kept, name: str, bad: BadLines) -> int:
    """Add the requested vectors of a binary file to `kept`, and return the number of usable words."""
    if kept.dimension not in (None, vectors.dimension):
        raise bad.error(f"{name}: the vectors have {vectors.dimension} numbers; {kept.dimension} are expected")
    kept.dimension, used = vectors.dimension, 0
    for number, encoded, row in vectors:
        try:
            word = _decoded(encoded)
            if kept.wants(word, "is already word"):
                kept.append(word, number, _finite(row))
            used += 1
        except _BadLineError as error:
            bad.report(f"{name}: word {number}", *error.args)
    return used


def _divided(line: bytes, dimension: int | None) -> tuple[str, list[bytes]]:
    """Split a line, and return its word as text and all its fields (the word and the numbers) as bytes.

    The line must have `dimension` numbers or, if `dimension` is None, between 1 and LARGEST_DIMENSION numbers.
    """
    fields = line.count(b" ")
    if dimension is None and not 0 < fields <= LARGEST_DIMENSION:
        expected = f"1 to {LARGEST_DIMENSION:,} numbers are expected, separated by spaces"
        message = f"{counted(fields, 'number')} after the word; {expected}"
        raise _BadLineError("with a wrong number of fields", message)
    dimension = dimension or fields
    if fields < dimension:
        raise _BadLineError(
            "with a wrong number of fields",
            f"{counted(fields, 'number')} after the word; {dimension} are expected "
            "(the file may have a different dimension, or be cut short)",
        )
    parts = line.rsplit(b" ", dimension)
    word = _decoded(parts[0])
    # A few words in the larger GloVe files contain spaces. However, a number before the vector is not part of the word:
    # the line then has too many numbers.
    if fields > dimension and _is_number(word.rsplit(" ", 1)[1]):
        raise _BadLineError(
            "with a wrong number of fields", f"{fields} numbers after the word; {dimension} are expected"
        )
    return word, parts


def _numbers(fields: list[bytes]) -> np.ndarray:
    wrong = next((field for field in fields if len(field) > LONGEST_NUMBER), None)
    if wrong is None:
        try:
            with np.errstate(over="ignore"):
                row = np.array(fields, dtype="S").astype(np.float32)
        except ValueError:
            wrong = next((field for field in fields if not _is_number(field)), fields[0])
    if wrong is not None:
        raise _BadLineError("without numbers", f"{wrong[:LONGEST_NUMBER].decode('utf-8', 'replace')!r} is not a number")
    return _finite(row)


def _decoded(word: bytes) -> str:
    try:
        return word.decode("utf-8")
    except UnicodeDecodeError:
        raise _BadLineError("not UTF-8", "the word is not UTF-8 text") from None


def _finite(row: np.ndarray) -> np.ndarray:
    if not np.isfinite(row).all():
        raise _BadLineError("with infinity or NaN", "a number is infinite or NaN; finite numbers are expected")
    return row


def _is_number(field: str | bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True
