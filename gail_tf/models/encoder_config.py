"""The base class of RoBERTa's and BERT's configs."""

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from gail_tf.models.transformer import check_heads, check_sizes, from_hugging_face
from keras_gca.errors import UserError


@dataclass(frozen=True)
class EncoderConfig:
    """The config of a text encoder. The fields are named as in Hugging Face's config.json.

    The two dropout rates are for hidden states and for attention weights. Dropout is applied only if the network is
    called with seeds.

    Raises:
        UserError: A value is invalid.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int
    type_vocab_size: int
    layer_norm_eps: float
    pad_token_id: int
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02

    model_type: ClassVar[str]  # as in config.json

    def __post_init__(self) -> None:
        shares = ("layer_norm_eps", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_range")
        check_sizes(self, dict.fromkeys(SIZES, 1) | {"pad_token_id": 0}, shares)
        check_heads(self, "hidden_size", "num_attention_heads")
        for name in ("vocab_size", "max_position_embeddings"):
            if getattr(self, name) <= self.pad_token_id + 1:
                raise UserError(f"{name} is {getattr(self, name)}; a number above pad_token_id + 1 is expected")

    @property
    def first_position(self) -> int:
        """The position of a sequence's first token."""
        raise NotImplementedError

    @property
    def max_tokens(self) -> int:
        """The maximum number of tokens in a sequence."""
        return self.max_position_embeddings - self.first_position

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of all weights in the embeddings and blocks, keyed by the weights' names in the files."""
        size, inner = self.hidden_size, self.intermediate_size
        tables = {"word": self.vocab_size, "position": self.max_position_embeddings, "token_type": self.type_vocab_size}
        named = {f"embeddings.{name}_embeddings.weight": [rows, size] for name, rows in tables.items()}
        layers = {"embeddings.LayerNorm": [size]}
        for i in range(self.num_hidden_layers):
            block = {f"attention.self.{name}": [size, size] for name in ("query", "key", "value")}
            block |= {"attention.output.dense": [size, size], "attention.output.LayerNorm": [size]}
            block |= {"intermediate.dense": [inner, size], "output.dense": [size, inner], "output.LayerNorm": [size]}
            layers |= {f"encoder.layer.{i}.{name}": shape for name, shape in block.items()}
        return named | with_biases(layers)

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> Self:
        """Make a config from the contents of a config.json.

        Raises:
            UserError: The file describes another kind of network or an unsupported variant, or lacks a required value.
        """
        return from_hugging_face(cls, values, cls.model_type, _ONE_VALUE, (*SIZES, "layer_norm_eps", "pad_token_id"))


def with_biases(layers: dict[str, list[int]]) -> dict[str, list[int]]:
    """Convert weight shapes, keyed by layer, to the shapes of all weights and biases, keyed by tensor name."""
    named: dict[str, list[int]] = {}
    for name, shape in layers.items():
        named |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return named


SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)

# Settings of Hugging Face's encoders that change the computation, with the values that are implemented.
_ONE_VALUE = {
    "hidden_act": ("gelu",),
    "position_embedding_type": ("absolute",),
    "is_decoder": (False,),
    "add_cross_attention": (False,),
}
