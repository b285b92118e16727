"""Errors that users can fix. Commands print such an error as one line, and exit with status 2."""

import math
import os
from pathlib import Path


class UserError(ValueError):
    """An error whose one-line message says what is wrong, where (file and line, or option) and what is expected.

    Commands print the message and exit with status 2. A notebook shows the message without a traceback.

    Examples:
        >>> from keras_gca import Config, UserError
        >>> try:
        ...     Config(batch_size=0)
        ... except UserError as error:
        ...     print(error)
        --batch-size: 0 is out of range; at least 1 is expected
    """

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows in place of a traceback."""
        return [f"error: {self}"]


class DivergedError(UserError):
    """A loss or a weight of a training run is no longer a finite number."""


def refuse_nan(value: float, what: str, rate: str) -> None:
    """Raise an error if a loss is NaN or infinite.

    Args:
        value: The loss.
        what: The name of the training stage that has this loss, for the message.
        rate: The learning rate that the message suggests lowering; for example, "generator" means
            --generator-learning-rate.

    Raises:
        DivergedError: The loss is NaN or infinite.
    """
    if not math.isfinite(value):
        name = what.replace("_", " ")
        raise DivergedError(
            f"{name} has diverged: its loss is no longer a finite number; try a lower --{rate}-learning-rate"
        )


def refuse_missing(*paths: str | os.PathLike | None) -> None:
    """Raise UserError if one of the files or folders does not exist; arguments that are None are ignored."""
    for path in paths:
        if path is not None and not Path(path).exists():
            raise UserError(f"{path}: no such file or folder")
