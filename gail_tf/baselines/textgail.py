"""TextGAIL's discriminator (Wu et al. 2021): a RoBERTa whose scores are used to compare two responses to a prompt.

The rest of TextGAIL is `imitation/gail.py` with the settings in `config.ALGORITHMS`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.roberta_tokenizer import RobertaTokenizer
from gail_tf.imitation.encoders import Arrays, Encoder
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.models.hugging_face import CONFIG, read_config
from gail_tf.models.roberta import Roberta, read_roberta
from gail_tf.models.roberta_config import RobertaConfig
from keras_gca.errors import UserError
from keras_gca.storage.atomic import write_text


@dataclass(frozen=True)
class TextReader:
    """The discriminator's RoBERTa and its tokenizer.

    Attributes:
        network: The network that scores texts.
        tokenizer: RoBERTa's byte-level BPE tokenizer.
        limit: The maximum number of tokens in the history, the prompt and the response together.
    """

    network: Roberta
    tokenizer: RobertaTokenizer
    limit: int

    def encode(self, exchanges: Sequence[tuple[Sequence[str], str]]) -> tuple[np.ndarray, np.ndarray]:
        """Encode exchanges as pairs of texts for RoBERTa.

        Args:
            exchanges: B exchanges. Each is a pair of the utterances so far (history and prompt) and the response.

        Returns:
            Token ids of shape (B, T) and dtype int32, and a bool mask of the same shape.
        """
        spoken = ["\n".join(utterances) for utterances, _ in exchanges]
        return self.tokenizer.encode_pairs(spoken, [response for _, response in exchanges], self.limit)

    @classmethod
    def make(cls, config: GAILConfig, texts: Sequence[str]) -> "TextReader":
        """Make a RoBERTa with random weights and with as many layers and units as the GPT-2 in the settings.

        Args:
            config: The settings.
            texts: The texts to fit the tokenizer to.

        Returns:
            The RoBERTa and its tokenizer.
        """
        tokenizer = RobertaTokenizer.fit(texts, config.model.vocabulary_size)
        limit = _longest(config)
        sizes = RobertaConfig(
            vocab_size=len(tokenizer),
            hidden_size=config.model.n_embd,
            num_hidden_layers=config.model.n_layer,
            num_attention_heads=config.model.n_head,
            intermediate_size=4 * config.model.n_embd,
            max_position_embeddings=limit + tokenizer.pad + 1,
            pad_token_id=tokenizer.pad,
            # With dropout, a network that has not been pretrained soon gives all responses the same score: that
            # minimises the loss, because its scores at first depend more on dropout than on the response.
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        return cls(Roberta(sizes, config.seed, config.run.precision), tokenizer, limit)

    @classmethod
    def read(cls, config: GAILConfig, folder: Path) -> tuple["TextReader", list[str]]:
        """Read a RoBERTa from a folder in Hugging Face's format.

        Args:
            config: The settings.
            folder: The folder.

        Returns:
            The RoBERTa with its tokenizer, and the names of weights that are missing from the files; see
            `read_roberta`.

        Raises:
            UserError: A file is missing or damaged, or the tokenizer does not belong to the network.
        """
        network, lacking = read_roberta(folder, config.run.precision, config.seed)
        return cls._of(network, RobertaTokenizer.read(folder), config, folder), lacking

    @classmethod
    def open(cls, config: GAILConfig, folder: Path) -> "TextReader":
        """Read the files written by `save`. These files contain no weights, so the network gets random weights.

        Args:
            config: The settings.
            folder: The folder.

        Returns:
            The RoBERTa and its tokenizer.

        Raises:
            UserError: A file is missing or damaged, or the tokenizer does not belong to the network.
        """
        network = Roberta(
            read_config(folder / CONFIG, RobertaConfig.from_hugging_face), config.seed, config.run.precision
        )
        return cls._of(network, RobertaTokenizer.read(folder), config, folder)

    def save(self, folder: Path) -> None:
        """Write the tokenizer and the config.json of the network to a folder, but no weights."""
        self.tokenizer.save(folder)
        write_text(folder / CONFIG, json.dumps(self.network.config.to_hugging_face(), indent=2))

    @classmethod
    def _of(cls, network: Roberta, tokenizer: RobertaTokenizer, config: GAILConfig, folder: Path) -> "TextReader":
        if len(tokenizer) > network.config.vocab_size:
            raise UserError(
                f"{folder}: the tokenizer has {len(tokenizer)} tokens, but the network has {network.config.vocab_size}"
            )
        return cls(network, tokenizer, min(_longest(config), network.config.max_tokens))


class TextEncoder(Encoder):
    """A RoBERTa that scores the text of responses, ignoring the reference's features and the sentiments.

    Args:
        reader: The RoBERTa and its tokenizer.
    """

    def __init__(self, reader: TextReader):
        self.reader = reader

    @property
    def variables(self) -> list[keras.Variable]:
        return self.reader.network.trainable_variables

    def seen(self, responses: JudgedResponses) -> Arrays:
        return self.reader.encode(responses.exchanges)

    def logits(self, seen: Arrays, sentiments: tf.Tensor) -> tf.Tensor:
        return self.reader.network.scores(*seen)

    def both_logits(
        self, seen: Sequence[Arrays], sentiments: Sequence[tf.Tensor], masks: Sequence[tf.Tensor],
        seeds: Sequence[tf.Tensor],
    ) -> Sequence[tf.Tensor]:  # fmt: skip
        scores = self.reader.network.scores
        return [scores(tokens, mask, dropout) for (tokens, mask), dropout in zip(seen, seeds, strict=True)]


def _longest(config: GAILConfig) -> int:
    return config.data.condition_tokens + config.data.response_tokens + 4  # RoBERTa adds four special tokens
