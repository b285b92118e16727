"""RoBERTa (Liu et al. 2019) in Keras 3, the encoder of TextGAIL's discriminator (Wu et al. 2021).

The functional model `network` reads pairs of texts, padded on the right (see `RobertaTokenizer.encode_pairs`). It
returns the hidden states of all tokens and a score for each pair, computed from the first token's state. The scores are
the logits of a multiple choice between several responses to a prompt.

The layers are named as in RoBERTa's files. Shapes: B pairs, T tokens, E = hidden_size.
"""

import dataclasses
import re
from pathlib import Path

import keras
import tensorflow as tf

from gail_tf.models.encoder_layers import Encoder, ScoreHead, named_weights
from gail_tf.models.hugging_face import CONFIG, read_config, read_weights
from gail_tf.models.roberta_config import RobertaConfig
from gail_tf.models.transformer import Initial, dtype_policy
from glove.text_files import counted
from keras_gca.engine.memory import count, refuse_beyond_memory

PREFIX = "roberta."  # the prefix of the encoder's tensors in files that contain more than the encoder
HEAD = ("pooler.", "classifier.")  # the parts that a file may lack if it was not made for multiple choice
# lm_head was needed only for pretraining, and position_ids are constants in old files.
_NO_WEIGHTS = re.compile(r"lm_head\..+|embeddings\.position_ids")


class Roberta:
    """A RoBERTa model. `hidden` computes the hidden states of pairs of texts, and `scores` their scores.

    Args:
        config: The config of the network.
        seed: The seed of the initial weights.
        precision: "float32" or "bfloat16". With "bfloat16", everything is computed in bfloat16 except the softmax, the
            layer norms and the head that computes scores. The weights are stored as float32 either way.

    Raises:
        UserError: The precision is unknown, or the machine does not have enough memory.
    """

    def __init__(self, config: RobertaConfig, seed: int = 0, precision: str = "float32"):
        policy = dtype_policy(precision)
        refuse_beyond_memory(count(config.shapes.values()), "a RoBERTa")
        self.config = config
        initial = Initial(config.initializer_range, seed)

        # Layers
        self.encoder = Encoder(config, initial, policy)
        self.head = ScoreHead(config, initial)

        # Functional model
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        mask = keras.Input((None,), dtype="bool", name="mask")
        seeds = keras.Input((2,), dtype="int32", name="seeds")
        h = self.encoder(tokens, mask, seeds=seeds)  # (B, T, E)
        self.network = keras.Model([tokens, mask, seeds], [h, self.head(h, seeds=seeds)], name="roberta")

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Compute the last layer's hidden states. Every token attends to all tokens of its pair.

        Args:
            tokens: An int32 array of shape (B, T).
            mask: A bool array of shape (B, T), false at padding.
            seeds: The dropout seeds (`engine.random.sample_seeds`), an int32 array of shape (B, 2), or None for no
                dropout.

        Returns:
            A float32 array of shape (B, T, E); the states at padding are meaningless.

        Raises:
            ValueError: T is greater than the config's max_tokens.
        """
        return tf.cast(self._read(tokens, mask, seeds)[0], tf.float32)

    def scores(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Compute the score of each pair.

        The network is trained with `discriminator_losses.contrastive_loss`, so a score is meaningful only relative to
        the scores of other responses to the same prompt.

        Args:
            tokens: An int32 array of shape (B, T).
            mask: A bool array of shape (B, T), false at padding.
            seeds: The dropout seeds, an int32 array of shape (B, 2), or None for no dropout.

        Returns:
            A float32 array of shape (B,).

        Raises:
            ValueError: T is greater than the config's max_tokens.
        """
        return self._read(tokens, mask, seeds)[1]

    def _read(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None) -> tuple[tf.Tensor, tf.Tensor]:
        tokens, mask = tf.convert_to_tensor(tokens, tf.int32), tf.convert_to_tensor(mask)
        if tokens.shape[1] is not None and tokens.shape[1] > self.config.max_tokens:
            raise ValueError(f"{tokens.shape[1]} tokens are too many; RoBERTa has {self.config.max_tokens} positions")
        training = seeds is not None
        seeds = tf.convert_to_tensor(seeds) if training else tf.zeros([tf.shape(tokens)[0], 2], tf.int32)
        return self.network([tokens, mask, seeds], training=training)

    @property
    def weights(self) -> dict[str, keras.Variable]:
        """All weights, in a fixed order, with the same names and shapes as in RoBERTa's files."""
        return named_weights({**self.encoder.parts, **self.head.parts})

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """All weights, in the order of `weights`."""
        return list(self.weights.values())


def read_roberta(
    folder: Path, precision: str = "float32", seed: int = 0, dropout: float | None = None
) -> tuple[Roberta, list[str]]:
    """Read a RoBERTa model from a folder.

    Args:
        folder: A folder with a config.json and safetensors files. The pooler and the classifier may be missing from the
            files, as in roberta-base. In this case, their weights keep their random initial values.
        precision: See `Roberta`.
        seed: The seed of the initial weights.
        dropout: A rate that replaces both dropout rates in the config.json, or None to keep them.

    Returns:
        The network and the names of the weights missing from the files.

    Raises:
        UserError: A file or tensor is missing, or a tensor is unknown or does not have the shape required by
            config.json. The message names the file or tensor.
    """
    config = read_config(folder / CONFIG, RobertaConfig.from_hugging_face)
    kind = f"a RoBERTa with {counted(config.num_hidden_layers, 'block')}"
    tensors = read_weights(folder, kind, config.shapes, PREFIX, _NO_WEIGHTS, optional=HEAD)
    if dropout is not None:
        config = dataclasses.replace(config, hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout)
    roberta = Roberta(config, seed, precision)
    unread = roberta.weights
    for name, values in tensors:
        unread.pop(name).assign(values)
    return roberta, list(unread)
