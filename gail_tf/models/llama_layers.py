"""Llama's layers (Touvron et al. 2023). Layers and weights are named as in Llama's files.

Matrix products that read the same states are joined into one product, because on CPUs one wide product is faster than
several narrow ones. One product computes the queries, keys and values, and another computes both halves of the gated
hidden layer.

Shapes: B sequences, T tokens to read, S tokens to attend to, E = hidden_size, H query heads, K key and value heads, D =
head_dim, the width of a head. With a cache, S is the number of positions in the cache.
"""

import math
from collections.abc import Callable
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.block import BlockInputs, TransformerBlock
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.models.projection import Adapters, Projection
from gail_tf.models.recomputation import RMSNorm, swiglu
from gail_tf.models.transformer import Initial, attend, build_parts, merge_heads, split_heads
from keras_gca.engine.random import dropout


class Embeddings(keras.layers.Layer):
    """The embedding layer, which maps int32 tokens of shape (B, T) to embeddings of shape (B, T, E).

    Positions are not embedded here; attention applies them as rotations (see `Angles`).
    """

    def __init__(self, config: LlamaConfig, initial: Initial, policy: keras.DTypePolicy, stored: str = "float32"):
        super().__init__(dtype=policy, name="embeddings")
        # The table does not use this layer's dtype policy. With mixed precision, Keras would convert the whole table in
        # every call, although only a few of its rows are used.
        self.embed_tokens = keras.layers.Embedding(
            config.vocab_size, config.hidden_size, initial.normal(), dtype=stored, name="embed_tokens"
        )

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.embed_tokens.build()

    def call(self, tokens: tf.Tensor, positions: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        return tf.cast(self.embed_tokens(tokens), self.compute_dtype)


class Angles(keras.layers.Layer):
    """A layer that computes the rotations of queries and keys from their positions.

    It maps int32 positions of shape (B, T) to a float32 array of shape (B, 1, T, D). The last dimension holds the
    cosines of D / 2 angles, followed by their sines (Su et al. 2021, Eq. 34).
    """

    def __init__(self, config: LlamaConfig):
        super().__init__(dtype="float32", name="angles")
        self.frequencies = frequencies(config)

    def call(self, positions: tf.Tensor) -> tf.Tensor:
        angles = tf.cast(positions, tf.float32)[:, None, :, None] * self.frequencies
        return tf.concat([tf.cos(angles), tf.sin(angles)], axis=-1)


def frequencies(config: LlamaConfig) -> np.ndarray:
    """Compute the angle by which each pair of dimensions is rotated per position.

    Args:
        config: The config, with rope_theta and, optionally, Llama 3's scaling of frequencies (`RopeScaling`).

    Returns:
        A float32 array of shape (D / 2,). Without scaling, entry i is rope_theta^(-2 i / D), for i = 0, 1, ...
    """
    exponents = np.arange(0, config.head_dim, 2, dtype=np.float32) / np.float32(config.head_dim)
    plain = np.float32(1) / np.float32(config.rope_theta) ** exponents
    scaling = config.rope_scaling
    if scaling is None:
        return plain
    # The number of full turns of each pair over the longest text in the original training.
    turns = scaling.original_max_position_embeddings * plain / np.float32(2 * math.pi)
    kept = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor)
    kept = np.clip(kept, 0, 1).astype(np.float32)  # 1 for high frequencies, 0 for low frequencies
    return kept * plain + (1 - kept) * plain / np.float32(scaling.factor)


