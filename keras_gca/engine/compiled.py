"""How functions of batches are compiled, and how replicas share them."""

import inspect
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gca.engine.replicas import replica, total


class Compiled:
    """A function of batches as a graph: one for batches of all sizes and widths.

    A graph takes seconds to make, and on CPUs one that does not know the widths is as fast. It is the same whatever
    batch comes first, so that a resumed training computes the same bits. XLA wants static shapes: with jit_compile
    there is a graph for each.

    The function takes arrays in any structure, and may take plain values: each combination of those has its own graph.

    Under a strategy of several replicas (see `replicas`) each of them gets its share of the rows of every array, but of
    the arguments that `whole` names. What the function returns is one row for each of the batch, or a scalar, of which
    each replica has its part; every process gets all rows, and the sums of the parts. Batches are filled up with rows
    of zeros to a multiple of the replicas. shared=False: the function is not for replicas; each process calls it with
    the whole batch.
    """

    def __init__(self, function: Callable, jit_compile: bool = False, whole: Collection[str] = (), shared: bool = True):
        self._function = tf.function(function, autograph=False, jit_compile=True) if jit_compile else function
        self._static, self._shared = jit_compile, shared
        names = inspect.signature(function).parameters
        if unknown := set(whole) - set(names):
            raise ValueError(f"no arguments of the function: {', '.join(unknown)}")
        self._whole = {number for number, name in enumerate(names) if name in whole}
        self._graph = self._function if jit_compile else tf.function(function, autograph=False)
        self._on_replicas = tf.function(self._run, autograph=False)

    def __call__(self, *arguments: Any) -> Any:
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas == 1 or not self._shared:
            return self._call(self._graph, arguments)
        count = min(leaf.shape[0] for leaf in self._rows(arguments))
        filled = self._map_rows(lambda leaf: _filled_up(leaf, count, replicas), arguments)
        size = -(-count // replicas) * replicas
        found = self._call(self._on_replicas, filled)
        return tf.nest.map_structure(lambda leaf: leaf[: leaf.shape[0] * count // size] if leaf.ndim else leaf, found)

    @property
    def traces(self) -> int:
        """How many graphs there are."""
        return sum(graph.experimental_get_tracing_count() for graph in {self._graph, self._on_replicas})

    def _call(self, graph: Any, arguments: tuple) -> Any:
        if not self._static:  # the call below takes this graph, since it has none that fits better
            graph.get_concrete_function(*tf.nest.map_structure(_of_any_size, arguments))
        return graph(*arguments)

    def _map_rows(self, change: Callable[[Any], Any], arguments: tuple) -> tuple:
        """Arguments with all arrays changed whose rows the replicas share."""

        def changed(leaf):
            return change(leaf) if _is_array(leaf) and leaf.shape.rank != 0 else leaf

        arguments = tf.nest.map_structure(
            lambda leaf: tf.convert_to_tensor(leaf) if _is_array(leaf) else leaf, arguments
        )
        return tuple(
            each if number in self._whole else tf.nest.map_structure(changed, each)
            for number, each in enumerate(arguments)
        )

    def _rows(self, arguments: tuple) -> list[tf.Tensor]:
        found: list[tf.Tensor] = []
        self._map_rows(found.append, arguments)
        return found

    def _run(self, *arguments: Any) -> Any:
        strategy = tf.distribute.get_strategy()
        found = strategy.run(lambda: self._run_share(arguments))
        return tf.nest.map_structure(lambda each: strategy.experimental_local_results(each)[0], found)

    def _run_share(self, arguments: tuple) -> Any:
        found = self._function(*self._map_rows(_share, arguments))
        return tf.nest.map_structure(lambda leaf: _gathered(leaf) if leaf.shape.rank else total(leaf), found)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic | tf.Tensor)


def _of_any_size(leaf: Any) -> Any:
    """An array's type, with unknown numbers of rows and tokens: (B, ...), (B, T) or (B, T, F). A plain value is itself.

    Two-dimensional numbers that are no integers are features, (B, F), or of responses of one width; F stays.
    """
    if not _is_array(leaf):
        return leaf
    dtype = tf.as_dtype(leaf.dtype)
    unknown = 1 if leaf.ndim == 2 and dtype.is_floating else min(leaf.ndim, 2)
    return tf.TensorSpec([None] * unknown + list(leaf.shape)[unknown:], dtype)


def _filled_up(leaf: tf.Tensor, count: int, replicas: int) -> tf.Tensor:
    """Rows, one or several for each of `count`, with rows of zeros so that the replicas have equally many."""
    free = -count % replicas * (leaf.shape[0] // count)
    return tf.pad(leaf, [[0, free], *[[0, 0]] * (leaf.ndim - 1)]) if free else leaf


def _share(leaf: tf.Tensor) -> tf.Tensor:
    """This replica's rows."""
    context = replica()
    size = (leaf.shape[0] or tf.shape(leaf)[0]) // context.num_replicas_in_sync
    start = tf.cast(context.replica_id_in_sync_group, tf.int32) * size
    rest = tf.shape(leaf)[1:]
    shape = [size if isinstance(size, int) else None, *leaf.shape[1:]]
    zeros = tf.zeros_like(rest)
    rows = tf.slice(leaf, tf.concat([[start], zeros], 0), tf.concat([[size], rest], 0))
    return tf.ensure_shape(rows, shape)


def _gathered(leaf: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, in their order."""
    if leaf.dtype == tf.bool:
        return tf.cast(_gathered(tf.cast(leaf, tf.int32)), tf.bool)
    if 0 in leaf.shape[1:]:  # gathering rows without numbers, TensorFlow ends the process
        return tf.zeros([total(tf.shape(leaf)[0]), *leaf.shape[1:]], leaf.dtype)
    return replica().all_gather(leaf, axis=0)
