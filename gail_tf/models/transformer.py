"""What GPT-2 and RoBERTa have in common: configs, initial weights, precision, and attention in heads.

Shapes: B sequences, T tokens that attend, S tokens that are attended to, H heads, E = size of a state.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeVar

import keras
import numpy as np
import tensorflow as tf

from keras_gca.errors import UserError

MOST_LAYERS = 1000  # no published network of these kinds has 100
MASKED = -1e9  # as an attention score: never


class NetworkConfig(Protocol):
    """The sizes of a network: a dataclass whose fields bear the names of Hugging Face's config.json."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> Self:
        """From the content of a config.json. Raises UserError where it is another network's."""


Config = TypeVar("Config", bound=NetworkConfig)


# Configs


def check_sizes(config: Any, least: Mapping[str, int], shares: Sequence[str]) -> None:
    """Raise UserError unless the named attributes are whole numbers from their least, or numbers in [0, 1).

    Those of layers, whose names end so, may be MOST_LAYERS at most.
    """
    for name, smallest in least.items():
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise UserError(f"{name} is {value!r}; a whole number from {smallest} is expected")
        if name.endswith(("layer", "layers")) and value > MOST_LAYERS:
            raise UserError(f"{name} is {value}; {MOST_LAYERS} at most are expected")
    for name in shares:
        value = getattr(config, name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
            raise UserError(f"{name} is {value!r}; a number from 0, less than 1, is expected")


def check_heads(config: Any, size: str, heads: str) -> None:
    """Raise UserError unless the heads can share a state evenly; size, heads: the attributes' names."""
    if getattr(config, size) % getattr(config, heads):
        units, count = getattr(config, size), getattr(config, heads)
        raise UserError(f"{size} is {units}; a multiple of {heads}, {count}, is expected")


def from_hugging_face(
    kind: type[Config],
    values: Mapping[str, Any],
    model_type: str,
    one_value: Mapping[str, tuple],
    required: Sequence[str] = (),
    architectures: str | None = None,
) -> Config:
    """The content of a config.json as a dataclass whose fields bear its names.

    one_value: settings that change the computation, with what they must be, under each of its names. required: the
    settings that have no default. architectures: what the name of an architecture begins with, where old files say no
    model_type. Raises UserError for another model, and for a variant that is not built.
    """
    names = values.get("architectures")
    if "model_type" not in values and architectures is not None and isinstance(names, list):
        named = any(isinstance(name, str) and name.startswith(architectures) for name in names)
        values = {**values, "model_type": model_type if named else None}
    if values.get("model_type") != model_type:
        raise UserError(f"model_type is {values.get('model_type')!r}; {model_type} is expected")
    for name, expected in one_value.items():
        if values.get(name, expected[0]) not in expected:
            raise UserError(f"{name} is {values[name]!r}; only {expected[0]!r} is supported")
    for name in required:
        if name not in values:
            raise UserError(f"{name} is missing")
    names = [field.name for field in dataclasses.fields(kind)]
    return kind(**{name: values[name] for name in names if name in values})


# Weights and precision


class Initial:
    """Draws initial weights: normal, narrower where a product ends in the residual stream (GPT-2's Section 2.3)."""

    def __init__(self, deviation: float, seed: int, residual_layers: int = 1):
        self._deviation = deviation
        self._residual_layers = residual_layers
        self._draw = np.random.default_rng(seed)

    def normal(self) -> keras.Initializer:
        return self._initializer(self._deviation)

    def residual(self) -> keras.Initializer:
        return self._initializer(self._deviation / math.sqrt(self._residual_layers))

    def _initializer(self, deviation: float) -> keras.Initializer:
        return keras.initializers.RandomNormal(stddev=deviation, seed=int(self._draw.integers(2**31)))


def dtype_policy(precision: str) -> keras.DTypePolicy:
    """Of "float32" or "bfloat16"; weights are float32 in both. Raises UserError for any other."""
    if precision not in ("float32", "bfloat16"):
        raise UserError(f"precision {precision!r} is not one of float32, bfloat16")
    return keras.dtype_policies.get("float32" if precision == "float32" else "mixed_bfloat16")


def product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """x W of all places at once: (..., inputs) and (inputs, units) -> (..., units).

    One matrix product of many rows: on CPUs a product of batches is slower, up to three times where W's gradient is
    wanted, and an einsum of batches thirty times.
    """
    return tf.tensordot(x, kernel, 1)


# Attention


def attend(
    query: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, visible: tf.Tensor, drop: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Scaled dot-product attention (Vaswani et al. 2017, Eq. 1); the softmax is computed in float32.

    query: (B, H, T, E / H). keys, values: (B, H, S, E / H). visible: bool that broadcasts to (B, H, T, S), the tokens
    that each may attend to. drop: the dropout of the weights, (B, H, T, S). Returns (B, H, T, E / H).
    """
    scores = tf.matmul(query, keys, transpose_b=True) / math.sqrt(query.shape[-1])
    scores = tf.where(visible, tf.cast(scores, tf.float32), MASKED)
    return tf.matmul(drop(tf.cast(tf.nn.softmax(scores), values.dtype)), values)


def split_heads(states: tf.Tensor, heads: int) -> tf.Tensor:
    """(B, T, E) -> (B, H, T, E / H)"""
    shape = [*tf.unstack(tf.shape(states))[:2], heads, states.shape[-1] // heads]
    return tf.transpose(tf.reshape(states, shape), [0, 2, 1, 3])


def merge_heads(states: tf.Tensor) -> tf.Tensor:
    """(B, H, T, E / H) -> (B, T, E)"""
    size = states.shape[1] * states.shape[3]
    states = tf.transpose(states, [0, 2, 1, 3])
    return tf.reshape(states, [*tf.unstack(tf.shape(states))[:2], size])
