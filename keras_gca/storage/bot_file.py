"""Reads and writes bots: files that contain everything needed for a chat."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.errors import UserError
from keras_gca.invocation import hint
from keras_gca.settings import Settings
from keras_gca.storage.arrays import read_arrays, write_arrays
from keras_gca.storage.ownership import refuse_bot_of_another, refuse_run_of_another
from keras_gca.storage.packed_weights import WeightFormat, pack, unpack
from keras_gca.storage.run_folder import RunFolder

SHAPES = "shapes"  # the name of the fact that contains the shapes of each network's weights if they are not float32


def write_bot(
    path: Path,
    format: str,
    facts: dict[str, Any],
    networks: dict[str, list[np.ndarray]],
    weight_format: WeightFormat = "float32",
    exact: dict[str, list[np.ndarray]] | None = None,
) -> None:
    """Write a bot.

    Args:
        path: The file.
        format: The name of the file format, which is checked when the bot is read.
        facts: JSON-serialisable values by name.
        networks: The weights of each network.
        weight_format: The number format of the weights; see `packed_weights`. All formats but float32 are compressed.
        exact: Further arrays in the same form, such as whole numbers, that are written unchanged in every format.

    Raises:
        OSError: The file cannot be written.
        ValueError: There is no such format.
    """
    unchanged = exact or {}
    counts = {name: len(weights) for name, weights in (networks | unchanged).items()}
    facts = {"format": format, **facts, "networks": counts}
    if weight_format != "float32":
        facts |= {SHAPES: {name: [weight.shape for weight in weights] for name, weights in networks.items()}}
    arrays: dict[str, np.ndarray] = {}
    for name, weights in networks.items():
        arrays |= pack(name, weights, weight_format)
    for name, weights in unchanged.items():
        arrays |= pack(name, weights, "float32")
    write_arrays(path, arrays, facts, compress=weight_format != "float32")


def read_bot(path: str | os.PathLike, *formats: str) -> tuple[Path, dict[str, Any], dict[str, list[np.ndarray]]]:
    """Read a bot file, or the bot in a run folder.

    Args:
        path: The bot file or the run folder.
        *formats: The names of the supported formats, newest first. Each name begins with the name of the package.

    Returns:
        The path of the bot file, the facts, and the weights of each network in the order in which they were written.
        Weights in other formats are converted to float32.

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
                f"{path}: the bot has not been written yet; run {hint(f'{package}.train', '--resume', run.path)} first"
            )
    facts, arrays = read_arrays(path)
    refuse_bot_of_another(path, facts.get("format"), package)
    if facts.get("format") not in formats:
        raise UserError(f"{path}: the file is not a bot that this version can read ({formats[0]} is expected)")
    try:
        packed = {name: unpack(name, arrays, shapes) for name, shapes in facts.get(SHAPES, {}).items()}
        counts = ((name, count) for name, count in facts["networks"].items() if name not in packed)
        return path, facts, packed | {name: [arrays[f"{name}/{i}"] for i in range(count)] for name, count in counts}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged_bot(path, error) from None


def damaged_bot(path: Path, error: Exception) -> UserError:
    """Return the error to raise for a bot whose parts are inconsistent."""
    return UserError(f"{path}: the file is damaged; its parts do not fit together ({error})")
