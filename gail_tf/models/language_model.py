"""Causal language models in Keras 3: whole sequences in one pass, or token by token with a cache.

Two functional models share their layers. `whole` reads sequences, padded on either side; `stepwise` reads one more
token of each sequence, whose earlier keys and values wait in a cache of fixed size. Both end at the hidden states: the
product with the vocabulary is computed by `logits`, for the positions that need it.

Shapes: B sequences, T tokens, C places in the cache, E = width, V = vocab_size, K heads of keys and values, which are D
wide.
"""

import abc
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.projection import Adapters, Projection
from gail_tf.models.transformer import Initial, dtype_policy
from glove.text_files import counted
from keras_gca.engine.memory import count, refuse_beyond_memory
from keras_gca.errors import UserError

Cache = list[tuple[tf.Tensor, tf.Tensor]]  # for each block its keys and values, (B, K, C, D)


class Kernels(NamedTuple):
    """The weights of the matrix products, in the precision of the computation. Every decoding step reads all of them.

    Attributes:
        output: The rows whose products with a state are the logits, (V, E).
        blocks: The kernels of each block, in the order of its `projections`.
    """

    output: tf.Tensor
    blocks: list[list[tf.Tensor]]


class Base(NamedTuple):
    """A pretrained network that others can read from the same file.

    Attributes:
        name: What the user calls it: a folder, a file, or the name of a known model.
        sha256: The SHA-256 of its weights.
        rows: How many rows of its tables belong to tokens of its own tokenizer.
    """

    name: str
    sha256: str
    rows: int

    @classmethod
    def of(cls, facts: Any) -> "Base | None":
        """Make a base from the facts of a file: the attributes by name; None gives None.

        Raises:
            ValueError: The facts are not those of a base.
        """
        if facts is None:
            return None
        kinds = {"name": str, "sha256": str, "rows": int}
        if not isinstance(facts, dict) or {name: type(value) for name, value in facts.items()} != kinds:
            raise ValueError(f"a base with {', '.join(kinds)} is expected")
        return cls(**facts)


