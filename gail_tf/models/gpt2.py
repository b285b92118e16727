"""GPT-2 (Radford et al. 2019) in Keras 3: whole sequences in one pass, or token by token with a cache.

Two functional models share their layers. `whole` reads sequences, padded on either side; `stepwise` reads one more
token of each sequence, whose earlier keys and values wait in a cache of fixed size. Both end at the hidden states: the
product with the vocabulary is computed by `logits`, for the positions that need it.

The layers have the names of GPT-2's own files. Shapes: B sequences, T tokens, C places in the cache, E = n_embd,
H = n_head, V = vocab_size.
"""

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.gpt2_config import Adapters, GPT2Config
from gail_tf.models.gpt2_layers import Block, Embeddings, Projection, layer_norm
from gail_tf.models.transformer import Initial, dtype_policy
from glove.text_files import counted
from keras_gca.engine.memory import count, refuse_beyond_memory
from keras_gca.errors import UserError

Cache = list[tuple[tf.Tensor, tf.Tensor]]  # for each block its keys and values, (B, H, C, E / H)


class Kernels(NamedTuple):
    """The weights of the matrix products, in the precision of the computation. Every decoding step reads all of them.

    Attributes:
        wte: The token embeddings, (V, E).
        blocks: The four kernels of each block, in the order of `Block.projections`.
    """

    wte: tf.Tensor
    blocks: list[list[tf.Tensor]]


