"""Algorithm 2, lines 3 and 11: the generator of Figure 1 learns human answers by categorical cross-entropy.

The loss takes the indices of the target tokens, so that no one-hot matrix is made.
"""

import tensorflow as tf

from keras_gca.engine import replicas
from keras_gca.engine.random import batch_dropout
from keras_gca.models import likelihood
from keras_gca.models.forward import SITES
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.training.learner import BlockLearner


class TeacherForcing(BlockLearner):
    """Trains the named layers of the generator by teacher forcing: WHITE and YELLOW in line 3, YELLOW in line 11.

    Args:
        gca: The networks.
        names: The names of the layers to train.
        learning_rate: Adam's rate.
        dropout: The dropout rate of the word vectors (Eq. 1) and of the encoding e (Eq. 2); the paper has no dropout.
        hidden_dropout: The dropout rate of the hidden layer y_h (Eq. 3).
        average: See `BlockLearner`.
        precision: The number format of the generator's two large matrix products, "float32" or "bfloat16".
    """

    replicated = ("seed",)
    metrics = staticmethod(likelihood.metrics)

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

    def loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """Compute the mean of -log p(y_t | x, y) (Eq. 3) over the tokens of the answers.

        Args:
            contexts: (B, s) int32, the contexts of B pairs.
            answers: (B, T + 1) int32, their answers: BOS and at most T tokens each.
            seed: (2,) int32, the seed of dropout.

        Returns:
            The mean, and two sums: the negative log-likelihoods of the tokens, and the number of tokens.
        """

        def drop(site: str, values: tf.Tensor) -> tf.Tensor:
            return batch_dropout(
                values, self._rates[site], tf.random.experimental.stateless_fold_in(seed, SITES.index(site))
            )

        losses = likelihood.negative_log_likelihoods(self.generator, contexts, answers, drop)
        return replicas.mean(losses), (tf.reduce_sum(losses), tf.size(losses))
