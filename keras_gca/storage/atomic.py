"""Replaces files atomically: a file is written under a temporary name, and renamed when it is complete."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, suffix: str = "", keep: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to; the file replaces `path` if the block succeeds, and is removed if it fails.

    Args:
        path: The file to replace.
        suffix: A suffix for the name of the temporary file.
        keep: Another path, to which the previous content of `path` is moved. If one of the two files existed before, it
            exists and is complete at every moment. The two files do not share data on disk, so damage to one does not
            damage the other.

    Raises:
        OSError: The file cannot be written. The error's `filename` is `path`.
    """
    temporary = part_of(path, suffix)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        if keep is not None and path.exists():
            spare = part_of(keep)
            _copy(path, spare)
            temporary.replace(path)
            spare.replace(keep)
        else:
            temporary.replace(path)
        _sync(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        for part in [temporary] if keep is None else [temporary, part_of(keep)]:
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def making_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to write to; it becomes `path` if the block succeeds, and is removed if it fails.

    A temporary folder that a killed process left is removed first. Therefore only one process at a time may make the
    folder `path`.

    Args:
        path: The folder to make. It must not exist.

    Raises:
        OSError: The folder cannot be written or already exists. The error's `filename` is `path`.
    """
    temporary = part_of(path)
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        yield temporary
        for file in temporary.iterdir():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())
        temporary.rename(path)
        _sync(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def part_of(path: Path, suffix: str = "") -> Path:
    """Return the temporary path under which a file is written while it is incomplete."""
    return path.with_name(f".{path.name}.part{suffix}")


def _copy(path: Path, other: Path) -> None:
    """Give a file a second name, or copy it if the file system does not support second names."""
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _sync(folder: Path) -> None:
    """Flush a folder's list of files to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises:
        OSError: The file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
