"""Algorithm 2, lines 3 and 11: the GCA of Figure 1 learns H's answers by categorical cross-entropy.

Targets are token indices (sparse): no one-hot matrix is ever made.
"""

import numpy as np
import tensorflow as tf

from keras_gca.engine import replicas
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.random import batch_dropout
from keras_gca.models.forward import SITES
from keras_gca.models.likelihood import _losses
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.training.learner import BlockLearner


class TeacherForcing(BlockLearner):
    """Teacher forcing of the named layers: WHITE and YELLOW in line 3, YELLOW in line 11.

    dropout, hidden_dropout: share of the word vectors and of e, and of y_h (Eq. 3), that a training step drops. The
    paper has none.
    """

    def __init__(
        self,
        gca: GenerativeConversationalAgent,
        names: tuple[str, ...],
        learning_rate: float,
        dropout: float = 0.0,
        hidden_dropout: float = 0.0,
        average: float = 0.0,
        precision: str = "float32",
    ):
        super().__init__(gca, names, learning_rate, average, precision)
        self._rates = dict.fromkeys(SITES, dropout) | {"y_h": hidden_dropout}
        self._step = Compiled(self._descend, whole=("seed",))

    def step(self, contexts: np.ndarray, answers: np.ndarray, seed: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """One training step on (B, s) contexts and (B, T + 1) answers; seed: (2,) int32, of dropout.

        Returns the sum of the tokens' negative log-likelihoods (with dropout), and their number.
        """
        return self._step(contexts, answers, seed)

    def _descend(self, contexts, answers, seed):
        def drop(site: str, values: tf.Tensor) -> tf.Tensor:
            return batch_dropout(
                values, self._rates[site], tf.random.experimental.stateless_fold_in(seed, SITES.index(site))
            )

        def loss():
            losses = _losses(self.generator, contexts, answers, drop)
            return replicas.mean(losses), (tf.reduce_sum(losses), tf.size(losses))

        return self.descend(loss).reported
