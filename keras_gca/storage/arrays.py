"""Reads arrays from HDF5 files that may be damaged or hostile, and writes HDF5 files with a checksum.

Only data stored in the file itself is read: links, external storage and chunks that were never written are rejected.
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

# The exceptions that h5py raises for damaged files.
_FAULTS = (OSError, KeyError, ValueError, TypeError, AttributeError, RuntimeError, MemoryError, OverflowError)


class ArrayFile:
    """An HDF5 file opened for reading.

    At most `most_unpacked(size)` bytes of arrays can be read in total. This limit prevents a small hostile file from
    filling up memory.

    Args:
        file: The open file.
        size: The size of the file in bytes.
    """

    def __init__(self, file: h5py.File, size: int):
        self._file = file
        self._left = most_unpacked(size)

    def attribute(self, group: str, name: str) -> list[str]:
        """Return an attribute of a group as a list of strings.

        Raises:
            ValueError: The attribute is not a list of strings.
        """
        texts = np.asarray(self._member(group).attrs[name]).ravel()
        if not all(isinstance(text, (str, bytes)) for text in texts):  # an empty list has no type
            raise ValueError(f"{name} of {group} is not a list of texts")
        return [text.decode("utf-8") if isinstance(text, bytes) else str(text) for text in texts]

    def names(self, group: str) -> list[str]:
        """Return the names of all arrays in a group and in its subgroups, as paths relative to the group."""
        names: list[str] = []
        self._member(group).visititems(
            lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None
        )
        return names

    def array(self, name: str) -> np.ndarray:
        """Read an array.

        Raises:
            ValueError: There is no numeric array with this name, part of the array is missing from the file, or the
                array is far larger than the file.
        """
        member = self._member(name)
        if not isinstance(member, h5py.Dataset) or member.dtype.kind not in "fiub" or member.shape is None:
            raise ValueError(f"{name} is not an array of numbers")
        if not _is_whole(member):
            raise ValueError(f"a part of {name} is missing from this file")
        self._left -= member.nbytes
        if self._left < 0:
            raise ValueError(f"{name} is far larger than the file")
        return member[()]

    def _member(self, name: str) -> h5py.Group | h5py.Dataset:
        """Return a group or an array of the file; raise ValueError if it is a link."""
        member = self._file
        for part in filter(None, name.split("/")):
            if not isinstance(member, h5py.Group) or part in (".", ".."):
                raise KeyError(f"no {name}")
            if not isinstance(member.get(part, getlink=True), h5py.HardLink):
                raise ValueError(f"{name} is a link")
            member = member[part]
        return member


@contextlib.contextmanager
def open_arrays(path: Path) -> Iterator[ArrayFile]:
    """Open a file for reading, and turn every error caused by a damaged file into a ValueError."""
    try:
        with h5py.File(path, "r") as file:
            yield ArrayFile(file, path.stat().st_size)
    except _FAULTS as error:
        raise ValueError(str(error) or type(error).__name__) from None


def _is_whole(data: h5py.Dataset) -> bool:
    """Return whether a dataset is stored completely in the file itself."""
    if data.is_virtual or data.external:
        return False
    if data.chunks is None:
        return data.id.get_storage_size() == data.nbytes
    settings = data.id.get_create_plist()
    if not {settings.get_filter(i)[0] for i in range(settings.get_nfilters())} <= _FILTERS:
        return False
    chunks = (-(-length // chunk) for length, chunk in zip(data.shape, data.chunks, strict=True))
    return data.id.get_num_chunks() == math.prod(chunks) and math.prod(data.chunks) <= 2 * max(data.size, 1 << 20)


MARK, HEADER = b"keras-conversational-agents sha256 ", 512  # the beginning of the header, and its size in bytes
HDF5_STRUCTURE = 2**18  # a file with a few dozen arrays has at most this many bytes besides their numbers


@contextlib.contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[h5py.File]:
    """Open a new HDF5 file for writing.

    HDF5 writes through a Python stream instead of directly to the file, because a failed write, for example to a full
    disk, would otherwise crash the process when the file is closed.

    Args:
        path: The file.
        **options: Keyword arguments for `h5py.File`.

    Raises:
        OSError: The file cannot be written, for example because the disk is full.
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
    """A stream that forwards data to another stream. The first error is stored, not raised, and ends the forwarding."""

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
    """Write arrays and facts atomically to an HDF5 file with a checksum.

    Args:
        path: The file.
        arrays: The arrays by name.
        facts: JSON-serialisable values by name.
        compress: Whether to compress the arrays and facts.
        keep: Where to keep the previous version of the file; see `replacing`.

    Raises:
        OSError: The file cannot be written.
    """
    with replacing(path, keep=keep) as temporary:
        with new_hdf5(temporary, userblock_size=HEADER) as file:
            method = "gzip" if compress else None
            written = np.frombuffer(json.dumps(facts).encode(), np.uint8)
            file.create_dataset("facts", data=written, compression=method)
            for name, array in arrays.items():
                file.create_dataset(f"arrays/{name}", data=array, compression=method)
        with temporary.open("rb+") as stream:
            checksum = _checksum(stream)
            stream.seek(0)
            stream.write(MARK + checksum)


def _checksum(stream: io.BufferedIOBase) -> bytes:
    """Return the SHA-256 of everything after the header of an HDF5 file, in hexadecimal."""
    stream.seek(HEADER)
    return hashlib.file_digest(stream, "sha256").hexdigest().encode()


def has_right_checksum(path: Path) -> bool:
    """Return whether a file has the right checksum, or none at all, as in files written by earlier versions."""
    with path.open("rb") as stream:
        header = stream.read(HEADER)
        return not header.startswith(MARK) or header[len(MARK) :].rstrip(b"\0") == _checksum(stream)


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the facts and arrays of a file written by `write_arrays`.

    Raises:
        UserError: The file is missing or damaged.
    """
    with _reading(path, check=True) as file:
        return _facts(file), {name: file.array(f"arrays/{name}") for name in file.names("arrays")}


def read_facts(path: Path) -> dict[str, Any]:
    """Read only the facts of a file written by `write_arrays`, without reading the arrays.

    Reading takes the same time for files of any size. The checksum is not verified, because that would require reading
    the whole file, so damage to the arrays goes unnoticed.

    Raises:
        UserError: The file is missing, or so damaged that its facts cannot be read.
    """
    with _reading(path, check=False) as file:
        return _facts(file)


@contextlib.contextmanager
def _reading(path: Path, check: bool) -> Iterator[ArrayFile]:
    """Open a file written by `write_arrays`, and turn every error caused by a damaged file into a UserError.

    The checksum is verified only if `check` is true.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file")
    try:
        if check and not has_right_checksum(path):
            raise ValueError("its checksum is wrong")
        with open_arrays(path) as file:
            yield file
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: the file is incomplete, or was not written by this program ({error})") from None


def _facts(file: ArrayFile) -> dict[str, Any]:
    facts = json_files.loads(file.array("facts").tobytes().decode("utf-8"))
    if not isinstance(facts, dict):
        raise ValueError("the facts are not a JSON object")
    return facts
