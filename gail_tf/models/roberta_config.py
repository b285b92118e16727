"""The sizes of a RoBERTa."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from gail_tf.models.transformer import check_heads, check_sizes, from_hugging_face
from keras_gca.errors import UserError


@dataclass(frozen=True)
class RobertaConfig:
    """The sizes of a RoBERTa. The fields have the names of Hugging Face's config.json.

    The defaults are the sizes of roberta-base. The two dropout rates apply to hidden states and to attention, but only
    when the network is called with seeds.

    Raises:
        UserError: A value is impossible.
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
        """The shapes of all weights, by their names in RoBERTa's files."""
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
        """Make a config from the content of a config.json.

        Raises:
            UserError: The file does not describe a RoBERTa, it describes a variant that is not implemented, or a size
                is missing.
        """
        return from_hugging_face(cls, values, "roberta", _ONE_VALUE, (*_SIZES, "layer_norm_eps", "pad_token_id"))

    def to_hugging_face(self) -> dict[str, Any]:
        """Return the content of a config.json."""
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

# Settings of Hugging Face's RoBERTa that change the computation, with the values that are implemented.
_ONE_VALUE = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}
