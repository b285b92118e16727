"""Reads the part of a GGUF file before the weights: the metadata, and the position of each tensor.

Files may be damaged or hostile. Before a value is read, its stated size is compared with the size of the file. No part
of the file is read twice.
"""

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGUF_DEFAULT_ALIGNMENT, GGMLQuantizationType, GGUFValueType

from keras_gca.errors import UserError

MAGIC, VERSIONS = b"GGUF", (2, 3)
LARGEST = 200_000_000  # the maximum size of the metadata in bytes; a vocabulary of 256,000 tokens takes about 15 MB
_STRING, _ARRAY = GGUFValueType.STRING, GGUFValueType.ARRAY
_DTYPES = {
    GGUFValueType.UINT8: "<u1", GGUFValueType.INT8: "<i1", GGUFValueType.UINT16: "<u2", GGUFValueType.INT16: "<i2",
    GGUFValueType.UINT32: "<u4", GGUFValueType.INT32: "<i4", GGUFValueType.UINT64: "<u8", GGUFValueType.INT64: "<i8",
    GGUFValueType.FLOAT32: "<f4", GGUFValueType.FLOAT64: "<f8", GGUFValueType.BOOL: "?",
}  # fmt: skip


class Tensor(NamedTuple):
    """The shape of a tensor in a GGUF file, and the position of its values.

    Attributes:
        shape: The shape in NumPy's order, with the last dimension contiguous in the file.
        kind: The type of the numbers, which may be quantised.
        start: The position of the tensor's first byte in the file.
        size: The number of bytes that the values occupy in the file.
    """

    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    start: int
    size: int


