"""The cache folder, which stores pretrained models converted to Hugging Face's format.

The environment variable CONVERSATIONAL_AGENTS_CACHE sets the folder. By default, the folder is `conversational-agents`
in $XDG_CACHE_HOME, or in ~/.cache if that variable is not set. This module does not import TensorFlow or other slow
libraries.
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
# The version of the converter. It is increased when the converter's results change, so that old folders are not reused.
CONVERSION = 1


def cache_folder() -> Path:
    """Return the cache folder, which may not exist yet."""
    if named := os.environ.get(VARIABLE):
        return Path(named).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "conversational-agents"


def converted_folder(sha256: str) -> Path:
    """Return the folder for the model converted from a GGUF file with this SHA-256. The folder may not exist yet."""
    return cache_folder() / f"{sha256}-{CONVERSION}"


@contextlib.contextmanager
def workplace(sha256: str) -> Iterator[Path]:
    """Make an empty temporary folder in the cache in which to prepare a model.

    Only one process at a time can prepare a given model; other processes wait. The folder is removed at the end.

    Args:
        sha256: The SHA-256 of the file with the model's weights.

    Yields:
        The folder.

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
            reporting.say(f"{folder.parent}: another process is fetching this model; waiting for it to finish")
            lock.acquire()
        try:
            shutil.rmtree(folder, ignore_errors=True)  # a process that was killed may have left the folder behind
            folder.mkdir()
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            lock.release()
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(f"{error.filename or folder}: {reason}; set {VARIABLE} to use another cache folder") from None


def refuse_full_disk(folder: Path, size: int) -> None:
    """Raise UserError if fewer than `size` bytes are free on the disk that contains a folder."""
    free = shutil.disk_usage(folder).free
    if size > free:
        raise UserError(f"{folder.parent}: {size // 10**6:,} MB are needed, but {free // 10**6:,} MB are free")
