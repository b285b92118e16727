"""Compiles functions that take batches, and distributes batches over replicas."""

import inspect
import weakref
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry  # it has no public name

from keras_gca.engine.replicas import total

# TensorFlow keeps the gradient of each operation with `tf.custom_gradient` in a graph under a name of its own, for as
# long as the process lives, and with it the graph and the variables. See `Compiled._call`.
_GRADIENTS: dict[str, Any] = gradient_registry._registry


class Compiled:
    """A function that takes batches, compiled as one graph for batches of all sizes and widths.

    Building a graph takes seconds. On CPUs, one graph for all widths is as fast as a separate graph for each width. The
    graph does not depend on the first batch, so a resumed training run gives exactly the same results as an
    uninterrupted one. If `jit_compile` is true, each shape has its own graph, because XLA requires static shapes.

    The function takes arrays in any structure, and may also take plain values. Each combination of plain values has its
    own graph. Name the compiled form after the function, as in `self.compiled_draw = Compiled(self.draw)`, so that
    readers of a call can find the function.

    A replica is a copy of the model that computes a share of each batch (see `replicas`). With several replicas, each
    receives a slice of the rows of every array, except arrays named in `replicated`. Batches are padded with rows of
    zeros to a multiple of the number of replicas.

    Each output of the function must be None, a scalar, or an array with one row for each row of the batch. A replica's
    scalar is its part of a sum. The rows of all replicas are concatenated, their scalars are added up, and every
    process gets the complete result.

    Args:
        function: The function to compile.
        jit_compile: Whether to compile the function with XLA.
        replicated: The names of the arguments that every replica receives in full.
        per_token: The names of the arguments that are float arrays of shape (B, T) with a value for each token, so that
            T differs between batches. Other float arrays of two dimensions must always have the same width, because
            their columns are features.
        distribute: Whether the replicas share the work. If False, each process calls the function with the complete
            batch.
        arguments_of: The function whose signature names the arguments, if `function` itself takes `*batch`. If None,
            the signature of `function` is used.

    Raises:
        ValueError: A name in `replicated` or `per_token` is not the name of an argument.
    """

    def __init__(
        self,
        function: Callable,
        jit_compile: bool = False,
        replicated: Collection[str] = (),
        per_token: Collection[str] = (),
        distribute: bool = True,
        arguments_of: Callable | None = None,
    ):
        self.function = tf.function(function, autograph=False, jit_compile=True) if jit_compile else function
        self._static, self._distribute = jit_compile, distribute
        names = inspect.signature(arguments_of or function).parameters
        if unknown := {*replicated, *per_token} - set(names):
            raise ValueError(f"the function does not have these arguments: {', '.join(sorted(unknown))}")
        self._replicated = {number for number, name in enumerate(names) if name in replicated}
        self._per_token = {number for number, name in enumerate(names) if name in per_token}
        self.graph = self.function if jit_compile else tf.function(function, autograph=False)
        self.graph_on_replicas = tf.function(self.run_on_replicas, autograph=False)

    def __call__(self, *arguments: Any) -> Any:
        """Call the function with a batch, on one replica or on all replicas."""
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
        """The number of graphs that have been built."""
        return sum(graph.experimental_get_tracing_count() for graph in {self.graph, self.graph_on_replicas})

    def _call(self, graph: Any, arguments: tuple) -> Any:
        """Call a graph, and let the gradients that are registered while it is built be forgotten with this object."""
        known = len(_GRADIENTS)
        results = self._traced(graph, arguments)
        if len(_GRADIENTS) > known:
            weakref.finalize(self, _forget, list(_GRADIENTS)[known:]).atexit = False
        return results

    def _traced(self, graph: Any, arguments: tuple) -> Any:
        if not self._static:  # build one graph for all sizes; the call below uses it
            specs = (
                tf.nest.map_structure(partial(_of_any_size, per_token=number in self._per_token), argument)
                for number, argument in enumerate(arguments)
            )
            graph.get_concrete_function(*specs)
        return graph(*arguments)

    def _map_rows(self, change: Callable[[Any], Any], arguments: tuple) -> tuple:
        """Apply a function to those arrays in the arguments whose rows are distributed over the replicas."""

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
        """Return the arrays whose rows are distributed over the replicas."""
        arrays: list[tf.Tensor] = []
        self._map_rows(arrays.append, arguments)
        return arrays

    def run_on_replicas(self, *arguments: Any) -> Any:
        """Run the function on all replicas, each with its own rows. Call this method only inside a graph."""
        strategy = tf.distribute.get_strategy()
        results = strategy.run(lambda: self._run_share(arguments))
        return tf.nest.map_structure(lambda leaf: strategy.experimental_local_results(leaf)[0], results)

    def _run_share(self, arguments: tuple) -> Any:
        """Run the function on this replica's rows, and combine the results of all replicas."""
        results = self.function(*self._map_rows(_share, arguments))
        return _map_tensors(lambda leaf: _gathered(leaf) if leaf.shape.rank else total(leaf), results)


