"""Read and write GloVe text files: one word a line, then its numbers, separated by single spaces."""

import contextlib
import gzip
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


class VectorFileError(ValueError):
    """A vector file cannot be read: the message names the file, the line and what would be right."""


@dataclass(frozen=True)
class Vectors:
    """Words and their vectors.

    words:  n words, in the order of the file they came from.
    matrix: (n, dimension) float32; row i belongs to words[i].
    """

    words: list[str]
    matrix: np.ndarray

    def __post_init__(self):
        if self.matrix.ndim != 2 or len(self.words) != len(self.matrix):
            raise ValueError(f"{len(self.words)} words do not fit a matrix of shape {self.matrix.shape}")

    @property
    def dimension(self) -> int:
        return self.matrix.shape[1]

    def nearest(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The `count` words of highest cosine similarity to `word`, best first, without the word itself.

        Raises KeyError when the word has no vector.
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
) -> Vectors:
    """Read a GloVe file in one pass, keeping only the words asked for.

    path:      a .txt file, the same compressed as .gz, or a .zip such as glove.6B.zip.
    words:     the words to keep; None keeps all. Memory grows with the words kept, not with the file.
    dimension: the numbers a line must have; None takes the first line's count.
    member:    the file inside a .zip; None takes its only one, or the only one named `*.{dimension}d.txt`.

    Returns Vectors in the file's order; of a word that stands twice, the first. Raises VectorFileError with file and
    line on a wrong dimension, a kept word's field that is no finite number, text that is not UTF-8, a cut file, and
    FileNotFoundError when there is no such file.
    """
    path = Path(path)
    wanted = None if words is None else set(words)
    with _open(path, dimension, member) as (stream, name):
        kept, rows = [], _Rows(dimension, None if wanted is None else len(wanted))
        seen = set()
        for number, line in _lines(stream, name):
            fields = line.count(b" ")
            if rows.dimension is None:
                if not fields:
                    raise VectorFileError(f"{name}:{number}: a word and its numbers are expected, separated by spaces")
                rows.dimension = fields
            if fields < rows.dimension:
                raise VectorFileError(
                    f"{name}:{number}: {fields} numbers where {rows.dimension} are expected"
                    " (another dimension, or a file cut short)"
                )
            try:
                word = line.rsplit(b" ", rows.dimension)[0].decode("utf-8")
            except UnicodeDecodeError:
                raise VectorFileError(f"{name}:{number}: the word is not UTF-8 text") from None
            # A few words of the larger GloVe files hold spaces themselves; numbers before the vector are no word.
            if fields > rows.dimension and _is_number(word.rsplit(" ", 1)[1]):
                raise VectorFileError(f"{name}:{number}: {fields} numbers where {rows.dimension} are expected")
            if (wanted is not None and word not in wanted) or word in seen:
                continue
            seen.add(word)
            kept.append(word)
            rows.append(_numbers(line, rows.dimension, f"{name}:{number}"))
    if rows.dimension is None:
        raise VectorFileError(f"{name}: the file is empty; a word and its numbers are expected on each line")
    return Vectors(kept, rows.matrix())


def write_vectors(path: str | os.PathLike, vectors: Vectors) -> None:
    """Write GloVe's text format to .txt or .gz, six significant digits, in one atomic replacement of the file."""
    path = Path(path)
    for word in vectors.words:
        if not word or word != "".join(word.split()):
            raise ValueError(f"a word with white space cannot be written to {path}: {word!r}")
    temporary = path.with_name(path.name + ".part")
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(temporary, "wt", encoding="utf-8", newline="\n") as stream:
        for word, row in zip(vectors.words, vectors.matrix, strict=True):
            stream.write(word + " " + " ".join(f"{value:.6g}" for value in row) + "\n")
    temporary.replace(path)


class _Rows:
    """A float32 matrix that grows by doubling: no second copy of a large file's numbers as Python objects."""

    def __init__(self, dimension: int | None, capacity: int | None):
        self.dimension = dimension
        self._capacity = 1024 if capacity is None else max(capacity, 1)
        self._data: np.ndarray | None = None
        self._count = 0

    def append(self, row: np.ndarray) -> None:
        if self._data is None:
            self._data = np.empty((self._capacity, self.dimension), np.float32)
        if self._count == len(self._data):
            self._data.resize((2 * len(self._data), self.dimension), refcheck=False)
        self._data[self._count] = row
        self._count += 1

    def matrix(self) -> np.ndarray:
        return np.empty((0, self.dimension), np.float32) if self._data is None else self._data[: self._count]


def _numbers(line: bytes, dimension: int, where: str) -> np.ndarray:
    fields = line.rsplit(b" ", dimension)[1:]
    try:
        row = np.array(fields, dtype="S").astype(np.float32)
    except ValueError:
        wrong = next(field for field in fields if not _is_number(field))
        raise VectorFileError(f"{where}: {wrong.decode('utf-8', 'replace')!r} is not a number") from None
    if not np.isfinite(row).all():
        raise VectorFileError(f"{where}: a number is infinite or NaN; finite ones are expected")
    return row


def _is_number(field: str | bytes) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _lines(stream: io.BufferedIOBase, name: str) -> Iterator[tuple[int, bytes]]:
    number = 0
    try:
        for number, line in enumerate(stream, start=1):
            yield number, line.rstrip(b"\r\n ")
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise VectorFileError(f"{name}:{number + 1}: the compressed file is damaged or cut short ({error})") from error


@contextlib.contextmanager
def _open(path: Path, dimension: int | None, member: str | None) -> Iterator[tuple[io.BufferedIOBase, str]]:
    """A binary stream over the file's lines, and the name that error messages give it."""
    if member is not None and path.suffix != ".zip":
        raise VectorFileError(f"{path}: a member ({member}) can only be named for a .zip file")
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as stream:
            yield stream, str(path)
    elif path.suffix == ".zip":
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise VectorFileError(f"{path}: not a readable .zip file ({error})") from error
        with archive:
            chosen = _choose_member(path, archive.namelist(), dimension, member)
            with archive.open(chosen) as stream:
                yield stream, f"{path}:{chosen}"
    else:
        with path.open("rb") as stream:
            yield stream, str(path)


def _choose_member(path: Path, names: list[str], dimension: int | None, member: str | None) -> str:
    texts = [name for name in names if name.endswith(".txt")]
    if member is not None:
        if member not in names:
            raise VectorFileError(f"{path}: no member {member}; it holds {', '.join(names)}")
        return member
    if len(texts) > 1 and dimension is not None:
        texts = [name for name in texts if name.endswith(f".{dimension}d.txt")]
    if len(texts) != 1:
        raise VectorFileError(f"{path}: name one of its members: {', '.join(names)}")
    return texts[0]
