"""Reads and writes the author's weights, `my_model_weights*.h5`, and writes his vocabulary, `vocabulary_movie`.

The author's programs (2017, Keras 2.0.4) number the words by descending frequency: "." is 0, "," is 1, BOS is 2, and
EOS is 3. The last index stands for unknown words, which the programs replace with the real word "something". In this
project, PAD, BOS, EOS, and UNK come first, followed by the words in his order. `our_weights` and `his_weights` convert
weights from one order to the other. Other differences between his networks and those of this project are explained in
`models/networks.py` under the padding convention `original`. `data/pickled_vocabulary.py` reads his vocabulary.
"""

import os
import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_gca.data.vocabulary import Vocabulary
from keras_gca.engine.nucleus import FORBIDDEN
from keras_gca.errors import UserError
from keras_gca.models.networks import GREEN, WHITE, YELLOW
from keras_gca.storage.arrays import ArrayFile, new_hdf5, open_arrays
from keras_gca.storage.atomic import replacing

GENERATORS = {"teacher_forcing": "my_model_weights20.h5", "adversarial": "my_model_weights.h5"}
DISCRIMINATOR = "my_model_weights_discriminator.h5"

# The names of layers differ between his files, so a layer is identified by its place among the layers with weights.
_LAYERS = {"generator": (*WHITE, *YELLOW), "discriminator": (*WHITE, *GREEN)}

_NAMES = {
    "shared": "Shared",
    "encoder_context_bot": "Encode context",
    "encoder_answer_bot": "Encode answer up to the current token",
    "bot": "relu activation",
    "decision_bot": "likelihood of the current token using softmax activation",
    "encoder_context_discriminator": "encoder discriminator",
    "encoder_answer_discriminator": "decoder discriminator",
    "discriminator_output": "discriminator output",
}

_LSTM = ("kernel", "recurrent_kernel", "bias")
_DENSE = ("kernel", "bias")

_PARTS = {
    "shared": ("embeddings",),
    "encoder_context_bot": _LSTM,
    "encoder_answer_bot": _LSTM,
    "bot": _DENSE,
    "decision_bot": _DENSE,
    "encoder_context_discriminator": _LSTM,
    "encoder_answer_discriminator": _LSTM,
    "discriminator_output": _DENSE,
}


# The vocabulary


def write_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """Write `vocabulary_movie` atomically, as a pickled list of (word, count) pairs, most frequent word first."""
    counts = [*vocabulary.counts.items()]
    sentences = max(counts[0][1], 1)  # his file counts BOS and EOS; a `Vocabulary` does not, so "." gives the count
    entries = [*counts[:2], ("BOS", sentences), ("EOS", sentences), *counts[2:]]
    with replacing(path) as temporary:
        temporary.write_bytes(pickle.dumps(entries, protocol=0))


def original_indices(size: int) -> np.ndarray:
    """Return the author's index of each token except PAD, in this project's order (BOS, EOS, UNK, ".", ",", words).

    Args:
        size: The number of tokens in this project, including PAD.

    Returns:
        An int array of shape (size - 1,).
    """
    return np.array([2, 3, size - 2, 0, 1, *range(4, size - 2)])


# The weights


class Placement(NamedTuple):
    """A layer in a file, and the layer of this project that received its weights.

    Attributes:
        source: The name of the layer in the file.
        shapes: The shapes of the layer's arrays.
        target: The name of the layer in this project.
    """

    source: str
    shapes: list[tuple[int, ...]]
    target: str

    def __str__(self) -> str:
        return f"{self.source!r} {' '.join(map(str, self.shapes))} -> {self.target}"


def read_weights(path: str | os.PathLike, network: str) -> tuple[list[np.ndarray], list[Placement]]:
    """Read a weights-only HDF5 file written by Keras 2, identifying layers by their position.

    Args:
        path: The file.
        network: "generator" or "discriminator".

    Returns:
        The weights, and one `Placement` for each layer. The weights are float32 arrays in the order of
        `GenerativeConversationalAgent.variables`, and still use the author's word indices.

    Raises:
        UserError: A layer is missing, unexpected, or of the wrong kind or shape.
    """
    path, expected = Path(path), _LAYERS[network]
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        with open_arrays(path) as file:
            layers = [layer for layer in _layers(file) if layer[1]]
    except ValueError as error:
        raise UserError(f"{path}: the file is not a Keras 2 weights file ({error})") from None
    if len(layers) != len(expected):
        names = ", ".join(repr(name) for name, _ in layers)
        raise UserError(
            f"{path}: the file has {len(layers)} layers with weights ({names}); {len(expected)} are expected"
        )
    for (name, arrays), target in zip(layers, expected, strict=True):
        if len(arrays) != len(_PARTS[target]):
            raise UserError(
                f"{path}: layer {name!r} has {len(arrays)} arrays; {len(_PARTS[target])} are expected for {target}"
            )
    report = [Placement(n, [a.shape for a in arrays], t) for (n, arrays), t in zip(layers, expected, strict=True)]
    _check_shapes(path, report)
    return [array for _, arrays in layers for array in arrays], report


