"""What a network of some settings needs, before it is made: settings may be absurd, in a file more than anywhere."""

import math
import os
from collections.abc import Iterable, Sequence

from keras_gca.errors import UserError


def count(shapes: Iterable[Sequence[int]]) -> int:
    """The numbers of arrays of these shapes."""
    return sum(math.prod(shape) for shape in shapes)


def refuse_beyond_memory(numbers: int, what: str) -> None:
    """Raises UserError where a network's float32 numbers need more memory than this machine has."""
    if not hasattr(os, "sysconf"):  # Windows does not tell
        return
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if 4 * numbers > memory:
        needs = f"{4 * numbers // 10**9:,}" if numbers < 10**15 else "more than a million"
        raise UserError(f"{what} of these sizes needs {needs} GB; this machine has {memory // 10**9:,}")
