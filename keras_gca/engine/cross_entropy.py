"""The categorical cross-entropy of logits and token indices, with a gradient that is fast on CPUs."""

from collections.abc import Callable

import tensorflow as tf


@tf.custom_gradient
def cross_entropies(logits: tf.Tensor, targets: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Compute -log softmax(logits) at the target of each row.

    The values and gradients are those of `tf.nn.sparse_softmax_cross_entropy_with_logits`, except for rounding. On a
    CPU, that function computes its exponentials one at a time; this one takes about half of its time.

    Args:
        logits: The logits, shape (R, n) and a floating-point dtype.
        targets: The index of the target of each row, shape (R,) and dtype int32 or int64.

    Returns:
        A tensor of shape (R,) with the dtype of the logits, in nats.
    """
    log_p = tf.nn.log_softmax(logits)
    places = tf.stack([tf.range(tf.size(targets, targets.dtype), dtype=targets.dtype), targets], 1)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return tf.tensor_scatter_nd_sub(tf.exp(log_p) * upstream[:, None], places, upstream), None

    return -tf.gather_nd(log_p, places), gradient
