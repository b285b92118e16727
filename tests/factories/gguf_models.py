"""GGUF files of toy sizes, written by the package `gguf` in the layout of llama.cpp, and the weights to expect."""

import json
import zipfile
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Kind
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
USER_DEFINED = "<think>"
SIZE, INNER, LAYERS, HEADS, KV_HEADS, HEAD, POSITIONS = 64, 96, 2, 4, 2, 16, 24
TEXTS = [
    "I lost my job today. I'm sorry to hear that!", "We have 12 cats  and 345 dogs.", "Ünïcode: 你好 😀\n\n  tabs\t7",
    "It's the best day of my life, isn't it?", "WE'LL see; YOU'RE right  99", "a  1", "½ of x² and Ⅷ",
    "<|im_start|>user\nHello<|im_end|>\n", "e\u0301 is é",
]  # fmt: skip
MEMBER = "llm_toy/Toy-Instruct.Q4_0.gguf"  # of a wheel
TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"


def bpe() -> Tokenizer:
    """Return a byte-level BPE of 300 tokens, fitted to TEXTS. Its first tokens are those of SPECIAL."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(TEXTS * 3, trainer)
    return made


def vocabulary(spare: int = 0) -> dict[str, Any]:
    """The tokenizer's metadata: tokens, types and merges, with a user-defined token and spare rows after all others."""
    model = json.loads(bpe().to_str())["model"]
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    types = [3 if token in SPECIAL else 1 for token in tokens]
    tokens += [USER_DEFINED, *(f"[PAD{i}]" for i in range(spare))]
    return {
        "tokens": tokens,
        "types": types + [4] + [5] * spare,
        "merges": [" ".join(pair) for pair in model["merges"]],
    }


