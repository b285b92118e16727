"""Checks, before a network is built, that the network fits into memory; a file may specify a huge network."""

import math
import os
from collections.abc import Iterable, Sequence

from keras_gca.errors import UserError

IMPORTS = 0.9e9  # bytes of memory of TensorFlow and of a tokenizer


def count(shapes: Iterable[Sequence[int]]) -> int:
    """Return the total number of elements in arrays of these shapes."""
    return sum(math.prod(shape) for shape in shapes)


def refuse_beyond_memory(numbers: int, what: str) -> None:
    """Raise an error if a network needs more memory than this machine has.

    Args:
        numbers: The number of float32 weights in the network.
        what: The name of the network, for the error message.

    Raises:
        UserError: The machine does not have enough memory.
    """
    if not hasattr(os, "sysconf"):  # Windows does not provide the size of the memory
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if 4 * numbers > memory:
        needs = f"{4 * numbers // 10**9:,}" if numbers < 10**15 else "more than a million"
        raise UserError(f"{what} of these sizes needs {needs} GB, but this machine has {memory // 10**9:,} GB")
