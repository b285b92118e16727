"""Assigning values to Keras variables."""

from collections.abc import Sequence

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