class GPT2:
    """GPT-2, with the methods `hidden`, `hidden_of_each`, `logits`, `prefill` and `step`.

    Args:
        config: The sizes of the network.
        seed: The seed of the initial weights, which are drawn as GPT-2's own were (Section 2.3 of its paper).
        adapters: Low-rank adapters for the last blocks; None adds none.
        precision: "float32", or "bfloat16", in which everything but softmax and layer norms is computed in bfloat16.
            The weights are float32 in both.

    Raises:
        UserError: The precision is unknown, there are more adapted blocks than blocks, or the memory does not suffice.
    """

    def __init__(self, config: GPT2Config, seed: int = 0, adapters: Adapters | None = None, precision: str = "float32"):
        policy = dtype_policy(precision)
        refuse_beyond_memory(count(config.shapes.values()), "a GPT-2")
        adapted = 0 if adapters is None else adapters.blocks or config.n_layer
        if adapted > config.n_layer:
            raise UserError(f"adapters: {counted(adapted, 'block')} where GPT-2 has {config.n_layer}")
        self.config = config
        self.adapters = adapters
        self._compute_dtype = policy.compute_dtype
        initial = Initial(config.initializer_range, seed, residual_layers=2 * config.n_layer)

        # Layers
        self.embeddings = Embeddings(config, initial, policy)
        self.blocks = [
            Block(config, i, initial, adapters if i >= config.n_layer - adapted else None, policy)
            for i in range(config.n_layer)
        ]
        self.ln_f = layer_norm(config, policy, "ln_f")

        # Functional model: whole sequences
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        positions = keras.Input((None,), dtype="int32", name="positions")
        visible = keras.Input((None, None), dtype="bool", name="visible")  # (B, T, T)
        seeds = keras.Input((2,), dtype="int32", name="seeds")
        h, written = self.embeddings(tokens, positions, seeds=seeds), []  # (B, T, E)
        for i, block in enumerate(self.blocks):
            if adapted and i == config.n_layer - adapted:
                h = keras.ops.stop_gradient(h)  # the layers below do not learn
            h, *memory = block(h, visible, seeds=seeds)
            written.append(memory)
        self.whole = keras.Model([tokens, positions, visible, seeds], [self.ln_f(h), written], name="gpt2")

        # Functional model: one token more
        token = keras.Input((1,), dtype="int32", name="token")
        position = keras.Input((1,), dtype="int32", name="position")
        visible = keras.Input((1, None), dtype="bool", name="visible")  # (B, 1, C)
        place = keras.Input(batch_shape=(), dtype="int32", name="place")
        frame = (config.n_head, None, config.n_embd // config.n_head)
        cache = [
            [keras.Input(frame, dtype=self._compute_dtype, name=f"{name}_{i}") for name in ("keys", "values")]
            for i in range(config.n_layer)
        ]
        kernels = [
            [keras.Input(batch_shape=part.kernel.shape, dtype=self._compute_dtype) for part in block.projections]
            for block in self.blocks
        ]
        h, written = self.embeddings(token, position), []  # (B, 1, E)
        for block, memory, given in zip(self.blocks, cache, kernels, strict=True):
            h, *memory = block(h, visible, memory=memory, place=place, kernels=given)
            written.append(memory)
        inputs = [token, position, visible, place, cache, kernels]
        self.stepwise = keras.Model(inputs, [self.ln_f(h), written], name="gpt2_stepwise")

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Compute the last layer's states after every token.

        Args:
            tokens: (B, T) int32.
            mask: (B, T) bool, false at padding, which may be on either side or on both.
            seeds: The seeds of dropout (`engine.random.sample_seeds`), (B, 2) int32; None disables dropout.

        Returns:
            (B, T, E) float32; the states at padding have no meaning.

        Raises:
            ValueError: T is greater than n_positions.
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
            ValueError: A continuation ends beyond n_positions.
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
        """Multiply states by the token embeddings, which GPT-2 also uses as its output layer.

        Args:
            hidden: (..., E).
            kernels: The result of `kernels()`, for loops that have it already.

        Returns:
            (..., V) float32.
        """
        rows = tf.reshape(tf.cast(hidden, self._compute_dtype), [-1, self.config.n_embd])
        embeddings = self._cast(self.embeddings.wte.embeddings) if kernels is None else kernels.wte
        scores = tf.cast(tf.matmul(rows, embeddings, transpose_b=True), tf.float32)
        return tf.reshape(scores, [*tf.unstack(tf.shape(hidden))[:-1], self.config.vocab_size])

    def kernels(self) -> Kernels:
        """Return the kernels for a loop of steps. Call it once before the loop: conversion to bfloat16 takes long."""
        blocks = [[self._cast(part.kernel) for part in block.projections] for block in self.blocks]
        return Kernels(self._cast(self.embeddings.wte.embeddings), blocks)

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
            ValueError: T is greater than n_positions.
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
        if None not in widths and sum(widths) > self.config.n_positions:
            raise ValueError(f"{sum(widths)} tokens where GPT-2 has {self.config.n_positions} positions")

    @property
    def weights(self) -> dict[str, keras.Variable]:
        """GPT-2's own weights by their names in its files, in a fixed order. The adapters' weights are not included."""
        layers = {"wte": self.embeddings.wte, "wpe": self.embeddings.wpe}
        for i, block in enumerate(self.blocks):
            layers |= {f"h.{i}.{name}": layer for name, layer in block.parts.items()}
        named = {}
        for name, layer in {**layers, "ln_f": self.ln_f}.items():
            if isinstance(layer, keras.layers.Embedding):
                named[f"{name}.weight"] = layer.embeddings
            else:
                named[f"{name}.weight"], named[f"{name}.bias"] = layer.weights[:2]
        return named

    @property
    def products(self) -> dict[str, Projection]:
        """The layers of the blocks' matrix products, by the names of their weights."""
        products: dict[str, Projection] = {}
        for i, block in enumerate(self.blocks):
            parts = block.parts.items()
            products |= {f"h.{i}.{name}.weight": part for name, part in parts if isinstance(part, Projection)}
        return products

    def merged(self) -> dict[str, np.ndarray]:
        """Return the weights of an equivalent GPT-2 without adapters: W + A B alpha / rank for every adapted W."""
        values = {name: variable.numpy() for name, variable in self.weights.items()}
        return values | {name: product.merged() for name, product in self.products.items()}

    @property
    def adapter_weights(self) -> list[keras.Variable]:
        """The matrices A and B of every adapter."""
        return [weight for product in self.products.values() for weight in product.weights[2:]]


def positions_of(mask: tf.Tensor) -> tf.Tensor:
    """Count the tokens before each token: (B, T) bool -> (B, T) int32; 0 in padding on the left."""
    return tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)


def causal_mask(mask: tf.Tensor) -> tf.Tensor:
    """Let each token attend to itself and the tokens before it: (B, T) bool -> (B, T, T) bool."""
    places = tf.range(tf.shape(mask)[1])
    return (places[None, :, None] >= places) & mask[:, None]
