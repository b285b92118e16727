"""Token positions in padded sequences, and the causal attention mask.

Shapes: B sequences, T tokens.
"""

import tensorflow as tf


def positions_of(mask: tf.Tensor) -> tf.Tensor:
    """Count the tokens before each position of a mask of shape (B, T), as int32. Padding on the left gets 0."""
    return tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)


def causal_mask(mask: tf.Tensor) -> tf.Tensor:
    """Make the causal attention mask, of shape (B, T, T), from a bool mask of shape (B, T).

    Each token attends to itself and the tokens before it.
    """
    places = tf.range(tf.shape(mask)[1])
    return (places[None, :, None] >= places) & mask[:, None]
