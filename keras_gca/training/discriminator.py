"""Algorithm 2, line 6: the discriminator learns to distinguish H from M.

H is the set of human pairs of a context and an answer, M the set of pairs that the generator made in line 5, and D the
discriminator.
"""

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.vocabulary import PAD
from keras_gca.engine import replicas
from keras_gca.engine.learner import StepResult
from keras_gca.engine.random import batch_normal
from keras_gca.engine.regularisation import spectrally_normalised, with_proportional_noise, with_smoothed_labels
from keras_gca.models.forward import no_dropout
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.rows import last_rows, rows_of
from keras_gca.training.learner import BlockLearner

HUMAN, MACHINE = 1.0, 0.0  # the labels of Section 4
ENCODINGS = ("e_cd", "e_ad")  # the encodings of Eq. 7, to which noise may be added


class DiscriminatorTraining(BlockLearner):
    """A learner that trains the discriminator D to distinguish human from machine-generated answers, token by token.

    The loss is binary cross-entropy (Eq. 7-8).

    Args:
        gca: The networks.
        learning_rate: Adam's learning rate.
        whole_answers: Whether D judges each answer only at the last token, as in Li et al. 2017, instead of at every
            token.
        label_smoothing: The amount subtracted from HUMAN, the label of human tokens.
        instance_noise: The standard deviation of the noise that training steps add to D's encodings e_cd and e_ad (Eq.
            7), relative to that of each encoding over the batch.
        spectral_normalisation: Whether `step` keeps the largest singular value of each of D's matrices at 1 or below.
    """

    replicated = ("seed",)

    def __init__(
        self,
        gca: GenerativeConversationalAgent,
        learning_rate: float,
        whole_answers: bool = False,
        label_smoothing: float = 0.0,
        instance_noise: float = 0.0,
        spectral_normalisation: bool = False,
    ):
        super().__init__(gca, gca.green, learning_rate)
        self._rows = last_rows if whole_answers else rows_of
        self._smoothing, self._noise = label_smoothing, instance_noise
        self._matrices = [variable for variable in self.variables if len(variable.shape) == 2]
        self._normalises = spectral_normalisation
        self.compiled_normalise = tf.function(self.normalise, autograph=False)

    @property
    def draws(self) -> bool:
        """Whether training steps draw instance noise."""
        return self._noise > 0

    def step(self, *batch: np.ndarray, seed: tuple[int, int]) -> StepResult:
        """Take one training step (see `BlockLearner`), followed by spectral normalisation if it is enabled."""
        result = super().step(*batch, seed=seed)
        if self._normalises:
            self.compiled_normalise()
        return result

    def normalise(self) -> None:
        """Divide each matrix of the discriminator by its largest singular value if that value exceeds 1.

        Miyato et al. 2018 divide the weights in each forward pass, and let the gradient flow through the singular
        value. Here the stored weights themselves are divided, so a saved bot can be loaded without extra code.
        """
        for matrix in self._matrices:
            matrix.assign(spectrally_normalised(tf.convert_to_tensor(matrix)))

    def loss(
        self, contexts: tf.Tensor, answers: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, ...]]:
        """Compute the binary cross-entropy of the discriminator's outputs for tokens (or for complete answers).

        Args:
            contexts: Token ids of the contexts of B pairs, shape (B, s) and dtype int32.
            answers: Token ids of the answers, shape (B, T + 1) and dtype int32. Each answer consists of BOS and at most
                T tokens.
            labels: The label of all tokens in each answer, HUMAN or MACHINE, shape (B,) and dtype float32.
            seed: The random seed for instance noise, shape (2,) and dtype int32, or None for no noise, as in
                evaluation.

        Returns:
            The mean loss, and five totals over the batch: the loss, and the numbers of human tokens, correctly
            classified human tokens, machine-generated tokens, and correctly classified machine-generated tokens.
        """

        def noise(encoding: str, values: tf.Tensor) -> tf.Tensor:
            count, size = tf.unstack(tf.shape(values))
            own = tf.random.experimental.stateless_fold_in(seed, ENCODINGS.index(encoding))
            drawn = batch_normal(own, replicas.place(count), [size])
            # Rows whose contexts have no tokens are empty pairs, which only fill the batch.
            counted = tf.reduce_any(contexts != PAD, 1) if encoding == "e_cd" else None
            return with_proportional_noise(values, self._noise, drawn, counted)

        rows = self._rows(answers)
        logits = self.discriminator(contexts, answers, rows, noise=no_dropout if seed is None else noise)
        label = tf.gather(labels, rows.answer)
        losses = tf.nn.sigmoid_cross_entropy_with_logits(label, logits)
        if self._smoothing:
            losses = with_smoothed_labels(losses, label * logits, self._smoothing)  # label * logits is 0 for M
        human = label == HUMAN
        correct = (logits >= 0) == human

        def number(condition: tf.Tensor) -> tf.Tensor:
            return tf.math.count_nonzero(condition, dtype=tf.float32)

        sums = number(human), number(human & correct), number(~human), number(~human & correct)
        return replicas.mean(losses), (tf.reduce_sum(losses), *sums)

    @staticmethod
    def metrics(sums: np.ndarray) -> dict[str, float]:
        """Compute the mean loss, and D's accuracy on human and on machine-generated tokens (NaN if there are none)."""
        loss, human, human_correct, machine, machine_correct = sums
        return {
            "loss": float(loss / (human + machine)),
            "accuracy_human": float(human_correct / human) if human else float("nan"),
            "accuracy_machine": float(machine_correct / machine) if machine else float("nan"),
        }


def labelled_batches(
    human: Pairs | TokenPairs, machine: Pairs, batch_size: int, seed: int | None = None
) -> tuple[Sequence[np.ndarray], Callable[[np.ndarray], tuple[np.ndarray, ...]]]:
    """Plan the batches of one epoch over human and machine-generated pairs.

    Args:
        human: The human pairs.
        machine: The machine-generated pairs.
        batch_size: The number of pairs in a batch.
        seed: The random seed for shuffling, or None for a fixed order.

    Returns:
        The batches (see `plan_batches`), and a function that returns the contexts, answers and labels of a batch.
    """
    both = Pairs.concatenate([human[:], machine])
    labels = np.repeat(np.array([HUMAN, MACHINE], np.float32), [len(human), len(machine)])

    def take(batch: np.ndarray) -> tuple[np.ndarray, ...]:
        padded = np.zeros(batch_size, np.float32)
        padded[: len(batch)] = labels[batch]
        return *take_batch(both, batch, batch_size), padded

    return plan_batches(both, batch_size, seed), take
