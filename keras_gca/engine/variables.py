"""Keras variables: assigning values, and how many numbers they hold."""

import math
from collections.abc import Iterable, Sequence

import keras
import numpy as np


def assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    """Set variables, in order; raises ValueError, in one line, where their number or a shape differs."""
    if len(variables) != len(values):
        raise ValueError(f"{len(values)} arrays where {len(variables)} are expected")
    for variable, value in zip(variables, values, strict=True):
        if tuple(variable.shape) != tuple(value.shape):
            raise ValueError(f"{variable.path} of shape {tuple(value.shape)} where {tuple(variable.shape)} is expected")
        variable.assign(value)


def numbers_of(variables: Iterable[keras.Variable]) -> int:
    """How many numbers variables hold together."""
    return sum(math.prod(variable.shape) for variable in variables)