class LanguageModel(abc.ABC):
    """Base class of the language models; a subclass makes the layers.

    Args:
        config: The sizes of the network.
        seed: The seed of the initial weights.
        adapters: Low-rank adapters for the last blocks; None adds none.
        precision: "float32", or "bfloat16", in which everything but softmax and norms is computed in bfloat16. The
            weights are float32 in both, unless they are frozen.
        shared: A network of the same sizes whose weights this network uses as its own; only the adapters are new. None
            makes new weights.
        frozen: Whether the network's own weights never learn. Matrices and tables are then stored in the precision of
            the computation.

    Attributes:
        base: The file that holds the network's own weights, as long as they are frozen; None where no file does.

    Raises:
        UserError: The precision is unknown, there are more adapted blocks than blocks, or the memory does not suffice.
    """

    embeddings: keras.layers.Layer
    blocks: Sequence[Any]
    last_norm: keras.layers.Layer

    def __init__(
        self,
        config: LanguageModelConfig,
        seed: int = 0,
        adapters: Adapters | None = None,
        precision: str = "float32",
        shared: "LanguageModel | None" = None,
        frozen: bool = False,
    ):
        policy = dtype_policy(precision)
        if shared is None:
            refuse_beyond_memory(count(config.shapes.values()), f"a {config.title}")
        adapted = 0 if adapters is None else adapters.blocks or config.depth
        if adapted > config.depth:
            raise UserError(f"adapters: {counted(adapted, 'block')} where {config.title} has {config.depth}")
        self.config = config
        self.adapters = adapters
        self.precision = precision
        self.base: Base | None = None if shared is None else shared.base
        self._compute_dtype = policy.compute_dtype
        self._stored = policy.compute_dtype if frozen else policy.variable_dtype
        first_adapted = config.depth - adapted
        initial = Initial(config.initializer_range, seed, residual_layers=2 * config.depth)
        self._make_layers(
            [adapters if i >= first_adapted else None for i in range(config.depth)], initial, policy, shared
        )

        # Functional model: whole sequences
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        positions = keras.Input((None,), dtype="int32", name="positions")
        visible = keras.Input((None, None), dtype="bool", name="visible")  # (B, T, T)
        seeds = keras.Input((2,), dtype="int32", name="seeds")
        h, written = self.embeddings(tokens, positions, seeds=seeds), []  # (B, T, E)
        placed = self._of_positions(positions)
        for i, block in enumerate(self.blocks):
            if adapted and i == first_adapted:
                h = keras.ops.stop_gradient(h)  # the layers below do not learn
            h, *memory = block(h, visible, seeds=seeds, **placed)
            written.append(memory)
        name = config.title.lower().replace("-", "")
        self.whole = keras.Model([tokens, positions, visible, seeds], [self.last_norm(h), written], name=name)

        # Functional model: one token more
        token = keras.Input((1,), dtype="int32", name="token")
        position = keras.Input((1,), dtype="int32", name="position")
        visible = keras.Input((1, None), dtype="bool", name="visible")  # (B, 1, C)
        place = keras.Input(batch_shape=(), dtype="int32", name="place")
        heads, size = config.cache_frame
        cache = [
            [
                keras.Input((heads, None, size), dtype=self._compute_dtype, name=f"{name}_{i}")
                for name in ("keys", "values")
            ]
            for i in range(config.depth)
        ]
        kernels = [
            [keras.Input(batch_shape=part.kernel.shape, dtype=self._compute_dtype) for part in block.projections]
            for block in self.blocks
        ]
        h, written = self.embeddings(token, position), []  # (B, 1, E)
        placed = self._of_positions(position)
        for block, memory, given in zip(self.blocks, cache, kernels, strict=True):
            h, *memory = block(h, visible, memory=memory, place=place, kernels=given, **placed)
            written.append(memory)
        inputs = [token, position, visible, place, cache, kernels]
        self.stepwise = keras.Model(inputs, [self.last_norm(h), written], name=f"{name}_stepwise")

    @abc.abstractmethod
    def _make_layers(
        self,
        adapters: Sequence[Adapters | None],
        initial: Initial,
        policy: keras.DTypePolicy,
        shared: "LanguageModel | None",
    ) -> None:
        """Make `embeddings`, `blocks` and `last_norm`.

        Args:
            adapters: The adapters of each block.
            initial: Draws the initial weights.
            policy: The precision.
            shared: A network whose layers are used, apart from products with adapters; None makes new ones.
        """

    def _of_positions(self, positions: tf.Tensor) -> dict[str, tf.Tensor]:
        """What blocks read besides states: arguments that depend on the positions, (B, T) int32, alone."""
        return {}

    @property
    @abc.abstractmethod
    def output(self) -> keras.Variable:
        """The rows whose products with a state are the logits, (V, E)."""

    @property
    @abc.abstractmethod
    def weights(self) -> dict[str, keras.Variable]:
        """The network's weights by name, in a fixed order. The adapters' weights are not included."""

    def sharing(self, adapters: Adapters | None) -> "LanguageModel":
        """Make a network that uses this one's weights, with other adapters.

        Args:
            adapters: The new adapters; None adds none.
        """
        return type(self)(self.config, 0, adapters, self.precision, shared=self)

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Compute the last layer's states after every token.

        Args:
            tokens: (B, T) int32.
            mask: (B, T) bool, false at padding, which may be on either side or on both.
            seeds: The seeds of dropout (`engine.random.sample_seeds`), (B, 2) int32; None disables dropout.

        Returns:
            (B, T, E) float32; the states at padding have no meaning.

        Raises:
            ValueError: T is greater than the number of positions.
        """
        return self._read_all(tokens, mask, seeds)[0]

    def hidden_of_each(
        self, tokens: tf.Tensor, mask: tf.Tensor, continuations: Sequence[tuple[tf.Tensor, tf.Tensor]]
    ) -> list[tf.Tensor]:
        """Compute the states of several continuations of each sequence, which itself is read only once.

        Args:
            tokens: (B, T) int32.
            mask: (B, T) bool, false at padding.
            continuations: Tokens and mask of each continuation, (B, R) int32 and bool. R may differ between them, and
                no continuation attends to another.

        Returns:
            The states after `tokens`, (B, T, E) float32, then those after each continuation, (B, R, E) float32.

        Raises:
            ValueError: A continuation ends beyond the last position.
        """
        parts = [tf.convert_to_tensor(part, tf.int32) for part in (tokens, *(part for part, _ in continuations))]
        masks = [tf.convert_to_tensor(part) for part in (mask, *(part for _, part in continuations))]
        for part in parts[1:]:
            self._check_width(parts[0], part)
        lengths = tf.reduce_sum(tf.cast(masks[0], tf.int32), axis=1, keepdims=True)
        positions = [positions_of(masks[0]), *(lengths + positions_of(part) for part in masks[1:])]
        widths = [tf.shape(part)[1] for part in parts]
        number = tf.concat([tf.fill([width], i) for i, width in enumerate(widths)], 0)  # the part of each place
        visible = causal_mask(tf.concat(masks, 1)) & ((number == 0) | (number == number[:, None]))
        states, _ = self._read(tf.concat(parts, 1), tf.concat(positions, 1), visible)
        return tf.split(states, widths, axis=1, num=len(parts))

    def logits(self, hidden: tf.Tensor, kernels: Kernels | None = None) -> tf.Tensor:
        """Multiply states by the rows of the output layer.

        Args:
            hidden: (..., E).
            kernels: The result of `kernels()`, for loops that have it already.

        Returns:
            (..., V) float32.
        """
        rows = tf.reshape(tf.cast(hidden, self._compute_dtype), [-1, self.config.width])
        output = self._cast(self.output) if kernels is None else kernels.output
        scores = tf.cast(tf.matmul(rows, output, transpose_b=True), tf.float32)
        return tf.reshape(scores, [*tf.unstack(tf.shape(hidden))[:-1], self.config.vocab_size])

    def kernels(self) -> Kernels:
        """Return the kernels for a loop of steps. Call it once before the loop: conversion to bfloat16 takes long."""
        blocks = [[self._cast(part.kernel) for part in block.projections] for block in self.blocks]
        return Kernels(self._cast(self.output), blocks)

    def _cast(self, variable: keras.Variable) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(variable), self._compute_dtype)

    def prefill(self, tokens: tf.Tensor, mask: tf.Tensor, capacity: int | tf.Tensor) -> tuple[tf.Tensor, Cache]:
        """Read the beginning of each sequence and make a cache for `step`.

        Args:
            tokens: (B, T) int32.
            mask: (B, T) bool, false at padding.
            capacity: The number of places in the cache, T or more.

        Returns:
            The states after every token, (B, T, E) float32, and a cache whose first T places hold these tokens.

        Raises:
            ValueError: T is greater than the number of positions.
        """
        hidden, cache = self._read_all(tokens, mask)
        free = [[0, 0], [0, 0], [0, capacity - tf.shape(tokens)[1]], [0, 0]]
        return hidden, tf.nest.map_structure(lambda tensor: tf.pad(tensor, free), cache)

    def step(
        self, tokens: tf.Tensor, positions: tf.Tensor, mask: tf.Tensor, cache: Cache, place: tf.Tensor, kernels: Kernels
    ) -> tuple[tf.Tensor, Cache]:
        """Read one more token of each sequence.

        Args:
            tokens: (B,) int32.
            positions: How many tokens precede each of them, (B,) int32.
            mask: The places of the cache that hold tokens, the new one included, (B, C) bool.
            cache: The keys and values of the preceding tokens.
            place: Where the new token's keys and values are written in the cache, () int32.
            kernels: The result of `kernels()`.

        Returns:
            The states after the new tokens, (B, E) float32, and the updated cache.
        """
        tokens, positions, place = (tf.convert_to_tensor(argument, tf.int32) for argument in (tokens, positions, place))
        visible = tf.convert_to_tensor(mask)[:, None]
        inputs = [tokens[:, None], positions[:, None], visible, place, cache, kernels.blocks]
        hidden, cache = self.stepwise(inputs)
        return tf.cast(hidden[:, 0], tf.float32), cache

    def _read_all(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tuple[tf.Tensor, Cache]:
        tokens, mask = tf.convert_to_tensor(tokens, tf.int32), tf.convert_to_tensor(mask)
        self._check_width(tokens)
        return self._read(tokens, positions_of(mask), causal_mask(mask), seeds)

    def _read(
        self, tokens: tf.Tensor, positions: tf.Tensor, visible: tf.Tensor, seeds: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, Cache]:
        training = seeds is not None
        seeds = tf.convert_to_tensor(seeds) if training else tf.zeros([tf.shape(tokens)[0], 2], tf.int32)
        hidden, cache = self.whole([tokens, positions, visible, seeds], training=training)
        return tf.cast(hidden, tf.float32), cache

    def _check_width(self, *parts: tf.Tensor) -> None:
        """Check the total width of tokens (B, T) that follow each other; in a graph the widths may be unknown."""
        widths = [part.shape[1] for part in parts]
        if None not in widths and sum(widths) > self.config.positions:
            raise ValueError(f"{sum(widths)} tokens where {self.config.title} has {self.config.positions} positions")

    # Weights

    @property
    def products(self) -> dict[str, Projection]:
        """The layers of the blocks' matrix products, by the names of their weights."""
        return {f"{name}.weight": part for name, part in self._parts.items() if isinstance(part, Projection)}

    @property
    @abc.abstractmethod
    def _parts(self) -> dict[str, keras.layers.Layer]:
        """The layers of all blocks that have weights, by name."""

    def merged(self) -> dict[str, np.ndarray]:
        """Return the weights of an equivalent network without adapters: W + A B alpha / rank for every adapted W."""
        values = {name: variable.numpy().astype(np.float32) for name, variable in self.weights.items()}
        return values | {name: product.merged() for name, product in self.products.items()}

    @property
    def adapter_weights(self) -> list[keras.Variable]:
        """The matrices A and B of every adapter."""
        return [weight for product in self.products.values() for weight in product.adapter_weights]

    def names_in_files(self, name: str) -> Sequence[str]:
        """Return the names of the tensors in files, without `config.prefix`, that one of `weights` is made of."""
        return (name,)

    def from_file(self, name: str, tensors: Sequence[np.ndarray]) -> np.ndarray:
        """Make the values of one of `weights` from the tensors of `names_in_files`."""
        return tensors[0]

    def to_file(self, name: str, values: np.ndarray) -> Sequence[np.ndarray]:
        """Make the tensors of `names_in_files` from the values of one of `weights`."""
        return (values,)

    def load(self, tensors: Iterable[tuple[str, np.ndarray]]) -> None:
        """Assign the tensors of a file.

        Args:
            tensors: The names in files and the values of all tensors, in any order.
        """
        weights = self.weights
        own_names = {part: name for name in weights for part in self.names_in_files(name)}
        waiting: dict[str, dict[str, np.ndarray]] = {}
        for part, values in tensors:
            name = own_names[part]
            parts = waiting.setdefault(name, {})
            parts[part] = values
            if len(parts) == len(self.names_in_files(name)):
                weights[name].assign(self.from_file(name, [parts[one] for one in self.names_in_files(name)]))
                del waiting[name]

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the tensors of a file, by their names without `config.prefix`; adapters are merged."""
        return {
            part: tensor
            for name, values in self.merged().items()
            for part, tensor in zip(self.names_in_files(name), self.to_file(name, values), strict=True)
        }


def positions_of(mask: tf.Tensor) -> tf.Tensor:
    """Count the tokens before each token: (B, T) bool -> (B, T) int32; 0 in padding on the left."""
    return tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)


def causal_mask(mask: tf.Tensor) -> tf.Tensor:
    """Let each token attend to itself and the tokens before it: (B, T) bool -> (B, T, T) bool."""
    places = tf.range(tf.shape(mask)[1])
    return (places[None, :, None] >= places) & mask[:, None]
