"""Stores values that take a long time to compute, each in its own file, so that a measurement can be resumed."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text


class StoredValues:
    """A folder of stored values. A stored value is used again unless the bot file is newer than the value's file.

    Args:
        folder: The folder, which is created when the first value is stored.
        bot: The bot file from which the values are computed.
    """

    def __init__(self, folder: Path, bot: Path):
        self._folder, self._bot = folder, bot

    def get(self, name: str, facts: Mapping[str, Any], make: Callable[[], list], valid: Callable[[list], bool]) -> list:
        """Read a value from its file, or compute the value and write the file.

        Args:
            name: The name of the value and of its file.
            facts: Everything that the value depends on except the bot, in a form that can be written as JSON. A file
                with different facts is not used.
            make: A function that computes the value, which is a list that can be written as JSON.
            valid: A function that returns whether a stored list has the expected length and types.
        """
        path = self._folder / f"{name}.json"
        stored = self._read(path, dict(facts))
        if stored is not None and valid(stored):
            return stored
        value = make()
        self._folder.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps({"facts": dict(facts), "value": value}, ensure_ascii=False) + "\n")
        return value

    def has(self, name: str, facts: Mapping[str, Any]) -> bool:
        """Return whether `get` would read a stored value for this name and these facts instead of computing one."""
        return self._read(self._folder / f"{name}.json", dict(facts)) is not None

    def _read(self, path: Path, facts: dict[str, Any]) -> list | None:
        """Return the list in a file, or None if the file is missing, damaged, or outdated, or its facts differ."""
        try:
            if path.stat().st_mtime < self._bot.stat().st_mtime:
                return None
            values = json_files.read_object(path)
        except (OSError, UserError):
            return None  # the file cannot be used, so the value is computed again
        value = values.get("value")
        return value if values.get("facts") == facts and isinstance(value, list) else None


def are_texts(count: int) -> Callable[[list], bool]:
    """Return a function that checks whether a list contains exactly `count` texts."""
    return lambda values: len(values) == count and all(isinstance(value, str) for value in values)


def are_numbers(rows: int, columns: int) -> Callable[[list], bool]:
    """Return a function that checks whether a list contains exactly `rows` lists of `columns` numbers each."""

    def valid(values: list) -> bool:
        return len(values) == rows and all(
            isinstance(row, list) and len(row) == columns and all(type(value) in (int, float) for value in row)
            for row in values
        )

    return valid
