"""Files that are replaced whole: written beside their places and moved there when they are complete."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path, suffix: str = "", keep: Path | None = None) -> Iterator[Path]:
    """A name beside `path` to write to; moved over `path` when the block ends well, removed when it does not.

    keep: another name for what was in `path` before. At every moment both are there, whole, if they were there before,
    and they are two files: what damages one does not damage the other. Raises OSError, with `path` as its filename.
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


def part_of(path: Path, suffix: str = "") -> Path:
    """What a file is called as long as it is not whole."""
    return path.with_name(f".{path.name}.part{suffix}")


def _copy(path: Path, other: Path) -> None:
    """A second name for a file, or a second file where the file system has no such thing."""
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _sync(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """A text file, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
