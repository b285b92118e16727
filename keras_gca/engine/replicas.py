"""Sums, means and row positions over the replicas in a step.

A replica is a copy of the model on one device. It has all weights, and receives a slice of each batch's rows from
`compiled.Compiled`. A loss is divided by a count over the complete batch, and the noise of a row depends on the row's
index in the complete batch. Therefore training with 1, 2 or 4 replicas gives the same weights, up to float32 rounding.
Gradients are summed over the replicas, then clipped, then applied.

Inside a step, a replica holds only its *part* of a sum or mean. The parts of all replicas add up to the complete value.
With one replica, the part is the complete value, and these functions add no operations to a graph.
"""

from typing import NamedTuple, TypeVar

import tensorflow as tf

Tensors = TypeVar("Tensors")  # any structure of tensors

# Inside a step


def replica() -> tf.distribute.ReplicaContext | None:
    """Return the context of the current replica, or None outside a step or if there is only one replica."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def total(parts: Tensors) -> Tensors:
    """Sum the parts of all replicas, in any structure of tensors."""
    context = replica()
    return parts if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, parts)


def part(value: tf.Tensor) -> tf.Tensor:
    """Return this replica's part of a value that every replica has: the value divided by the number of replicas."""
    context = replica()
    return value if context is None else value / context.num_replicas_in_sync


def mean(values: tf.Tensor) -> tf.Tensor:
    """Compute this replica's part of the mean over the values of all replicas."""
    if replica() is None:
        return tf.reduce_mean(values)
    return tf.reduce_sum(values) / total(tf.cast(tf.size(values), values.dtype))


class Place(NamedTuple):
    """The position of a replica's rows among the rows of all replicas.

    Attributes:
        own: The number of this replica's rows, an int32 scalar.
        before: The number of rows that precede this replica's rows, an int32 scalar.
        all: The number of rows of all replicas, an int32 scalar.
    """

    own: tf.Tensor
    before: tf.Tensor
    all: tf.Tensor


def place(count: tf.Tensor) -> Place:
    """Return the position of this replica's `count` rows. Do not call this function in a loop inside a graph."""
    context = replica()
    if context is None:
        return Place(count, tf.zeros_like(count), count)
    numbers = tf.range(context.num_replicas_in_sync)
    counts = total(tf.where(numbers == context.replica_id_in_sync_group, count, 0))
    before = tf.where(numbers < context.replica_id_in_sync_group, counts, 0)
    return Place(count, tf.reduce_sum(before), tf.reduce_sum(counts))
