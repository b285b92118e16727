"""The config of a Llama or Qwen2 model. Qwen2 is Llama with biases for queries, keys and values."""

import dataclasses
import math
import re
from dataclasses import dataclass
from typing import Any, ClassVar

from gail_tf.models.language_model_config import HEADS, LanguageModelConfig
from gail_tf.models.transformer import check_heads, check_sizes, from_hugging_face
from keras_gca.errors import UserError

MODEL_TYPES = ("llama", "qwen2")


@dataclass(frozen=True)
class RopeScaling:
    """Llama 3's scaling of rotary frequencies, which lets a network read longer texts than it was first trained on.

    Low frequencies are divided by `factor`, and high frequencies are left unchanged. In between, the divisor falls
    gradually from `factor` to 1. The fields are named as in Hugging Face's config.json.

    Args:
        factor: The divisor of low frequencies.
        low_freq_factor: A frequency is low if its wavelength, in tokens, is above
            original_max_position_embeddings / low_freq_factor.
        high_freq_factor: A frequency is high if its wavelength is below
            original_max_position_embeddings / high_freq_factor.
        original_max_position_embeddings: The maximum text length in the original training, in tokens.

    Raises:
        UserError: A value is invalid.
    """

    factor: float
    low_freq_factor: float
    high_freq_factor: float
    original_max_position_embeddings: int

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 < value < math.inf:
                raise UserError(f"rope_scaling: {name} is {value!r}; a number above 0 is expected")
        if self.low_freq_factor >= self.high_freq_factor:
            raise UserError("rope_scaling: low_freq_factor must be less than high_freq_factor")