def rotate(states: tf.Tensor, angles: tf.Tensor) -> tf.Tensor:
    """Rotate the dimension pairs (i, i + D / 2) of each head by the angles that `Angles` computed.

    The input and the output both have shape (B, H, T, D).
    """
    first, second = tf.split(states, 2, axis=-1)
    cosine, sine = tf.split(tf.cast(angles, states.dtype), 2, axis=-1)
    return tf.concat([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


class Block(TransformerBlock):
    """One transformer block: attention, then a gated hidden layer (SwiGLU), each preceded by an RMS norm."""

    def __init__(
        self,
        config: LlamaConfig,
        number: int,
        initial: Initial,
        adapters: Adapters | None,
        policy: keras.DTypePolicy,
        shared: "Block | None" = None,
        stored: str = "float32",
    ):
        super().__init__(policy, config.cache_frame, f"layers_{number}")
        self.config = config
        self.number = number
        biases, size = config.biases, config.hidden_size

        def projection(units: int, kernel: keras.Initializer, bias: bool, name: str) -> Projection:
            own = None if shared is None else getattr(shared, name)
            return Projection(units, kernel, adapters, initial.adapter(), policy, name, bias, own, stored)

        def norm(name: str) -> keras.layers.Layer:
            return rms_norm(config, policy, name) if shared is None else getattr(shared, name)

        self.input_layernorm = norm("input_layernorm")
        queries_keys_values = config.query_width + 2 * config.key_width
        self.qkv_proj = projection(queries_keys_values, initial.normal(), biases["qkv"], "qkv_proj")
        self.o_proj = projection(size, initial.residual(), biases["o"], "o_proj")
        self.post_attention_layernorm = norm("post_attention_layernorm")
        self.gate_up_proj = projection(2 * config.intermediate_size, initial.normal(), biases["mlp"], "gate_up_proj")
        self.down_proj = projection(size, initial.residual(), biases["mlp"], "down_proj")

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights, keyed by name."""
        return {
            "input_layernorm": self.input_layernorm,
            "self_attn.qkv_proj": self.qkv_proj,
            "self_attn.o_proj": self.o_proj,
            "post_attention_layernorm": self.post_attention_layernorm,
            "mlp.gate_up_proj": self.gate_up_proj,
            "mlp.down_proj": self.down_proj,
        }

    def build(self, shape: tuple[int | None, ...]) -> None:
        inputs = {"o_proj": self.config.query_width, "down_proj": self.config.intermediate_size}
        build_parts(self.parts.values(), shape, inputs)

    def compute(self, inputs: BlockInputs, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        h, visible, seeds, memory, place, kernels, angles = inputs
        config = self.config
        attend_to, project, widen, narrow = (
            partial(projection.__call__, kernel=kernel)
            for projection, kernel in zip(self.projections, kernels, strict=True)
        )
        sizes = [config.query_width, config.key_width, config.key_width]
        query, keys, values = tf.split(attend_to(self.input_layernorm(h)), sizes, axis=-1)
        query = rotate(split_heads(query, config.num_attention_heads), angles)
        keys = rotate(split_heads(keys, config.num_key_value_heads), angles)
        values = split_heads(values, config.num_key_value_heads)
        if memory is not None:
            new = zip(memory, (keys, values), strict=True)
            keys, values = (keras.ops.slice_update(old, (0, 0, place, 0), one) for old, one in new)

        def drop(weights: tf.Tensor) -> tf.Tensor:
            return dropout(weights, config.attention_dropout, seeds, 1 + self.number) if training else weights

        h += project(merge_heads(attend_in_groups(query, keys, values, visible[:, None], drop)))
        h += narrow(swiglu(widen(self.post_attention_layernorm(h))))
        return h, keys, values


def attend_in_groups(
    query: tf.Tensor, keys: tf.Tensor, values: tf.Tensor, visible: tf.Tensor, drop: Callable[[tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Compute grouped-query attention, in which several query heads share a key and value head (Ainslie et al. 2023).

    Args:
        query: An array of shape (B, H, T, D).
        keys: An array of shape (B, K, S, D). Head k is shared by the query heads k * H / K to (k + 1) * H / K - 1.
        values: An array of shape (B, K, S, D).
        visible: A bool array of shape (B, 1, T, S), true at the tokens that each token can attend to.
        drop: A function that applies dropout to the attention weights.

    Returns:
        An array of shape (B, H, T, D).
    """
    heads, served, size = query.shape[1], keys.shape[1], query.shape[3]
    tokens, group = tf.shape(query)[2], heads // served
    # The heads of a group are joined along the tokens, so that one matrix product multiplies them by their keys.
    together = tf.reshape(query, [-1, served, group * tokens, size])
    read = attend(together, keys, values, tf.tile(visible, [1, 1, group, 1]), drop)
    return tf.reshape(read, [-1, heads, tokens, size])


def rms_norm(config: LlamaConfig, policy: keras.DTypePolicy, name: str) -> keras.layers.Layer:
    """Make an RMS norm with the config's epsilon."""
    return RMSNorm(epsilon=config.rms_norm_eps, dtype=policy, name=name)
