"""The two maximum-likelihood phases before imitation.

The phase PRETRAINING trains a network with random weights on running text. The phase MAXIMUM_LIKELIHOOD trains the
policy on the experts' responses.
"""

import math
from collections.abc import Generator
from typing import Any, NamedTuple

import keras
import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, Rows
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood
from gail_tf.imitation.networks import Networks
from gail_tf.imitation.phases import MAXIMUM_LIKELIHOOD, PRETRAINING, Stage
from gail_tf.policies.base import LanguagePolicy
from keras_gca.engine.learner import check_warm_up
from keras_gca.engine.staged_training import Event
from keras_gca.errors import refuse_nan


class Phase(NamedTuple):
    """One of the two maximum-likelihood phases.

    Attributes:
        policy: The policy to train.
        text: The text for training the policy.
        learning_rate: The peak learning rate.
        epochs: The number of epochs.
    """

    policy: LanguagePolicy
    text: Rows
    learning_rate: float
    epochs: int


class LikelihoodPhases:
    """The training loop of the two maximum-likelihood phases.

    A checkpoint may be written after any step, so an interrupted epoch can be resumed.

    Args:
        config: The settings.
        networks: The networks of the training run.
        training: The experts' responses for training.
        validation: The experts' held-out responses.
        general: The running text for pretraining, or None.
    """

    def __init__(self, config: GAILConfig, networks: Networks, training: Rows, validation: Batch, general: Rows | None):
        self.config, self._networks = config, networks
        settings = config.likelihood
        experts = Phase(networks.policy, training, settings.mle_learning_rate, settings.mle_epochs)
        self._phases = {MAXIMUM_LIKELIHOOD: experts}
        if general is not None and networks.pretrained is not None:
            rate, epochs = settings.pretraining_learning_rate, settings.pretraining_epochs
            self._phases[PRETRAINING] = Phase(networks.pretrained, general, rate, epochs)
        self._validation = validation
        self._learner: MaximumLikelihood | None = None  # the learner of the current phase
        self._step = 0  # the number of completed steps in the current epoch
        self._sums = np.zeros(2)  # the sum of the losses and the number of tokens in these steps

    def check(self, phases: set[str]) -> None:
        """Check that the learning rate's warm-up is shorter than each of the given phases.

        Args:
            phases: The names of the phases to check. Phases that do not train by maximum likelihood are ignored.

        Raises:
            UserError: A phase is not longer than the configured warm-up.
        """
        for phase in phases & self._phases.keys():
            total = self.total_steps(phase)
            check_warm_up(self.config.warm_up(total), total)

    def epoch(self, stage: Stage, seeds: list[int]) -> Generator[Event, None, int]:
        """Run an epoch, or the rest of an interrupted epoch.

        Args:
            stage: The epoch.
            seeds: Two seeds, for the order of the batches and for dropout.

        Yields:
            An event after each step.

        Returns:
            The number of steps in the epoch.

        Raises:
            DivergedError: The loss is NaN.
        """
        learner, size = self._learner_of(stage.phase), self.config.optimizer.batch_size
        text = self._phases[stage.phase].text
        batches = text.plan(size, seeds[0])
        while self._step < len(batches):
            batch, dropout = text.taken(batches[self._step], size), np.array([seeds[1], self._step], np.int32)
            result = learner.train_step(batch, np.arange(size, dtype=np.int32), dropout)
            sums = [float(value) for value in result.sums]
            refuse_nan(sums[0], stage.phase, "mle" if stage.phase == MAXIMUM_LIKELIHOOD else "pretraining")
            self._sums += sums
            self._step += 1
            yield Event(stage, self._step, len(batches), self._metrics())
        return len(batches)

    def end_of_epoch(self, stage: Stage) -> dict[str, float]:
        """Measure the validation perplexity at the end of an epoch.

        Args:
            stage: The completed epoch.

        Returns:
            The row that the epoch adds to the log.
        """
        row = self._metrics() | {"val_perplexity": self._learner_of(stage.phase).perplexity(self._validation)}
        self._step, self._sums = 0, np.zeros(2)
        if stage.number == stage.of:
            self._learner = None
        return row

    def _metrics(self) -> dict[str, float]:
        loss = float(self._sums[0] / self._sums[1])
        return {"loss": loss, "perplexity": math.exp(min(loss, 700))}

    def total_steps(self, phase: str) -> int | None:
        """Return the number of training steps in one of the two phases; see `GAILConfig.total_steps`."""
        config, (_, text, _, epochs) = self.config, self._phases[phase]
        return config.total_steps(len(text.plan(config.optimizer.batch_size, 0)), epochs)

    def _learner_of(self, phase: str) -> MaximumLikelihood:
        if self._learner is None:
            config, (policy, _, rate, _) = self.config, self._phases[phase]
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
        """Return the current position in the epoch and the summed losses, as JSON values for a checkpoint."""
        return {"step": self._step, "sums": self._sums.tolist()}

    def restore(self, phase: str | None, step: int, facts: dict[str, Any], with_optimizer: bool) -> None:
        """Restore the position stored in a checkpoint.

        Args:
            phase: The current phase.
            step: The number of completed steps in the current epoch.
            facts: The values returned by `facts`.
            with_optimizer: Whether the checkpoint contains the phase's optimizer.

        Raises:
            KeyError: A value is missing.
            ValueError: The checkpoint contains an optimizer, but `phase` is not one of the two phases.
        """
        self._step, self._sums = step, np.array(facts["sums"])
        if with_optimizer:
            if phase not in self._phases:
                raise ValueError(f"the phase {phase} has no maximum-likelihood optimizer")
            self._learner_of(phase)

    def variables(self, phase: str | None) -> dict[str, list[keras.Variable]]:
        """Return a dictionary of the variables, other than the policy's, that a checkpoint in this phase stores."""
        stored = {}
        if self._learner is not None:
            stored["likelihood_optimizer"] = self._learner.optimizer.variables
        return stored
