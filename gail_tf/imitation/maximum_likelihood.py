"""Training of a policy on text by maximum likelihood, and measurement of its perplexity.

A condition is the text before a response, usually the history and the prompt. Shapes: B rows in a `Batch`; n responses.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from gail_tf.data.batches import Batch, take
from gail_tf.policies.base import LanguagePolicy
from keras_gca.engine import replicas
from keras_gca.engine.batching import plan
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.cross_entropy import cross_entropies
from keras_gca.engine.learner import AdamWLearner
from keras_gca.engine.random import sample_seeds


class MaximumLikelihood(AdamWLearner):
    """A learner that trains a policy to predict each token of a response from the condition and earlier tokens.

    Args:
        policy: The policy to train.
        learning_rate: The peak learning rate.
        **settings: Further arguments of `AdamWLearner`.
    """

    replicated = ("seed",)

    def __init__(self, policy: LanguagePolicy, learning_rate: float, **settings: Any):
        super().__init__(policy.trainable_variables, learning_rate, **settings)
        self.policy, self.perplexity = policy, Perplexity(policy)

    def loss(self, batch: Batch, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the mean of -log p(token | condition, previous tokens) over all tokens of the responses.

        Args:
            batch: Conditions and responses.
            rows: The index of each row in the batch, which determines the row's dropout, shape (B,) and dtype int32.
            seed: The seed for dropout, shape (2,) and dtype int32.

        Returns:
            The mean, and a pair of the summed negative log-likelihoods and the number of tokens.
        """
        losses = negative_log_likelihoods(self.policy, *batch, seeds=sample_seeds(seed, rows))
        return replicas.mean(losses), (tf.reduce_sum(losses), tf.size(losses))


class Perplexity:
    """A measurement of a policy's perplexity, without dropout.

    Args:
        policy: The policy to measure.
    """

    def __init__(self, policy: LanguagePolicy):
        self.policy = policy
        self.compiled_response_losses = Compiled(self.response_losses)

    def __call__(self, batch: Batch, size: int = 32) -> float:
        """Compute the perplexity of responses, including END, the token that ends a response.

            perplexity = exp(-sum log p(token) / number of tokens)

        Args:
            batch: Conditions and responses.
            size: The number of responses to read at a time.

        Returns:
            The perplexity.
        """
        return float(np.exp(self.losses(batch, size).sum() / batch.response_mask.sum()))

    def losses(self, batch: Batch, size: int = 32, report: Callable[[int], object] = lambda _: None) -> np.ndarray:
        """Compute the negative log-likelihood of each response in nats.

        Args:
            batch: n conditions and responses.
            size: The number of responses to read at a time.
            report: A function that is called after each batch of `size` responses with the number of responses in the
                batch.

        Returns:
            A float64 array of shape (n,).
        """
        sums = np.zeros(len(batch.response))
        for rows in plan(batch.condition_lengths, size, then=batch.response_lengths):
            losses = self.compiled_response_losses(*map(tf.convert_to_tensor, take(batch, rows, size)))
            sums[rows] = losses.numpy()[: len(rows)]
            report(len(rows))
        return sums

    def response_losses(self, *arrays: tf.Tensor) -> tf.Tensor:
        """Compute the negative log-likelihood of each response. This method can be called inside a TensorFlow graph.

        Args:
            *arrays: The arrays of a `Batch` of B rows.

        Returns:
            A float32 tensor of shape (B,), in nats.
        """
        response_mask = arrays[-1]
        losses = negative_log_likelihoods(self.policy, *arrays)
        return tf.math.unsorted_segment_sum(losses, tf.where(response_mask)[:, 0], tf.shape(response_mask)[0])


def negative_log_likelihoods(policy: LanguagePolicy, *arrays: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
    """Compute -log p of every token in the responses. Logits at padding are not computed, which saves time.

    Args:
        policy: The policy.
        *arrays: The arrays of a `Batch` of B rows.
        seeds: The seeds for dropout, shape (B, 2) and dtype int32, or None; see `LanguagePolicy.features`.

    Returns:
        A float32 tensor of shape (tokens,), in nats.
    """
    condition, condition_mask, response, response_mask = arrays
    features = policy.features(condition, condition_mask, response, response_mask, seeds)
    logits = policy.logits(tf.boolean_mask(features, response_mask))
    return cross_entropies(logits, tf.boolean_mask(response, response_mask))
