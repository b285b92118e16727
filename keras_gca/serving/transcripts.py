"""Opens the files to which chats write conversations."""

import os
from functools import partial
from pathlib import Path
from typing import TextIO

from keras_gca.errors import UserError


def open_transcript(path: Path) -> TextIO:
    """Open a file for conversations, to which text is appended. Only its owner can read a new file (mode 600).

    Args:
        path: The file. Its folder is created if it does not exist.

    Raises:
        UserError: The file cannot be written.
    """
    try:
        if not path.parent.exists():  # if it is a file, open says so more clearly than mkdir
            path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "a", encoding="utf-8", opener=partial(os.open, mode=0o600))
    except OSError as error:
        raise UserError(f"{path}: the transcript cannot be written ({error.strerror})") from None
