"""Recognises which package a run or bot belongs to, so that error messages can name the right command."""

import re
from pathlib import Path
from typing import Any

from keras_gca.errors import UserError
from keras_gca.invocation import hint

# For each package, a file that every run of this package has from the start, and that no other package's run has.
MARKS = {"keras_gca": "pairs.h5", "gail_tf": "trajectories.jsonl"}


def refuse_run_of_another(path: Path, package: str, door: str = "chat") -> None:
    """Raise an error if a folder contains another package's run.

    Args:
        path: The folder.
        package: The name of the expected package.
        door: The command of the other package for the message to suggest, including any options.

    Raises:
        UserError: The run belongs to another package.
    """
    owners = [name for name, mark in MARKS.items() if (path / mark).exists()]
    if owners and package not in owners:
        raise _wrong_package(path, "run", owners[0], package, door)


def refuse_bot_of_another(path: Path, format: Any, package: str) -> None:
    """Raise an error if a file is a bot of another package, in any version of that package's format.

    Args:
        path: The file.
        format: The name of the format, as stored in the file.
        package: The name of the expected package.

    Raises:
        UserError: The bot belongs to another package.
    """
    parts = re.fullmatch(r"(\w+) bot \d+", format) if isinstance(format, str) else None
    if parts and parts[1] in MARKS and parts[1] != package:
        raise _wrong_package(path, "bot", parts[1], package, "chat")


def _wrong_package(path: Path, kind: str, owner: str, package: str, door: str) -> UserError:
    return UserError(f"{path}: this is a {kind} of {owner}, not of {package}; {hint(f'{owner}.{door}', path)} opens it")
