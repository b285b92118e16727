"""The number formats in which a bot file stores its weights.

- "float32" keeps every number, in one array for each weight.
- "float16" stores all weights of a network as one array, and rounds each number to 11 significant bits.
- "int8" takes about half the space of "float16". It is the format Q8_0 of GGUF files: each block of 32 consecutive
  numbers of a matrix has a float16 scale, and each number is stored as a whole number from -127 to 127 times this
  scale. Vectors, such as biases, stay float16, because a bias that excludes a token is far larger than its neighbours.
- "int4" takes about half the space of "int8". It is the format Q4_0 of GGUF files, with whole numbers from -8 to 7, and
  is meant for adapters, whose values only change those of a network. Vectors stay float16.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import numpy as np

WeightFormat = Literal["float32", "float16", "int8", "int4"]
FORMATS: tuple[WeightFormat, ...] = get_args(WeightFormat)
BLOCK = 32  # the number of values that share a scale
LARGEST = {"int8": 127, "int4": 8}  # the largest absolute value of a rounded weight
VALUES, SCALES = "values", "scales"  # the names of the arrays that contain the matrices of a network in int8 or int4

Shapes = Sequence[Sequence[int]]


def pack(name: str, weights: Sequence[np.ndarray], format: WeightFormat) -> dict[str, np.ndarray]:
    """Return the arrays that store a network's weights.

    Values outside the range of float16, such as a bias that excludes a token, are clipped to that range.

    Args:
        name: The name of the network, with which the names of the arrays begin.
        weights: The weights, float32 arrays.
        format: The number format.

    Raises:
        ValueError: There is no such format.
    """
    if format not in FORMATS:
        raise ValueError(f"there is no weight format {format!r}; the formats are {', '.join(FORMATS)}")
    if format == "float32":
        return {f"{name}/{i}": weight for i, weight in enumerate(weights)}
    if format == "float16":
        return {name: _clipped(weights).astype(np.float16)}
    rounded = {"int8": _eight_bits, "int4": _four_bits}[format]
    values, scales = rounded(_blocks(_clipped([weight for weight in weights if weight.ndim > 1])))
    vectors = _clipped([weight for weight in weights if weight.ndim <= 1])
    return {name: vectors.astype(np.float16), _values(name): values, _scales(name): scales}


def unpack(name: str, arrays: Mapping[str, np.ndarray], shapes: Shapes) -> list[np.ndarray]:
    """Return the float32 weights of a network that was packed as float16, int8 or int4.

    Args:
        name: The name of the network.
        arrays: All arrays of the file, by name.
        shapes: The shape of each weight, in the order of the weights.

    Raises:
        KeyError: An array is missing.
        ValueError: The sizes of the arrays do not match the shapes.
    """
    if _values(name) not in arrays:
        return _shaped(arrays[name].astype(np.float32), shapes)
    matrices = [shape for shape in shapes if len(shape) > 1]
    vectors = iter(_shaped(arrays[name].astype(np.float32), [shape for shape in shapes if len(shape) <= 1]))
    numbers = _whole(arrays[_values(name)], arrays[_scales(name)])
    taken = iter(_shaped(numbers[: sum(map(math.prod, matrices))], matrices))
    return [next(taken if len(shape) > 1 else vectors) for shape in shapes]


def _values(name: str) -> str:
    return f"{name}.{VALUES}"


def _scales(name: str) -> str:
    return f"{name}.{SCALES}"


def _clipped(weights: Sequence[np.ndarray]) -> np.ndarray:
    """Join weights to one float32 vector, whose values are clipped to the range of float16."""
    largest = np.finfo(np.float16).max
    parts = [np.clip(weight, -largest, largest).astype(np.float32).ravel() for weight in weights]
    return np.concatenate(parts or [np.zeros(0, np.float32)])


def _blocks(numbers: np.ndarray) -> np.ndarray:
    """Fill a vector up with zeros to b whole blocks, and return an array of shape (b, 32)."""
    return np.pad(numbers, (0, -len(numbers) % BLOCK)).reshape(-1, BLOCK)


def _eight_bits(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round numbers to 8 bits.

    Args:
        blocks: A float32 array of shape (b, 32).

    Returns:
        The int8 values of shape (b, 32), and the float16 scales of shape (b,).
    """
    scales = np.abs(blocks).max(axis=1, initial=0) / LARGEST["int8"]
    return np.rint(blocks * _inverse(scales)[:, None]).astype(np.int8), scales.astype(np.float16)


def _four_bits(blocks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Round numbers to 4 bits. The number with the largest absolute value in a block becomes -8 times the scale.

    Args:
        blocks: A float32 array of shape (b, 32).

    Returns:
        The values plus 8, in bytes, an uint8 array of shape (b, 16), and the float16 scales of shape (b,). The four low
        bits of byte i belong to value i of the block, and the four high bits to value i + 16.
    """
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1, keepdims=True), axis=1)[:, 0]
    scales = -largest / LARGEST["int4"]
    values = np.trunc(blocks * _inverse(scales)[:, None] + 8.5).clip(0, 15).astype(np.uint8)
    return values[:, : BLOCK // 2] | values[:, BLOCK // 2 :] << 4, scales.astype(np.float16)


def _inverse(scales: np.ndarray) -> np.ndarray:
    return np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)


def _whole(values: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Return the float32 vector, including the filling, that `_eight_bits` or `_four_bits` rounded.

    Raises:
        ValueError: There is not one scale for each block.
    """
    if values.dtype == np.uint8:
        values = np.concatenate([values & 15, values >> 4], axis=-1).astype(np.int8) - LARGEST["int4"]
    if values.shape != (scales.size, BLOCK):
        raise ValueError(f"{scales.size:,} scales do not match values of the shape {values.shape}")
    return (values.astype(np.float32) * scales.astype(np.float32)[:, None]).ravel()


def _shaped(numbers: np.ndarray, shapes: Shapes) -> list[np.ndarray]:
    """Split a vector into arrays of the given shapes.

    Raises:
        ValueError: The size of the vector does not match the shapes.
    """
    sizes = [math.prod(shape) for shape in shapes]
    if min((size for shape in shapes for size in shape), default=0) < 0 or sum(sizes) != numbers.size:
        raise ValueError(f"there are {numbers.size:,} numbers, which do not match the shapes")
    if not shapes:
        return []
    parts = np.split(numbers, np.cumsum(sizes)[:-1])
    return [part.reshape(tuple(shape)) for part, shape in zip(parts, shapes, strict=True)]
