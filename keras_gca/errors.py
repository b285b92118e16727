"""The error that means "the user can fix this": commands print it as one line and exit with status 2."""

import math
from pathlib import Path


class UserError(ValueError):
    """Says in one line what is wrong, where (file and line, or option), and what would be right.

    Commands print the line and exit with status 2; in a notebook it stands without a traceback.

    Examples:
        >>> from keras_gca import Config, UserError
        >>> try:
        ...     Config(batch_size=0)
        ... except UserError as error:
        ...     print(error)
        --batch-size: 0 is out of range; at least 1 is expected
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows of it: a notebook's reader gets the line, and no traceback."""
        return [f"error: {self}"]


class DivergedError(UserError):
    """A training's figures, or its weights, are no numbers any more."""


def refuse_nan(value: float, what: str, rate: str) -> None:
    """Raises DivergedError where a loss is NaN or infinite.

    what: has diverged, for people. rate: the option of the learning rate that may help, without `--` and
    `-learning-rate`.
    """
    if not math.isfinite(value):
        name = what.replace("_", " ")
        raise DivergedError(f"{name} has diverged: its loss is no number any more; try a lower --{rate}-learning-rate")


def refuse_missing(*paths: Path | None) -> None:
    """Raises UserError where a file or folder that is named is not there."""
    for path in paths:
        if path is not None and not path.exists():
            raise UserError(f"{path}: no such file or folder")
