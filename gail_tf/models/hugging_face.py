"""Folders in Hugging Face's format: `config.json`, `model.safetensors` or its shards, tokenizer files.

Language models are read and written here. RoBERTa is read by the same steps, `read_config` and `read_weights`.
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
HUB_FILES = (CONFIG, WEIGHTS, INDEX, "model-*.safetensors", *TOKENIZER_FILES)  # what a download from the Hub takes
PICKLE = "pytorch_model.bin"
PREFIX = "transformer."  # begins the names of a language model's tensors; those of the bare network lack it
_HEADS = r"(v_head|multiple_choice_head|score)\..*"  # fine-tuned for values, choices or classes
# Besides these heads: the copy of wte, and the causal masks of old files.
_NO_WEIGHTS = re.compile(rf"lm_head\.weight|h\.\d+\.attn\.(bias|masked_bias)|{_HEADS}")
_CONVERT = (
    "import torch, safetensors.torch as s; s.save_file({{n: t.clone() for n, t in torch.load({0!r}, weights_only=True)"
    ".items()}}, {1!r})"
)
_DTYPES = ("F64", "F32", "F16", "BF16")
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")  # a model, or owner/model


def find(model: str | os.PathLike) -> Path:
    """Return the folder of a model, after downloading it if `model` is a name on the Hub.

    Args:
        model: A folder, or a name on the Hub.

    Raises:
        UserError: `model` is neither, or the Hub cannot be reached.
    """
    if Path(model).is_dir():
        return Path(model)
    if not _HUB_NAME.fullmatch(str(model)) or Path(model).exists():
        raise UserError(f"{model}: not a folder; one with {CONFIG} and {WEIGHTS}, or a name on the Hub, is expected")
    import huggingface_hub  # slow to import; only needed for remote models
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(huggingface_hub.snapshot_download(str(model), allow_patterns=list(HUB_FILES)))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{model}: no such folder, and not available on the Hub ({reason})") from None


def read_config(path: Path, kind: type[Config]) -> Config:
    """Read a config.json.

    Args:
        path: The file.
        kind: The class of the config, which has a `from_hugging_face` like that of GPT2Config.

    Raises:
        UserError: The file is missing or damaged, or describes another network; the message names the file.
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
    """Read the GPT-2 of a folder.

    Args:
        folder: A folder with a config.json and safetensors.
        vocab_size: The size of a larger vocabulary, for tokens that were added; each starts as the mean of all others.
        adapters: See `GPT2`.
        precision: See `GPT2`.
        seed: The seed of the adapters' initial weights.
        dropout: Replaces the folder's three dropout rates, if given.
        rows: How many rows of the folder's token embeddings belong to tokens; all if None. Some tables are padded with
            further rows. They are dropped, so that no probability goes to tokens that do not exist.

    Raises:
        UserError: A file or tensor is missing, unknown, or of another shape than config.json says; the message names
            it.
    """
    config = read_config(folder / CONFIG, GPT2Config)
    changes: dict[str, Any] = {"vocab_size": vocab_size or config.vocab_size}
    if dropout is not None:
        changes |= dict.fromkeys(("embd_pdrop", "attn_pdrop", "resid_pdrop"), dropout)
    rows = config.vocab_size if rows is None else rows
    added: int = changes["vocab_size"] - rows
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
    """Return the names of a folder's tensors that `read_gpt2` skips because they belong to heads on top of GPT-2."""
    return [name for _, name, _ in _tensors(folder, PREFIX) if re.fullmatch(_HEADS, name)]


def write_gpt2(folder: Path, gpt2: GPT2) -> None:
    """Write config.json and model.safetensors, with the adapters merged into the weights; make the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as temporary:
        named = {PREFIX + name: values for name, values in gpt2.merged().items()}
        safetensors.numpy.save_file(named, temporary, metadata={"format": "pt"})  # transformers requires this entry
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
    """Read the weights of a network, after checking that all are present.

    Args:
        folder: A folder with safetensors.
        network: What the network is called in errors.
        shapes: The shapes of its weights, by name.
        prefix: What may precede a name in the files.
        no_weights: The names of tensors that are skipped.
        optional: Prefixes of weights that the files may lack; all weights with one prefix must be lacking together.

    Returns:
        The name and the float32 values of every weight, in the order of the files.

    Raises:
        UserError: A tensor is missing, unknown, or of another shape; the message names the file and the tensor.
    """
    missing = dict(shapes)
    for file, name, tensor in _tensors(folder, prefix):
        if no_weights.fullmatch(name):
            continue
        if name not in missing:
            raise UserError(f"{file}: {name!r} is not a tensor of {network}")
        expected = list(missing.pop(name))
        if tensor.get_shape() != expected:
            raise UserError(f"{file}: {name!r} has the shape {tensor.get_shape()}; {CONFIG} requires {expected}")
        if tensor.get_dtype() not in _DTYPES:
            raise UserError(
                f"{file}: {name!r} has the dtype {tensor.get_dtype()}; one of {', '.join(_DTYPES)} is expected"
            )
    for beginning in optional:
        part = {name for name in shapes if name.startswith(beginning)}
        if part <= missing.keys():
            missing = {name: shape for name, shape in missing.items() if name not in part}
    if missing:
        raise UserError(f"{folder}: the tensor {next(iter(missing))!r} is missing")
    return ((name, tensor[:].astype(np.float32)) for _, name, tensor in _tensors(folder, prefix) if name in shapes)


def _tensors(folder: Path, prefix: str) -> Iterator[tuple[Path, str, Any]]:
    """Yield the file, the name without prefix and the content, which is not read yet, of every tensor."""
    for file in _weight_files(folder):
        try:
            with safetensors.safe_open(file, "numpy") as content:
                for name in content.keys():  # noqa: SIM118 - this object is not a dictionary
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
        missing = f"{folder}: {WEIGHTS} is missing; weights in other formats, such as pickles, are not supported"
        raise UserError(missing + convert)
    shards = json_files.read_object(folder / INDEX).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise UserError(f"{folder / INDEX}: a weight_map from tensors to files is expected")
    return [folder / Path(name).name for name in sorted(set(shards.values()))]  # only files of this folder
