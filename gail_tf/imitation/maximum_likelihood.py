"""Maximum likelihood: the policy learns to say what the experts said, before it imitates; and perplexity."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from gail_tf.data.batches import Batch, take
from gail_tf.policies.base import LanguagePolicy
from keras_gca.engine import replicas
from keras_gca.engine.batching import plan
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learner import Learner
from keras_gca.engine.random import sample_seeds


class MaximumLikelihood:
    """Teacher forcing of a policy on responses, given their conditions; perplexity: what measures it."""

    def __init__(self, policy: LanguagePolicy, learner: Learner):
        self.policy, self.learner, self.perplexity = policy, learner, Perplexity(policy)
        self._step = Compiled(self._descend, whole=("seed",))

    def step(self, batch: Batch, seed: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
        """One training step. seed: of dropout.

        Returns the sum of the tokens' negative log-likelihoods (with dropout), and their number.
        """
        numbers = np.arange(len(batch[0]), dtype=np.int32)
        return self._step(batch, numbers, np.array(seed, np.int32))

    def _descend(self, batch, numbers, seed):
        seeds = sample_seeds(seed, numbers)

        def loss():
            losses = negative_log_likelihoods(self.policy, *batch, seeds=seeds)
            return replicas.mean(losses), (tf.reduce_sum(losses), tf.size(losses))

        return self.learner.descend(loss).reported


class Perplexity:
    """Measures a policy by the same losses, without dropout and without learning."""

    def __init__(self, policy: LanguagePolicy):
        self.policy = policy
        self._sums = Compiled(self._measure)

    def __call__(self, batch: Batch, size: int = 32) -> float:
        """exp of the responses' total negative log-likelihood over the total of their tokens, END counted."""
        return float(np.exp(self.losses(batch, size).sum() / batch.response_mask.sum()))

    def losses(self, batch: Batch, size: int = 32, report: Callable[[int], object] = lambda _: None) -> np.ndarray:
        """Each response's negative log-likelihood in nats, (n,) float64.

        size: responses read together. report: called after each reading with their number.
        """
        sums = np.zeros(len(batch.response))
        for rows in plan(batch.condition_lengths, size, then=batch.response_lengths):
            sums[rows] = self._sums(*map(tf.convert_to_tensor, take(batch, rows, size))).numpy()[: len(rows)]
            report(len(rows))
        return sums

    def _measure(self, *arrays):
        response_mask = arrays[-1]
        losses = negative_log_likelihoods(self.policy, *arrays)
        return tf.math.unsorted_segment_sum(losses, tf.where(response_mask)[:, 0], tf.shape(response_mask)[0])


def negative_log_likelihoods(policy: LanguagePolicy, *arrays: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
    """-log p of every token of the responses, in nats, (tokens,) float32: padding never meets the vocabulary.

    arrays: those of a Batch. seeds: (B, 2) int32, for dropout; see `LanguagePolicy.features`.
    """
    *_, response, response_mask = arrays
    logits = policy.logits(tf.boolean_mask(policy.features(*arrays, seeds), response_mask))
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.boolean_mask(response, response_mask), logits)
