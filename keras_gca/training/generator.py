"""Algorithm 2, line 9: the generator learns, through the frozen discriminator, to have M called human."""

import numpy as np
import tensorflow as tf

from keras_gca.engine import replicas
from keras_gca.engine.compiled import Compiled
from keras_gca.models.forward import rows_of
from keras_gca.models.networks import YELLOW, GenerativeConversationalAgent
from keras_gca.training.discriminator import HUMAN
from keras_gca.training.learner import BlockLearner


class GeneratorTraining(BlockLearner):
    """Line 9: the yellow blocks learn, through the frozen green ones, to make D call M human (MSE against 1)."""

    def __init__(self, gca: GenerativeConversationalAgent, learning_rate: float, precision: str = "float32"):
        super().__init__(gca, YELLOW, learning_rate, precision=precision)
        self._step, self._sums = Compiled(self._descend), Compiled(self._measure)

    def step(self, contexts: np.ndarray, answers: np.ndarray) -> tuple[tf.Tensor, ...]:
        """One training step on pairs of M. Returns three sums: squared errors, D's outputs l, and tokens."""
        return self._step(contexts, answers)

    def evaluate(self, contexts: np.ndarray, answers: np.ndarray) -> tuple[tf.Tensor, ...]:
        """The same sums without learning."""
        return self._sums(contexts, answers)

    def _descend(self, contexts, answers):
        def loss():
            errors, sums = self._errors(contexts, answers)
            return replicas.mean(errors), sums

        return self.descend(loss).reported

    def _measure(self, contexts, answers):
        return self._errors(contexts, answers)[1]

    def _errors(self, contexts, answers):
        rows = rows_of(answers)
        p = tf.nn.softmax(self.generator(contexts, answers, rows))
        l = tf.sigmoid(self.discriminator(contexts, answers, rows, p))  # noqa: E741  (Eq. 8's name)
        errors = tf.square(HUMAN - l)
        return errors, (tf.reduce_sum(errors), tf.reduce_sum(l), tf.cast(tf.size(l), tf.float32))

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Loss, and the mean output of D over the generator's tokens."""
        errors, judged, tokens = sums
        return {"loss": float(errors / tokens), "judged_human": float(judged / tokens)}
