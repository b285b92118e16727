"""Measures G and D on held-out pairs at the end of an epoch, for the `val_` columns of the log.

In Algorithm 2, G is the generator, D the discriminator, H the set of human pairs, and M the set of pairs that G
generates.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from keras_gca.config import Config
from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import EOS
from keras_gca.engine.learner import add_up
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.training.decomposition import Decomposition
from keras_gca.training.dialogue_training import DialogueEpoch
from keras_gca.training.discriminator import labelled_batches
from keras_gca.training.learner import BlockLearner


class HeldOut:
    """Measurements of the networks on held-out human pairs, and on pairs generated from held-out contexts.

    Args:
        gca: The networks.
        pairs: The held-out human pairs.
        config: The settings.
    """

    def __init__(self, gca: GenerativeConversationalAgent, pairs: Pairs, config: Config):
        self.pairs, self.config, self.evaluator = pairs, config, Evaluator(gca)
        self.decomposition = Decomposition(gca, config)

    def perplexity(self) -> dict[str, float]:
        """Measure the generator's perplexity on the held-out human pairs."""
        return {"val_perplexity": self.evaluator.perplexity(self.pairs, self.config.batch_size)}

    def discriminator(self, learner: BlockLearner, machine: Pairs) -> dict[str, float]:
        """Measure how well the discriminator and each term of Eq. 8 distinguish human from machine-generated pairs."""
        metrics = self._metrics(learner, *labelled_batches(self.pairs, machine, self.config.adversarial_batch_size))
        return metrics | self._terms(machine, generated=False)

    def generator(self, learner: BlockLearner, machine: Pairs) -> dict[str, float]:
        """Measure how human the generated tokens look to the discriminator, and the generator's perplexity on human
        pairs.

        The terms of Eq. 8 are computed for the current token in the form that the discriminator reads in line 9. With
        `reinforce`, this is the token that the generator has sampled.
        """
        size = self.config.adversarial_batch_size
        metrics = self._metrics(learner, plan_batches(machine, size), lambda batch: take_batch(machine, batch, size))
        return metrics | self._terms(machine, self.config.algorithm != "reinforce") | self.perplexity()

    def dialogues(self, learner: BlockLearner, epoch: DialogueEpoch) -> dict[str, float]:
        """Measure the rewards of simulated conversations, and the generator's perplexity on human pairs."""
        return self._metrics(learner, range(len(epoch.batches)), epoch.take) | self.perplexity()

    def _terms(self, machine: Pairs, generated: bool) -> dict[str, float]:
        measured = self.decomposition.measure(self.pairs, machine, self.config.adversarial_batch_size, generated)
        return {f"val_{name}": value for name, value in measured.items()}

    @staticmethod
    def _metrics(
        learner: BlockLearner, batches: Iterable[Any], take: Callable[[Any], Iterable[Any]]
    ) -> dict[str, float]:
        sums = add_up(learner.test_step(*take(batch)) for batch in batches)
        return {f"val_{name}": value for name, value in learner.metrics(sums).items()}


def diversity(machine: Pairs) -> dict[str, float]:
    """Measure the share of distinct answers among generated answers, and the mean length of the answers in words."""
    words = np.count_nonzero(machine.answers, axis=1) - 1 - np.any(machine.answers == EOS, axis=1)
    return {"distinct_answers": len(np.unique(machine.answers, axis=0)) / len(machine), "words": float(words.mean())}
