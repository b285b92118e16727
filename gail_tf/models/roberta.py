"""RoBERTa (Liu et al. 2019) in Keras 3, the encoder of TextGAIL's discriminator (Wu et al. 2021).

A functional model, `network`, reads pairs of texts, padded on the right (see `RobertaTokenizer.encode_pairs`). It ends
at the hidden states, and at a score of each pair from its first token's: a response's score is one logit of a multiple
choice among responses to a prompt.

The layers bear the names of RoBERTa's own files. Shapes: B pairs, T tokens, E = hidden_size.
"""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from gail_tf.models.hugging_face import CONFIG, read_config, read_weights
from gail_tf.models.transformer import (
    Initial,
    attend,
    check_heads,
    check_sizes,
    dtype_policy,
    from_hugging_face,
    merge_heads,
    product,
    split_heads,
)
from glove.text_files import counted
from keras_gca.engine.memory import count, refuse_beyond_memory
from keras_gca.engine.random import dropout
from keras_gca.errors import UserError

PREFIX = "roberta."  # of the encoder's tensors, where a file has more than the encoder
HEAD = ("pooler.", "classifier.")  # what the files of another task than multiple choice may lack
_NO_WEIGHTS = re.compile(r"lm_head\..+|embeddings\.position_ids")  # the head of pre-training; old files' constants


