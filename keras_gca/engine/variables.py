"""Assigns values to Keras variables, leaves them unset until then, and counts their elements."""

import contextlib
import math
from collections.abc import Iterable, Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf


class Unset(keras.Initializer):
    """An initializer that reserves memory without setting it, for weights that are all assigned before they are used.

    Drawing initial values for a network whose weights are then read from a file would take seconds.
    """

    def __call__(self, shape: Sequence[int], dtype: str | None = None) -> tf.Tensor:
        return tf.raw_ops.Empty(shape=shape, dtype=tf.as_dtype(dtype or keras.config.floatx()), init=False)


@contextlib.contextmanager
def starting_at_zero(layers: Iterable[keras.layers.Layer]) -> Iterator[None]:
    """A context manager in which Keras' layers create weights that are 0, except biases, instead of drawing values.

    The layers keep their initializers, with which they may later be written to a file. In contrast to `Unset`, weights
    that are never assigned have a defined value.

    Args:
        layers: The layers, which do not have weights yet. For a layer that contains another one, the weights of the
            inner layer are meant.
    """
    replaced = []
    for layer in layers:
        while hasattr(layer, "layer") or hasattr(layer, "cell"):
            layer = layer.layer if hasattr(layer, "layer") else layer.cell
        for name in ("kernel_initializer", "recurrent_initializer", "embeddings_initializer"):
            if hasattr(layer, name):
                replaced.append((layer, name, getattr(layer, name)))
                setattr(layer, name, keras.initializers.Zeros())
    try:
        yield
    finally:
        for layer, name, initial in replaced:
            setattr(layer, name, initial)


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
