"""Reads JSON from files that may be damaged or hostile."""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from keras_gca.errors import UserError


class NotJSONError(ValueError):
    """The error raised for a text that is not JSON. Valid JSON that cannot be used raises a plain `ValueError`."""


LARGEST = 200_000_000  # the maximum size of a file in bytes
DEEPEST = 50  # the maximum number of nested lists and objects


def loads(text: str) -> Any:
    """Parse a JSON text.

    Raises:
        NotJSONError: The text is not JSON.
        ValueError: The JSON is nested too deeply, has a number with thousands of digits, or has an unpaired surrogate,
            which cannot be written to a text file. The message is one line.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}" if error.lineno > 1 else f"column {error.colno}"
        raise NotJSONError(f"{error.msg.removesuffix(' at')} at {where}") from None
    except RecursionError:
        raise ValueError(f"lists or objects are nested more than {DEEPEST} levels deep") from None
    except ValueError:  # Python refuses to convert longer numbers; its message is meant for programmers
        raise ValueError(f"a number has more than {sys.get_int_max_str_digits():,} digits") from None
    _check(value, DEEPEST)
    return value


def read(path: str | os.PathLike) -> Any:
    """Parse a JSON file.

    Raises:
        UserError: The file is missing, too large or damaged. The message names the file.
    """
    try:
        with Path(path).open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if len(content) > LARGEST:
        raise UserError(f"{path}: the file is larger than {LARGEST:,} bytes; no file of this program is that large")
    try:
        return loads(content.decode("utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: the file is damaged; valid JSON is expected ({error})") from None


def read_object(path: str | os.PathLike) -> dict[str, Any]:
    """Parse a JSON file that contains an object; see `read`."""
    value = read(path)
    if not isinstance(value, dict):
        raise UserError(f"{path}: the content is not a JSON object")
    return value


def plain(value: Any) -> Any:
    """Replace NaN and infinity, which JSON does not have, with None in nested values.

    Args:
        value: A JSON-serialisable value. Tuples are returned as lists.
    """
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check(value: Any, levels: int) -> None:
    if isinstance(value, str):
        if not value.isascii():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError:
                raise ValueError("a text contains half of a surrogate pair") from None
    elif isinstance(value, (list, dict)):
        if not levels:
            raise ValueError(f"lists or objects are nested more than {DEEPEST} levels deep")
        for item in value if isinstance(value, list) else (*value, *value.values()):
            _check(item, levels - 1)