@dataclass(frozen=True)
class LlamaConfig(LanguageModelConfig):
    """The config of a Llama or Qwen2 model. The fields are named as in Hugging Face's config.json.

    The defaults describe SmolLM2-135M. The dropout rate is for attention weights. Dropout is applied only if the
    network is called with seeds.

    Raises:
        UserError: A value is invalid.
    """

    title: ClassVar = "Llama"
    prefix: ClassVar = "model."

    model_type: str = "llama"
    vocab_size: int = 49152
    hidden_size: int = 576
    intermediate_size: int = 1536
    num_hidden_layers: int = 30
    num_attention_heads: int = 9
    num_key_value_heads: int = 3
    head_dim: int = 64
    max_position_embeddings: int = 8192
    rms_norm_eps: float = 1e-5
    rope_theta: float = 100_000.0
    rope_scaling: RopeScaling | None = None
    attention_bias: bool = False  # for Llama only; Qwen2 always has biases for queries, keys and values, and no others
    mlp_bias: bool = False
    tie_word_embeddings: bool = True
    attention_dropout: float = 0.0
    initializer_range: float = 0.02
    eos_token_id: int = 2

    def __post_init__(self) -> None:
        counts = (
            "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
            "num_key_value_heads", "head_dim", "max_position_embeddings",
        )  # fmt: skip
        check_sizes(
            self,
            dict.fromkeys(counts, 1) | {"eos_token_id": 0},
            ("rms_norm_eps", "attention_dropout", "initializer_range"),
        )
        check_heads(self, "num_attention_heads", "num_key_value_heads")
        if self.head_dim % 2:
            raise UserError(f"head_dim is {self.head_dim}; an even number is expected")
        if (
            not isinstance(self.rope_theta, (int, float))
            or isinstance(self.rope_theta, bool)
            or not 1 < self.rope_theta < math.inf
        ):
            raise UserError(f"rope_theta is {self.rope_theta!r}; a number above 1 is expected")
        for name in ("attention_bias", "mlp_bias", "tie_word_embeddings"):
            if not isinstance(getattr(self, name), bool):
                raise UserError(f"{name} is {getattr(self, name)!r}; true or false is expected")
        if self.model_type not in MODEL_TYPES:
            raise UserError(f"model_type is {self.model_type!r}; one of {', '.join(MODEL_TYPES)} is expected")
        if self.eos_token_id >= self.vocab_size:
            raise UserError(
                f"eos_token_id is {self.eos_token_id}; a number below vocab_size ({self.vocab_size}) is expected"
            )

    @property
    def width(self) -> int:
        return self.hidden_size

    @property
    def depth(self) -> int:
        return self.num_hidden_layers

    @property
    def positions(self) -> int:
        return self.max_position_embeddings

    @property
    def cache_frame(self) -> tuple[int, int]:
        return self.num_key_value_heads, self.head_dim

    @property
    def query_width(self) -> int:
        """The total width of the queries of all heads."""
        return self.num_attention_heads * self.head_dim

    @property
    def key_width(self) -> int:
        """The total width of the keys of all heads, equal to the total width of the values."""
        return self.num_key_value_heads * self.head_dim

    @property
    def biases(self) -> dict[str, bool]:
        """Whether each of the three kinds of matrix products in a block has a bias.

        Returns:
            A dictionary with the keys "qkv" (queries, keys and values), "o" (the product after attention) and "mlp"
            (the products in the hidden layer).
        """
        qwen = self.model_type == "qwen2"
        return {
            "qkv": qwen or self.attention_bias,
            "o": not qwen and self.attention_bias,
            "mlp": not qwen and self.mlp_bias,
        }

    @property
    def tables(self) -> tuple[str, ...]:
        return ("embed_tokens.weight",) if self.tie_word_embeddings else ("embed_tokens.weight", "lm_head.weight")

    @property
    def no_weights(self) -> re.Pattern:
        # With a tied output layer, lm_head is a copy of the token embeddings. inv_freq are constants in old files.
        copy = r"lm_head\.weight|" if self.tie_word_embeddings else ""
        return re.compile(rf"{copy}layers\.\d+\.self_attn\.rotary_emb\.inv_freq|{HEADS}")

    def with_vocabulary(self, vocab_size: int, dropout: float | None = None) -> "LlamaConfig":
        rate = self.attention_dropout if dropout is None else dropout
        return dataclasses.replace(self, vocab_size=vocab_size, attention_dropout=rate)

    @property
    def shapes(self) -> dict[str, list[int]]:
        size, inner, biases = self.hidden_size, self.intermediate_size, self.biases
        products = {
            "self_attn.q_proj": (self.query_width, size, biases["qkv"]),
            "self_attn.k_proj": (self.key_width, size, biases["qkv"]),
            "self_attn.v_proj": (self.key_width, size, biases["qkv"]),
            "self_attn.o_proj": (size, self.query_width, biases["o"]),
            "mlp.gate_proj": (inner, size, biases["mlp"]),
            "mlp.up_proj": (inner, size, biases["mlp"]),
            "mlp.down_proj": (size, inner, biases["mlp"]),
        }
        named = {"embed_tokens.weight": [self.vocab_size, size]}
        for i in range(self.num_hidden_layers):
            named |= {f"layers.{i}.{name}.weight": [size] for name in ("input_layernorm", "post_attention_layernorm")}
            for name, (outputs, inputs, bias) in products.items():
                named[f"layers.{i}.{name}.weight"] = [outputs, inputs]
                if bias:
                    named[f"layers.{i}.{name}.bias"] = [outputs]
        named["norm.weight"] = [size]
        if not self.tie_word_embeddings:
            named["lm_head.weight"] = [self.vocab_size, size]
        return named

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> "LlamaConfig":
        """Make a config from the contents of a config.json.

        Raises:
            UserError: The file does not describe a Llama or Qwen2 model, or describes an unsupported variant.
        """
        kind = values.get("model_type")
        if kind not in MODEL_TYPES:
            raise UserError(f"model_type is {kind!r}; one of {', '.join(MODEL_TYPES)} is expected")
        values = _BY_DEFAULT[kind] | values
        heads, size = values.get("num_attention_heads"), values.get("hidden_size")
        values["num_key_value_heads"] = values.get("num_key_value_heads") or heads
        if not values.get("head_dim") and isinstance(heads, int) and isinstance(size, int) and heads > 0:
            if size % heads:
                raise UserError(f"hidden_size is {size}; a multiple of num_attention_heads ({heads}) is expected")
            values["head_dim"] = size // heads
        if isinstance(values.get("eos_token_id"), list) and values["eos_token_id"]:
            values["eos_token_id"] = values["eos_token_id"][0]
        if not isinstance(values.get("eos_token_id", 0), int):
            raise UserError(f"eos_token_id is {values['eos_token_id']!r}; a whole number is expected")
        rope = values.pop("rope_parameters", None) or values.get("rope_scaling") or {}
        if not isinstance(rope, dict):
            raise UserError(f"rope_parameters is {rope!r}; an object is expected")
        values["rope_theta"] = rope.get("rope_theta", values.get("rope_theta", 10_000.0))
        values["rope_scaling"] = _scaling(rope)
        return from_hugging_face(cls, values, kind, _ONE_VALUE, required=_REQUIRED)

    def to_hugging_face(self) -> dict[str, Any]:
        """Return the contents of a config.json with these settings."""
        values = dataclasses.asdict(self)
        rope = (
            {"rope_type": "default"} if self.rope_scaling is None else {"rope_type": "llama3", **values["rope_scaling"]}
        )
        del values["rope_scaling"]
        named = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}[self.model_type]
        if self.model_type == "qwen2":
            del values["attention_bias"], values["mlp_bias"]
        return {
            "architectures": [named],
            "hidden_act": "silu",
            **values,
            "rope_parameters": {"rope_theta": self.rope_theta, **rope},
        }


def _scaling(rope: dict[str, Any]) -> RopeScaling | None:
    """Read the scaling of rotary frequencies from a config.json; raise UserError if its type is unsupported."""
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return None
    if kind != "llama3":
        raise UserError(f"rope_scaling has the type {kind!r}; only default and llama3 are supported")
    names = [field.name for field in dataclasses.fields(RopeScaling)]
    for name in names:
        if name not in rope:
            raise UserError(f"rope_scaling: {name} is missing")
    return RopeScaling(**{name: rope[name] for name in names})


# The default values in Hugging Face's transformers, for files that lack these values.
_BY_DEFAULT: dict[str, dict[str, Any]] = {
    "llama": {"rms_norm_eps": 1e-6, "tie_word_embeddings": False, "max_position_embeddings": 2048, "head_dim": None},
    "qwen2": {"rms_norm_eps": 1e-6, "tie_word_embeddings": False, "max_position_embeddings": 32768, "head_dim": None},
}
_REQUIRED = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "eos_token_id",
)
# Settings that change the computation, with the values that are implemented.
_ONE_VALUE = {"hidden_act": ("silu",), "pretraining_tp": (1,), "use_sliding_window": (False,)}
