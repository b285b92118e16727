"""Describes the network in a GGUF file as the content of a config.json and a list of weights in Hugging Face's format.

GGUF files use the names and layout of llama.cpp: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from gail_tf.base_models.gguf_header import Header
from keras_gca.errors import UserError

ROPE_FACTORS = "rope_freqs.weight"
# Llama 3's settings (Grattafiori et al. 2024) for scaling rotary frequencies. A GGUF file does not contain these
# settings, but only the factors by which the frequencies are divided. The factors follow from the settings.
_LLAMA_3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}


class Weight(NamedTuple):
    """A weight of a network, and how GGUF files store it.

    Attributes:
        name: The name in Hugging Face's files.
        source: The name in GGUF files.
        shape: The shape in Hugging Face's files.
        heads: The number of heads if GGUF files store the rows of each head in a different order (see `rows_in_order`),
            else 0.
        transposed: Whether GGUF files store the weight transposed.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    heads: int = 0
    transposed: bool = False


class Network(NamedTuple):
    """The network in a GGUF file.

    Attributes:
        config: The content of config.json, except for the ids of special tokens.
        weights: A function that yields the weights.
        ignored: The names of tensors in the GGUF file to skip, because they are copies of weights or are not weights.
    """

    config: dict[str, Any]
    weights: Callable[[], Iterator[Weight]]
    ignored: tuple[str, ...]


def read_network(header: Header) -> Network:
    """Return the network in a GGUF file.

    Raises:
        UserError: The architecture is not supported, or a value in the metadata is missing or invalid.
    """
    architecture = header.text("general.architecture")
    if architecture not in _READERS:
        raise UserError(
            f"{header.path}: the architecture {architecture[:80]!r} is not supported; one of {', '.join(_READERS)} is "
            "expected"
        )
    return _READERS[architecture](header)


def rows_in_order(rows: int, heads: int) -> np.ndarray:
    """Return the order in which to take the rows of a query or key projection from a GGUF file.

    Rotary embeddings rotate pairs of units. Hugging Face's Llama pairs unit i of a head with unit i + n / 2, where n is
    the number of units in the head; llama.cpp pairs neighbouring units. GGUF files therefore interleave the two halves
    of each head.

    Args:
        rows: The number of rows.
        heads: The number of heads.

    Returns:
        For each row in Hugging Face's order, the index of the row in the GGUF file: an integer array of shape (rows,).
    """
    return np.arange(rows).reshape(heads, -1, 2).swapaxes(1, 2).ravel()


def llama_3_factors(theta: float, head: int, factor: float) -> np.ndarray:
    """Compute the factors by which Llama 3 divides its rotary frequencies.

    Args:
        theta: The base of the frequencies.
        head: The number of units in a head.
        factor: The factor for low frequencies, which is the largest factor.

    Returns:
        One factor for each frequency, an array of shape (head / 2,).
    """
    low, high, length = _LLAMA_3.values()
    turns = length * theta ** -(np.arange(0, head, 2) / head) / (2 * math.pi)  # full turns in `length` tokens
    smooth = np.clip((turns - low) / (high - low), 0, 1)
    return 1 / ((1 - smooth) / factor + smooth)


def _llama_family(header: Header) -> Network:
    kind = header.text("general.architecture")
    own_order = kind == "llama"  # only files of the architecture "llama" store rows in the order of `rows_in_order`
    layers, size = header.count(f"{kind}.block_count"), header.count(f"{kind}.embedding_length")
    heads, inner = header.count(f"{kind}.attention.head_count"), header.count(f"{kind}.feed_forward_length")
    kv_heads = header.count(f"{kind}.attention.head_count_kv", heads)
    if size % heads or heads % kv_heads or size // heads % 2:
        raise UserError(
            f"{header.path}: {size} units cannot be divided into {heads} query heads and {kv_heads} key heads"
        )
    head = size // heads
    for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
        if header.count(f"{kind}.{key}", head) != head:
            raise UserError(f"{header.path}: {kind}.{key} must be {head}, the size of an attention head")
    vocabulary, tied = _rows(header), "output.weight" not in header.tensors
    theta = header.number(f"{kind}.rope.freq_base", 10000.0)
    biases = own_order and "blk.0.attn_q.bias" in header.tensors
    config = {
        "architectures": ["LlamaForCausalLM" if own_order else "Qwen2ForCausalLM"],
        "model_type": kind,
        "hidden_act": "silu",
        "hidden_size": size,
        "intermediate_size": inner,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "max_position_embeddings": header.count(f"{kind}.context_length"),
        "rms_norm_eps": header.number(f"{kind}.attention.layer_norm_rms_epsilon"),
        "rope_theta": theta,
        "rope_scaling": _rope_scaling(header, theta, head),
        "tie_word_embeddings": tied,
        "vocab_size": vocabulary,
    }
    config |= {"attention_bias": biases, "mlp_bias": False, "head_dim": head} if own_order else {}

    def weights() -> Iterator[Weight]:
        yield Weight("model.embed_tokens.weight", "token_embd.weight", (vocabulary, size))
        yield Weight("model.norm.weight", "output_norm.weight", (size,))
        if not tied:
            yield Weight("lm_head.weight", "output.weight", (vocabulary, size))
        for i in range(layers):
            ours, theirs = f"model.layers.{i}.", f"blk.{i}."
            for name, source, units, count in (
                ("q_proj", "attn_q", head * heads, heads),
                ("k_proj", "attn_k", head * kv_heads, kv_heads),
                ("v_proj", "attn_v", head * kv_heads, 0),
                ("o_proj", "attn_output", size, 0),
            ):
                name, source, count = f"{ours}self_attn.{name}.", f"{theirs}{source}.", count if own_order else 0
                inputs = head * heads if source.endswith("output.") else size
                yield Weight(f"{name}weight", f"{source}weight", (units, inputs), count)
                if biases or (not own_order and not source.endswith("output.")):
                    yield Weight(f"{name}bias", f"{source}bias", (units,), count)
            yield Weight(f"{ours}input_layernorm.weight", f"{theirs}attn_norm.weight", (size,))
            yield Weight(f"{ours}post_attention_layernorm.weight", f"{theirs}ffn_norm.weight", (size,))
            yield Weight(f"{ours}mlp.gate_proj.weight", f"{theirs}ffn_gate.weight", (inner, size))
            yield Weight(f"{ours}mlp.up_proj.weight", f"{theirs}ffn_up.weight", (inner, size))
            yield Weight(f"{ours}mlp.down_proj.weight", f"{theirs}ffn_down.weight", (size, inner))

    return Network(config, weights, (ROPE_FACTORS,))