def _layers(file: ArrayFile) -> list[tuple[str, list[np.ndarray]]]:
    return [
        (name, [file.array(f"{name}/{part}").astype(np.float32) for part in file.attribute(name, "weight_names")])
        for name in file.attribute("/", "layer_names")
    ]


def _check_shapes(path: Path, report: Sequence[Placement]) -> None:
    """Check that the shapes of all layers agree.

    The sizes are read from some of the layers. Every size occurs in at least two layers, so wrong sizes are detected.
    """
    try:
        ((words, s_e),) = report[0].shapes
        units = report[1].shapes[1][0]
        lstm: list[tuple[int, ...]] = [(s_e, 4 * units), (units, 4 * units), (4 * units,)]
        expected: list[list[tuple[int, ...]]] = [[(words, s_e)], lstm, lstm]
        if len(report) == 5:
            hidden = report[3].shapes[1][0]
            expected += [[(2 * units, hidden), (hidden,)], [(hidden, words), (words,)]]
        else:
            expected += [[(words + 2 * units, 1), (1,)]]
    except (ValueError, IndexError):
        layers = "; ".join(map(str, report))
        raise UserError(
            f"{path}: a layer has the wrong number of arrays or dimensions; the layers are: {layers}"
        ) from None
    for placement, shapes in zip(report, expected, strict=True):
        if placement.shapes != shapes:
            raise UserError(f"{path}: the shapes of {placement} are wrong; {' '.join(map(str, shapes))} is expected")


def our_weights(arrays: Sequence[np.ndarray], network: str) -> list[np.ndarray]:
    """Convert the author's weights to the token order of this project, with a row or column added for PAD."""
    indices = original_indices(len(arrays[0]) + 1)

    def rows(array: np.ndarray, first: float) -> np.ndarray:
        return np.concatenate([np.full_like(array[:1], first), array[indices]])

    shared, *rest = arrays
    if network == "generator":
        *rest, kernel, bias = rest
        return [rows(shared, 0), *rest, rows(kernel.T, 0).T.copy(), rows(bias, FORBIDDEN)]
    *rest, kernel, bias = rest
    words = len(shared)  # the author's discriminator has its inputs in the order [e_cd e_ad p]; Eq. 8 has [p e_cd e_ad]
    return [rows(shared, 0), *rest, np.concatenate([rows(kernel[-words:], 0), kernel[:-words]]), bias]


def his_weights(arrays: Sequence[np.ndarray], network: str) -> list[np.ndarray]:
    """Convert weights of this project to the author's word order, the inverse of `our_weights`."""
    size = len(arrays[0])
    places = np.argsort(original_indices(size)) + 1
    shared, *rest, kernel, bias = arrays
    if network == "generator":
        return [shared[places], *rest, kernel[:, places], bias[places]]
    return [shared[places], *rest, np.concatenate([kernel[size:], kernel[:size][places]]), bias]


def write_weights(path: Path, arrays: Sequence[np.ndarray], network: str) -> None:
    """Atomically write a weights file that `read_weights` and the author's programs can read.

    Args:
        path: The file.
        arrays: The weights, with the author's word indices.
        network: "generator" or "discriminator".
    """
    left = iter(arrays)
    with replacing(path) as temporary, new_hdf5(temporary) as file:
        file.attrs["layer_names"] = [_NAMES[target].encode() for target in _LAYERS[network]]
        file.attrs["backend"], file.attrs["keras_version"] = b"theano", b"2.0.4"
        for target in _LAYERS[network]:
            name = _NAMES[target]
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{part}".encode() for part in _PARTS[target]]
            for part in _PARTS[target]:
                group.create_dataset(f"{name}/{part}", data=next(left))
