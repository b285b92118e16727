"""How functions of batches are compiled, and how replicas share them."""

import inspect
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gca.engine.replicas import total


class Compiled:
    """A function of batches as a graph: one for batches of all sizes and widths.

    A graph takes seconds to make, and on CPUs one that does not know the widths is as fast. It is the same whatever
    batch comes first, so that a resumed training computes the same bits. XLA wants static shapes: with jit_compile
    there is a graph for each.

    The function takes arrays in any structure, and may take plain values: each combination of those has its own graph.
    It is kept under a name that shows it: `self.compiled_draw = Compiled(self.draw)`, so that a reader of the call
    finds what is called.

    Under a strategy of several replicas (see `replicas`) each replica receives a slice of the rows of every array
    except those named in `replicated`. What the function returns is one row for each of the batch, a scalar, of
    which each replica has its part, or None; every process gets all rows, and the sums of the parts. Batches are
    filled up with rows of zeros to a multiple of the replicas.

    Args:
        function: What is compiled.
        jit_compile: Whether it is an XLA program.
        replicated: Names of the arguments that every replica receives whole.
        distribute: Whether the replicas share the work; without it each process calls the function with the whole
            batch.
        arguments_of: The function whose signature names the arguments, where `function` itself takes `*batch`.

    Raises:
        ValueError: `replicated` names something that is not an argument.
    """

    def __init__(
        self,
        function: Callable,
        jit_compile: bool = False,
        replicated: Collection[str] = (),
        distribute: bool = True,
        arguments_of: Callable | None = None,
    ):
        self.function = tf.function(function, autograph=False, jit_compile=True) if jit_compile else function
        self._static, self._distribute = jit_compile, distribute
        names = inspect.signature(arguments_of or function).parameters
        if unknown := set(replicated) - set(names):
            raise ValueError(f"no arguments of the function: {', '.join(unknown)}")
        self._replicated = {number for number, name in enumerate(names) if name in replicated}
        self.graph = self.function if jit_compile else tf.function(function, autograph=False)
        self.graph_on_replicas = tf.function(self.run_on_replicas, autograph=False)

    def __call__(self, *arguments: Any) -> Any:
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        if replicas == 1 or not self._distribute:
            return self._call(self.graph, arguments)
        count = min(leaf.shape[0] for leaf in self._rows(arguments))
        filled = self._map_rows(lambda leaf: _filled_up(leaf, count, replicas), arguments)
        size = -(-count // replicas) * replicas
        results = self._call(self.graph_on_replicas, filled)
        return _map_tensors(lambda leaf: leaf[: leaf.shape[0] * count // size] if leaf.ndim else leaf, results)

    @property
    def traces(self) -> int:
        """How many graphs there are."""
        return sum(graph.experimental_get_tracing_count() for graph in {self.graph, self.graph_on_replicas})

    def _call(self, graph: Any, arguments: tuple) -> Any:
        if not self._static:  # the call below takes this graph, since it has none that fits better
            graph.get_concrete_function(*tf.nest.map_structure(_of_any_size, arguments))
        return graph(*arguments)

    def _map_rows(self, change: Callable[[Any], Any], arguments: tuple) -> tuple:
        """Arguments with all arrays changed whose rows the replicas share."""

        def changed(leaf: Any) -> Any:
            return change(leaf) if _is_array(leaf) and leaf.shape.rank != 0 else leaf

        arguments = tf.nest.map_structure(
            lambda leaf: tf.convert_to_tensor(leaf) if _is_array(leaf) else leaf, arguments
        )
        return tuple(
            argument if number in self._replicated else tf.nest.map_structure(changed, argument)
            for number, argument in enumerate(arguments)
        )

    def _rows(self, arguments: tuple) -> list[tf.Tensor]:
        """The arrays whose rows the replicas share."""
        arrays: list[tf.Tensor] = []
        self._map_rows(arrays.append, arguments)
        return arrays

    def run_on_replicas(self, *arguments: Any) -> Any:
        """Run the function on all replicas, each with its rows. For use in a graph."""
        strategy = tf.distribute.get_strategy()
        results = strategy.run(lambda: self._run_share(arguments))
        return tf.nest.map_structure(lambda leaf: strategy.experimental_local_results(leaf)[0], results)

    def _run_share(self, arguments: tuple) -> Any:
        """Run the function on this replica's rows; the result is that of all replicas."""
        results = self.function(*self._map_rows(_share, arguments))
        return _map_tensors(lambda leaf: _gathered(leaf) if leaf.shape.rank else total(leaf), results)


def _map_tensors(change: Callable[[tf.Tensor], tf.Tensor], results: Any) -> Any:
    """Change all tensors that a function has returned; None stays None."""
    return tf.nest.map_structure(lambda leaf: None if leaf is None else change(leaf), results)


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
    """This replica's rows. For use inside a step of several replicas."""
    context = tf.distribute.get_replica_context()
    size = (leaf.shape[0] or tf.shape(leaf)[0]) // context.num_replicas_in_sync
    start = tf.cast(context.replica_id_in_sync_group, tf.int32) * size
    rest = tf.shape(leaf)[1:]
    shape = [size if isinstance(size, int) else None, *leaf.shape[1:]]
    zeros = tf.zeros_like(rest)
    rows = tf.slice(leaf, tf.concat([[start], zeros], 0), tf.concat([[size], rest], 0))
    return tf.ensure_shape(rows, shape)


def _gathered(leaf: tf.Tensor) -> tf.Tensor:
    """The rows of all replicas, in their order. For use inside a step of several replicas."""
    if leaf.dtype == tf.bool:
        return tf.cast(_gathered(tf.cast(leaf, tf.int32)), tf.bool)
    if 0 in leaf.shape[1:]:  # gathering rows without numbers, TensorFlow ends the process
        return tf.zeros([total(tf.shape(leaf)[0]), *leaf.shape[1:]], leaf.dtype)
    return tf.distribute.get_replica_context().all_gather(leaf, axis=0)
