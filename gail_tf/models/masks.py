"""The positions of tokens in padded sequences, and the mask of causal attention.

Shapes: B sequences, T tokens.
"""

import tensorflow as tf


def positions_of(mask: tf.Tensor) -> tf.Tensor:
    """Count the tokens before each token: (B, T) bool -> (B, T) int32. Padding on the left gets 0."""
    return tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)


def causal_mask(mask: tf.Tensor) -> tf.Tensor:
    """Make the mask by which each token attends to itself and the tokens before it: (B, T) bool -> (B, T, T) bool."""
    places = tf.range(tf.shape(mask)[1])
    return (places[None, :, None] >= places) & mask[:, None]
