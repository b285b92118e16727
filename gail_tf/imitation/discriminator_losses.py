"""The losses of the discriminator: the binary loss of Eq. 6, and TextGAIL's contrastive loss.

The sign convention is that of `rewards.py`: the discriminator outputs an `expert_logit`, which is high for the experts'
responses. In contrast, D of Eq. 6 is high for the policy's responses: D = sigmoid(-expert_logit).

Shapes: B samples (responses), T tokens, F features.
"""

import math

import numpy as np
import tensorflow as tf

from keras_gca.engine import random, replicas
from keras_gca.engine.masked import masked_mean
from keras_gca.engine.regularisation import with_proportional_noise, with_smoothed_labels

# Losses


def binary_loss(
    expert_logits: tf.Tensor,
    generated_logits: tf.Tensor,
    expert_mask: tf.Tensor | None = None,
    generated_mask: tf.Tensor | None = None,
    label_smoothing: float = 0.0,
) -> tf.Tensor:
    """Compute the negative of the objective in Eq. 6. It is 2 log 2 if D only guesses.

        loss = -mean over experts of log(1 - D) - mean over generated of log D

    Args:
        expert_logits: The expert logits of the experts' samples, shape (B,), or (B, T) if D judges tokens.
        generated_logits: The expert logits of the generated samples, with the same shape.
        expert_mask: A bool or float mask of the experts' samples to include, with the same shape. If None, all are
            included.
        generated_mask: A mask of the generated samples to include. If None, all are included.
        label_smoothing: The experts' samples have the label 1 - label_smoothing, which keeps D from becoming entirely
            certain about these samples. The labels of generated samples remain 0 (one-sided smoothing, Salimans et al.
            2016).

    Returns:
        The loss, a float32 scalar.

    Raises:
        UserError: label_smoothing is negative, or at least 0.5.
    """
    expert, generated = tf.cast(expert_logits, tf.float32), tf.cast(generated_logits, tf.float32)
    expert_loss = with_smoothed_labels(tf.math.softplus(-expert), expert, label_smoothing)
    return _mean(expert_loss, expert_mask) + _mean(tf.math.softplus(generated), generated_mask)


def contrastive_loss(human_scores: tf.Tensor, generated_scores: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Compute TextGAIL's loss, which compares two responses to the same prompt. It is log 2 if D only guesses.

        loss = -mean log(exp(h) / (exp(h) + exp(g)))  for the scores h (human) and g (generated)

    Args:
        human_scores: The scores of the human responses, shape (B,).
        generated_scores: The scores of the generated responses to the same prompts, shape (B,).
        mask: A mask of the pairs to include, shape (B,). It excludes, for example, empty rows at the end of a batch. If
            None, all pairs are included.

    Returns:
        The loss, a float32 scalar.
    """
    difference = tf.cast(human_scores, tf.float32) - tf.cast(generated_scores, tf.float32)
    return _mean(tf.math.softplus(-difference), mask)


def with_instance_noise(
    features: tf.Tensor, scale: float, seeds: tf.Tensor, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """Add instance noise to features; see `regularisation.with_proportional_noise`.

    Args:
        features: The features, shape (B, F), or (B, T, F) for tokens.
        scale: The standard deviation of the noise, as a multiple of each feature's standard deviation.
        seeds: A seed for each sample, shape (B, 2) and dtype int32 (`random.sample_seeds`). Equal seeds give equal
            noise.
        mask: A bool mask of shape (B,) or (B, T) of the samples or tokens from which the standard deviation is
            computed. If None, all are used.

    Returns:
        The noisy features, with the same shape and dtype float32.
    """
    return with_proportional_noise(features, scale, random.normal(seeds, 0, tf.shape(features)[1:]), mask)


# Metrics to log


def accuracy(logits: tf.Tensor, expert: bool, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Compute the share of samples that D classifies correctly.

    Args:
        logits: Expert logits, shape (B,) or (B, T). D classifies a sample as an expert's if its logit is at least 0.
        expert: Whether all samples come from experts. If False, all are generated.
        mask: A mask of the samples to include, with the same shape. If None, all samples are included.

    Returns:
        The share, a float32 scalar.
    """
    return _mean(tf.cast(tf.equal(logits >= 0, expert), tf.float32), mask)


def entropy(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """Compute the mean entropy of D's decisions in nats: log 2 if D only guesses, near 0 if D is certain.

    Args:
        logits: Expert logits, shape (B,) or (B, T).
        mask: A mask of the samples to include, with the same shape. If None, all samples are included.

    Returns:
        The entropy, a float32 scalar.
    """
    logits = tf.cast(logits, tf.float32)
    return _mean(tf.math.softplus(logits) - logits * tf.sigmoid(logits), mask)


def auc(expert: np.ndarray, generated: np.ndarray) -> float:
    """Compute the probability that an expert's sample has a higher logit than a generated one. A tie counts as half.

    This is the area under the ROC curve: 0.5 if D only guesses, and 1 if a threshold separates the two kinds of
    samples. Unlike the accuracy, the area does not depend on D's decision threshold.

    Args:
        expert: The logits of the experts' samples, shape (n,).
        generated: The logits of the generated samples, shape (m,).

    Returns:
        The probability over all pairs, or NaN if there are no pairs.
    """
    if not len(expert) or not len(generated):
        return math.nan
    from scipy.stats import rankdata  # imported late, because it is slow and a chat does not need it

    ranks = rankdata(np.concatenate([expert, generated]))[: len(expert)]
    return float((ranks.sum() - len(expert) * (len(expert) + 1) / 2) / (len(expert) * len(generated)))


def _mean(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return replicas.mean(values) if mask is None else masked_mean(values, mask)
