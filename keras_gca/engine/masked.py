"""Sums and means over masked values.

A mask is a Boolean or float tensor with the same shape as the values. The values where the mask is True or 1 are
selected. All other values are ignored, and may be anything, including NaN and infinity.

Inside a step with several replicas, a mean over all axes is this replica's part of the mean (see `replicas`).
"""

import tensorflow as tf

from keras_gca.engine import replicas


def masked(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Replace the values that the mask does not select with 0.

    Args:
        values: Values of any shape and float dtype.
        mask: The mask, which has the same shape.

    Returns:
        The values as float32.

    Raises:
        ValueError: The shapes differ.
    """
    values, mask = tf.convert_to_tensor(values), tf.convert_to_tensor(mask)
    if not values.shape.is_compatible_with(mask.shape):
        raise ValueError(
            f"the values have the shape {values.shape}, but the mask has the shape {mask.shape}; equal "
            "shapes are expected"
        )
    return tf.where(tf.cast(mask, tf.bool), tf.cast(values, tf.float32), 0.0)


def masked_sum(values: tf.Tensor, mask: tf.Tensor, axis: int | None = None) -> tf.Tensor:
    """Sum the selected values along `axis`, or along all axes if `axis` is None. The result is float32."""
    return tf.reduce_sum(masked(values, mask), axis)


def masked_mean(values: tf.Tensor, mask: tf.Tensor, axis: int | None = None) -> tf.Tensor:
    """Average the selected values along `axis`, or along all axes if `axis` is None. The mean of no values is 0."""
    counted = tf.reduce_sum(tf.cast(mask, tf.float32), axis)
    return tf.math.divide_no_nan(masked_sum(values, mask, axis), replicas.total(counted) if axis is None else counted)
