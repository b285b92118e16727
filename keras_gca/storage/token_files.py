"""The files of a prepared corpus, for both papers: each is written atomically, and checked by its size and SHA-256.

A folder of token files has an index, INDEX, which is written last. It names the sizes and checksums of all other files.
While a preparation has not finished, its intermediate files are in the subfolder WORK.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

import numpy as np

from keras_gca.errors import UserError
from keras_gca.storage.atomic import replacing

INDEX, WORK = "tokens.json", "work"


def is_token_folder(path: str | os.PathLike | None) -> TypeGuard[str | os.PathLike]:
    """Return whether a path is a folder of token files, or one whose preparation has not finished."""
    return path is not None and ((Path(path) / INDEX).is_file() or (Path(path) / WORK).is_dir())


def file_of_shard(folder: Path, number: int, suffix: str) -> Path:
    """Return the path of one of a shard's files."""
    return folder / f"{number:05d}.{suffix}"


def write_arrays(path: Path, arrays: Sequence[np.ndarray]) -> str:
    """Write arrays one after the other to a file, atomically.

    Args:
        path: The file.
        arrays: The arrays, with the types that the file should have.

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
        raise UserError(f"{path}: no such file, but {INDEX} names it; prepare the corpus anew")
    size = path.stat().st_size
    if expected is not None and size != expected:
        raise UserError(f"{path}: the file has {size:,} bytes; {expected:,} are expected. Prepare the corpus anew")


def refuse_sum(path: Path, expected: str) -> None:
    """Raise UserError if the SHA-256 of a file is not the expected one."""
    if sha256_of(path) != expected:
        raise UserError(f"{path}: the file is damaged; its checksum is wrong. Prepare the corpus anew")
