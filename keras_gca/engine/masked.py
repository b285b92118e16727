"""Sums and means over what a mask counts.

A mask is bool or float (1 counts, 0 does not) and bears the shape of the values. What is not counted may hold anything,
NaN and infinity too.

A mean over everything is, inside a step of several replicas, this replica's part of the mean (see `replicas`).
"""

import tensorflow as tf

from keras_gca.engine import replicas


def masked(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """values, any float dtype, as float32, and 0 where they do not count. Raises ValueError on unequal shapes."""
    values, mask = tf.convert_to_tensor(values), tf.convert_to_tensor(mask)
    if not values.shape.is_compatible_with(mask.shape):
        raise ValueError(f"values of shape {values.shape} with a mask of shape {mask.shape}; equal shapes are expected")
    return tf.where(tf.cast(mask, tf.bool), tf.cast(values, tf.float32), 0.0)


def masked_sum(values: tf.Tensor, mask: tf.Tensor, axis: int | None = None) -> tf.Tensor:
    """The sum over what counts, float32."""
    return tf.reduce_sum(masked(values, mask), axis)


def masked_mean(values: tf.Tensor, mask: tf.Tensor, axis: int | None = None) -> tf.Tensor:
    """The mean over what counts, float32; 0 where nothing counts."""
    counted = tf.reduce_sum(tf.cast(mask, tf.float32), axis)
    return tf.math.divide_no_nan(masked_sum(values, mask, axis), replicas.total(counted) if axis is None else counted)
