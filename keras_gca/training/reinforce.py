"""Implements line 9 by a policy gradient (Li et al. 2017, "Adversarial Learning for Neural Dialogue Generation").

The discriminator judges complete answers to human contexts x+: either the human answer y+ or an answer y- from the
generator. Its output is the reward Q of a sampled answer. The generator learns by REINFORCE with a baseline b_t for
token t. The baseline is a linear regression on the generator's hidden layer (Ranzato et al. 2016), and is trained to
predict Q:

    gradient of E[Q]  =  E[ sum over t of (Q - b_t) * gradient of log p(y_t | x, y_1..t-1) ]

Shapes: B answers with at most T tokens each; R rows, one for each token of the answers.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_gca.engine import optimizers, replicas
from keras_gca.engine.learner import StepResult
from keras_gca.engine.variables import assign
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import Rows, last_rows, rows_of
from keras_gca.training.learner import BlockLearner

BASELINE_RATE = 1e-3  # Adam's learning rate for the baseline, which is a small, separate regression


class PolicyGradient(BlockLearner):
    """Base class of learners that use answers which the generator has just sampled: REINFORCE with a baseline.

    A subclass defines `loss`, which gives the rewards to `policy_loss`, and `_sums`.

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        precision: The number format of the generator's two large matrix products, "float32" or "bfloat16".
    """

    def __init__(self, gca: GenerativeConversationalAgent, learning_rate: float, precision: str = "float32"):
        super().__init__(gca, gca.yellow, learning_rate, precision=precision)
        self.baseline = keras.layers.Dense(1, kernel_initializer="zeros", name="baseline")
        self.baseline.build((None, gca.sizes.hidden_units))
        self._baseline_optimizer = optimizers.Adam(BASELINE_RATE)
        self._baseline_optimizer.build(self.baseline.trainable_variables)

    def policy_loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows, rewards: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute the mean over tokens of -(Q - b_t) log p(y_t | x, y).

        A step against the gradient of this mean increases the expected reward E[Q].

        Args:
            contexts: (B, s) int32.
            answers: (B, T + 1) int32, sampled by the generator for these contexts.
            rows: The rows of the answers.
            rewards: (R,) float32, for each row the reward Q of its answer.

        Returns:
            The mean, the error Q - b_t of each token, (R,), and the hidden layer y_h of Eq. 3, (R, hidden).
        """
        logits, y_h = self.generator.outputs(contexts, answers, rows)  # (R, s_v), (R, hidden)
        errors = rewards - self.baseline(tf.stop_gradient(y_h))[:, 0]  # Q - b_t, (R,)
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(rows.targets, logits)
        return replicas.mean(tf.stop_gradient(errors) * losses), errors, y_h

    def descend(self, *batch: tf.Tensor) -> StepResult:
        """Make a training step for the generator, and one for the baseline on the same errors.

        Args:
            *batch: The arguments of `loss`, whose second result has the rewards, the errors and y_h.

        Returns:
            The result of the step, with the sums of `_sums`.
        """
        result = super().descend(*batch)
        rewards, errors, y_h = result.sums
        self.improve_baseline(y_h, errors)
        return result._replace(sums=self._sums(rewards, errors))

    def measure(self, *batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute the sums of `descend` without making a training step."""
        _, (rewards, errors, _) = self.loss(*batch)
        return self._sums(rewards, errors)

    @staticmethod
    def _sums(rewards: tf.Tensor, errors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute the sums for `metrics` from the rewards and the errors of a batch."""
        raise NotImplementedError

    def improve_baseline(self, y_h: tf.Tensor, errors: tf.Tensor) -> None:
        """Make a training step for the baseline, which reduces the mean of errors^2.

        The gradients are computed explicitly, since b_t is linear in y_h.

        Args:
            y_h: (R, hidden) float32, the hidden layer of Eq. 3.
            errors: (R,) float32, Q - b_t.
        """
        count = replicas.total(tf.cast(tf.size(errors), tf.float32))
        gradients = [
            -2 / count * tf.linalg.matvec(y_h, errors, transpose_a=True)[:, None],
            tf.reshape(-2 * replicas.mean(errors), [1]),
        ]
        self._baseline_optimizer.apply(replicas.total(gradients), self.baseline.trainable_variables)

    def _all(self) -> list[keras.Variable]:
        return [*self.optimizer.variables, *self.baseline.variables, *self._baseline_optimizer.variables]

    def state(self) -> list[np.ndarray]:
        """Return the variables of the optimizers and of the baseline, for storage."""
        return [variable.numpy() for variable in self._all()]

    def restore(self, state: list[np.ndarray]) -> None:
        """Restore the variables that `state` returned.

        Raises:
            ValueError: The number of arrays or a shape differs.
        """
        assign(self._all(), state)


class ReinforceTraining(PolicyGradient):
    """Trains the generator by the rewards of answers that it has just sampled; the discriminator is frozen."""

    def loss(self, contexts: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the loss of `policy_loss`, where the discriminator's output is the reward Q.

        Args:
            contexts: (B, s) int32.
            answers: (B, T + 1) int32, sampled by the generator for these contexts.

        Returns:
            The loss, and three tensors that `descend` and `measure` need: the reward Q of each answer, the error
            Q - b_t of each token, (R,), and the hidden layer y_h of Eq. 3, (R, hidden).
        """
        rows = rows_of(answers)
        rewards, by_row = self._rewards(contexts, answers, rows)
        scalar, errors, y_h = self.policy_loss(contexts, answers, rows, by_row)
        return scalar, (rewards, errors, y_h)

    def _rewards(self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the reward Q of each answer, and for each row the reward of its answer, (R,).

        Empty answers, which only fill up the batch, have no reward.
        """
        last = last_rows(answers)
        rewards = tf.sigmoid(self.discriminator(contexts, answers, last))
        by_answer = tf.scatter_nd(last.positions[:, :1], rewards, tf.shape(answers, tf.int64)[:1])
        return rewards, tf.gather(by_answer, rows.answer)

    @staticmethod
    def _sums(rewards: tf.Tensor, errors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute four sums: the rewards, the number of answers, the baseline's squared errors, and the tokens."""
        count = tf.cast(tf.size(rewards), tf.float32), tf.cast(tf.size(errors), tf.float32)
        return tf.reduce_sum(rewards), count[0], tf.reduce_sum(tf.square(errors)), count[1]

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the mean reward of an answer, and the baseline's mean squared error."""
        rewards, answers, errors, tokens = sums
        return {"judged_human": float(rewards / answers), "baseline_error": float(errors / tokens)}
