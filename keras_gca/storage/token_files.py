"""Writes the files of a prepared corpus atomically, and checks their sizes and SHA-256 checksums, for both papers.

A folder of token files has an index, INDEX, which is written last and lists the other files with their checksums. Until
the preparation is finished, its intermediate files are in the subfolder WORK.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing

INDEX, WORK = "tokens.json", "work"


def is_token_folder(path: str | os.PathLike | None) -> TypeGuard[str | os.PathLike]:
    """Return whether a path is a folder of token files, complete or not."""
    return path is not None and ((Path(path) / INDEX).is_file() or (Path(path) / WORK).is_dir())


def read_index(folder: Path, format: str, command: str) -> dict[str, Any]:
    """Read the index of a folder of token files.

    Args:
        folder: The folder.
        format: The expected value of "format".
        command: The command that prepares such folders, for messages.

    Raises:
        UserError: The folder is incomplete, or its index is damaged or has another format.
    """
    index = folder / INDEX
    if not index.exists():
        raise UserError(f"{folder}: preparation of this folder is not finished; run {command} again to continue")
    values = json_files.read_object(index)
    if values.get("format") != format:
        raise UserError(
            f"{index}: the format is {values.get('format')!r}, but {format!r} is expected; prepare the corpora again "
            f"with {command}"
        )
    return values


def file_of_shard(folder: Path, number: int, suffix: str) -> Path:
    """Return the path of one of a shard's files."""
    return folder / f"{number:05d}.{suffix}"


def write_arrays(path: Path, arrays: Sequence[np.ndarray]) -> str:
    """Write arrays one after another to a file, atomically.

    Args:
        path: The file.
        arrays: The arrays, with the dtypes to write.

    Returns:
        The SHA-256 of the file, in hexadecimal.

    Raises:
        OSError: The file cannot be written.
    """
    sha = hashlib.sha256()
    with replacing(path) as temporary, temporary.open("wb") as stream:
        for array in arrays:
            sha.update(array.data)
            stream.write(array.data)
    return sha.hexdigest()


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def refuse_size(path: Path, expected: int | None) -> None:
    """Raise UserError if a file is missing, or if its size in bytes is not the expected one (None: any size)."""
    if not path.is_file():
        raise UserError(f"{path}: the file is missing, but {INDEX} lists it; prepare the corpus again")
    size = path.stat().st_size
    if expected is not None and size != expected:
        raise UserError(f"{path}: the file has {size:,} bytes, but {expected:,} are expected; prepare the corpus again")


def refuse_sum(path: Path, expected: str) -> None:
    """Raise UserError if the SHA-256 of a file is not the expected one."""
    if sha256_of(path) != expected:
        raise UserError(f"{path}: the file is damaged (wrong checksum); prepare the corpus again")
