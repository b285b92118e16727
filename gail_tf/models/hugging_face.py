"""Reads and writes Hugging Face model folders: config.json, safetensors files and the tokenizer's files.

The weights are in model.safetensors, or in several shards listed in model.safetensors.index.json. `read_network` and
`write_network` are for language models; `models/roberta.py` and `models/bert.py` use `read_config` and `read_weights`.
"""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.numpy

from gail_tf.models.architectures import config_of, make_network
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.language_model_config import HEADS, LanguageModelConfig
from gail_tf.models.projection import Adapters
from glove.text_files import counted
from keras_gca.errors import UserError
from keras_gca.sharing import hub
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json",
    "merges.txt", "chat_template.jinja",
)  # fmt: skip
HUB_FILES = (CONFIG, WEIGHTS, INDEX, "model-*.safetensors", *TOKENIZER_FILES)  # the files to download from the Hub
PICKLE = "pytorch_model.bin"
_CONVERT = (
    "import torch, safetensors.torch as s; s.save_file({{n: t.clone() for n, t in torch.load({0!r}, weights_only=True)"
    ".items()}}, {1!r})"
)
Config = TypeVar("Config")
_DTYPES = ("F64", "F32", "F16", "BF16")


def find(model: str | os.PathLike) -> Path:
    """Return the folder of a model. If `model` is a name on the Hub, download the folder first.

    Args:
        model: A folder, or a name on the Hub.

    Raises:
        UserError: `model` is neither a folder nor a name on the Hub, or the Hub cannot be reached.
    """
    if Path(model).is_dir():
        return Path(model)
    if not hub.is_name(str(model)) or Path(model).exists():
        raise UserError(
            f"{model}: this is not a folder; a folder with {CONFIG} and {WEIGHTS}, or a name on the Hub, is expected"
        )
    return hub.download(str(model), HUB_FILES)


def read_config(path: Path, make: Callable[[dict[str, Any]], Config]) -> Config:
    """Read a config.json.

    Args:
        path: The file.
        make: A function that makes a config from the file's contents. It raises UserError if the file describes another
            kind of network.

    Raises:
        UserError: The file is missing or damaged, or describes another kind of network. The message names the file.
    """
    values = json_files.read_object(path)
    try:
        return make(values)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def read_network(
    folder: Path,
    added: Sequence[Sequence[int]] = (),
    adapters: Adapters | None = None,
    precision: str = "float32",
    seed: int = 0,
    dropout: float | None = None,
    rows: int | None = None,
    frozen: bool = False,
) -> LanguageModel:
    """Read a language model from a folder.

    Args:
        folder: A folder with a config.json and safetensors files.
        added: For each token to add to the vocabulary, a list of existing token ids. The new token's row is initialised
            with the mean of the rows of these tokens, or with the mean of all rows if the list is empty.
        adapters: See `LanguageModel`.
        precision: See `LanguageModel`.
        seed: The seed of the adapters' initial weights.
        dropout: A rate that replaces the dropout rates in the config.json, or None to keep them.
        rows: The number of rows in the folder's tables (`config.tables`) that belong to tokens, or None for all rows.
            Some models pad their tables with extra rows, which are dropped so that nonexistent tokens get no
            probability.
        frozen: See `LanguageModel`.

    Raises:
        UserError: A file or tensor is missing, or a tensor is unknown or does not have the shape required by
            config.json. The message names the file or tensor.
    """
    config = read_config(folder / CONFIG, config_of)
    rows = config.vocab_size if rows is None else rows
    if rows > config.vocab_size:
        raise UserError(f"{folder}: the vocabulary has {config.vocab_size} tokens; at least {rows} are expected")
    called = f"a {config.title} with {counted(config.depth, 'block')}"
    tensors = read_weights(folder, called, config.shapes, config.prefix, config.no_weights)
    sizes = config.with_vocabulary(rows + len(added), dropout)
    network = make_network(sizes, seed, adapters, precision, frozen, loaded=True)

    def fitted(name: str, values: np.ndarray) -> np.ndarray:
        if name not in config.tables:
            return values
        values = values[:rows]
        new = [(values[list(tokens)] if tokens else values).mean(0) for tokens in added]
        if not new:
            return values
        return np.concatenate([values, *(row[None] for row in new)])

    network.load((name, fitted(name, values)) for name, values in tensors)
    return network