def llama_cpp_order(weights: np.ndarray, heads: int) -> np.ndarray:
    """Return a query or key projection of the Llama family in the order in which llama.cpp's converter writes it."""
    halves = weights.reshape(heads, 2, weights.shape[0] // heads // 2, *weights.shape[1:])
    return halves.swapaxes(1, 2).reshape(weights.shape)


def state(
    architecture: str, rows: int, tied: bool = True, size: int = SIZE, inner: int = INNER, positions: int = POSITIONS
) -> dict[str, np.ndarray]:
    """Return random weights by Hugging Face's names."""
    draw = np.random.default_rng(5)
    head = size // HEADS
    if architecture == "gpt2":
        shapes = {"transformer.wte.weight": (rows, size), "transformer.wpe.weight": (positions, size)}
        shapes |= {"transformer.ln_f.weight": (size,), "transformer.ln_f.bias": (size,)}
        for i in range(LAYERS):
            for name, units, inputs in (
                ("ln_1", size, 0), ("attn.c_attn", 3 * size, size), ("attn.c_proj", size, size), ("ln_2", size, 0),
                ("mlp.c_fc", inner, size), ("mlp.c_proj", size, inner),
            ):  # fmt: skip
                shapes[f"transformer.h.{i}.{name}.weight"] = (inputs, units) if inputs else (units,)
                shapes[f"transformer.h.{i}.{name}.bias"] = (units,)
    else:
        shapes = {"model.embed_tokens.weight": (rows, size), "model.norm.weight": (size,)}
        shapes |= {} if tied else {"lm_head.weight": (rows, size)}
        for i in range(LAYERS):
            layer = f"model.layers.{i}."
            for name, units in (("q", HEADS * head), ("k", KV_HEADS * head), ("v", KV_HEADS * head)):
                shapes[f"{layer}self_attn.{name}_proj.weight"] = (units, size)
                if architecture == "qwen2":
                    shapes[f"{layer}self_attn.{name}_proj.bias"] = (units,)
            shapes[f"{layer}self_attn.o_proj.weight"] = (size, size)
            shapes |= {f"{layer}{name}.weight": (size,) for name in ("input_layernorm", "post_attention_layernorm")}
            shapes |= {f"{layer}mlp.{name}_proj.weight": (inner, size) for name in ("gate", "up")}
            shapes[f"{layer}mlp.down_proj.weight"] = (size, inner)
    return {name: draw.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()}


_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output", "model.layers.": "blk.",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
    "transformer.h.": "blk.", "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv",
    "attn.c_proj": "attn_output", "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}  # fmt: skip


def gguf_name(name: str) -> str:
    """Return the name of a weight in GGUF files."""
    for theirs, ours in _NAMES.items():
        name = name.replace(theirs, ours)
    return name


def stored(name: str, values: np.ndarray, architecture: str) -> np.ndarray:
    """Return a weight in llama.cpp's layout."""
    if architecture == "gpt2" and values.ndim == 2 and "wte" not in name and "wpe" not in name:
        return np.ascontiguousarray(values.T)
    if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
        return llama_cpp_order(values, HEADS if "q_proj" in name else KV_HEADS)
    return values


def as_read(name: str, values: np.ndarray, architecture: str, kind: Kind) -> np.ndarray:
    """Return a weight as it should be read after it was quantised. Vectors are not quantised."""
    if values.ndim == 1:
        return values
    numbers = gguf.dequantize(gguf.quantize(stored(name, values, architecture), kind), kind)
    if architecture == "gpt2" and "wte" not in name and "wpe" not in name:
        return numbers.T
    if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
        heads = HEADS if "q_proj" in name else KV_HEADS  # undone by transformers' own lines
        halves = numbers.reshape(heads, len(numbers) // heads // 2, 2, *numbers.shape[1:])
        return halves.swapaxes(2, 1).reshape(numbers.shape)
    return numbers


def metadata(architecture: str, pre: str = "smollm", spare: int = 0) -> dict[str, Any]:
    """The values of a file by key, as arguments of `write`."""
    tokens = vocabulary(spare)
    values: dict[str, Any] = {
        "general.architecture": architecture,
        "block_count": LAYERS,
        "context_length": POSITIONS,
        "embedding_length": SIZE,
        "feed_forward_length": INNER,
        "attention.head_count": HEADS,
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": pre,
        "tokenizer.ggml.tokens": tokens["tokens"],
        "tokenizer.ggml.token_type": tokens["types"],
        "tokenizer.ggml.merges": tokens["merges"],
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.padding_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
        "tokenizer.chat_template": TEMPLATE,
    }
    if architecture == "gpt2":
        values["attention.layer_norm_epsilon"] = 1e-5
    else:
        values |= {"attention.head_count_kv": KV_HEADS, "attention.layer_norm_rms_epsilon": 1e-6}
        values |= {"rope.freq_base": 50000.0, "rope.dimension_count": HEAD}
    return values


def write(path: Path, values: dict[str, Any], tensors: dict[str, tuple[np.ndarray, Kind]]) -> Path:
    """Write a GGUF file.

    Args:
        path: The file.
        values: The metadata by key. Keys without a prefix get the prefix of the architecture. A key whose value is None
            is left out.
        tensors: For each tensor, by its name in GGUF files, its content (bytes or floats) and the kind of its storage.
    """
    architecture = values["general.architecture"]
    writer = gguf.GGUFWriter(path, architecture)
    for key, value in values.items():
        if key == "general.architecture" or value is None:
            continue
        key = key if key.partition(".")[0] in ("tokenizer", "general") else f"{architecture}.{key}"
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            (writer.add_int32 if value < 0 else writer.add_uint32)(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        else:
            writer.add_array(key, value)
    for name, (array, kind) in tensors.items():
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def tensors_of(weights: dict[str, np.ndarray], architecture: str, kind: Kind = Kind.F32) -> dict:
    """Return the argument `tensors` of `write`, from weights by Hugging Face's names. Vectors are float32."""
    made = {}
    for name, values in weights.items():
        one = Kind.F32 if values.ndim == 1 else kind
        made[gguf_name(name)] = gguf.quantize(stored(name, values, architecture), one), one
    return made


def write_model(
    path: Path, architecture: str = "llama", kind: Kind = Kind.F32, **changes: Any
) -> dict[str, np.ndarray]:
    """Write a whole model, with `changes` to its metadata. Return the weights as they should be read."""
    values = metadata(architecture) | changes
    weights = state(architecture, len(values["tokenizer.ggml.tokens"]))
    write(path, values, tensors_of(weights, architecture, kind))
    return {name: as_read(name, array, architecture, kind) for name, array in weights.items()}


def write_wheel(folder: Path, members: dict[str, bytes], name: str = "llm_toy", version: str = "1.0") -> Path:
    """Write a wheel that pip accepts, with files in it."""
    about = f"{name}-{version}.dist-info"
    files = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in (members | files).items():
            archive.writestr(member, content)
    return path
