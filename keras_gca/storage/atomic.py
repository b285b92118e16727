"""Replaces files atomically: each file is written under a temporary name and renamed once it is complete."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, suffix: str = "", keep: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path to write to. The new file replaces `path` on success, and is removed on failure.

    Args:
        path: The file to replace.
        suffix: A suffix for the name of the temporary file.
        keep: Where to keep the previous file, or None to discard it. A file at `path` or at `keep` is complete at all
            times, even while it is being replaced. The old and the new file share no data on disk, so damage to one
            does not affect the other.

    Raises:
        OSError: The file cannot be written. The `filename` of the error is `path`.
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
    """Yield a temporary folder to write to. The folder is renamed to `path` on success, and removed on failure.

    A temporary folder left behind by a killed process is removed first, so only one process at a time may make `path`.

    Args:
        path: The folder to make, which must not exist yet.

    Raises:
        OSError: The folder cannot be written or already exists. The `filename` of the error is `path`.
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
    """Return the temporary path for a file that is still being written."""
    return path.with_name(f".{path.name}.part{suffix}")


def _copy(path: Path, other: Path) -> None:
    """Make a hard link to a file, or copy the file if the file system does not support hard links."""
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _sync(folder: Path) -> None:
    """Flush a folder's directory entries to disk."""
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
