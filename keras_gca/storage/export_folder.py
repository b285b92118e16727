"""Checks the folder that an export writes to."""

import os
from pathlib import Path

from keras_gca.errors import UserError


def refuse_non_empty(folder: str | os.PathLike) -> Path:
    """Return the path of a folder that an export may fill.

    Args:
        folder: The folder.

    Raises:
        UserError: The path is a file, or a folder that is not empty.
    """
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{folder}: this is not an empty folder; name a new one")
    return path
