"""Maximum likelihood before imitation: GPT-2 is pretrained on running text, then learns the experts' responses."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, take
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood
from gail_tf.imitation.networks import Networks
from gail_tf.imitation.phases import MAXIMUM_LIKELIHOOD, PRETRAINING, Stage
from keras_gca.engine.batching import plan
from keras_gca.engine.learner import check_warm_up
from keras_gca.engine.staged_training import Event
from keras_gca.engine.variables import assign
from keras_gca.errors import refuse_nan


class LikelihoodPhases:
    """Epochs of the two phases; an epoch may be stored, and taken up again, after any of its steps.

    training, validation: the experts' responses. general: running text to pretrain on, or None.
    """

    def __init__(
        self, config: GAILConfig, networks: Networks, training: Batch, validation: Batch, general: Batch | None
    ):
        self.config, self._networks = config, networks
        self._text = {PRETRAINING: general, MAXIMUM_LIKELIHOOD: training}
        self._validation = validation
        self._learner: MaximumLikelihood | None = None  # of the current phase
        self._step = 0  # steps of the current epoch that are done
        self._sums = np.zeros(2)  # over these steps: losses, and tokens

    def check(self, phases: set[str]) -> None:
        """Raises UserError where a warm-up that was given does not end before one of these phases does."""
        for phase in phases & set(self._text):
            total = self.total_steps(phase)
            check_warm_up(self.config.warm_up(total), total)

    def epoch(self, stage: Stage, seeds: list[int]) -> Iterator[Event]:
        """The rest of an epoch; returns the number of its steps. seeds: of the order, and of dropout."""
        learner, text, size = self._learner_of(stage.phase), self._text[stage.phase], self.config.optimizer.batch_size
        batches = plan(text.condition_lengths, size, seeds[0], text.response_lengths)
        while self._step < len(batches):
            batch, dropout = take(text, batches[self._step], size), np.array([seeds[1], self._step], np.int32)
            result = learner.train_step(batch, np.arange(size, dtype=np.int32), dropout)
            sums = [float(value) for value in result.sums]
            refuse_nan(sums[0], stage.phase, "mle" if stage.phase == MAXIMUM_LIKELIHOOD else "pretraining")
            self._sums += sums
            self._step += 1
            yield Event(stage, self._step, len(batches), self._metrics())
        return len(batches)

    def end_of_epoch(self, stage: Stage) -> dict[str, float]:
        """The row of an epoch whose steps are done. Pretrained weights go to the network that learns on."""
        row = self._metrics() | {"val_perplexity": self._learner.perplexity(self._validation)}
        self._step, self._sums = 0, np.zeros(2)
        if stage.phase == PRETRAINING and self._networks.pretrained_into:
            assign(list(self._networks.pretrained_into), self._networks.pretrained.variables)
        if stage.number == stage.of:
            self._learner = None
        return row

    def _metrics(self) -> dict[str, float]:
        loss = float(self._sums[0] / self._sums[1])
        return {"loss": loss, "perplexity": math.exp(min(loss, 700))}

    def total_steps(self, phase: str) -> int | None:
        """The steps of one of the two phases; see `GAILConfig.total_steps`."""
        config = self.config
        epochs = config.likelihood.pretraining_epochs if phase == PRETRAINING else config.likelihood.mle_epochs
        return config.total_steps(math.ceil(len(self._text[phase].condition) / config.optimizer.batch_size), epochs)

    def _learner_of(self, phase: str) -> MaximumLikelihood:
        if self._learner is None:
            config = self.config
            if phase == PRETRAINING:
                policy, rate = self._networks.pretrained, config.likelihood.pretraining_learning_rate
            else:
                policy, rate = self._networks.policy, config.likelihood.mle_learning_rate
            total = self.total_steps(phase)
            self._learner = MaximumLikelihood(
                policy,
                rate,
                weight_decay=config.optimizer.weight_decay,
                warmup_steps=config.warm_up(total),
                gradient_clip=config.optimizer.gradient_clip,
                total_steps=total,
            )
        return self._learner

    # Storing and restoring

    def facts(self) -> dict[str, Any]:
        """Numbers to be stored, for JSON."""
        return {"step": self._step, "sums": self._sums.tolist()}

    def restore(self, phase: str | None, step: int, facts: dict[str, Any], with_optimizer: bool) -> None:
        """Take back what `facts` gave. phase: the current one. with_optimizer: whether its optimizer was stored."""
        self._step, self._sums = step, np.array(facts["sums"])
        if with_optimizer:
            self._learner_of(phase)

    def variables(self, phase: str | None) -> dict[str, list[keras.Variable]]:
        """What is to be stored in a phase besides the policy, by name."""
        stored = {}
        if phase == PRETRAINING and self._networks.pretrained_into:
            stored["pretrained"] = self._networks.pretrained.variables
        if self._learner is not None:
            stored["likelihood_optimizer"] = self._learner.optimizer.variables
        return stored
