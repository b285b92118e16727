"""Implements line 9 with a policy gradient (Li et al. 2017, "Adversarial Learning for Neural Dialogue Generation").

The discriminator judges whole answers to human contexts x+: the human answer y+, or an answer y- from the generator.
The discriminator's output for a sampled answer is the reward Q. The generator learns by REINFORCE with a baseline b_t
for token t. The baseline is a linear regression on the generator's hidden layer, trained to predict Q (Ranzato et al.
2016):

    gradient of E[Q]  =  E[ sum over t of (Q - b_t) * gradient of log p(y_t | x, y_1..t-1) ]

Shapes: B is the number of answers, T the maximum number of tokens in an answer, and R the number of rows, one for each
token of the answers.
"""

import keras
import numpy as np
import tensorflow as tf

from keras_gca.engine import optimizers, replicas
from keras_gca.engine.cross_entropy import cross_entropies
from keras_gca.engine.learner import StepResult
from keras_gca.engine.variables import assign
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import Rows, last_rows, rows_of
from keras_gca.training.learner import BlockLearner

BASELINE_RATE = 1e-3  # Adam's learning rate for the baseline, which is a small, separate regression


class PolicyGradient(BlockLearner):
    """The base class of learners that apply REINFORCE with a baseline to newly sampled answers.

    A subclass defines `_sums` and a method `loss` that passes the rewards to `policy_loss`.

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        precision: The dtype of the generator's two large matrix products, "float32" or "bfloat16".
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

        A gradient descent step on this mean increases the expected reward E[Q].

        Args:
            contexts: Token ids of the contexts, shape (B, s) and dtype int32.
            answers: Token ids of the answers that the generator sampled for these contexts, shape (B, T + 1) and dtype
                int32.
            rows: The rows of the answers, one for each token.
            rewards: For each row, the reward Q of its answer, shape (R,) and dtype float32.

        Returns:
            The mean, the error Q - b_t of each token with shape (R,), and the hidden layer y_h of Eq. 3 with shape
            (R, hidden).
        """
        logits, y_h = self.generator.outputs(contexts, answers, rows)  # (R, s_v), (R, hidden)
        errors = rewards - self.baseline(tf.stop_gradient(y_h))[:, 0]  # Q - b_t, (R,)
        losses = cross_entropies(logits, rows.targets)
        return replicas.mean(tf.stop_gradient(errors) * losses), errors, y_h

    def descend(self, *batch: tf.Tensor) -> StepResult:
        """Take a training step for the generator, and then one for the baseline, using the same errors.

        Args:
            *batch: The arguments of `loss`, which must return the rewards, the errors and y_h together with the loss.

        Returns:
            The result of the step, with the sums computed by `_sums`.
        """
        result = super().descend(*batch)
        rewards, errors, y_h = result.sums
        self.improve_baseline(y_h, errors)
        return result._replace(sums=self._sums(rewards, errors))

    def measure(self, *batch: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute the same sums as `descend` without taking a training step."""
        _, (rewards, errors, _) = self.loss(*batch)
        return self._sums(rewards, errors)

    @staticmethod
    def _sums(rewards: tf.Tensor, errors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Compute the sums for `metrics` from the rewards and the errors of a batch."""
        raise NotImplementedError

    def improve_baseline(self, y_h: tf.Tensor, errors: tf.Tensor) -> None:
        """Take a training step that reduces the baseline's mean squared error.

        The gradients are computed explicitly, because b_t is linear in y_h.

        Args:
            y_h: The hidden layer of Eq. 3, shape (R, hidden) and dtype float32.
            errors: The errors Q - b_t, shape (R,) and dtype float32.
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
        """Return the variables of the optimizers and the baseline, to be stored."""
        return [variable.numpy() for variable in self._all()]

    def restore(self, state: list[np.ndarray]) -> None:
        """Restore variables returned by `state`.

        Raises:
            ValueError: The arrays do not match the variables in number or shape.
        """
        assign(self._all(), state)


class ReinforceTraining(PolicyGradient):
    """A learner that trains the generator on rewards that the frozen discriminator gives to newly sampled answers."""

    def loss(self, contexts: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the policy loss, with the discriminator's output as the reward Q; see `policy_loss`.

        Args:
            contexts: Token ids of the contexts, shape (B, s) and dtype int32.
            answers: Token ids of the answers that the generator sampled for these contexts, shape (B, T + 1) and dtype
                int32.

        Returns:
            The loss, and three tensors for `descend` and `measure`: the reward Q of each answer, the error Q - b_t of
            each token with shape (R,), and the hidden layer y_h of Eq. 3 with shape (R, hidden).
        """
        rows = rows_of(answers)
        rewards, by_row = self._rewards(contexts, answers, rows)
        scalar, errors, y_h = self.policy_loss(contexts, answers, rows, by_row)
        return scalar, (rewards, errors, y_h)

    def _rewards(self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the reward Q of each answer, and repeat it for each row of the answer.

        Empty answers, which are padding, get no reward.
        """
        last = last_rows(answers)
        rewards = tf.sigmoid(self.discriminator(contexts, answers, last))
        by_answer = tf.scatter_nd(last.positions[:, :1], rewards, tf.shape(answers, tf.int64)[:1])
        return rewards, tf.gather(by_answer, rows.answer)

    @staticmethod
    def _sums(rewards: tf.Tensor, errors: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Sum the reward and the baseline's squared error over a batch, and count answers and tokens."""
        count = tf.cast(tf.size(rewards), tf.float32), tf.cast(tf.size(errors), tf.float32)
        return tf.reduce_sum(rewards), count[0], tf.reduce_sum(tf.square(errors)), count[1]

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the mean reward per answer, and the baseline's mean squared error."""
        rewards, answers, errors, tokens = sums
        return {"judged_human": float(rewards / answers), "baseline_error": float(errors / tokens)}
