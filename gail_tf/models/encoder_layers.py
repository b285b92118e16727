"""The layers of RoBERTa and BERT. Layers and weights are named as in the published checkpoints.

Shapes: B sequences, T tokens, E = hidden_size.
"""

from collections.abc import Mapping

import keras
import tensorflow as tf

from gail_tf.models.encoder_config import EncoderConfig
from gail_tf.models.recomputation import LayerNorm
from gail_tf.models.transformer import Initial, attend, merge_heads, product, split_heads
from keras_gca.engine.random import dropout


class Embeddings(keras.layers.Layer):
    """The embedding layer: adds the embeddings of token, position and token type, and applies a layer norm.

    The inputs are an int32 array of tokens and their bool mask, both of shape (B, T). The output has shape (B, T, E).
    The first token has the config's first_position. Padding has the position before it, or 0 if first_position is 0.
    All tokens have token type 0, the only type that RoBERTa was trained with and the type that BERT uses for single
    texts.
    """

    def __init__(self, config: EncoderConfig, initial: Initial, policy: keras.DTypePolicy):
        super().__init__(dtype=policy, name="embeddings")
        self.rate = config.hidden_dropout_prob
        self.before = config.first_position - 1

        def table(rows: int, name: str) -> keras.layers.Embedding:
            return keras.layers.Embedding(rows, config.hidden_size, initial.normal(), dtype=policy, name=name)

        self.word_embeddings = table(config.vocab_size, "word_embeddings")
        self.position_embeddings = table(config.max_position_embeddings, "position_embeddings")
        self.token_type_embeddings = table(config.type_vocab_size, "token_type_embeddings")
        self.layer_norm = _layer_norm(config, policy)

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights, keyed by their names in the files."""
        return {
            "word_embeddings": self.word_embeddings,
            "position_embeddings": self.position_embeddings,
            "token_type_embeddings": self.token_type_embeddings,
            "LayerNorm": self.layer_norm,
        }

    def call(
        self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        counted = tf.cast(mask, tf.int32)
        positions = tf.maximum(self.before + counted * tf.cumsum(counted, axis=1), 0)
        vectors = self.word_embeddings(tokens) + self.position_embeddings(positions)
        vectors = self.layer_norm(vectors + self.token_type_embeddings(tf.zeros_like(tokens)))
        return dropout(vectors, self.rate, seeds, 0) if training else vectors


class Block(keras.layers.Layer):
    """One transformer block: attention, then two dense layers with a GELU between them.

    One layer norm follows the attention, and another follows the dense layers.
    """

    def __init__(self, config: EncoderConfig, number: int, initial: Initial, policy: keras.DTypePolicy):
        super().__init__(dtype=policy, name=f"layer_{number}")
        self.config = config
        self.number = number

        def dense(units: int, name: str) -> keras.layers.Layer:
            return Dense(units, initial, policy, name)

        self.query = dense(config.hidden_size, "query")
        self.key = dense(config.hidden_size, "key")
        self.value = dense(config.hidden_size, "value")
        self.attention_output = dense(config.hidden_size, "attention_output")
        self.attention_norm = _layer_norm(config, policy)
        self.intermediate = dense(config.intermediate_size, "intermediate")
        self.output_dense = dense(config.hidden_size, "output")
        self.output_norm = _layer_norm(config, policy)

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights, keyed by their names in the files."""
        return {
            "attention.self.query": self.query,
            "attention.self.key": self.key,
            "attention.self.value": self.value,
            "attention.output.dense": self.attention_output,
            "attention.output.LayerNorm": self.attention_norm,
            "intermediate.dense": self.intermediate,
            "output.dense": self.output_dense,
            "output.LayerNorm": self.output_norm,
        }

    def call(self, h: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """Compute the block's output states.

        Args:
            h: The input states, an array of shape (B, T, E).
            mask: A bool array of shape (B, T), true at the tokens that can be attended to.
            seeds: The dropout seeds, an int32 array of shape (B, 2).
            training: Whether to apply dropout.

        Returns:
            The output states, an array of shape (B, T, E).
        """

        def drop(values: tf.Tensor, rate: float, site: int) -> tf.Tensor:
            return dropout(values, rate, seeds, 1 + 3 * self.number + site) if training else values

        products = (self.query(h), self.key(h), self.value(h))
        query, keys, values = (split_heads(product, self.config.num_attention_heads) for product in products)
        visible = mask[:, None, None]  # (B, 1, 1, T)
        read = attend(query, keys, values, visible, lambda p: drop(p, self.config.attention_probs_dropout_prob, 0))
        read = self.attention_output(merge_heads(read))  # (B, T, E)
        h = self.attention_norm(h + drop(read, self.config.hidden_dropout_prob, 1))
        thought = self.output_dense(tf.nn.gelu(self.intermediate(h), approximate=False))
        return self.output_norm(h + drop(thought, self.config.hidden_dropout_prob, 2))


class Encoder:
    """The layers that RoBERTa and BERT have in common: the embeddings and the blocks.

    Args:
        config: The config of the network.
        initial: The initializers of the weights.
        policy: The Keras dtype policy.
    """

    def __init__(self, config: EncoderConfig, initial: Initial, policy: keras.DTypePolicy):
        self.embeddings = Embeddings(config, initial, policy)
        self.blocks = [Block(config, i, initial, policy) for i in range(config.num_hidden_layers)]

    def __call__(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Compute the last block's states, of shape (B, T, E), from tokens and their mask, both of shape (B, T)."""
        h = self.embeddings(tokens, mask, seeds=seeds)  # (B, T, E)
        for block in self.blocks:
            h = block(h, mask, seeds=seeds)
        return h

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights, keyed by their names in the files."""
        layers = {f"embeddings.{name}": layer for name, layer in self.embeddings.parts.items()}
        for i, block in enumerate(self.blocks):
            layers |= {f"encoder.layer.{i}.{name}": layer for name, layer in block.parts.items()}
        return layers


def named_weights(parts: Mapping[str, keras.layers.Layer]) -> dict[str, keras.Variable]:
    """Return the weights of the given layers, keyed by their names in the files.

    Args:
        parts: The layers, keyed by their names in the files.
    """
    named = {}
    for name, layer in parts.items():
        if isinstance(layer, keras.layers.Embedding):
            named[f"{name}.weight"] = layer.embeddings
        else:
            named[f"{name}.weight"], named[f"{name}.bias"] = layer.weights
    return named


class ScoreHead(keras.layers.Layer):
    """The multiple-choice head: computes each pair's score from the first token's state.

    The head consists of a tanh layer and a linear layer. The input has shape (B, T, E); the output is float32 of shape
    (B,).
    """

    def __init__(self, config: EncoderConfig, initial: Initial):
        super().__init__(dtype="float32", name="score_head")
        self.rate = config.hidden_dropout_prob
        self.site = 1 + 3 * config.num_hidden_layers
        self.pooler = Dense(config.hidden_size, initial, self.dtype_policy, "pooler")
        self.classifier = Dense(1, initial, self.dtype_policy, "classifier")

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights, keyed by their names in the files."""
        return {"pooler.dense": self.pooler, "classifier": self.classifier}

    def call(self, h: tf.Tensor, seeds: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        pooled = tf.tanh(self.pooler(h[:, 0]))  # (B, E)
        return self.classifier(dropout(pooled, self.rate, seeds, self.site) if training else pooled)[:, 0]


class Dense(keras.layers.Layer):
    """A linear layer that computes W x + b. W has shape (units, inputs), as in the files."""

    def __init__(self, units: int, initial: Initial, policy: keras.DTypePolicy, name: str):
        super().__init__(dtype=policy, name=name)
        self.units, self._initial = units, initial.normal()

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight((self.units, shape[-1]), self._initial, name="kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return product(x, tf.transpose(self.kernel)) + self.bias


def _layer_norm(config: EncoderConfig, policy: keras.DTypePolicy) -> keras.layers.Layer:
    return LayerNorm(epsilon=config.layer_norm_eps, dtype=policy)