def _forget(names: list[str]) -> None:
    """Remove gradients from TensorFlow's registry."""
    for name in names:
        _GRADIENTS.pop(name, None)


def _map_tensors(change: Callable[[tf.Tensor], tf.Tensor], results: Any) -> Any:
    """Apply a function to all tensors in the results, and leave None unchanged."""
    return tf.nest.map_structure(lambda leaf: None if leaf is None else change(leaf), results)


def _is_array(leaf: Any) -> bool:
    return isinstance(leaf, np.ndarray | np.generic | tf.Tensor)


def _of_any_size(leaf: Any, per_token: bool) -> Any:
    """Return the spec of an array of shape (B, ...), (B, T) or (B, T, F), with any number of rows B and tokens T.

    Without `per_token`, the second dimension of a two-dimensional float array stays fixed, because it is the number of
    features, as in (B, F). A plain value is returned unchanged.
    """
    if not _is_array(leaf):
        return leaf
    dtype = tf.as_dtype(leaf.dtype)
    features = leaf.ndim == 2 and dtype.is_floating and not per_token
    unknown = 1 if features else min(leaf.ndim, 2)
    return tf.TensorSpec([None] * unknown + list(leaf.shape)[unknown:], dtype)


def _filled_up(leaf: tf.Tensor, count: int, replicas: int) -> tf.Tensor:
    """Append rows of zeros so that all replicas get the same number of rows.

    The batch has `count` samples, and the array has the same number of rows (at least one) for each sample.
    """
    free = -count % replicas * (leaf.shape[0] // count)
    return tf.pad(leaf, [[0, free], *[[0, 0]] * (leaf.ndim - 1)]) if free else leaf


def _share(leaf: tf.Tensor) -> tf.Tensor:
    """Return this replica's rows. Call this function only inside a step with several replicas."""
    context = tf.distribute.get_replica_context()
    size = (leaf.shape[0] or tf.shape(leaf)[0]) // context.num_replicas_in_sync
    start = tf.cast(context.replica_id_in_sync_group, tf.int32) * size
    rest = tf.shape(leaf)[1:]
    shape = [size if isinstance(size, int) else None, *leaf.shape[1:]]
    zeros = tf.zeros_like(rest)
    rows = tf.slice(leaf, tf.concat([[start], zeros], 0), tf.concat([[size], rest], 0))
    return tf.ensure_shape(rows, shape)


def _gathered(leaf: tf.Tensor) -> tf.Tensor:
    """Return the rows of all replicas in order. Call this function only inside a step with several replicas."""
    if leaf.dtype == tf.bool:
        return tf.cast(_gathered(tf.cast(leaf, tf.int32)), tf.bool)
    if 0 in leaf.shape[1:]:  # TensorFlow aborts the process when it gathers rows without values
        return tf.zeros([total(tf.shape(leaf)[0]), *leaf.shape[1:]], leaf.dtype)
    return tf.distribute.get_replica_context().all_gather(leaf, axis=0)
