"""The cache folder, which keeps each model in converted form.

The folder is the environment variable CONVERSATIONAL_AGENTS_CACHE, or `conversational-agents` in $XDG_CACHE_HOME, or
~/.cache/conversational-agents. Imports nothing heavy.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import filelock

from keras_gca.engine import reporting
from keras_gca.errors import UserError

VARIABLE = "CONVERSATIONAL_AGENTS_CACHE"
CONVERSION = 1  # the number of the converter; a new one, whose results differ, does not use the old one's folders


def cache_folder() -> Path:
    """Return the cache folder, which may not exist yet."""
    if named := os.environ.get(VARIABLE):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "conversational-agents"


def converted_folder(sha256: str) -> Path:
    """Return the folder of the model that a GGUF file of this SHA-256 is converted to; it may not exist yet."""
    return cache_folder() / f"{sha256}-{CONVERSION}"


@contextlib.contextmanager
def workplace(sha256: str) -> Iterator[Path]:
    """Give an empty folder in the cache for making a model, to one process at a time; it is removed afterwards.

    Args:
        sha256: The SHA-256 of the model's GGUF file.

    Raises:
        UserError: The cache cannot be written, or the disk is full.
    """
    folder = cache_folder() / f".{sha256}.part"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder.with_suffix(".lock"))
        try:
            lock.acquire(blocking=False)
        except filelock.Timeout:
            reporting.say(f"{folder.parent}: another process is fetching this model; waiting for it")
            lock.acquire()
        try:
            shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{error.filename or folder}: {reason}; {VARIABLE} can name another cache folder") from None


def refuse_full_disk(folder: Path, size: int) -> None:
    """Raise UserError if the disk of a folder has less free space than a number of bytes."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(f"{folder.parent}: {size // 10**6:,} MB are needed, but {free // 10**6:,} MB are free")
