"""The likelihood of answers under a generator: losses of tokens, and perplexity."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learner import add_up
from keras_gca.models.forward import PrefixEncoder, keep_all, rows_of
from keras_gca.models.networks import GenerativeConversationalAgent


class Evaluator:
    """Measures a generator by the same losses, without dropout and without learning."""

    def __init__(self, gca: GenerativeConversationalAgent):
        self._encoder = PrefixEncoder(gca)
        self.compiled_sum_losses = Compiled(self.sum_losses)
        self.compiled_token_losses = Compiled(self.token_losses, distribute=False)

    def perplexity(self, pairs: Pairs, batch_size: int = 32) -> float:
        """exp of the total negative log-likelihood of the answers over the total of their tokens, EOS counted."""
        batches = plan_batches(pairs, batch_size)
        return metrics(add_up(self.evaluate(*take_batch(pairs, batch, batch_size)) for batch in batches))["perplexity"]

    def token_log_probabilities(self, pairs: Pairs, batch_size: int = 64) -> np.ndarray:
        """log p(y_t | x, y) of every token after BOS: (n, s_s) float32, NaN after the end."""
        logs = np.full((len(pairs), pairs.answers.shape[1] - 1), np.nan, np.float32)
        for batch in plan_batches(pairs, batch_size):
            positions, values = self.compiled_token_losses(*take_batch(pairs, batch, batch_size))
            answer, token = positions.numpy().T
            logs[batch[answer], token] = -values.numpy()
        return logs

    def evaluate(self, contexts: np.ndarray, answers: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """The sum of the tokens' negative log-likelihoods, and their number."""
        return self.compiled_sum_losses(contexts, answers)

    def token_losses(self, contexts, answers):
        """Give the place of every token, (R, 2), and its loss, (R,). For use in a graph."""
        return rows_of(answers).positions, _losses(self._encoder, contexts, answers)

    def sum_losses(self, contexts, answers):
        """Give what `evaluate` returns. For use in a graph."""
        losses = _losses(self._encoder, contexts, answers)
        return tf.reduce_sum(losses), tf.size(losses)


def _losses(encoder: PrefixEncoder, contexts: tf.Tensor, answers: tf.Tensor, keep: Callable = keep_all) -> tf.Tensor:
    """-log p(y_t | x, y) of every row, (R,)."""
    rows = rows_of(answers)
    logits = encoder.generator_logits(contexts, answers, rows, keep)
    return tf.nn.sparse_softmax_cross_entropy_with_logits(rows.targets, logits)


def metrics(sums: np.ndarray) -> dict[str, float]:
    """Loss (nats a token) and perplexity from the sums that `train_step` and `evaluate` return."""
    loss = sums[0] / sums[1]
    return {"loss": float(loss), "perplexity": float(np.exp(loss))}