class Header:
    """The metadata and the list of tensors of a GGUF file.

    Args:
        path: The file.

    Attributes:
        path: The file.
        metadata: The values by key. A value is a number, a string, a list of strings, or an array of numbers.
        tensors: The shape and position of each tensor, by name.

    Raises:
        UserError: The file cannot be read, is damaged, or is not a GGUF file. The message names the file.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.metadata: dict[str, Any] = {}
        self.tensors: dict[str, Tensor] = {}
        try:
            with self.path.open("rb") as stream:
                self._read(_Reader(stream))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from None
        except (ValueError, struct.error) as error:
            raise UserError(f"{path}: the file cannot be read as GGUF ({error})") from None

    def text(self, key: str, default: str | None = None) -> str:
        """Return a metadata value that must be a string.

        Raises:
            UserError: The value has another type, or is missing without a default.
        """
        value = self.metadata.get(key, default)
        if not isinstance(value, str):
            raise self._wrong(key, "a text", value)
        return value

    def count(self, key: str, default: int | None = None, least: int = 1) -> int:
        """Return a metadata value that must be a whole number of at least `least`. Raises the same errors as `text`."""
        value = self.metadata.get(key, default)
        if type(value) is not int or value < least:
            raise self._wrong(key, f"a whole number, {least} or more,", value)
        return value

    def number(self, key: str, default: float | None = None) -> float:
        """Return a metadata value that must be a finite number above 0. Raises the same errors as `text`.

        A float32 is converted to the shortest decimal number that rounds to it. For example, 9.999999747378752e-06
        becomes 1e-05, the number that the author of the file specified.
        """
        value: Any = self.metadata.get(key, default)
        if isinstance(value, np.float32):
            value = float(str(value))
        if type(value) not in (int, float) or not math.isfinite(value) or value <= 0:
            raise self._wrong(key, "a number above 0", value)
        return float(value)

    def texts(self, key: str) -> list[str]:
        """Return a metadata value that must be a list of strings. Raises the same errors as `text`."""
        value = self.metadata.get(key)
        if not isinstance(value, list):
            raise self._wrong(key, "a list of texts", value)
        return value

    def counts(self, key: str) -> list[int]:
        """Return a metadata value that must be a list of whole numbers, or an empty list if the value is missing.

        Raises the same errors as `text`.
        """
        value = self.metadata.get(key, np.zeros(0, np.int64))
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "iu":
            raise self._wrong(key, "a list of whole numbers", value)
        return value.tolist()

    def _wrong(self, key: str, expected: str, value: Any) -> UserError:
        if value is None:
            return UserError(f"{self.path}: {key!r} is missing from the metadata; {expected} is expected")
        described = repr(value) if isinstance(value, (int, float, str)) else "another type"
        return UserError(f"{self.path}: {key!r} is {described[:80]} in the metadata; {expected} is expected")

    def _read(self, reader: "_Reader") -> None:
        if reader.take(4) != MAGIC:
            raise ValueError("the file does not begin with GGUF")
        version = reader.number("<u4")
        if version not in VERSIONS:
            raise ValueError(f"the version is {version}; {VERSIONS[0]} or {VERSIONS[1]}, little-endian, is expected")
        tensors, values = reader.number("<u8"), reader.number("<u8")
        for _ in range(values):
            key = reader.text()
            if key in self.metadata:
                raise ValueError(f"{key!r} occurs twice in the metadata")
            self.metadata[key] = reader.value(GGUFValueType(reader.number("<u4")))
        described = {}
        for _ in range(tensors):
            name = reader.text()
            if name in described:
                raise ValueError(f"the tensor {name!r} occurs twice")
            described[name] = reader.tensor(name)
        alignment = self.metadata.get("general.alignment", GGUF_DEFAULT_ALIGNMENT)
        if type(alignment) is not int or alignment < 1:
            raise ValueError("general.alignment must be a whole number above 0")
        start = -(-reader.position // alignment) * alignment
        for name, (shape, kind, offset, size) in described.items():
            if start + offset + size > reader.length:
                raise ValueError(f"the file ends before the end of the tensor {name!r}")
            self.tensors[name] = Tensor(shape, kind, start + offset, size)
        if sum(tensor.size for tensor in self.tensors.values()) > reader.length:
            raise ValueError("the tensors overlap")


class _Reader:
    """A reader that reads single values from the beginning of a stream, at most LARGEST bytes in total."""

    def __init__(self, stream: BinaryIO):
        self.position = 0
        self.length = os.fstat(stream.fileno()).st_size
        self._stream = stream

    def take(self, size: int) -> bytes:
        if self.position + size > self.length:
            raise ValueError("the file ends too early")
        if self.position + size > LARGEST:
            raise ValueError(f"the metadata is larger than {LARGEST:,} bytes")
        content = self._stream.read(size)
        if len(content) < size:
            raise ValueError("the file ends too early")
        self.position += size
        return content

    def numbers(self, dtype: str, count: int) -> np.ndarray:
        return np.frombuffer(self.take(np.dtype(dtype).itemsize * count), dtype)

    def number(self, dtype: str) -> int:
        return int(self.numbers(dtype, 1)[0])

    def text(self) -> str:
        return self.take(self.number("<u8")).decode("utf-8")

    def value(self, kind: GGUFValueType) -> Any:
        if kind is _STRING:
            return self.text()
        if kind is not _ARRAY:
            value = self.numbers(_DTYPES[kind], 1)[0]
            return value if isinstance(value, np.float32) else value.item()  # `Header.number` converts float32
        items, count = GGUFValueType(self.number("<u4")), self.number("<u8")
        if items is _ARRAY:
            raise ValueError("the metadata contains a list of lists")
        return [self.text() for _ in range(count)] if items is _STRING else self.numbers(_DTYPES[items], count)

    def tensor(self, name: str) -> tuple[tuple[int, ...], GGMLQuantizationType, int, int]:
        dimensions = self.number("<u4")
        if not 1 <= dimensions <= 4:
            raise ValueError(f"the tensor {name!r} has {dimensions} dimensions; 1 to 4 are expected")
        shape = tuple(reversed([int(size) for size in self.numbers("<u8", dimensions)]))
        kind = GGMLQuantizationType(self.number("<u4"))
        block, bytes_of_block = GGML_QUANT_SIZES[kind]
        if shape[-1] % block:
            raise ValueError(
                f"the rows of {name!r} have {shape[-1]} numbers; with {kind.name}, a multiple of {block} is expected"
            )
        return shape, kind, self.number("<u8"), math.prod(shape) // block * bytes_of_block