@dataclass(frozen=True)
class RobertaConfig:
    """The sizes of a RoBERTa, under the names of Hugging Face's config.json; the defaults are those of roberta-base.

    The two dropout rates, of states and attention, matter only where seeds are given. Raises UserError on an impossible
    value.
    """

    vocab_size: int = 50265
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 514  # those up to pad_token_id are no token's
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-5
    pad_token_id: int = 1
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02

    def __post_init__(self) -> None:
        shares = ("layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
        check_sizes(self, dict.fromkeys(_SIZES, 1) | {"pad_token_id": 0}, shares)
        check_heads(self, "hidden_size", "num_attention_heads")
        for name in ("vocab_size", "max_position_embeddings"):
            if getattr(self, name) <= self.pad_token_id + 1:
                raise UserError(f"{name} is {getattr(self, name)}; more than pad_token_id + 1 is expected")

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of all weights, under the names of RoBERTa's files."""
        size, inner = self.hidden_size, self.intermediate_size
        tables = {"word": self.vocab_size, "position": self.max_position_embeddings, "token_type": self.type_vocab_size}
        layers = {f"embeddings.{name}_embeddings": [rows, size] for name, rows in tables.items()}
        named = {f"{name}.weight": shape for name, shape in layers.items()}
        layers = {"embeddings.LayerNorm": [size]}
        for i in range(self.num_hidden_layers):
            block = {f"attention.self.{name}": [size, size] for name in ("query", "key", "value")}
            block |= {"attention.output.dense": [size, size], "attention.output.LayerNorm": [size]}
            block |= {"intermediate.dense": [inner, size], "output.dense": [size, inner], "output.LayerNorm": [size]}
            layers |= {f"encoder.layer.{i}.{name}": shape for name, shape in block.items()}
        layers |= {"pooler.dense": [size, size], "classifier": [1, size]}
        for name, shape in layers.items():
            named |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
        return named

    @property
    def max_tokens(self) -> int:
        """How many tokens a sequence may have: 512 in roberta-base."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> "RobertaConfig":
        """From the content of a config.json.

        Raises UserError where it is no RoBERTa, a variant that is not built, or lacks a setting that shapes it.
        """
        return from_hugging_face(cls, values, "roberta", _ONE_VALUE, (*_SIZES, "layer_norm_eps", "pad_token_id"))

    def to_hugging_face(self) -> dict[str, Any]:
        """The content of a config.json."""
        return {
            "architectures": ["RobertaForMultipleChoice"],
            "model_type": "roberta",
            "hidden_act": "gelu",
            "bos_token_id": 0,
            "eos_token_id": 2,
            **dataclasses.asdict(self),
        }


_SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)

# Settings of Hugging Face's RoBERTa that change the computation: what they must be.
_ONE_VALUE = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}


class Roberta:
    """The network, and what is done with it: `hidden` and `scores`.

    seed: of the initial weights. precision: "float32", or "bfloat16" for all that is computed but softmax, layer norms
    and the score's head; weights stay float32.
    """

    def __init__(self, config: RobertaConfig, seed: int = 0, precision: str = "float32"):
        policy = dtype_policy(precision)
        refuse_beyond_memory(count(config.shapes.values()), "a RoBERTa")
        self.config = config
        initial = Initial(config.initializer_range, seed)

        # Layers
        self.embeddings = Embeddings(config, initial, policy)
        self.blocks = [Block(config, i, initial, policy) for i in range(config.num_hidden_layers)]
        self.head = ScoreHead(config, initial)

        # Functional model
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        mask = keras.Input((None,), dtype="bool", name="mask")
        seeds = keras.Input((2,), dtype="int32", name="seeds")
        h = self.embeddings(tokens, mask, seeds=seeds)  # (B, T, E)
        for block in self.blocks:
            h = block(h, mask, seeds=seeds)
        self.network = keras.Model([tokens, mask, seeds], [h, self.head(h, seeds=seeds)], name="roberta")

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """The last layer's states of all tokens, each of which has read all others.

        tokens: (B, T) int32. mask: (B, T) bool, false at padding, where the states mean nothing. seeds: (B, 2) int32
        for dropout (`noise.sample_seeds`); None leaves it out.
        Returns (B, T, E) float32. Raises ValueError where T is more than the config's max_tokens.
        """
        return tf.cast(self._read(tokens, mask, seeds)[0], tf.float32)

    def scores(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """The score of each pair, (B,) float32; the arguments are those of `hidden`.

        Only differences between the responses to one prompt have a meaning (`discriminators.contrastive_loss`).
        """
        return self._read(tokens, mask, seeds)[1]

    def _read(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        tokens, mask = tf.convert_to_tensor(tokens, tf.int32), tf.convert_to_tensor(mask)
        if tokens.shape[1] is not None and tokens.shape[1] > self.config.max_tokens:
            raise ValueError(f"{tokens.shape[1]} tokens where RoBERTa has {self.config.max_tokens} positions")
        training = seeds is not None
        seeds = tf.convert_to_tensor(seeds) if training else tf.zeros([tf.shape(tokens)[0], 2], tf.int32)
        return self.network([tokens, mask, seeds], training=training)

    @property
    def weights(self) -> dict[str, keras.Variable]:
        """All weights, under the names and in the shapes of RoBERTa's files, in a fixed order."""
        layers = {f"embeddings.{name}": layer for name, layer in self.embeddings.parts.items()}
        for i, block in enumerate(self.blocks):
            layers |= {f"encoder.layer.{i}.{name}": layer for name, layer in block.parts.items()}
        named = {}
        for name, layer in {**layers, **self.head.parts}.items():
            if isinstance(layer, keras.layers.Embedding):
                named[f"{name}.weight"] = layer.embeddings
            else:
                named[f"{name}.weight"], named[f"{name}.bias"] = layer.weights
        return named

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """All weights, in the order of `weights`."""
        return list(self.weights.values())


class Embeddings(keras.layers.Layer):
    """The sum of a token's vector, its position's and its type's, normalised: (B, T) int32 and bool -> (B, T, E).

    Positions are counted over tokens, from pad_token_id + 1; padding has position pad_token_id. RoBERTa was trained
    without types of tokens: all are of the first one.
    """

    def __init__(self, config: RobertaConfig, initial: Initial, policy: keras.DTypePolicy):
        super().__init__(dtype=policy, name="embeddings")
        self.rate = config.hidden_dropout_prob
        self.padding = config.pad_token_id

        def table(rows: int, name: str) -> keras.layers.Embedding:
            return keras.layers.Embedding(rows, config.hidden_size, initial.normal(), dtype=policy, name=name)

        self.word_embeddings = table(config.vocab_size, "word_embeddings")
        self.position_embeddings = table(config.max_position_embeddings, "position_embeddings")
        self.token_type_embeddings = table(config.type_vocab_size, "token_type_embeddings")
        self.layer_norm = _layer_norm(config, policy)

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers that have weights, by their names in RoBERTa's files."""
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
        positions = self.padding + counted * tf.cumsum(counted, axis=1)
        vectors = self.word_embeddings(tokens) + self.position_embeddings(positions)
        vectors = self.layer_norm(vectors + self.token_type_embeddings(tf.zeros_like(tokens)))
        return dropout(vectors, self.rate, seeds, 0) if training else vectors


class Block(keras.layers.Layer):
    """One transformer block: attention, then two layers with gelu between them, each followed by a layer norm."""

    def __init__(self, config: RobertaConfig, number: int, initial: Initial, policy: keras.DTypePolicy):
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
        """The layers that have weights, by their names in RoBERTa's files."""
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
        """h: (B, T, E). mask: (B, T) bool, the tokens that all may attend to. Returns the next h."""

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


class ScoreHead(keras.layers.Layer):
    """The head of a multiple choice: the first token's state, a tanh layer, and a score: (B, T, E) -> (B,) float32."""

    def __init__(self, config: RobertaConfig, initial: Initial):
        super().__init__(dtype="float32", name="score_head")
        self.rate = config.hidden_dropout_prob
        self.site = 1 + 3 * config.num_hidden_layers
        self.pooler = Dense(config.hidden_size, initial, self.dtype_policy, "pooler")
        self.classifier = Dense(1, initial, self.dtype_policy, "classifier")

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers that have weights, by their names in RoBERTa's files."""
        return {"pooler.dense": self.pooler, "classifier": self.classifier}

    def call(self, h: tf.Tensor, seeds: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        pooled = tf.tanh(self.pooler(h[:, 0]))  # (B, E)
        return self.classifier(dropout(pooled, self.rate, seeds, self.site) if training else pooled)[:, 0]


class Dense(keras.layers.Layer):
    """W x + b; W is (units, inputs), as in RoBERTa's files."""

    def __init__(self, units: int, initial: Initial, policy: keras.DTypePolicy, name: str):
        super().__init__(dtype=policy, name=name)
        self.units, self._initial = units, initial.normal()

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.kernel = self.add_weight((self.units, shape[-1]), self._initial, name="kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return product(x, tf.transpose(self.kernel)) + self.bias


def _layer_norm(config: RobertaConfig, policy: keras.DTypePolicy) -> keras.layers.Layer:
    return keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, dtype=policy)


def read_roberta(
    folder: Path, precision: str = "float32", seed: int = 0, dropout: float | None = None
) -> tuple[Roberta, list[str]]:
    """The network of a folder, and the names of the weights that its files lack.

    The files may lack the pooler and the classifier, as those of roberta-base do; these parts keep the initial values
    that `seed` gives them. precision: see Roberta. dropout: in place of the folder's two rates. Raises UserError naming
    the file, and the tensor that is missing, unknown, or of another shape than config.json says.
    """
    config = read_config(folder / CONFIG, RobertaConfig)
    kind = f"a RoBERTa with {counted(config.num_hidden_layers, 'block')}"
    tensors = read_weights(folder, kind, config.shapes, PREFIX, _NO_WEIGHTS, optional=HEAD)
    if dropout is not None:
        config = dataclasses.replace(config, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    roberta = Roberta(config, seed, precision)
    unread = roberta.weights
    for name, values in tensors:
        unread.pop(name).assign(values)
    return roberta, list(unread)
