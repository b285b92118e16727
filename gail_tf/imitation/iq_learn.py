"""IQ-Learn on the experts' responses alone: maximum likelihood with a temporal-difference regulariser.

Wulfmeier et al. 2024, "Imitating Language via Scalable Inverse Reinforcement Learning", apply the inverse soft
Q-learning of Garg et al. 2021 to language models. A state s consists of a condition and the response's tokens so far,
an action a is the next token, and s' is the state after that token. The policy's logits are the soft Q-values Q(s, a):

    V(s) = log sum_a exp Q(s, a),    log pi(a | s) = Q(s, a) - V(s),    the reward r(s, a) = Q(s, a) - gamma V(s')

With the chi-squared divergence, IQ-Learn maximises E[r - lambda r^2] - (1 - gamma) E[V(s0)] over the experts' data. By
a telescoping sum, (1 - gamma) E[V(s0)] equals E[V(s) - gamma V(s')]. Therefore the loss to minimise is

    loss = E[-log pi(a | s) + lambda (log pi(a | s) + V(s) - gamma V(s'))^2]

V is 0 after the token that ends a response. Shapes: B responses of at most R tokens.
"""

from typing import Any

import tensorflow as tf

from gail_tf.data.batches import Batch
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood
from gail_tf.policies.base import LanguagePolicy
from keras_gca.engine import replicas
from keras_gca.engine.cross_entropy import cross_entropies
from keras_gca.engine.random import sample_seeds


class IQLearn(MaximumLikelihood):
    """A learner that trains a policy on given responses to minimise the loss of IQ-Learn.

    Args:
        policy: The policy to train.
        learning_rate: The peak learning rate.
        end: The token that ends a response.
        td_weight: lambda, the weight of the squared temporal-difference errors. 0 gives maximum likelihood.
        discount: gamma.
        **settings: Further arguments of `AdamWLearner`.
    """

    def __init__(
        self, policy: LanguagePolicy, learning_rate: float, end: int, td_weight: float, discount: float, **settings: Any
    ):
        super().__init__(policy, learning_rate, **settings)
        self._end, self._td_weight, self._discount = end, td_weight, discount

    def loss(self, batch: Batch, rows: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the loss: the negative log-likelihood plus the weighted squared error, averaged over all tokens.

        Args:
            batch: Conditions and responses.
            rows: The index of each row in the batch, which determines the row's dropout, shape (B,) and dtype int32.
            seed: The seed for dropout, shape (2,) and dtype int32.

        Returns:
            The loss, and a tuple of the summed negative log-likelihoods, the number of tokens, and the summed squared
            errors.
        """
        response, mask = batch[2:]
        features = self.policy.features(*batch, seeds=sample_seeds(seed, rows))
        logits = self.policy.logits(tf.boolean_mask(features, mask))
        losses = cross_entropies(logits, tf.boolean_mask(response, mask))
        shape = tf.shape(mask, out_type=tf.int64)
        log_probs, values = (
            tf.scatter_nd(tf.where(mask), of_tokens, shape) for of_tokens in (-losses, tf.reduce_logsumexp(logits, 1))
        )
        errors = tf.square(
            tf.boolean_mask(td_errors(log_probs, values, response, mask, self._end, self._discount), mask)
        )
        sums = tf.reduce_sum(losses), tf.size(losses), tf.reduce_sum(errors)
        return replicas.mean(losses + self._td_weight * errors), sums


def td_errors(
    log_probs: tf.Tensor, values: tf.Tensor, response: tf.Tensor, mask: tf.Tensor, end: int, discount: float
) -> tf.Tensor:
    """Compute the temporal-difference error of each token, log pi(a | s) + V(s) - gamma V(s').

    Args:
        log_probs: log pi of each token, shape (B, R) and dtype float32.
        values: V of the state before each token, shape (B, R) and dtype float32.
        response: The tokens, shape (B, R) and dtype int32.
        mask: The bool mask of the tokens, shape (B, R), false at padding.
        end: The token that ends a response. V is 0 after this token.
        discount: gamma.

    Returns:
        A float32 tensor of shape (B, R). The error of a token is also its reward. Errors are 0 at padding, and at the
        last token of a response that was truncated at the token limit, because V of the state after that token is
        unknown.
    """
    followed = tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    following = tf.where(followed, tf.pad(values[:, 1:], [[0, 0], [0, 1]]), 0.0)
    known = mask & (followed | (response == end))
    return tf.where(known, log_probs + values - discount * following, 0.0)
