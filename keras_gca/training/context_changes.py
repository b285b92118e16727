"""Trains the detector of context changes, without labels, on pairs of utterances.

Two successive utterances of a conversation form a pair without a change. An utterance and a random utterance from
another conversation form a pair with a change, as if the two conversations had been joined. In each epoch, every
utterance occurs in one pair of each kind.
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
    """A learner that trains a detector with binary cross-entropy.

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
            first: Token ids of the first utterances, shape (B, T) and dtype int32.
            second: Token ids of the second utterances, shape (B, T) and dtype int32.
            changes: The labels, shape (B,) and dtype float32: 1 if the second utterance comes from another
                conversation, else 0.

        Returns:
            The mean loss, and two totals over the batch: the loss, and the number of pairs.
        """
        losses = tf.nn.sigmoid_cross_entropy_with_logits(changes, self.detector.logits(first, second))
        return replicas.mean(losses), (tf.reduce_sum(losses), tf.cast(tf.size(losses), tf.float32))


@dataclasses.dataclass(frozen=True)
class Successions:
    """Pairs of successive utterances, and a pool of utterances for making pairs with a change.

    Attributes:
        first: The last utterance before each answer, shape (n, s_s) and dtype int32.
        second: The answers, shape (n, s_s) and dtype int32.
        conversation: For each pair, the index of its conversation, shape (n,) and dtype int32.
        pool: All utterances, shape (m, s_s) and dtype int32.
        owner: For each utterance in the pool, the index of its conversation, shape (m,) and dtype int32.
    """

    first: np.ndarray
    second: np.ndarray
    conversation: np.ndarray
    pool: np.ndarray
    owner: np.ndarray

    @classmethod
    def of(cls, pairs: Pairs, vocabulary_size: int) -> "Successions":
        """Extract successive utterances from pairs.

        Args:
            pairs: The pairs. Each utterance in their contexts must end with EOS.
            vocabulary_size: s_v, the size of the vocabulary. Speaker tokens, whose indices are s_v or higher, are left
                out.

        Raises:
            UserError: All pairs come from the same conversation.
        """
        if len(np.unique(pairs.conversation)) < 2:
            raise UserError(
                "--context-changes detect: the detector needs utterances from several conversations, but the "
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
        """Draw an utterance from another conversation for each of the given pairs.

        Returns:
            An int32 array of shape (len(rows), s_s).
        """
        drawn = random.integers(len(self.owner), size=len(rows))
        while (same := self.owner[drawn] == self.conversation[rows]).any():
            drawn[same] = random.integers(len(self.owner), size=int(same.sum()))
        return self.pool[drawn]


def train_detector(pairs: Pairs, held_out: Pairs, embedding: np.ndarray, seed: int) -> ChangeDetector:
    """Train a detector of context changes until its loss on held-out pairs stops falling.

    Args:
        pairs: The training pairs. Each utterance in their contexts ends with EOS.
        held_out: The held-out pairs, in the same form.
        embedding: The initial word vectors, shape (s_v, s_e) and dtype float32.
        seed: The random seed for initial weights and all draws.

    Raises:
        UserError: All training pairs, or all held-out pairs, come from the same conversation.
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
        pairs: The held-out pairs. Each utterance in their contexts ends with EOS.
        seed: The random seed for drawing utterances from other conversations.

    Returns:
        The true-positive rate (the share of pairs with a change in which the detector finds the change) and the
        false-positive rate (the share of pairs without a change in which the detector wrongly sees one).
    """
    held_out = Successions.of(pairs, detector.words.input_dim)
    joined = held_out.joined(np.arange(len(pairs)), np.random.default_rng(seed))
    seen = [np.mean(detector.logits(held_out.first, second) > 0) for second in (joined, held_out.second)]
    return float(seen[0]), float(seen[1])


def with_dynamic_contexts(dataset: Dataset, config: Config, embedding: np.ndarray) -> Dataset:
    """Train a detector on the training pairs, and remove all utterances before the last change from every context.

    Args:
        dataset: The data. Each utterance in its contexts ends with EOS.
        config: The settings.
        embedding: The initial word vectors, shape (s_v, s_e) and dtype float32.

    Raises:
        UserError: The training set or the validation set consists of a single conversation.
        TypeError: The training pairs are not in memory.
    """
    training, validation, test = dataset.training, dataset.validation, dataset.test
    if not isinstance(training, Pairs):
        raise TypeError("token files do not mark where utterances end; use pairs in memory")
    detector = train_detector(training, validation, embedding, config.seed)
    hit, false = rates(detector, validation, config.seed)
    reporting.say(
        f"context changes: the detector finds {hit:.0%} of the changes in held-out pairs, and wrongly sees one in "
        f"{false:.0%} of the pairs without a change"
    )
    return dataclasses.replace(
        dataset,
        detector=detector.weights,
        training=detector.shorten(training, config),
        validation=detector.shorten(validation, config),
        test=None if test is None else detector.shorten(test, config),
    )
