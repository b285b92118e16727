"""HDF5 files that may be damaged or hostile: arrays of numbers that lie in the file itself, and nothing else.

A file of some bytes can claim terabytes (chunks that were never written, filters that fill them), and can name other
files (external links and storage, virtual datasets): none of that is followed.
"""

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from glove.text_files import most_unpacked

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
