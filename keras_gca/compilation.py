"""How functions of batches are compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf


class Compiled:
    """A function of batches as a graph: one for batches of all sizes and widths.

    A graph takes seconds to make, and on CPUs one that does not know the widths is as fast. It is the same whatever
    batch comes first, so that a resumed training computes the same bits. XLA wants static shapes: with jit_compile
    there is a graph for each.

    The function takes arrays in any structure, and may take plain values: each combination of those has its own graph.
    """

    def __init__(self, function: Callable, jit_compile: bool = False):
        self._graph = tf.function(function, autograph=False, jit_compile=jit_compile)
        self._static = jit_compile

    def __call__(self, *arguments: Any) -> Any:
        if not self._static:  # the call below takes this graph, since it has none that fits better
            self._graph.get_concrete_function(*tf.nest.map_structure(_of_any_size, arguments))
        return self._graph(*arguments)

    @property
    def traces(self) -> int:
        """How many graphs there are."""
        return self._graph.experimental_get_tracing_count()


def _of_any_size(leaf: Any) -> Any:
    """An array's type, with unknown numbers of rows and tokens: (B, ...), (B, T) or (B, T, F). A plain value is itself.

    Two-dimensional numbers that are no integers are features, (B, F), or of responses of one width; F stays.
    """
    if not isinstance(leaf, np.ndarray | np.generic | tf.Tensor):
        return leaf
    dtype = tf.as_dtype(leaf.dtype)
    unknown = 1 if leaf.ndim == 2 and dtype.is_floating else min(leaf.ndim, 2)
    return tf.TensorSpec([None] * unknown + list(leaf.shape)[unknown:], dtype)
