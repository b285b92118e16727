"""The losses of the discriminator: the binary loss of Eq. 6, and TextGAIL's contrastive loss.

The sign convention is the same as in `rewards.py`: the discriminator outputs an `expert_logit`, which is high for the
experts' responses. The D of Eq. 6 is instead high for the policy's responses: D = sigmoid(-expert_logit).

Shapes: B samples (responses), T tokens, F features.
"""

import math

import numpy as np
import tensorflow as tf
from scipy.stats import rankdata

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
    """The negative of the objective that Eq. 6 maximises. It is 2 log 2 if D only guesses.

        loss = -mean over experts of log(1 - D) - mean over generated of log D

    Args:
        expert_logits: The expert logits of the experts' samples, (B,), or (B, T) if D judges tokens.
        generated_logits: The expert logits of the generated samples, of the same shape.
        expert_mask: Which of the experts' samples count, bool or float of the same shape. If None, all samples count.
        generated_mask: Which of the generated samples count. If None, all samples count.
        label_smoothing: The experts' samples get the label 1 - label_smoothing, so that D never becomes entirely
            certain about them. The labels of generated samples stay 0 (one-sided smoothing, Salimans et al. 2016).

    Returns:
        The loss, a float32 scalar.

    Raises:
        UserError: label_smoothing is negative, or it is 0.5 or more.
    """
    expert, generated = tf.cast(expert_logits, tf.float32), tf.cast(generated_logits, tf.float32)
    expert_loss = with_smoothed_labels(tf.math.softplus(-expert), expert, label_smoothing)
    return _mean(expert_loss, expert_mask) + _mean(tf.math.softplus(generated), generated_mask)


def contrastive_loss(human_scores: tf.Tensor, generated_scores: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """TextGAIL's loss, which compares two responses to the same prompt. It is log 2 if D only guesses.

        loss = -mean log(exp(h) / (exp(h) + exp(g)))  for the scores h (human) and g (generated)

    Args:
        human_scores: (B,), the scores of the human responses.
        generated_scores: (B,), the scores of the generated responses to the same prompts.
        mask: (B,), false for pairs that do not count, for example empty rows at the end of a batch. If None, all pairs
            count.

    Returns:
        The loss, a float32 scalar.
    """
    difference = tf.cast(human_scores, tf.float32) - tf.cast(generated_scores, tf.float32)
    return _mean(tf.math.softplus(-difference), mask)


def with_instance_noise(
    features: tf.Tensor, scale: float, seeds: tf.Tensor, mask: tf.Tensor | None = None
) -> tf.Tensor:
    """Add instance noise to features (`regularisation.with_proportional_noise`).

    Args:
        features: (B, F), or (B, T, F) for tokens.
        scale: The standard deviation of the noise, in units of each feature's standard deviation.
        seeds: (B, 2) int32 (`random.sample_seeds`); the same seed gives the same noise.
        mask: (B,) or (B, T) bool, true for those samples or tokens from which the standard deviation is computed; None
            for all of them.

    Returns:
        The noisy features, float32, of the same shape.
    """
    return with_proportional_noise(features, scale, random.normal(seeds, 0, tf.shape(features)[1:]), mask)


# Metrics to log


def accuracy(logits: tf.Tensor, expert: bool, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The share of samples that D classifies correctly.

    Args:
        logits: Expert logits, (B,) or (B, T). If a logit is at least 0, D classifies the sample as an expert's.
        expert: True if all samples come from experts, false if all are generated.
        mask: Which samples count, of the same shape. If None, all samples count.

    Returns:
        The share, a float32 scalar.
    """
    return _mean(tf.cast(tf.equal(logits >= 0, expert), tf.float32), mask)


def entropy(logits: tf.Tensor, mask: tf.Tensor | None = None) -> tf.Tensor:
    """The mean entropy of D's decisions in nats. It is log 2 if D only guesses, and near 0 if D is certain.

    Args:
        logits: Expert logits, (B,) or (B, T).
        mask: Which samples count, of the same shape. If None, all samples count.

    Returns:
        The entropy, a float32 scalar.
    """
    logits = tf.cast(logits, tf.float32)
    return _mean(tf.math.softplus(logits) - logits * tf.sigmoid(logits), mask)


def auc(expert: np.ndarray, generated: np.ndarray) -> float:
    """The probability that an expert's sample has a higher logit than a generated sample; a tie counts half.

    It is the area under the ROC curve: 0.5 if D only guesses, and 1 if some threshold separates both kinds of samples.
    Unlike the accuracy, it does not depend on D's decision threshold.

    Args:
        expert: (n,), the logits of the experts' samples.
        generated: (m,), the logits of the generated samples.

    Returns:
        The probability over all pairs; NaN if there are no pairs.
    """
    if not len(expert) or not len(generated):
        return math.nan
    ranks = rankdata(np.concatenate([expert, generated]))[: len(expert)]
    return float((ranks.sum() - len(expert) * (len(expert) + 1) / 2) / (len(expert) * len(generated)))


def _mean(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    return replicas.mean(values) if mask is None else masked_mean(values, mask)
