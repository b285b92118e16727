"""Reads and writes bots: files that contain everything needed for a chat."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.errors import UserError
from keras_gca.settings import Settings
from keras_gca.storage.arrays import read_arrays, write_arrays
from keras_gca.storage.ownership import refuse_bot_of_another, refuse_run_of_another
from keras_gca.storage.run_folder import RunFolder

SHAPES = "shapes"  # the name of the fact in a half-precision bot that contains the shapes of each network's weights


def write_bot(
    path: Path,
    format: str,
    facts: dict[str, Any],
    networks: dict[str, list[np.ndarray]],
    half_precision: bool = False,
    exact: dict[str, list[np.ndarray]] | None = None,
) -> None:
    """Write a bot.

    Args:
        path: The file.
        format: The name of the file format, which is checked when the bot is read.
        facts: JSON-serialisable values by name.
        networks: The weights of each network.
        half_precision: Whether to write the weights of each network as one compressed float16 array, which takes less
            than half the space of float32 arrays.
        exact: Further arrays in the same form, such as whole numbers, that are written unchanged even then.

    Raises:
        OSError: The file cannot be written.
    """
    unchanged = exact or {}
    counts = {name: len(weights) for name, weights in (networks | unchanged).items()}
    facts = {"format": format, **facts, "networks": counts}
    if half_precision:
        facts |= {SHAPES: {name: [weight.shape for weight in weights] for name, weights in networks.items()}}
        arrays = {name: _halved(weights) for name, weights in networks.items()}
    else:
        unchanged, arrays = networks | unchanged, {}
    arrays |= {f"{name}/{i}": value for name, weights in unchanged.items() for i, value in enumerate(weights)}
    write_arrays(path, arrays, facts, compress=half_precision)


def read_bot(path: str | os.PathLike, *formats: str) -> tuple[Path, dict[str, Any], dict[str, list[np.ndarray]]]:
    """Read a bot file, or the bot in a run folder.

    Args:
        path: The bot file or the run folder.
        *formats: The names of the supported formats, newest first. Each name begins with the name of the package.

    Returns:
        The path of the bot file, the facts, and the weights of each network in the order in which they were written.
        Half-precision weights are converted to float32.

    Raises:
        UserError: The bot is missing or damaged, has another format, or belongs to another package.
    """
    path, package = Path(path), formats[0].split()[0]
    if path.is_dir():
        run: RunFolder[Settings] = RunFolder.open(path)
        refuse_run_of_another(path, package)
        path = run.bot
        if not path.exists():
            raise UserError(
                f"{path}: the bot has not been written yet; run python -m {package}.train --resume {run.path} first"
            )
    facts, arrays = read_arrays(path)
    refuse_bot_of_another(path, facts.get("format"), package)
    if facts.get("format") not in formats:
        raise UserError(f"{path}: the file is not a bot that this version can read ({formats[0]} is expected)")
    try:
        halved = {name: _whole(arrays[name], shapes) for name, shapes in facts.get(SHAPES, {}).items()}
        counts = ((name, count) for name, count in facts["networks"].items() if name not in halved)
        return path, facts, halved | {name: [arrays[f"{name}/{i}"] for i in range(count)] for name, count in counts}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged_bot(path, error) from None


def _halved(weights: list[np.ndarray]) -> np.ndarray:
    """Return all weights as one flat float16 array.

    Values outside the range of float16, such as a bias that excludes a token, are clipped to that range.
    """
    largest = np.finfo(np.float16).max
    parts = [np.clip(weight, -largest, largest).astype(np.float16).ravel() for weight in weights]
    return np.concatenate(parts or [np.zeros(0, np.float16)])


def _whole(numbers: np.ndarray, shapes: list[list[int]]) -> list[np.ndarray]:
    """Convert an array returned by `_halved` to float32 weights with the given shapes.

    Raises:
        ValueError: The size of the array does not match the shapes.
    """
    sizes = [math.prod(shape) for shape in shapes]
    if min((size for shape in shapes for size in shape), default=0) < 0 or sum(sizes) != numbers.size:
        raise ValueError(f"there are {numbers.size:,} numbers, which do not match the shapes")
    parts = np.split(numbers.astype(np.float32), np.cumsum(sizes)[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)] if shapes else []


def damaged_bot(path: Path, error: Exception) -> UserError:
    """Return the error to raise for a bot whose parts are inconsistent."""
    return UserError(f"{path}: the file is damaged; its parts do not fit together ({error})")
