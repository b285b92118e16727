"""Converts GGUF files to folders in Hugging Face's format, with float32 weights that can be memory-mapped.

Tensors are read, dequantised and written in parts, so little memory is needed even for large models. The folder appears
under its final name only once it is complete.
"""

import hashlib
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from gguf.constants import GGML_QUANT_SIZES
from gguf.quants import dequantize

from gail_tf.base_models import gguf_tokenizer
from gail_tf.base_models.cache import refuse_full_disk
from gail_tf.base_models.gguf_header import Header, Tensor
from gail_tf.base_models.gguf_networks import Network, Weight, read_network, rows_in_order
from gail_tf.base_models.identity import NAME
from keras_gca.errors import UserError
from keras_gca.storage.atomic import making_folder

CONFIG, WEIGHTS = "config.json", "model.safetensors"  # not imported from models/hugging_face.py, which needs TensorFlow
PART = 1 << 22  # the number of weights that are dequantised at once


def convert_gguf(path: str | os.PathLike, folder: str | os.PathLike, name: str) -> str:
    """Write the model in a GGUF file as config.json, model.safetensors, tokenizer.json and tokenizer_config.json.

    Args:
        path: The file.
        folder: The folder to make, which must not exist yet.
        name: The name of the model, to be stored in config.json.

    Returns:
        The SHA-256 of model.safetensors, in hexadecimal.

    Raises:
        UserError: The file is damaged, or its network or tokenizer is not supported. The message names the file.
        OSError: The folder cannot be written.
    """
    header = Header(path)
    network = read_network(header)
    weights = _check(header, network)
    tokenizer = gguf_tokenizer.read_tokenizer(header)
    tokens = tokenizer.get_vocab_size(with_added_tokens=True)
    if tokens > network.config["vocab_size"]:
        raise UserError(
            f"{path}: the tokenizer has {tokens} tokens, but the network has only {network.config['vocab_size']} token "
            "embeddings"
        )
    config = {NAME: name} | network.config | gguf_tokenizer.special_ids(header, tokens)
    config.pop("unk_token_id", None)
    files = {
        CONFIG: json.dumps(config | {"dtype": "float32"}, indent=2),
        "tokenizer.json": tokenizer.to_str(),
        "tokenizer_config.json": json.dumps(gguf_tokenizer.tokenizer_config(header, tokens), indent=2),
    }
    with making_folder(Path(folder)) as temporary:
        refuse_full_disk(temporary, sum(4 * math.prod(weight.shape) for weight in weights))
        for file, text in files.items():
            (temporary / file).write_text(text, encoding="utf-8", newline="")
        with (temporary / WEIGHTS).open("wb") as stream:
            return _write_weights(stream, header, weights)


def _check(header: Header, network: Network) -> list[Weight]:
    """Check that the file contains all tensors of a network and no others, and return the weights of the network."""
    weights: list[Weight] = []
    # A hostile file may claim to have a huge number of weights. The loop ends at the first weight that is missing.
    for weight in network.weights():
        tensor = header.tensors.get(weight.source)
        if tensor is None:
            raise UserError(f"{header.path}: the tensor {weight.source!r} is missing")
        expected = weight.shape[::-1] if weight.transposed else weight.shape
        if tensor.shape != expected:
            raise UserError(
                f"{header.path}: {weight.source!r} has the shape {tensor.shape}; the metadata requires {expected}"
            )
        _refuse_unreadable(header, weight.source, tensor)
        weights.append(weight)
    known = {weight.source for weight in weights}.union(network.ignored)
    for name in header.tensors:
        if name not in known:
            kind = network.config["model_type"]
            raise UserError(f"{header.path}: {name[:80]!r} is not a tensor of a {kind} network with these dimensions")
    return weights


def _refuse_unreadable(header: Header, name: str, tensor: Tensor) -> None:
    """Raise UserError if the `gguf` package cannot dequantise a tensor's number format."""
    try:
        dequantize(np.zeros((1, GGML_QUANT_SIZES[tensor.kind][1]), np.uint8), tensor.kind)
    except NotImplementedError:
        raise UserError(f"{header.path}: {name!r} is stored as {tensor.kind.name}, which cannot be read") from None


def _write_weights(stream: BinaryIO, header: Header, weights: list[Weight]) -> str:
    """Write a safetensors file: the length of the JSON header, the header, and the weights in the order of the header.

    Returns:
        The SHA-256 of the file, in hexadecimal.
    """
    described: dict[str, object] = {"__metadata__": {"format": "pt"}}  # transformers requires this entry
    end = 0
    for weight in weights:
        begin, end = end, end + 4 * math.prod(weight.shape)
        described[weight.name] = {"dtype": "F32", "shape": weight.shape, "data_offsets": [begin, end]}
    head = json.dumps(described).encode()
    head += b" " * (-len(head) % 8)
    checksum = hashlib.sha256()
    content = np.memmap(header.path, np.uint8, "r")
    for part in (len(head).to_bytes(8, "little"), head):
        stream.write(part)
        checksum.update(part)
    for weight in weights:
        with np.errstate(all="ignore"):  # NaN and infinity are rejected below
            for numbers in _parts(content, header.tensors[weight.source], weight):
                if not np.isfinite(numbers).all():
                    raise UserError(f"{header.path}: {weight.source!r} contains NaN or infinity")
                stream.write(numbers.data)
                checksum.update(numbers.data)
    return checksum.hexdigest()


def _parts(content: np.ndarray, tensor: Tensor, weight: Weight) -> Iterator[np.ndarray]:
    """Yield the float32 values of a weight in groups of rows. Transposed weights and vectors are yielded whole."""
    stored = content[tensor.start : tensor.start + tensor.size]
    if weight.transposed or len(tensor.shape) == 1:
        numbers = dequantize(stored[None], tensor.kind).reshape(tensor.shape)
        if weight.heads:
            numbers = numbers[rows_in_order(len(numbers), weight.heads)]
        yield np.ascontiguousarray(numbers.T, "<f4")
        return
    rows, length = tensor.shape
    order = rows_in_order(rows, weight.heads) if weight.heads else np.arange(rows)
    stored = stored.reshape(rows, -1)
    step = max(1, PART // length)
    for begin in range(0, rows, step):
        yield np.ascontiguousarray(dequantize(stored[order[begin : begin + step]], tensor.kind), "<f4")
