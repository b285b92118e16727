"""Config checks, initial weights, precision and attention, shared by all networks in this folder.

Shapes: B sequences, T attending tokens, S tokens to attend to, H heads, hidden states of width E.
"""

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeVar

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.recomputation import attention_weights
from keras_gca.engine.variables import Unset
from keras_gca.errors import UserError

MOST_LAYERS = 1000  # far more than any such network has; a larger number indicates a damaged or hostile file


class NetworkConfig(Protocol):
    """The config of a network: a dataclass whose fields are named as in Hugging Face's config.json."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> Self:
        """Make a config from the contents of a config.json; raise UserError if it describes another kind of network."""


Config = TypeVar("Config", bound=NetworkConfig)


# Configs


def check_sizes(config: Any, least: Mapping[str, int], shares: Sequence[str]) -> None:
    """Check the attributes of a config.

    Args:
        config: The config.
        least: The smallest allowed value of each attribute that must be an integer. Attributes whose names end with
            "layer" or "layers" may be at most MOST_LAYERS.
        shares: The names of the attributes that must be at least 0 and below 1.

    Raises:
        UserError: An attribute is out of range or is not a number.
    """
    for name, smallest in least.items():
        value = getattr(config, name)
        if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
            raise UserError(f"{name} is {value!r}; a whole number of at least {smallest} is expected")
        if name.endswith(("layer", "layers")) and value > MOST_LAYERS:
            raise UserError(f"{name} is {value}; at most {MOST_LAYERS} is expected")
    for name in shares:
        value = getattr(config, name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < 1:
            raise UserError(f"{name} is {value!r}; a number of at least 0 and below 1 is expected")


def check_heads(config: Any, size: str, heads: str) -> None:
    """Raise UserError unless the attribute `size`, the width of a state, is a multiple of the attribute `heads`."""
    if getattr(config, size) % getattr(config, heads):
        units, count = getattr(config, size), getattr(config, heads)
        raise UserError(f"{size} is {units}; a multiple of {heads} ({count}) is expected")


def from_hugging_face(
    kind: type[Config],
    values: Mapping[str, Any],
    model_type: str,
    one_value: Mapping[str, tuple],
    required: Sequence[str] = (),
    architectures: str | None = None,
) -> Config:
    """Make a config from the contents of a config.json.

    Args:
        kind: The class of the config, a dataclass whose fields are named as in the file.
        values: The contents of the file.
        model_type: The required `model_type` of the file.
        one_value: For each setting that changes the computation, its supported values, starting with the default. Files
            with other values are rejected.
        required: The names of the settings that the file must contain.
        architectures: A prefix. A file without a model_type is accepted if a name in its list `architectures` begins
            with this prefix. If None, files without a model_type are rejected.

    Raises:
        UserError: The file describes another kind of network or an unsupported variant, or lacks a required setting.
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
    """Initializers that draw weights from a normal distribution.

    For matrix products whose results are added to the residual stream, the initial weights are divided by
    sqrt(residual_layers), as in Section 2.3 of the GPT-2 paper.

    Args:
        deviation: The standard deviation.
        seed: The seed for all weights.
        residual_layers: The number of products whose results are added to the residual stream.
        loaded: Whether values are only drawn for adapters, because all other weights are assigned before they are used.
    """

    def __init__(self, deviation: float, seed: int, residual_layers: int = 1, loaded: bool = False):
        self._deviation = deviation
        self._residual_layers = residual_layers
        self._loaded = loaded
        self._draw = np.random.default_rng(seed)

    def normal(self) -> keras.Initializer:
        """Return the initializer for an ordinary weight."""
        return self._of_network(self._initializer(self._deviation))

    def residual(self) -> keras.Initializer:
        """Return the initializer for a product whose result is added to the residual stream."""
        return self._of_network(self._initializer(self._deviation / math.sqrt(self._residual_layers)))

    def adapter(self) -> keras.Initializer:
        """Return the initializer for the matrix A of an adapter."""
        return self._initializer(self._deviation)

    def _of_network(self, drawn: keras.Initializer) -> keras.Initializer:
        return Unset() if self._loaded else drawn

    def _initializer(self, deviation: float) -> keras.Initializer:
        return keras.initializers.RandomNormal(stddev=deviation, seed=int(self._draw.integers(2**31)))


def build_parts(layers: Iterable[keras.layers.Layer], shape: tuple[int | None, ...], inputs: Mapping[str, int]) -> None:
    """Create the weights of a block's layers, except those that the block shares with another block.

    Args:
        layers: The layers.
        shape: The shape of the block's states, (B, T, E).
        inputs: By the name of a layer, the width of its input if that differs from E.
    """
    for layer in layers:
        if not layer.built:
            layer.build((*shape[:-1], inputs.get(layer.name, shape[-1])))


def dtype_policy(precision: str) -> keras.DTypePolicy:
    """Return the Keras dtype policy for a precision.

    Args:
        precision: "float32" or "bfloat16". The weights are stored as float32 either way.

    Raises:
        UserError: The precision is unknown.
    """
    if precision not in ("float32", "bfloat16"):
        raise UserError(f"precision {precision!r} is not one of float32, bfloat16")
    return keras.dtype_policies.get("float32" if precision == "float32" else "mixed_bfloat16")


def product(x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Compute x W for all positions at once.

    x has shape (..., inputs), W has shape (inputs, units), and the result has shape (..., units). All positions become
    rows of a single matrix product. On CPUs, including the gradient of W, a batched product would take up to three
    times as long, and an einsum thirty times as long. `tf.tensordot` computes the same, but builds 24 operations
    instead of 8 (or 15, if two sizes are unknown), so a graph takes longer to build.
    """
    *before, inputs = x.shape
    y = tf.matmul(tf.reshape(x, (-1, inputs)), kernel)
    unknown = before.count(None)
    positions = [-1 if size is None else size for size in before] if unknown <= 1 else tf.unstack(tf.shape(x)[:-1])
    return tf.reshape(y, (*positions, y.shape[-1]))


# Attention


def attend(
    query: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, visible: tf.Tensor, drop: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Compute scaled dot-product attention, softmax(Q K^T / sqrt(E / H)) V (Vaswani et al. 2017, Eq. 1).

    The softmax is computed in float32.

    Args:
        query: An array of shape (B, H, T, E / H).
        keys: An array of shape (B, H, S, E / H).
        values: An array of shape (B, H, S, E / H).
        visible: A bool array, broadcastable to (B, H, T, S), true at the tokens that each token can attend to.
        drop: A function that applies dropout to the attention weights, an array of shape (B, H, T, S).

    Returns:
        An array of shape (B, H, T, E / H) with the dtype of `values`.
    """
    # Dividing the queries takes less time than dividing the scores, of which there are usually more.
    scores = tf.matmul(query / math.sqrt(query.shape[-1]), keys, transpose_b=True)
    return tf.matmul(drop(attention_weights(scores, visible)), values)


def split_heads(states: tf.Tensor, heads: int) -> tf.Tensor:
    """Split states of shape (B, T, E) into heads, of shape (B, H, T, E / H)."""
    shape = [*tf.unstack(tf.shape(states))[:2], heads, states.shape[-1] // heads]
    return tf.transpose(tf.reshape(states, shape), [0, 2, 1, 3])


def merge_heads(states: tf.Tensor) -> tf.Tensor:
    """Join heads of shape (B, H, T, E / H) into states of shape (B, T, E)."""
    size = states.shape[1] * states.shape[3]
    states = tf.transpose(states, [0, 2, 1, 3])
    return tf.reshape(states, [*tf.unstack(tf.shape(states))[:2], size])
