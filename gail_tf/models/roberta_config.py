"""The config of a RoBERTa model."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

from gail_tf.models.encoder_config import EncoderConfig, with_biases


@dataclass(frozen=True)
class RobertaConfig(EncoderConfig):
    """The config of a RoBERTa model; see `EncoderConfig`. The defaults are the values of roberta-base.

    Raises:
        UserError: A value is invalid.
    """

    vocab_size: int = 50265
    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    intermediate_size: int = 3072
    max_position_embeddings: int = 514  # positions up to pad_token_id are not used for tokens
    type_vocab_size: int = 1
    layer_norm_eps: float = 1e-5
    pad_token_id: int = 1

    model_type: ClassVar[str] = "roberta"

    @property
    def first_position(self) -> int:
        """The position of a pair's first token: one more than the position of padding."""
        return self.pad_token_id + 1

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of all weights, keyed by their names in RoBERTa's files."""
        size = self.hidden_size
        return super().shapes | with_biases({"pooler.dense": [size, size], "classifier": [1, size]})

    def to_hugging_face(self) -> dict[str, Any]:
        """Return the contents of a config.json with these settings."""
        return {
            "architectures": ["RobertaForMultipleChoice"],
            "model_type": "roberta",
            "hidden_act": "gelu",
            "bos_token_id": 0,
            "eos_token_id": 2,
            **dataclasses.asdict(self),
        }
