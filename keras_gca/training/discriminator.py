"""Algorithm 2, line 6: the discriminator learns to distinguish H from M.

H is the set of human pairs of a context and an answer. M is the set of pairs that the generator made in line 5. D is
the discriminator.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.engine import replicas
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import last_rows, rows_of
from keras_gca.training.learner import BlockLearner

HUMAN, MACHINE = 1.0, 0.0  # the labels of Section 4


class DiscriminatorTraining(BlockLearner):
    """Trains D to distinguish H from M, token by token, by binary cross-entropy (Eq. 7-8).

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        whole_answers: Whether D judges each answer once, at its last token, as in Li et al. 2017, instead of every
            token.
    """

    def __init__(self, gca: GenerativeConversationalAgent, learning_rate: float, whole_answers: bool = False):
        super().__init__(gca, gca.green, learning_rate)
        self._rows = last_rows if whole_answers else rows_of

    def loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, labels: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the binary cross-entropy between D's outputs for tokens (or whole answers) and their labels.

        Args:
            contexts: (B, s) int32, the contexts of B pairs.
            answers: (B, T + 1) int32, their answers: BOS and at most T tokens each.
            labels: (B,) float32, HUMAN or MACHINE, the label of all tokens of an answer.

        Returns:
            The mean loss, and five sums: the losses, the number of human tokens, the number of human tokens that D
            recognises, the number of machine-generated tokens, and the number of these that D recognises.
        """
        rows = self._rows(answers)
        logits = self.discriminator(contexts, answers, rows)
        label = tf.gather(labels, rows.answer)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(label, logits)
        human = label == HUMAN
        correct = (logits >= 0) == human

        def number(condition: tf.Tensor) -> tf.Tensor:
            return tf.math.count_nonzero(condition, dtype=tf.float32)

        sums = number(human), number(human & correct), number(~human), number(~human & correct)
        return replicas.mean(losses), (tf.reduce_sum(losses), *sums)

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the mean loss, and D's accuracy for human and for machine-generated tokens (NaN without tokens)."""
        loss, human, human_correct, machine, machine_correct = sums
        return {
            "loss": float(loss / (human + machine)),
            "accuracy_human": float(human_correct / human) if human else float("nan"),
            "accuracy_machine": float(machine_correct / machine) if machine else float("nan"),
        }


def labelled_batches(
    human: Pairs | TokenPairs, machine: Pairs, batch_size: int, seed: int | None = None
) -> tuple[Sequence[np.ndarray], Callable[[np.ndarray], tuple[np.ndarray, ...]]]:
    """Plan the batches of one epoch over H and M.

    Args:
        human: The pairs of H.
        machine: The pairs of M.
        batch_size: The number of pairs in a batch.
        seed: The seed of the shuffle, or None for a fixed order.

    Returns:
        The batches (see `plan_batches`), and a function that makes the arrays of a batch: contexts, answers, labels.
    """
    both = Pairs.concatenate([human[:], machine])
    labels = np.repeat(np.array([HUMAN, MACHINE], np.float32), [len(human), len(machine)])

    def take(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        padded = np.zeros(batch_size, np.float32)
        padded[: len(batch)] = labels[batch]
        return *take_batch(both, batch, batch_size), padded

    return plan_batches(both, batch_size, seed), take
