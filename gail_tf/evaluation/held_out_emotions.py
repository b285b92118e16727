"""Classification of the emotions of responses by classifiers trained on held-out conversations.

The reward of RL-Seq2Seq comes from a classifier trained on the training conversations. A second classifier trained on
the same conversations would make similar mistakes, so its results would only show how well a policy maximises the
reward. Therefore each classifier in this module is trained on the validation conversations and one half of the test
conversations, and classifies the other half.

An agreement rate between two sets of emotions is meaningful only in comparison with the accuracy of the classifiers and
the agreement rate of shuffled pairs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
from scipy import optimize, special

from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.independent import Encoder
from gail_tf.evaluation.metrics import SHUFFLED, Classifier, shuffled_agreement
from keras_gca.evaluation.statistics import Estimate

FOLDS = 2
PENALTY = 0.1  # the weight of the L2 penalty in `fit_linear`; it suits vectors with norm 1
HUMAN, PROMPT = "emotion as the human's", "emotion as the prompt's"
ACCURACY, LARGEST = "emotion classifier's accuracy", "emotion classifier's floor"
Fit = Callable[[Sequence[str], Sequence[str]], Classifier]  # makes a classifier from texts and their labels


class HeldOutEmotions:
    """Emotion classifiers, each of which classifies only conversations on which it was not trained.

    Use `learn` to train the classifiers.

    Args:
        classifiers: One classifier for each part of the test conversations.
        parts: A mapping from the number of each test conversation to the index of its part.
        test: The test trajectories. Some of them have labels.

    Attributes:
        accuracy: The share of labelled test prompts whose emotion is classified correctly.
        largest: The share of labelled test prompts with the most frequent label, which is the accuracy of a classifier
            that always predicts this label.
    """

    def __init__(self, classifiers: Sequence[Classifier], parts: Mapping[int, int], test: Sequence[Trajectory]):
        self._classifiers, self._parts = classifiers, parts
        labelled = [one for one in test if one.emotion is not None]
        expected = [str(one.emotion) for one in labelled]
        classes = self.classify([one.prompt for one in labelled], labelled)
        self.accuracy = float(np.mean([one == label for one, label in zip(classes, expected, strict=True)]))
        self.largest = max(expected.count(label) for label in set(expected)) / len(expected)

    @classmethod
    def learn(cls, fit: Fit, test: Sequence[Trajectory], validation: Sequence[Trajectory], seed: int) -> Self | None:
        """Divide the test conversations into FOLDS parts, and train a classifier for each part.

        The classifier for a part is trained on the validation conversations and all other parts.

        Args:
            fit: A function that trains a classifier.
            test: The test trajectories.
            validation: The validation trajectories.
            seed: The seed for dividing the test conversations into parts.

        Returns:
            The classifiers, or None if no test prompt has a label or a classifier's training data contains fewer than
            two different labels.
        """
        numbers = sorted({trajectory.conversation for trajectory in test})
        drawn = np.random.default_rng(seed).permutation(len(numbers)) % FOLDS
        parts = dict(zip(numbers, drawn.tolist(), strict=True))
        lessons = []
        for fold in range(FOLDS):
            read = [*validation, *(one for one in test if parts[one.conversation] != fold)]
            lessons.append([(one.prompt, one.emotion) for one in read if one.emotion is not None])
        labelled = any(one.emotion is not None for one in test)
        if not labelled or any(len({label for _, label in lesson}) < 2 for lesson in lessons):
            return None
        return cls([fit(*map(list, zip(*lesson, strict=True))) for lesson in lessons], parts, test)

    def classify(self, texts: Sequence[str], trajectories: Sequence[Trajectory]) -> list[str]:
        """Classify one text per test trajectory, for example the prompt, the human response, or a policy's response."""
        parts = np.array([self._parts[trajectory.conversation] for trajectory in trajectories])
        classes = [""] * len(texts)
        for fold, classifier in enumerate(self._classifiers):
            rows = np.flatnonzero(parts == fold).tolist()
            if rows:
                for row, name in zip(rows, classifier([texts[row] for row in rows]), strict=True):
                    classes[row] = name
        return classes

    def scores(self, responses: Sequence[str], trajectories: Sequence[Trajectory]) -> dict[str, np.ndarray]:
        """Compare each response's emotion with the human response's and with the prompt's. Return arrays of 0 and 1."""
        classes = np.array(self.classify(responses, trajectories), str)
        return {
            title: (classes == np.array(others, str)).astype(np.float64)
            for title, others in self._partners(trajectories).items()
        }

    def beside(self, responses: Sequence[str], trajectories: Sequence[Trajectory]) -> dict[str, Estimate]:
        """Compute what to compare `scores` with: the agreement expected by chance and the classifiers' accuracy."""
        classes = self.classify(responses, trajectories)
        conversations = np.array([trajectory.conversation for trajectory in trajectories])
        floors = {
            title + SHUFFLED: shuffled_agreement(classes, others, conversations)
            for title, others in self._partners(trajectories).items()
        }
        values = {**floors, ACCURACY: self.accuracy, LARGEST: self.largest}
        return {title: Estimate(value) for title, value in values.items()}

    def of_humans(self, trajectories: Sequence[Trajectory]) -> dict[str, Estimate]:
        """Compute the share of human responses with their prompt's emotion, and the values of `beside`."""
        responses = [trajectory.response for trajectory in trajectories]
        agreed = float(self.scores(responses, trajectories)[PROMPT].mean())
        return {PROMPT: Estimate(agreed)} | self.beside(responses, trajectories)

    def _partners(self, trajectories: Sequence[Trajectory]) -> dict[str, list[str]]:
        return {
            HUMAN: self.classify([trajectory.response for trajectory in trajectories], trajectories),
            PROMPT: self.classify([trajectory.prompt for trajectory in trajectories], trajectories),
        }


def fit_linear(encoder: Encoder, texts: Sequence[str], labels: Sequence[str]) -> Classifier:
    """Fit a softmax regression to the vectors of labelled texts, and return it as a classifier.

    The regression minimises the sum of -log p(label | vector), plus PENALTY / 2 times the sum of the squared weights.

    Args:
        encoder: A function that computes the vectors.
        texts: n texts.
        labels: The label of each text.
    """
    names = sorted(set(labels))
    inputs = _with_one(encoder(texts))
    targets = np.array(labels)[:, None] == np.array(names)[None, :]  # (n, K)
    shape = inputs.shape[1], len(names)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(shape)
        log_p = special.log_softmax(inputs @ weights, axis=1)
        gradient = inputs.T @ (np.exp(log_p) - targets) + PENALTY * weights
        return float(-log_p[targets].sum() + PENALTY / 2 * (weights**2).sum()), gradient.ravel()

    weights = optimize.minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B").x.reshape(shape)

    def classify(others: Sequence[str]) -> list[str]:
        return [names[i] for i in (_with_one(encoder(others)) @ weights).argmax(axis=1)]

    return classify


def _with_one(vectors: np.ndarray) -> np.ndarray:
    """Append a column of ones for the bias."""
    return np.concatenate([np.asarray(vectors, np.float64), np.ones((len(vectors), 1))], axis=1)
