"""Arrays in HDF5 files that may be damaged or hostile, and our own files of arrays, with a checksum.

Links, external storage and chunks that were never written are refused: nothing but what lies in the file is read.
"""

import contextlib
import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import h5py
import numpy as np

from glove.text_files import most_unpacked
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

Result = TypeVar("Result")

_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}

# What h5py raises of damaged files.
_FAULTS = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError, OverflowError)


class ArrayFile:
    """An open file of arrays. Together they may be no larger than `most_unpacked` of the file."""

    def __init__(self, file: h5py.File, size: int):
        self._file = file
        self._left = most_unpacked(size)

    def attribute(self, group: str, name: str) -> list[str]:
        """An attribute of a group that is a list of texts."""
        found = np.asarray(self._member(group).attrs[name])
        if not all(isinstance(each, (str, bytes)) for each in found.ravel()):  # an empty list is of no kind
            raise ValueError(f"{name} of {group} is no list of texts")
        return [each.decode("utf-8") if isinstance(each, bytes) else str(each) for each in found.ravel()]

    def names(self, group: str) -> list[str]:
        """The arrays of a group and of the groups in it, by their names in it."""
        names: list[str] = []
        self._member(group).visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        return names

    def array(self, name: str) -> np.ndarray:
        """Raises ValueError where it is no array of numbers, or its numbers are not all in this file."""
        found = self._member(name)
        if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "fiub" or found.shape is None:
            raise ValueError(f"{name} is no array of numbers")
        if not _is_whole(found):
            raise ValueError(f"the numbers of {name} are not all in this file")
        self._left -= found.nbytes
        if self._left < 0:
            raise ValueError(f"{name} is far larger than the file")
        return found[()]

    def _member(self, name: str) -> h5py.Group | h5py.Dataset:
        found = self._file
        for part in filter(None, name.split("/")):
            if not isinstance(found, h5py.Group) or part in (".", ".."):
                raise KeyError(f"no {name}")
            if not isinstance(found.get(part, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is a link to elsewhere")
            found = found[part]
        return found


@contextlib.contextmanager
def open_arrays(path: Path) -> Iterator[ArrayFile]:
    """Open a file to read; whatever is wrong with it in this block is a ValueError."""
    try:
        with h5py.File(path, "r") as file:
            yield ArrayFile(file, path.stat().st_size)
    except _FAULTS as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _is_whole(found: h5py.Dataset) -> bool:
    """Whether every number of a dataset is stored in its own file."""
    if found.is_virtual or found.external:
        return False
    if found.chunks is None:
        return found.id.get_storage_size() == found.nbytes
    settings = found.id.get_create_plist()
    if not {settings.get_filter(i)[0] for i in range(settings.get_nfilters())} <= _FILTERS:
        return False
    chunks = (-(-length // chunk) for length, chunk in zip(found.shape, found.chunks, strict=True))
    return found.id.get_num_chunks() == math.prod(chunks) and math.prod(found.chunks) <= 2 * max(found.size, 1 << 20)


MARK, HEADER = b"keras-conversational-agents sha256 ", 512  # what such a file begins with, and how long that is
HDF5_STRUCTURE = 2**18  # bytes: more than a file of some dozen arrays has besides them


@contextlib.contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[h5py.File]:
    """A new HDF5 file to write to. options: of h5py.File. Raises OSError where the disk is full or fails.

    HDF5's own way of writing cannot be used for that: the process crashes where a file cannot be closed.
    """
    with path.open("wb+") as stream:
        sink = _Sink(stream)
        try:
            with h5py.File(sink, "w", **options) as file:
                yield file
        finally:
            if sink.error is not None:
                raise sink.error


class _Sink(io.RawIOBase):
    """A stream that keeps the first error of another one, and from then on does nothing and reports success."""

    def __init__(self, stream: io.BufferedRandom):
        super().__init__()
        self._stream = stream
        self.error: OSError | None = None

    def write(self, content: "ReadableBuffer") -> int:
        return self._attempt(self._stream.write, content, otherwise=memoryview(content).nbytes)

    def readinto(self, buffer: "WriteableBuffer") -> int:
        return self._attempt(self._stream.readinto, buffer, otherwise=memoryview(buffer).nbytes)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._attempt(self._stream.seek, offset, whence, otherwise=0)

    def truncate(self, size: int | None = None) -> int:
        return self._attempt(self._stream.truncate, size, otherwise=0)

    def flush(self) -> None:
        self._attempt(self._stream.flush, otherwise=None)

    def _attempt(self, act: Callable[..., Result], *arguments: Any, otherwise: Result) -> Result:
        if self.error is None:
            try:
                return act(*arguments)
            except OSError as error:
                self.error = error
        return otherwise


def write_arrays(
    path: Path, arrays: dict[str, np.ndarray], facts: dict[str, Any], compress: bool = False, keep: Path | None = None
) -> None:
    """Named arrays and JSON facts as one HDF5 file with a checksum, atomically. keep: see `replacing`."""
    with replacing(path, keep=keep) as temporary:
        with new_hdf5(temporary, userblock_size=HEADER) as file:
            file.create_dataset("facts", data=np.frombuffer(json.dumps(facts).encode(), np.uint8))
            for name, array in arrays.items():
                file.create_dataset(f"arrays/{name}", data=array, compression="gzip" if compress else None)
        with temporary.open("rb+") as stream:
            checksum = _checksum(stream)
            stream.seek(0)
            stream.write(MARK + checksum)


def _checksum(stream: io.BufferedIOBase) -> bytes:
    """The SHA-256 of all that comes after the header, in hexadecimal."""
    stream.seek(HEADER)
    return hashlib.file_digest(stream, "sha256").hexdigest().encode()


def _has_right_checksum(path: Path) -> bool:
    """Whether the checksum is right; true for a file without one, which an earlier version has written."""
    with path.open("rb") as stream:
        header = stream.read(HEADER)
        return not header.startswith(MARK) or header[len(MARK) :].rstrip(b"\0") == _checksum(stream)


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `write_arrays` wrote. Raises UserError where the file is missing or damaged."""
    with _reading(path, check=True) as file:
        return _facts(file), {name: file.array(f"arrays/{name}") for name in file.names("arrays")}


def read_facts(path: Path) -> dict[str, Any]:
    """The facts alone of what `write_arrays` wrote: as quick for a large file as for a small one.

    The checksum is of the whole file and is not looked at: damage to the arrays goes unnoticed. Raises UserError where
    the file is missing, or so damaged that it has no facts.
    """
    with _reading(path, check=False) as file:
        return _facts(file)


@contextlib.contextmanager
def _reading(path: Path, check: bool) -> Iterator[ArrayFile]:
    """A file of `write_arrays`, open; whatever is wrong with it in this block is a UserError.

    check: whether the checksum must be right.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    try:
        if check and not _has_right_checksum(path):
            raise ValueError("its checksum is wrong")
        with open_arrays(path) as file:
            yield file
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a complete file of this program ({error})") from None


def _facts(file: ArrayFile) -> dict[str, Any]:
    facts = json_files.loads(file.array("facts").tobytes().decode("utf-8"))
    if not isinstance(facts, dict):
        raise ValueError("its facts are no object")
    return facts
