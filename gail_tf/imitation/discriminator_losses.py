"""Losses of discriminators of responses: the binary one of Eq. 6, and TextGAIL's contrastive one.

The sign convention is that of `rewards.py`: a discriminator gives an `expert_logit`, high for the expert's. Eq. 6's D,
high for the policy's, is sigmoid(-expert_logit).

Shapes: B samples, F = feature_size, T tokens.
"""

import tensorflow as tf

from keras_gca.engine import random, replicas
from keras_gca.engine.masked import masked_mean
from keras_gca.errors import UserError

# Losses


def binary_loss(
    expert_logits: tf.Tensor,
    generated_logits: tf.Tensor,
    expert_mask: tf.Tensor | None = None,
    generated_mask: tf.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> tf.Tensor:
    """The negative of what Eq. 6 maximises, a scalar: -mean log(1 - D) over experts - mean log D over generated.

    expert_logits, generated_logits: the expert logits of the two kinds of samples, (B,), or (B, T) of tokens. The
    masks, of the same shapes, say which count; None: all. At chance the loss is 2 log 2.

    label_smoothing: experts get the label 1 - label_smoothing (one-sided, Salimans et al. 2016), so that D is never
    wholly sure of them. Raises UserError unless it is from 0 to below 0.5.
    """
    if not 0 <= label_smoothing < 0.5:
        raise UserError(f"label smoothing of {label_smoothing}; from 0 to below 0.5 is expected")
    expert, generated = tf.cast(expert_logits, tf.float32), tf.cast(generated_logits, tf.float32)
    expert_loss = tf.math.softplus(-expert) + label_smoothing * expert  # cross-entropy with that label
    return _mean(expert_loss, expert_mask) + _mean(tf.math.softplus(generated), generated_mask)


def contrastive_loss(human_scores: tf.Tensor, generated_scores: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """TextGAIL's: the mean of -log softmax of the human response's score, beside that of the generated one; a scalar.

    Both scores are (B,), of two responses to the same prompt; mask, (B,), leaves out pairs whose second response is a
    human demonstration. At chance the loss is log 2.
    """
    difference = tf.cast(human_scores, tf.float32) - tf.cast(generated_scores, tf.float32)
    return _mean(tf.math.softplus(-difference), mask)


def with_instance_noise(
    features: tf.Tensor, scale: float, seeds: tf.Tensor, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """features plus Gaussian noise of scale times each feature's standard deviation in the batch; float32.

    features: (B, F), or (B, T, F).

    Noise on what D sees of both kinds keeps their distributions overlapping (Arjovsky and Bottou 2017). Experts and
    generated samples belong in one call, so that both get the same. seeds: (B, 2) int32 (`noise.sample_seeds`); the
    same seed, the same noise. mask: (B,) or (B, T) bool, which samples or tokens count; None: all.
    """
    features = tf.cast(features, tf.float32)
    counted = tf.ones(tf.shape(features)[:-1], bool) if mask is None else mask
    rows, number = tf.boolean_mask(features, counted), tf.math.count_nonzero(counted, dtype=tf.float32)
    number = replicas.total(number)
    mean = replicas.total(tf.reduce_sum(rows, 0)) / number
    deviation = tf.sqrt(replicas.total(tf.reduce_sum(tf.square(rows - mean), 0)) / number)
    return features + scale * deviation * random.normal(seeds, 0, tf.shape(features)[1:])


# What to log


def accuracy(logits: tf.Tensor, expert: bool, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The share of samples, all of them the expert's or none, that D recognises; a scalar.

    At a logit of 0 D says expert's.
    """
    return _mean(tf.cast(tf.equal(logits >= 0, expert), tf.float32), mask)


def entropy(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The mean entropy of D's answer, in nats, a scalar: log 2 where it guesses, near 0 where it is sure."""
    logits = tf.cast(logits, tf.float32)
    return _mean(tf.math.softplus(logits) - logits * tf.sigmoid(logits), mask)


def _mean(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return replicas.mean(values) if mask is None else masked_mean(values, mask)
