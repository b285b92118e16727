"""Sums, means and rows over the replicas of a step.

Every replica has all weights and reads its share of each batch's rows, which `compiled.Compiled` gives it. A loss is
divided by what the whole batch counts, and noise is drawn by a row's number in the whole batch: so 1, 2 and 4 replicas
learn the same weights, up to float32's rounding. Gradients are summed over the replicas, then clipped, then applied.

Inside a step a replica has its *part* of a sum or of a mean: the parts of all replicas add up to it. With one replica
the part is the whole, and nothing here adds an operation to a graph.
"""

from typing import NamedTuple, TypeVar

import tensorflow as tf

Tensors = TypeVar("Tensors")  # any structure of tensors

# Inside a step


def replica() -> tf.distribute.ReplicaContext | None:
    """The replica whose step this is; None outside of one, and where there is only one."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def total(parts: Tensors) -> Tensors:
    """The sums over all replicas of their parts, in any structure of tensors."""
    context = replica()
    return parts if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, parts)


def part(value: tf.Tensor) -> tf.Tensor:
    """This replica's part of a value that every replica has found whole."""
    context = replica()
    return value if context is None else value / context.num_replicas_in_sync


def mean(values: tf.Tensor) -> tf.Tensor:
    """The part of the mean over the values of all replicas."""
    if replica() is None:
        return tf.reduce_mean(values)
    return tf.reduce_sum(values) / total(tf.cast(tf.size(values), values.dtype))


class Place(NamedTuple):
    """Where a replica's rows stand among those of all: how many are its own, before them, and in all; () int32."""

    own: tf.Tensor
    before: tf.Tensor
    all: tf.Tensor


def place(count: tf.Tensor) -> Place:
    """The place of `count` rows of this replica. Not for use inside a loop."""
    context = replica()
    if context is None:
        return Place(count, tf.zeros_like(count), count)
    numbers = tf.range(context.num_replicas_in_sync)
    counts = total(tf.where(numbers == context.replica_id_in_sync_group, count, 0))
    before = tf.where(numbers < context.replica_id_in_sync_group, counts, 0)
    return Place(count, tf.reduce_sum(before), tf.reduce_sum(counts))
