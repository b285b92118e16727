"""Assigns values to Keras variables, and counts their elements."""

import math
from collections.abc import Iterable, Sequence

import keras
import numpy as np


def assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Assign values to variables, in order.

    Raises:
        ValueError: The number of values or the shape of a value is wrong. The message is one line.
    """
    if len(variables) != len(values):
        raise ValueError(f"there are {len(values)} arrays; {len(variables)} are expected")
    for variable, value in zip(variables, values, strict=True):
        if tuple(variable.shape) != tuple(value.shape):
            raise ValueError(f"{variable.path} has the shape {tuple(value.shape)}; {tuple(variable.shape)} is expected")
        variable.assign(value)


def numbers_of(variables: Iterable[keras.Variable]) -> int:
    """Return the total number of elements in variables."""
    return sum(math.prod(variable.shape) for variable in variables)
