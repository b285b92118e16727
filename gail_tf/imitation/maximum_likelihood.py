"""Trains the policy on text by maximum likelihood, and measures its perplexity.

A condition is the text before a response, usually the history and the prompt. Shapes: B rows in a `Batch`; n responses
to measure.
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
from keras_gca.engine.learner import AdamWLearner
from keras_gca.engine.random import sample_seeds


class MaximumLikelihood(AdamWLearner):
    """Trains a policy to predict each token of given responses from the condition and the earlier tokens.

    Args:
        policy: The policy to train.
        learning_rate: The peak learning rate.
        **settings: The other arguments of `AdamWLearner`.
    """

    replicated = ("seed",)

    def __init__(self, policy: LanguagePolicy, learning_rate: float, **settings: Any):
        super().__init__(policy.trainable_variables, learning_rate, **settings)
        self.policy, self.perplexity = policy, Perplexity(policy)

    def loss(self, batch: Batch, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """The mean, over the responses' tokens, of -log p(token | condition, previous tokens).

        Args:
            batch: Conditions and responses.
            rows: The indices of the rows in the batch, which determine the dropout of each row, shape (B,) and dtype
                int32.
            seed: The seed of dropout, shape (2,) and dtype int32.

        Returns:
            The mean, and a pair: the sum of the tokens' negative log-likelihoods, and the number of tokens.
        """
        losses = negative_log_likelihoods(self.policy, *batch, seeds=sample_seeds(seed, rows))
        return replicas.mean(losses), (tf.reduce_sum(losses), tf.size(losses))


class Perplexity:
    """Measures the perplexity of a policy, without dropout.

    Args:
        policy: The policy to measure.
    """

    def __init__(self, policy: LanguagePolicy):
        self.policy = policy
        self.compiled_response_losses = Compiled(self.response_losses)

    def __call__(self, batch: Batch, size: int = 32) -> float:
        """The perplexity of the responses, including END, the token that ends a response.

            perplexity = exp(-sum log p(token) / number of tokens)

        Args:
            batch: Conditions and responses.
            size: The number of responses that are read at a time.

        Returns:
            The perplexity.
        """
        return float(np.exp(self.losses(batch, size).sum() / batch.response_mask.sum()))

    def losses(self, batch: Batch, size: int = 32, report: Callable[[int], object] = lambda _: None) -> np.ndarray:
        """The negative log-likelihood of each response in nats.

        Args:
            batch: n conditions and responses.
            size: The number of responses that are read at a time.
            report: A function that is called after each batch of `size` responses, with the number of responses in that
                batch.

        Returns:
            (n,) float64.
        """
        sums = np.zeros(len(batch.response))
        for rows in plan(batch.condition_lengths, size, then=batch.response_lengths):
            losses = self.compiled_response_losses(*map(tf.convert_to_tensor, take(batch, rows, size)))
            sums[rows] = losses.numpy()[: len(rows)]
            report(len(rows))
        return sums

    def response_losses(self, *arrays: tf.Tensor) -> tf.Tensor:
        """The negative log-likelihood of each response. Can be called inside a TensorFlow graph.

        Args:
            *arrays: The arrays of a `Batch` of B rows.

        Returns:
            (B,) float32, in nats.
        """
        response_mask = arrays[-1]
        losses = negative_log_likelihoods(self.policy, *arrays)
        return tf.math.unsorted_segment_sum(losses, tf.where(response_mask)[:, 0], tf.shape(response_mask)[0])


def negative_log_likelihoods(policy: LanguagePolicy, *arrays: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
    """-log p of every token in the responses. To save time, no logits are computed at padding.

    Args:
        policy: The policy.
        *arrays: The arrays of a `Batch` of B rows.
        seeds: The seeds of dropout, or None; see `LanguagePolicy.features`, shape (B, 2) and dtype int32.

    Returns:
        (tokens,) float32, in nats.
    """
    condition, condition_mask, response, response_mask = arrays
    features = policy.features(condition, condition_mask, response, response_mask, seeds)
    logits = policy.logits(tf.boolean_mask(features, response_mask))
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.boolean_mask(response, response_mask), logits)
