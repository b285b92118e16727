"""Algorithm 2, lines 3 and 11: the GCA of Figure 1 learns H's answers by categorical cross-entropy.

Targets are token indices (sparse): no one-hot matrix is ever made.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gca import strategy
from keras_gca.compilation import Compiled
from keras_gca.learning import Learner, add_up, dropout
from keras_gca.models import GenerativeConversationalAgent
from keras_gca.pairs import Pairs, plan_batches, take_batch
from keras_gca.prefixes import SITES, PrefixEncoder, keep_all, rows_of


class TeacherForcing(Learner):
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
        def keep(site: str, values: tf.Tensor) -> tf.Tensor:
            return dropout(values, self._rates[site], tf.random.experimental.stateless_fold_in(seed, SITES.index(site)))

        def loss():
            losses = _losses(self.encoder, contexts, answers, keep)
            return strategy.mean(losses), (tf.reduce_sum(losses), tf.size(losses))

        return self.descend(loss)


class Evaluator:
    """Measures a generator by the same losses, without dropout and without learning."""

    def __init__(self, gca: GenerativeConversationalAgent):
        self._encoder = PrefixEncoder(gca)
        self._sums = Compiled(self._measure)
        self._each = Compiled(self._token_losses, shared=False)

    def perplexity(self, pairs: Pairs, batch_size: int = 32) -> float:
        """exp of the total negative log-likelihood of the answers over the total of their tokens, EOS counted."""
        batches = plan_batches(pairs, batch_size)
        return metrics(add_up(self.evaluate(*take_batch(pairs, batch, batch_size)) for batch in batches))["perplexity"]

    def token_log_probabilities(self, pairs: Pairs, batch_size: int = 64) -> np.ndarray:
        """log p(y_t | x, y) of every token after BOS: (n, s_s) float32, NaN after the end."""
        logs = np.full((len(pairs), pairs.answers.shape[1] - 1), np.nan, np.float32)
        for batch in plan_batches(pairs, batch_size):
            positions, values = self._each(*take_batch(pairs, batch, batch_size))
            answer, token = positions.numpy().T
            logs[batch[answer], token] = -values.numpy()
        return logs

    def evaluate(self, contexts: np.ndarray, answers: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """The sum of the tokens' negative log-likelihoods, and their number."""
        return self._sums(contexts, answers)

    def _token_losses(self, contexts, answers):
        return rows_of(answers).positions, _losses(self._encoder, contexts, answers)

    def _measure(self, contexts, answers):
        losses = _losses(self._encoder, contexts, answers)
        return tf.reduce_sum(losses), tf.size(losses)


def _losses(encoder: PrefixEncoder, contexts: tf.Tensor, answers: tf.Tensor, keep: Callable = keep_all) -> tf.Tensor:
    """-log p(y_t | x, y) of every row, (R,)."""
    rows = rows_of(answers)
    logits = encoder.generator_logits(contexts, answers, rows, keep)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(rows.targets, logits)


def metrics(sums: np.ndarray) -> dict[str, float]:
    """Loss (nats a token) and perplexity from the sums that `step` and `evaluate` return."""
    loss = sums[0] / sums[1]
    return {"loss": float(loss), "perplexity": float(np.exp(loss))}
