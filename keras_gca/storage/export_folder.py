"""Checks that an agent can be exported to a folder."""

import os
from pathlib import Path

from keras_gca.errors import UserError


def refuse_non_empty(folder: str | os.PathLike) -> Path:
    """Return the path of a folder after checking that the folder is empty or does not exist yet.

    Args:
        folder: The folder.

    Raises:
        UserError: The path is a file, or a folder that is not empty.
    """
    path = Path(folder)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{folder}: this is not an empty folder; choose a new one")
    return path
