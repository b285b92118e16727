"""Networks as folders in Hugging Face's format: `config.json`, `model.safetensors` (or its shards), tokenizer files.

GPT-2 is read and written here; other networks are read by the same steps, `read_config` and `read_weights`.

A name on Hugging Face's hub works in place of a folder, and is the only thing here that reaches the network.
"""

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy

from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import Adapters, GPT2Config
from gail_tf.models.transformer import Config
from glove.text_files import counted
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt",
)  # fmt: skip
PICKLE = "pytorch_model.bin"
PREFIX = "transformer."  # of a language model's tensors; those of the bare network have none
_HEADS = r"(v_head|multiple_choice_head|score)\..*"  # of fine-tuning for values, choices or classes
# Besides them wte's again, and old files' causal masks.
_NO_WEIGHTS = re.compile(rf"lm_head\.weight|h\.\d+\.attn\.(bias|masked_bias)|{_HEADS}")
_CONVERT = (
    "import torch, safetensors.torch as s; s.save_file({{n: t.clone() for n, t in torch.load({0!r}, weights_only=True)"
    ".items()}}, {1!r})"
)
_DTYPES = ("F64", "F32", "F16", "BF16")
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")  # a model, or owner/model


def find(model: str | os.PathLike) -> Path:
    """The folder of a model: itself, or a copy of the hub's files where `model` is no folder but a name there.

    Raises UserError where there is neither.
    """
    if Path(model).is_dir():
        return Path(model)
    if not _HUB_NAME.fullmatch(str(model)) or Path(model).exists():
        raise UserError(f"{model}: no folder; one with {CONFIG} and {WEIGHTS}, or a name on the hub, is expected")
    import huggingface_hub  # only those who name a remote model pay for it
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    patterns = [CONFIG, WEIGHTS, INDEX, "model-*.safetensors", *TOKENIZER_FILES]
    try:
        return Path(huggingface_hub.snapshot_download(str(model), allow_patterns=patterns))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{model}: no such folder, and not to be had from the hub ({reason})") from None


def read_config(path: Path, kind: type[Config] = GPT2Config) -> Config:
    """From a config.json. kind: of config, GPT2Config or one that also has its `from_hugging_face`.

    Raises UserError naming the file where it is missing, damaged, or of another network.
    """
    values = json_files.read_object(path)
    try:
        return kind.from_hugging_face(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_gpt2(
    folder: Path,
    vocab_size: int | None = None,
    adapters: Adapters | None = None,
    precision: str = "float32",
    seed: int = 0,
    dropout: float | None = None,
    rows: int | None = None,
) -> GPT2:
    """The network of a folder.

    vocab_size: a larger vocabulary than the folder's, for tokens that were added; each starts as the mean of all
    others. rows: how many rows of the folder's table belong to tokens, all if not given. The rest, with which some
    tables are padded, is left out: no token has such a row, and so none gets any of its probability. adapters,
    precision: see GPT2. seed: of the adapters. dropout: in place of the folder's three rates. Raises UserError naming
    the file, and the tensor that is missing, unknown, or of another shape than config.json says.
    """
    config = read_config(folder / CONFIG)
    changes = {} if dropout is None else dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), dropout)
    changes["vocab_size"] = vocab_size or config.vocab_size
    rows = config.vocab_size if rows is None else rows
    added = changes["vocab_size"] - rows
    if added < 0:
        raise UserError(f"{folder}: a vocabulary of {config.vocab_size} tokens where {vocab_size} at most are expected")
    network = f"a GPT-2 with {counted(config.n_layer, 'block')}"
    tensors = read_weights(folder, network, config.shapes, PREFIX, _NO_WEIGHTS)
    gpt2 = GPT2(dataclasses.replace(config, **changes), seed, adapters, precision)
    weights = gpt2.weights
    for name, values in tensors:
        if name == "wte.weight":
            values = values[:rows]
            values = np.concatenate([values, np.repeat(values.mean(0, keepdims=True), added, 0)])
        weights[name].assign(values)
    return gpt2


def extra_heads(folder: Path) -> list[str]:
    """The tensors of a GPT-2's folder that `read_gpt2` passes over since they are of heads on top of it."""
    return [name for _, name, _ in _tensors(folder, PREFIX) if re.fullmatch(_HEADS, name)]


def write_gpt2(folder: Path, gpt2: GPT2) -> None:
    """Write config.json and model.safetensors, with adapters merged into the weights they adapt; makes the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as temporary:
        named = {PREFIX + name: values for name, values in gpt2.merged().items()}
        safetensors.numpy.save_file(named, temporary, metadata={"format": "pt"})  # transformers asks for this mark
    with replacing(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(gpt2.config.to_hugging_face(), indent=2), encoding="utf-8")


def read_weights(
    folder: Path,
    network: str,
    shapes: Mapping[str, Sequence[int]],
    prefix: str,
    no_weights: re.Pattern,
    optional: Sequence[str] = (),
) -> Iterator[tuple[str, np.ndarray]]:
    """Name and float32 values of every weight of a network, in the order of its files; all are looked for at once.

    network: what it is, for errors. shapes: of its weights, by name. prefix: what the files may have before a name.
    no_weights: the names of tensors that are passed over. optional: the beginnings of names that the files may lack,
    all of one beginning together. Raises UserError naming the file, and the tensor that is missing, unknown, or of
    another shape.
    """
    missing = dict(shapes)
    for file, name, tensor in _tensors(folder, prefix):
        if no_weights.fullmatch(name):
            continue
        if name not in missing:
            raise UserError(f"{file}: {name!r} is no tensor of {network}")
        expected = list(missing.pop(name))
        if tensor.get_shape() != expected:
            raise UserError(f"{file}: {name!r} is of shape {tensor.get_shape()}; {CONFIG} asks for {expected}")
        if tensor.get_dtype() not in _DTYPES:
            raise UserError(f"{file}: {name!r} is of {tensor.get_dtype()}; {', '.join(_DTYPES)} are read")
    for beginning in optional:
        part = {name for name in shapes if name.startswith(beginning)}
        if part <= missing.keys():
            missing = {name: shape for name, shape in missing.items() if name not in part}
    if missing:
        raise UserError(f"{folder}: the tensor {next(iter(missing))!r} is missing")
    return ((name, tensor[:].astype(np.float32)) for _, name, tensor in _tensors(folder, prefix) if name in shapes)


def _tensors(folder: Path, prefix: str) -> Iterator[tuple[Path, str, Any]]:
    """File, bare name and content, not read yet, of every tensor."""
    for file in _weight_files(folder):
        try:
            with safetensors.safe_open(file, "numpy") as content:
                for name in content.keys():  # noqa: SIM118 - this object is no dictionary
                    yield file, name.removeprefix(prefix), content.get_slice(name)
        except (OSError, safetensors.SafetensorError) as error:
            raise UserError(f"{file}: not readable as safetensors ({error})") from None


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / INDEX).exists():
        convert = ""
        if (folder / PICKLE).exists():
            code = _CONVERT.format(str(folder / PICKLE), str(folder / WEIGHTS))
            convert = f'; where PyTorch is installed, this converts {PICKLE}: python -c "{code}"'
        missing = f"{folder}: {WEIGHTS} is missing; weights in other formats, such as pickles, are not read"
        raise UserError(missing + convert)
    shards = json_files.read_object(folder / INDEX).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise UserError(f"{folder / INDEX}: a weight_map from tensors to files is expected")
    return [folder / Path(name).name for name in sorted(set(shards.values()))]  # files of this folder, and no others
