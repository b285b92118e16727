"""BERT (Devlin et al. 2019) as a sentence encoder that computes one vector per text.

The vectors are computed as in Sentence-BERT (Reimers and Gurevych 2019); all-MiniLM-L6-v2 is such an encoder. This
project uses BERT only to evaluate responses, never to discriminate, reward or select them.

Shapes: B texts, T tokens, E = hidden_size.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import keras
import tensorflow as tf

from gail_tf.models.encoder_config import EncoderConfig
from gail_tf.models.encoder_layers import Encoder, named_weights
from gail_tf.models.hugging_face import CONFIG, read_config, read_weights
from gail_tf.models.transformer import Initial, dtype_policy
from glove.text_files import counted
from keras_gca.engine.memory import count, refuse_beyond_memory

PREFIX = "bert."  # the prefix of the encoder's tensors in files that contain more than the encoder
# The pooler and cls were needed only for BERT's pretraining, and position_ids are constants in old files.
_NO_WEIGHTS = re.compile(r"pooler\.dense\..+|cls\..+|embeddings\.position_ids")


@dataclass(frozen=True)
class BertConfig(EncoderConfig):
    """The config of a BERT model; see `EncoderConfig`. The defaults are the values of all-MiniLM-L6-v2.

    Raises:
        UserError: A value is invalid.
    """

    vocab_size: int = 30522
    hidden_size: int = 384
    num_hidden_layers: int = 6
    num_attention_heads: int = 12
    intermediate_size: int = 1536
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    layer_norm_eps: float = 1e-12
    pad_token_id: int = 0

    model_type: ClassVar[str] = "bert"

    @property
    def first_position(self) -> int:
        """The position of a text's first token, always 0."""
        return 0


class Bert:
    """A BERT model. `hidden` computes the hidden states of texts, and `vectors` one vector per text.

    Args:
        config: The config of the network.
        seed: The seed of the initial weights.

    Raises:
        UserError: The machine does not have enough memory.
    """

    def __init__(self, config: BertConfig, seed: int = 0):
        refuse_beyond_memory(count(config.shapes.values()), "a BERT")
        self.config = config
        self.encoder = Encoder(config, Initial(config.initializer_range, seed), dtype_policy("float32"))
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        mask = keras.Input((None,), dtype="bool", name="mask")
        self.network = keras.Model([tokens, mask], self.encoder(tokens, mask), name="bert")

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Compute the last layer's hidden states. Every token attends to all tokens of its text.

        Args:
            tokens: An int32 array of shape (B, T), padded on the right.
            mask: A bool array of shape (B, T), false at padding.

        Returns:
            A float32 array of shape (B, T, E); the states at padding are meaningless.

        Raises:
            ValueError: T is greater than the config's max_tokens.
        """
        tokens, mask = tf.convert_to_tensor(tokens, tf.int32), tf.convert_to_tensor(mask)
        if tokens.shape[1] is not None and tokens.shape[1] > self.config.max_tokens:
            raise ValueError(f"{tokens.shape[1]} tokens are too many; BERT has {self.config.max_tokens} positions")
        return self.network([tokens, mask])

    def vectors(self, tokens: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
        """Compute one vector per text: the mean of its tokens' hidden states, scaled to unit length.

        Args:
            tokens: An int32 array of shape (B, T), padded on the right. Each text has at least one token.
            mask: A bool array of shape (B, T), false at padding.

        Returns:
            A float32 array of shape (B, E). The dot product of two vectors is their cosine similarity.

        Raises:
            ValueError: T is greater than the config's max_tokens.
        """
        weights = tf.cast(mask, tf.float32)[..., None]
        means = tf.reduce_sum(self.hidden(tokens, mask) * weights, 1) / tf.maximum(tf.reduce_sum(weights, 1), 1.0)
        return tf.math.l2_normalize(means, axis=1)

    @property
    def weights(self) -> dict[str, keras.Variable]:
        """All weights, in a fixed order, with the same names and shapes as in BERT's files."""
        return named_weights(self.encoder.parts)


def read_bert(folder: Path) -> Bert:
    """Read a BERT model from a folder.

    Args:
        folder: A folder with a config.json and safetensors files.

    Raises:
        UserError: A file or tensor is missing, or a tensor is unknown or does not have the shape required by
            config.json. The message names the file or tensor.
    """
    config = read_config(folder / CONFIG, BertConfig.from_hugging_face)
    kind = f"a BERT with {counted(config.num_hidden_layers, 'block')}"
    tensors = read_weights(folder, kind, config.shapes, PREFIX, _NO_WEIGHTS)
    bert = Bert(config)
    weights = bert.weights
    for name, values in tensors:
        weights[name].assign(values)
    return bert
