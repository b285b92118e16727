"""Computes the likelihood of answers under a generator: the loss of each token, and the perplexity.

x is a context, and y is its answer with the tokens y_t. Shapes: B pairs of a context with at most s tokens and an
answer with at most T tokens; R tokens after BOS in all B answers. In `Pairs`, answers are padded to s_s + 1 tokens.
"""

import numpy as np
import tensorflow as tf

from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.cross_entropy import cross_entropies
from keras_gca.engine.learner import add_up
from keras_gca.models.forward import Dropout, PrefixGenerator, no_dropout
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import rows_of


class Evaluator:
    """An evaluator of a generator's teacher-forcing losses, without dropout and without changes to the weights.

    Args:
        gca: The networks. The evaluator always uses their current weights.
    """

    def __init__(self, gca: GenerativeConversationalAgent):
        self._generator = PrefixGenerator.of(gca)
        self.compiled_sum_losses = Compiled(self.sum_losses)
        self.compiled_token_losses = Compiled(self.token_losses, distribute=False)

    def perplexity(self, pairs: Pairs, batch_size: int = 32) -> float:
        """Compute the perplexity of the answers: exp(mean negative log-likelihood per token), including EOS.

        Args:
            pairs: The contexts and answers.
            batch_size: The number of pairs measured at a time.
        """
        batches = plan_batches(pairs, batch_size)
        return metrics(add_up(self.evaluate(*take_batch(pairs, batch, batch_size)) for batch in batches))["perplexity"]

    def token_log_probabilities(self, pairs: Pairs, batch_size: int = 64) -> np.ndarray:
        """Compute log p(y_t | x, y) for every token after BOS (Eq. 3).

        Args:
            pairs: The n contexts and answers.
            batch_size: The number of pairs measured at a time.

        Returns:
            A float32 array of shape (n, s_s), with NaN after the end of each answer.
        """
        logs = np.full((len(pairs), pairs.answers.shape[1] - 1), np.nan, np.float32)
        for batch in plan_batches(pairs, batch_size):
            positions, values = self.compiled_token_losses(*take_batch(pairs, batch, batch_size))
            answer, token = positions.numpy().T
            logs[batch[answer], token] = -values.numpy()
        return logs

    def evaluate(self, contexts: np.ndarray, answers: np.ndarray) -> tuple[tf.Tensor, tf.Tensor]:
        """Measure one batch.

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded on the left.
            answers: `BOS ... EOS` padded on the right, shape (B, T + 1) and dtype int32.

        Returns:
            The sum of the negative log-likelihoods of all tokens, float32, and the number of tokens, int32.
        """
        return self.compiled_sum_losses(contexts, answers)

    def token_losses(self, contexts: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the position and the loss of each token.

        The positions (see `Rows.positions`) have shape (R, 2) and dtype int64, and the losses have shape (R,) and dtype
        float32. This method can run inside a TensorFlow graph.
        """
        return rows_of(answers).positions, negative_log_likelihoods(self._generator, contexts, answers)

    def sum_losses(self, contexts: tf.Tensor, answers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the result of `evaluate`, eagerly or in a graph."""
        losses = negative_log_likelihoods(self._generator, contexts, answers)
        return tf.reduce_sum(losses), tf.size(losses)


def negative_log_likelihoods(
    generator: PrefixGenerator, contexts: tf.Tensor, answers: tf.Tensor, dropout: Dropout = no_dropout
) -> tf.Tensor:
    """Compute -log p(y_t | x, y) (Eq. 3) for every token of the answers.

    Args:
        generator: The generator.
        contexts: The contexts, shape (B, s) and dtype int32, padded on the left.
        answers: `BOS ... EOS` padded on the right, shape (B, T + 1) and dtype int32.
        dropout: A function that applies dropout at each of SITES.

    Returns:
        A float32 tensor of shape (R,): one value for each token after BOS, in reading order.
    """
    rows = rows_of(answers)
    logits = generator(contexts, answers, rows, dropout=dropout)
    return cross_entropies(logits, rows.targets)


def metrics(sums: np.ndarray) -> dict[str, float]:
    """Compute the loss (nats per token) and the perplexity.

    Args:
        sums: The sum of the negative log-likelihoods and the number of tokens, as returned by a training step or by
            `Evaluator.evaluate`.
    """
    loss = sums[0] / sums[1]
    return {"loss": float(loss), "perplexity": float(np.exp(loss))}
