"""Algorithm 2, line 9: the generator learns, through the frozen discriminator, to pass for human.

G is the generator, and D the discriminator. D's output l (Eq. 8) says how human a token is, from 0 to 1. M is the set
of pairs that G generated in line 5.
"""

import numpy as np
import tensorflow as tf

from keras_gca.engine import replicas
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import rows_of
from keras_gca.training.discriminator import HUMAN
from keras_gca.training.learner import BlockLearner


class GeneratorTraining(BlockLearner):
    """Trains G to increase D's output for its tokens to 1, by the squared error; D is frozen.

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        precision: The number format of the generator's two large matrix products, "float32" or "bfloat16".
    """

    def __init__(self, gca: GenerativeConversationalAgent, learning_rate: float, precision: str = "float32"):
        super().__init__(gca, gca.yellow, learning_rate, precision=precision)

    def loss(self, contexts: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the mean of (1 - l)^2 over the tokens, where D judges the probabilities p that G gives (Figure 2).

        Args:
            contexts: (B, s) int32, the contexts of B pairs of M.
            answers: (B, T + 1) int32, their answers: BOS and at most T tokens each.

        Returns:
            The mean, and three sums: the squared errors, D's outputs l, and the number of tokens.
        """
        rows = rows_of(answers)
        p = tf.nn.softmax(self.generator(contexts, answers, rows))
        l = tf.sigmoid(self.discriminator(contexts, answers, rows, p))  # noqa: E741  (Eq. 8's name)
        errors = tf.square(HUMAN - l)
        sums = (tf.reduce_sum(errors), tf.reduce_sum(l), tf.cast(tf.size(l), tf.float32))
        return replicas.mean(errors), sums

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the loss, and the mean output of D over the generator's tokens."""
        errors, judged, tokens = sums
        return {"loss": float(errors / tokens), "judged_human": float(judged / tokens)}
