"""The state of Algorithm 1: the networks and counters that change during training, as stored in checkpoints."""

from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Rows
from gail_tf.data.samples import ExpertSamples, Samples
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation import phases
from gail_tf.imitation.advantages import AdvantageEstimator
from gail_tf.imitation.likelihood_phases import LikelihoodPhases
from gail_tf.imitation.networks import Networks
from gail_tf.imitation.phases import DISCRIMINATOR, IMITATION, Stage
from gail_tf.imitation.reference import Reference
from gail_tf.imitation.rewards import RewardStatistics
from gail_tf.imitation.rollouts import Collector
from gail_tf.imitation.validation import Validation
from keras_gca.engine.staged_training import Event, StagedTraining, pack, unpack, validated_position
from keras_gca.engine.variables import assign


@dataclass
class GAILState(StagedTraining):
    """Base class of `GAILTraining` that sets up, stores and restores the parts of a training run.

    The steps of the algorithm are implemented in `GAILTraining` (`gail.py`).

    Attributes:
        config: The settings.
        tokenizer: The tokenizer.
        networks: The networks created by `build.make_networks`.
        training: The expert trajectories for training.
        validation: The held-out expert trajectories.
        general: The text for pretraining (`samples.running_text`), or None if the network is already pretrained.
        history: The rows of the log, one for each completed stage.
    """

    config: GAILConfig
    tokenizer: Tokenizer
    networks: Networks
    training: ExpertSamples
    validation: Samples
    general: Rows | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        config = self.config
        self.stages = phases.schedule(config, from_scratch=self.general is not None)
        self.policy, self.sampling, twin, self.judge, self.optimiser, *_ = self.networks
        per_token = config.judge.discriminator == "token"
        self.reference = Reference(twin, self.sampling, per_token, self.policy.frozen_features)
        parts = self.policy, self.reference, self.tokenizer
        drawn = config.rollout.rollouts * sum(stage.phase in (DISCRIMINATOR, IMITATION) for stage in self.stages)
        self.collector = Collector(
            *parts,
            self.training,
            self.sampling,
            config.rollout.decoding_batch_size,
            keep_experts=drawn > len(self.training),
            recompute=config.rollout.old_log_probs == "recomputed",
        )
        held_out = Collector(*parts, self.validation, self.sampling, config.rollout.decoding_batch_size)
        self.held_out = Validation(config, held_out, self.judge)
        self.advantages = AdvantageEstimator(config, self.optimiser)
        self.likelihood = LikelihoodPhases(
            config, self.networks, self.training.batch, self.validation.batch, self.general
        )
        self.likelihood.check({stage.phase for stage in self.stages})
        self._position = 0  # the number of stages that have ended
        if self.imitates:
            self._fix_reference()

    @property
    def imitates(self) -> bool:
        """Whether maximum likelihood training has ended. From then on, the reference policy stays fixed."""
        return self.phase in (DISCRIMINATOR, IMITATION, None)

    def shortened_warm_ups(self) -> dict[str, tuple[int, int]]:
        """Find the phases that are too short for the configured warm-up, which is therefore shortened.

        Returns:
            A dictionary that maps each of these phases to its number of warm-up steps and its total number of steps.
        """
        shortened = {}
        for phase in dict.fromkeys(stage.phase for stage in self.stages if stage.phase != DISCRIMINATOR):
            total = self.optimiser.total_steps if phase == IMITATION else self.likelihood.total_steps(phase)
            steps = self.config.warm_up(total)
            if total is not None and steps < self.config.optimizer.warmup_steps:
                shortened[phase] = steps, total
        return shortened

    @property
    def buffers(self) -> int:
        """The number of buffers collected by earlier stages. Valid only in a stage that collects a buffer."""
        return self._position - [stage.phase in (DISCRIMINATOR, IMITATION) for stage in self.stages].index(True)

    def _fix_reference(self) -> None:
        """Copy the policy's weights to the reference policy and, if D has a trainable GPT-2, to D's encoder."""
        self.collector.forget()
        assign(self.reference.policy.variables, self.policy.variables)
        self.judge.begin_as(self.policy)

    def _end(self, stage: Stage, steps: int, metrics: dict[str, float], row: dict[str, float]) -> Event:
        began = self.imitates
        event = super()._end(stage, steps, metrics, row)
        if self.imitates and not began:
            self._fix_reference()
        return event

    # Storing and restoring

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return everything that a checkpoint needs to continue the training run exactly where it stopped.

        Returns:
            A dictionary of JSON values, and a dictionary from names to arrays.
        """
        facts = {"position": self._position, "history": list(self.history), "totals": self.config.own_totals()}
        statistics = self.advantages.statistics._asdict()
        arrays = {f"statistics/{name}": np.array(value) for name, value in statistics.items()}
        for name, variables in self._variables().items():
            arrays |= pack(name, [variable.numpy() for variable in variables])
        return facts | self.likelihood.facts() | self.optimiser.facts() | self.advantages.facts(), arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Restore the state of a training run with the same config and data.

        Args:
            facts: The JSON values returned by `state`.
            arrays: The arrays returned by `state`.

        Raises:
            KeyError: A value or an array is missing.
            ValueError: The state belongs to a training run with a different config or different data.
        """
        self._position, step, self.history = validated_position(facts, len(self.stages))
        self.likelihood.restore(self.phase, step, facts, bool(unpack("likelihood_optimizer", arrays)))
        self.optimiser.restore(facts)
        self.advantages.restore(facts)
        for name, variables in self._variables().items():
            assign(variables, unpack(name, arrays))
        self.advantages.statistics = RewardStatistics(arrays["statistics/mean"], arrays["statistics/variance"])
        self.collector.forget()

    def _variables(self) -> dict[str, list[keras.Variable]]:
        """Return the variables to store in a checkpoint now, without those that have not been trained yet."""
        stored = {"policy": self.policy.variables} | self.likelihood.variables(self.phase)
        if self.imitates:
            stored["reference"] = self.reference.policy.variables
            stored["discriminator"] = self.judge.variables
            stored["discriminator_optimizer"] = self.judge.optimizer_variables
            stored |= self.optimiser.variables
        return stored