def _rope_scaling(header: Header, theta: float, head: int) -> dict[str, Any] | None:
    kind = header.text("general.architecture")
    scaling = header.text(f"{kind}.rope.scaling.type", "none")
    if scaling == "linear":
        return {"rope_type": "linear", "factor": header.number(f"{kind}.rope.scaling.factor")}
    if scaling != "none":
        raise UserError(
            f"{header.path}: the rotary scaling {scaling[:80]!r} is not supported; none or linear is expected"
        )
    if ROPE_FACTORS not in header.tensors:
        return None
    tensor = header.tensors[ROPE_FACTORS]
    stored = np.fromfile(header.path, "<f4", tensor.size // 4, offset=tensor.start)
    factor = float(stored.max(initial=1.0))
    expected = llama_3_factors(theta, head, factor)
    if tensor.kind.name != "F32" or stored.shape != expected.shape or not np.allclose(stored, expected, rtol=1e-4):
        raise UserError(f"{header.path}: {ROPE_FACTORS!r} does not scale rotary embeddings as Llama 3 does")
    return {"rope_type": "llama3", "factor": factor, **_LLAMA_3}


def _gpt2(header: Header) -> Network:
    layers, size = header.count("gpt2.block_count"), header.count("gpt2.embedding_length")
    inner = header.count("gpt2.feed_forward_length", 4 * size)
    positions, vocabulary = header.count("gpt2.context_length"), _rows(header)
    config = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "activation_function": "gelu_new",
        "layer_norm_epsilon": header.number("gpt2.attention.layer_norm_epsilon"),
        "n_embd": size,
        "n_head": header.count("gpt2.attention.head_count"),
        "n_inner": None if inner == 4 * size else inner,
        "n_layer": layers,
        "n_positions": positions,
        "vocab_size": vocabulary,
    }

    def weights() -> Iterator[Weight]:
        yield Weight("transformer.wte.weight", "token_embd.weight", (vocabulary, size))
        yield Weight("transformer.wpe.weight", "position_embd.weight", (positions, size))
        blocks = [("transformer.ln_f", "output_norm", size, 0)]
        for i in range(layers):
            ours, theirs = f"transformer.h.{i}.", f"blk.{i}."
            blocks += [
                (f"{ours}ln_1", f"{theirs}attn_norm", size, 0),
                (f"{ours}attn.c_attn", f"{theirs}attn_qkv", 3 * size, size),
                (f"{ours}attn.c_proj", f"{theirs}attn_output", size, size),
                (f"{ours}ln_2", f"{theirs}ffn_norm", size, 0),
                (f"{ours}mlp.c_fc", f"{theirs}ffn_up", inner, size),
                (f"{ours}mlp.c_proj", f"{theirs}ffn_down", size, inner),
            ]
            for name, source, units, inputs in blocks:
                shape = (inputs, units) if inputs else (units,)
                yield Weight(f"{name}.weight", f"{source}.weight", shape, transposed=bool(inputs))
                yield Weight(f"{name}.bias", f"{source}.bias", (units,))
            blocks = []

    return Network(config, weights, ("output.weight",))  # a copy of the token embeddings


def _rows(header: Header) -> int:
    """Return the number of rows in the token embeddings. Raises UserError if the file has no token embeddings."""
    if "token_embd.weight" not in header.tensors:
        raise UserError(f"{header.path}: the tensor 'token_embd.weight' is missing")
    return header.tensors["token_embd.weight"].shape[0]


_READERS: dict[str, Callable[[Header], Network]] = {"llama": _llama_family, "qwen2": _llama_family, "gpt2": _gpt2}
