"""Keeps both papers' discriminators from being overconfident: label smoothing, instance noise and spectral norms."""

import numpy as np
import tensorflow as tf

from keras_gca.engine import replicas
from keras_gca.errors import UserError

POWER_STEPS = 30  # steps of the power iteration; a kernel's largest singular value is found to within about 1 %


def with_smoothed_labels(losses: tf.Tensor, logits: tf.Tensor, label_smoothing: float) -> tf.Tensor:
    """Convert cross-entropies for the label 1 to cross-entropies for the label 1 - label_smoothing.

    Only human samples get smoothed labels. The labels of generated samples stay 0 (one-sided smoothing, Salimans et al.
    2016). This keeps the discriminator from becoming completely sure about human samples.

    Args:
        losses: The cross-entropies of human samples, softplus(-logit), of any shape.
        logits: The logits of these samples, of the same shape. High logits mean human. Where the logit is 0, the loss
            does not change.
        label_smoothing: The difference between 1 and the smoothed label.

    Returns:
        The cross-entropies with the smoothed label, of the same shape.

    Raises:
        UserError: `label_smoothing` is negative, or at least 0.5.
    """
    if not 0 <= label_smoothing < 0.5:
        raise UserError(f"the label smoothing is {label_smoothing}; a number from 0 to below 0.5 is expected")
    return losses + label_smoothing * logits


def with_proportional_noise(
    features: tf.Tensor, scale: float, drawn: tf.Tensor, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """Add Gaussian noise to features, in proportion to each feature's standard deviation in the batch.

    With this instance noise in D's input, the distributions of human and generated samples overlap, so D cannot
    separate them completely (Arjovsky and Bottou 2017). Pass both kinds of samples in one call, so that both get noise
    on the same scale.

    Args:
        features: The features, of shape (B, F), or (B, T, F) for tokens.
        scale: The standard deviation of the noise, in units of each feature's standard deviation.
        drawn: Numbers from the standard normal distribution, of the same shape as the features.
        mask: The samples or tokens from which the standard deviation is computed, a Boolean array of shape (B,) or
            (B, T), or None to use all of them.

    Returns:
        The noisy features, float32, of the same shape as the features.
    """
    features = tf.cast(features, tf.float32)
    counted = tf.ones(tf.shape(features)[:-1], bool) if mask is None else mask
    rows, number = tf.boolean_mask(features, counted), tf.math.count_nonzero(counted, dtype=tf.float32)
    number = replicas.total(number)
    mean = replicas.total(tf.reduce_sum(rows, 0)) / number
    variance = replicas.total(tf.reduce_sum(tf.square(rows - mean), 0)) / number
    # The gradient of the root at 0, for example for a single sample, would be infinite.
    deviation = tf.where(variance > 0, tf.sqrt(tf.where(variance > 0, variance, 1.0)), 0.0)
    return features + scale * deviation * drawn


def spectrally_normalised(kernel: tf.Tensor) -> tf.Tensor:
    """Divide a matrix by its largest singular value, if this value exceeds 1 (Miyato et al. 2018).

    The singular value is computed by a power iteration that always starts from the same vector, so the result depends
    only on the matrix, and nothing is stored between steps.

    Args:
        kernel: The matrix, a float32 array of shape (n, m).

    Returns:
        A matrix of the same shape and dtype whose largest singular value is at most about 1.
    """
    first = np.random.default_rng(0).normal(size=(kernel.shape[1], 1)).astype(np.float32)
    vector = tf.constant(first / np.linalg.norm(first))
    for _ in range(POWER_STEPS):
        vector = tf.math.l2_normalize(tf.matmul(kernel, kernel @ vector, transpose_a=True))
    return kernel / tf.maximum(tf.norm(kernel @ vector), 1.0)
