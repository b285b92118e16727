"""The config of a GPT-2 model."""

import dataclasses
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from gail_tf.models.language_model_config import HEADS, LanguageModelConfig
from gail_tf.models.transformer import check_heads, check_sizes, from_hugging_face
from keras_gca.errors import UserError


@dataclass(frozen=True)
class GPT2Config(LanguageModelConfig):
    """The config of a GPT-2 model. The fields are named as in Hugging Face's config.json.

    The defaults describe the smallest GPT-2. The dropout rates are for the embeddings (`embd_pdrop`), the attention
    weights (`attn_pdrop`) and the residual branches (`resid_pdrop`). Dropout is applied only if the network is called
    with seeds.

    Raises:
        UserError: A value is invalid.
    """

    title: ClassVar = "GPT-2"
    prefix: ClassVar = "transformer."

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None  # the number of units in a block's hidden layer; None means 4 n_embd
    layer_norm_epsilon: float = 1e-5
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    resid_pdrop: float = 0.1
    initializer_range: float = 0.02
    eos_token_id: int = 50256

    def __post_init__(self) -> None:
        counts = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "inner")
        shares = ("embd_pdrop", "attn_pdrop", "resid_pdrop", "layer_norm_epsilon", "initializer_range")
        check_sizes(self, dict.fromkeys(counts, 1) | {"eos_token_id": 0}, shares)
        check_heads(self, "n_embd", "n_head")
        if self.eos_token_id >= self.vocab_size:
            raise UserError(
                f"eos_token_id is {self.eos_token_id}; a number below vocab_size ({self.vocab_size}) is expected"
            )

    @property
    def inner(self) -> int:
        """The number of units in a block's hidden layer."""
        return 4 * self.n_embd if self.n_inner is None else self.n_inner

    @property
    def width(self) -> int:
        return self.n_embd

    @property
    def depth(self) -> int:
        return self.n_layer

    @property
    def positions(self) -> int:
        return self.n_positions

    @property
    def cache_frame(self) -> tuple[int, int]:
        return self.n_head, self.n_embd // self.n_head

    @property
    def tables(self) -> tuple[str, ...]:
        return ("wte.weight",)

    @property
    def no_weights(self) -> re.Pattern:
        # lm_head is a copy of wte. attn.bias and attn.masked_bias are causal masks, which old files contain.
        return re.compile(rf"lm_head\.weight|h\.\d+\.attn\.(bias|masked_bias)|{HEADS}")

    def with_vocabulary(self, vocab_size: int, dropout: float | None = None) -> "GPT2Config":
        made = dataclasses.replace(self, vocab_size=vocab_size)
        if dropout is None:
            return made
        return dataclasses.replace(made, embd_pdrop=dropout, attn_pdrop=dropout, resid_pdrop=dropout)

    @property
    def shapes(self) -> dict[str, list[int]]:
        """The shapes of all weights, keyed by their names in GPT-2's files."""
        size = self.n_embd
        layers = {"wte": [self.vocab_size, size], "wpe": [self.n_positions, size]}
        for i in range(self.n_layer):
            layers |= {f"h.{i}.ln_1": [size], f"h.{i}.attn.c_attn": [size, 3 * size]}
            layers |= {f"h.{i}.attn.c_proj": [size, size], f"h.{i}.ln_2": [size]}
            layers |= {f"h.{i}.mlp.c_fc": [size, self.inner], f"h.{i}.mlp.c_proj": [self.inner, size]}
        layers["ln_f"] = [size]
        named = {}
        for name, shape in layers.items():
            named[f"{name}.weight"] = shape
            if name not in ("wte", "wpe"):
                named[f"{name}.bias"] = shape[-1:]
        return named

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> "GPT2Config":
        """Make a config from the contents of a config.json.

        Raises:
            UserError: The file does not describe a GPT-2 model, or describes an unsupported variant.
        """
        return from_hugging_face(cls, values, "gpt2", _ONE_VALUE, architectures="GPT2")

    def to_hugging_face(self) -> dict[str, Any]:
        """Return the contents of a config.json with these settings."""
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "activation_function": "gelu_new",
            "bos_token_id": self.eos_token_id,
            **dataclasses.asdict(self),
        }


# Settings of Hugging Face's GPT-2 that change the computation, with the values that are implemented.
_ONE_VALUE = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
