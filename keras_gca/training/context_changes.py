"""Trains the detector of context changes without labels, on pairs of utterances from one or from two conversations.

An utterance and the next one in its conversation form a pair without a change. An utterance and a random one from
another conversation form a pair with a change, as if two conversations had been joined. In each epoch, every utterance
occurs in one pair of each kind.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs, answers_as_contexts, pad_contexts, utterances_of
from keras_gca.engine import optimizers, replicas, reporting
from keras_gca.engine.learner import Learner
from keras_gca.engine.training_loop import progress
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError
from keras_gca.models.context_changes import ChangeDetector

EPOCHS, BATCH, LEARNING_RATE = 5, 128, 1e-3  # EPOCHS is the maximum number of epochs
MOST = 200_000  # the maximum number of pairs of successive utterances in an epoch


class ChangeLearner(Learner):
    """Trains a detector by binary cross-entropy.

    Args:
        detector: The detector.
    """

    def __init__(self, detector: ChangeDetector):
        super().__init__(detector.variables, optimizers.Adam(LEARNING_RATE))
        self.detector = detector

    def loss(
        self, first: tf.Tensor, second: tf.Tensor, changes: tf.Tensor
    ) -> tuple[tf.Tensor, tuple[tf.Tensor, tf.Tensor]]:
        """Compute the binary cross-entropy for B pairs of utterances.

        Args:
            first: (B, T) int32, the tokens of the first utterances.
            second: (B, T) int32, the tokens of the second utterances.
            changes: (B,) float32, 1 if the second utterance is from another conversation, and otherwise 0.

        Returns:
            The mean loss, and two sums: the losses, and the number of pairs.
        """
        losses = tf.nn.sigmoid_cross_entropy_with_logits(changes, self.detector.logits(first, second))
        return replicas.mean(losses), (tf.reduce_sum(losses), tf.cast(tf.size(losses), tf.float32))


@dataclasses.dataclass(frozen=True)
class Successions:
    """Pairs of successive utterances, and a pool of utterances to draw from for pairs with a change.

    Attributes:
        first: (n, s_s) int32, the last utterance before each answer.
        second: (n, s_s) int32, the answer.
        conversation: (n,) int32, the index of the conversation that each pair comes from.
        pool: (m, s_s) int32, all utterances.
        owner: (m,) int32, the index of the conversation that each utterance in the pool comes from.
    """

    first: np.ndarray
    second: np.ndarray
    conversation: np.ndarray
    pool: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, pairs: Pairs, vocabulary_size: int) -> "Successions":
        """Take the successive utterances from pairs. In the contexts of the pairs, each utterance must end with EOS.

        Args:
            pairs: The pairs.
            vocabulary_size: s_v. Speaker tokens, whose indices are s_v or higher, are left out.

        Raises:
            UserError: All pairs are from one conversation.
        """
        if len(np.unique(pairs.conversation)) < 2:
            raise UserError(
                "--context-changes detect: the detector learns from utterances of different conversations, but the "
                "corpus has only one; use --context-changes ignore"
            )
        length = pairs.answers.shape[1] - 1
        read = [utterances_of(context[context < vocabulary_size]) for context in pairs.contexts]
        first = pad_contexts([utterances[-1] if utterances else () for utterances in read], length)
        second = answers_as_contexts(pairs.answers, length)
        _, begins = np.unique(pairs.conversation, return_index=True)  # first utterances occur only in contexts
        owner = np.concatenate([pairs.conversation, pairs.conversation[begins]])
        return cls(first, second, pairs.conversation, np.concatenate([second, first[begins]]), owner)

    def joined(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """Draw an utterance from another conversation for each of the given pairs: (len(rows), s_s) int32."""
        drawn = random.integers(len(self.owner), size=len(rows))
        while (same := self.owner[drawn] == self.conversation[rows]).any():
            drawn[same] = random.integers(len(self.owner), size=int(same.sum()))
        return self.pool[drawn]


def train_detector(pairs: Pairs, held_out: Pairs, embedding: np.ndarray, seed: int) -> ChangeDetector:
    """Train a detector of context changes until its loss on held-out pairs stops falling.

    Args:
        pairs: The training pairs. In their contexts, each utterance ends with EOS.
        held_out: Held-out pairs of the same kind.
        embedding: (s_v, s_e) float32, the initial word vectors.
        seed: The seed for the initial weights and all random draws.

    Raises:
        UserError: All training pairs, or all held-out pairs, come from one conversation.
    """
    measured = Successions.of(held_out, len(embedding))
    joined = measured.joined(np.arange(len(held_out)), np.random.default_rng(seed))
    successions, random = Successions.of(pairs, len(embedding)), np.random.default_rng(seed)
    words, size = embedding.shape
    detector = ChangeDetector(words, size, seed)
    assign(detector.variables[:1], [embedding])
    learner, half = ChangeLearner(detector), min(BATCH // 2, len(pairs))
    changes = np.repeat(np.array([0, 1], np.float32), half)
    steps = min(len(pairs), MOST) // half
    best, weights = np.inf, detector.weights
    with progress(total=EPOCHS * steps, desc="learning context changes") as bar:
        for _ in range(EPOCHS):
            order = random.permutation(len(pairs))
            for step in range(steps):
                rows = order[step * half : (step + 1) * half]
                second = np.concatenate([successions.second[rows], successions.joined(rows, random)])
                learner.train_step(np.tile(successions.first[rows], (2, 1)), second, changes)
                bar.update()
            kinds = ((measured.second, 0.0), (joined, 1.0))
            sums = [
                learner.test_step(measured.first, second, np.full(len(joined), change, np.float32))
                for second, change in kinds
            ]
            loss = float(sum(of_kind[0] for of_kind in sums))
            if loss >= best:
                break
            best, weights = loss, detector.weights
    return ChangeDetector.of_weights(weights)


def rates(detector: ChangeDetector, pairs: Pairs, seed: int) -> tuple[float, float]:
    """Measure a detector on held-out pairs.

    Args:
        detector: The detector.
        pairs: Held-out pairs. In their contexts, each utterance ends with EOS.
        seed: The random seed for drawing utterances from other conversations.

    Returns:
        The true-positive rate, which is the share of utterances from another conversation at which the detector sees a
        change, and the false-positive rate, which is this share for utterances from the same conversation.
    """
    held_out = Successions.of(pairs, detector.words.input_dim)
    joined = held_out.joined(np.arange(len(pairs)), np.random.default_rng(seed))
    seen = [np.mean(detector.logits(held_out.first, second) > 0) for second in (joined, held_out.second)]
    return float(seen[0]), float(seen[1])


def with_dynamic_contexts(dataset: Dataset, config: Config, embedding: np.ndarray) -> Dataset:
    """Train the detector on the training pairs, and leave out the utterances before the last change in every context.

    Args:
        dataset: The data. In its contexts, each utterance ends with EOS.
        config: The settings.
        embedding: (s_v, s_e) float32, the initial word vectors.

    Raises:
        UserError: The training set or the validation set has only one conversation.
        TypeError: The training pairs are not in memory.
    """
    training, validation, test = dataset.training, dataset.validation, dataset.test
    if not isinstance(training, Pairs):
        raise TypeError("token files do not mark where utterances end; use pairs in memory")
    detector = train_detector(training, validation, embedding, config.seed)
    hit, false = rates(detector, validation, config.seed)
    reporting.say(
        f"context changes: detected before {hit:.0%} of the held-out utterances from another conversation, and before "
        f"{false:.0%} of those from the same conversation"
    )
    return dataclasses.replace(
        dataset,
        detector=detector.weights,
        training=detector.shorten(training, config),
        validation=detector.shorten(validation, config),
        test=None if test is None else detector.shorten(test, config),
    )
