"""Reads and writes the `config.json` of a run, which holds all settings and the source of the data."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

from keras_gca.errors import UserError
from keras_gca.settings import Settings
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

Kind = TypeVar("Kind", bound=Settings)


def write_settings(path: str | os.PathLike, config: Settings, source: dict[str, Any]) -> None:
    """Write the settings of a run and a description of where its data comes from."""
    write_text(Path(path), json.dumps({"source": source, "config": config.to_values()}, indent=2))


def read_settings(path: str | os.PathLike, kind: type[Kind]) -> Kind:
    """Read the settings of a run.

    Args:
        path: A file written by `write_settings`.
        kind: The class of the settings.

    Raises:
        UserError: The file is missing or damaged, contains settings of another class, or contains an invalid setting.
            The message names the file and the setting.
    """
    values = _part(path, "config")
    try:
        return kind.from_values(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_source(path: str | os.PathLike) -> dict[str, Any]:
    """Read the description of where the data of a run comes from: a dictionary of strings and lists of strings.

    Raises:
        UserError: The file is missing or damaged.
    """
    source = _part(path, "source")
    kinds = (str, list, dict, type(None))
    if not isinstance(source, dict) or not all(isinstance(value, kinds) for value in source.values()):
        raise UserError(f"{path}: the file is damaged; the source of the run must be an object that contains strings")
    if not all(isinstance(name, str) for value in source.values() if isinstance(value, list) for name in value):
        raise UserError(
            f"{path}: the file is damaged; a list in the source of the run contains an item that is not a string"
        )
    return source


def _part(path: str | os.PathLike, name: str) -> Any:
    values = json_files.read_object(path)
    if name not in values:
        raise UserError(f"{path}: the file is damaged; the {name} of a run is missing")
    return values[name]