def extra_heads(folder: Path, config: LanguageModelConfig) -> list[str]:
    """Return the names of the tensors that `read_network` skips, which belong to heads for other tasks."""
    return [name for _, name, _ in _tensors(folder, config.prefix) if re.fullmatch(HEADS, name)]


def write_network(folder: Path, network: LanguageModel) -> None:
    """Write config.json and model.safetensors to a folder. Adapters are merged into the weights they adapt."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / WEIGHTS) as temporary:
        named = {network.config.name_in_file(name): values for name, values in network.tensors().items()}
        safetensors.numpy.save_file(named, temporary, metadata={"format": "pt"})  # transformers requires this entry
    with replacing(folder / CONFIG) as temporary:
        temporary.write_text(json.dumps(network.config.to_hugging_face(), indent=2), encoding="utf-8")


def read_weights(
    folder: Path,
    network: str,
    shapes: Mapping[str, Sequence[int]],
    prefix: str,
    no_weights: re.Pattern,
    optional: Sequence[str] = (),
) -> Iterator[tuple[str, np.ndarray]]:
    """Check that a folder contains all of a network's weights, and read them.

    Args:
        folder: A folder with safetensors files.
        network: The name of the network in error messages.
        shapes: The shapes of the network's weights, keyed by name.
        prefix: A prefix to remove from tensor names that start with it.
        no_weights: A pattern that matches the names of tensors to skip.
        optional: Name prefixes of optional weights. For each prefix, the files must contain either all or none of its
            weights.

    Returns:
        An iterator over the weights, as pairs of a name and float32 values, in the order of the files.

    Raises:
        UserError: A tensor is missing, is unknown, or has the wrong shape or dtype. The message names the file and the
            tensor.
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
    return (
        (name, tensor[:].astype(np.float32, copy=False))
        for _, name, tensor in _tensors(folder, prefix)
        if name in shapes
    )


def _tensors(folder: Path, prefix: str) -> Iterator[tuple[Path, str, Any]]:
    """Yield each tensor's file, its name without the prefix, and an object that reads its values on demand."""
    for file in _weight_files(folder):
        try:
            with safetensors.safe_open(file, "numpy") as content:
                for name in content.keys():  # noqa: SIM118 - this object is not a dictionary
                    yield file, name.removeprefix(prefix), content.get_slice(name)
        except (OSError, safetensors.SafetensorError) as error:
            raise UserError(f"{file}: the file cannot be read as safetensors ({error})") from None


def _weight_files(folder: Path) -> list[Path]:
    if (folder / WEIGHTS).exists():
        return [folder / WEIGHTS]
    if not (folder / INDEX).exists():
        convert = ""
        if (folder / PICKLE).exists():
            code = _CONVERT.format(str(folder / PICKLE), str(folder / WEIGHTS))
            convert = f'; if PyTorch is installed, this command converts {PICKLE}: python -c "{code}"'
        missing = f"{folder}: {WEIGHTS} is missing; weights in other formats, such as pickles, are not supported"
        raise UserError(missing + convert)
    shards = json_files.read_object(folder / INDEX).get("weight_map")
    if not isinstance(shards, dict) or not all(isinstance(name, str) for name in shards.values()):
        raise UserError(f"{folder / INDEX}: a weight_map from tensors to files is expected")
    # `.name` drops folders from the shards' names, so that an index cannot name files outside this folder.
    return [folder / Path(name).name for name in sorted(set(shards.values()))]
