"""Algorithm 1: generative adversarial imitation of expert responses, with maximum likelihood before it.

The algorithm is a list of stages (`phases.schedule`); `GAILTraining` walks through it and can be stored and restored
after those of its events that say so. All randomness comes from the run's seed and the stage's number, so a resumed
training takes exactly the steps of an uninterrupted one.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.data.samples import Samples
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation import diagnostics, phases
from gail_tf.imitation.advantages import AdvantageEstimator
from gail_tf.imitation.likelihood_phases import LikelihoodPhases
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.imitation.networks import Networks
from gail_tf.imitation.phases import DISCRIMINATOR, IMITATION, MAXIMUM_LIKELIHOOD, PRETRAINING, Stage
from gail_tf.imitation.reference import Reference
from gail_tf.imitation.rewards import RewardStatistics
from gail_tf.imitation.rollouts import Collector, Rollouts, draw_rows
from keras_gca.engine.staged_training import Event, StagedTraining, collected, numbered, place_of
from keras_gca.engine.variables import assign

VALIDATION_RESPONSES = 64  # drawn for the reward on held-out prompts


@dataclass
class GAILTraining(StagedTraining):
    """Walks through Algorithm 1: `for event in training: ...`.

    networks: of `build.make_networks`. training, validation: expert trajectories. general: text to pretrain on
    (`samples.running_text`), or None for a network that is pretrained already.
    """

    config: GAILConfig
    tokenizer: Tokenizer
    networks: Networks
    training: Samples
    validation: Samples
    general: Batch | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self):
        config = self.config
        self.stages = phases.schedule(config, from_scratch=self.general is not None)
        self.policy, self.sampling, twin, self.judge, self.optimiser, *_ = self.networks
        self.reference = Reference(twin, self.sampling, config.discriminator == "token", self.policy.frozen_features)
        parts = self.policy, self.reference, self.tokenizer
        drawn = config.rollouts * sum(stage.phase in (DISCRIMINATOR, IMITATION) for stage in self.stages)
        together, keep = config.decoding_batch_size, drawn > len(self.training)
        recompute = config.old_log_probs == "recomputed"
        self.collector = Collector(*parts, self.training, self.sampling, together, keep, recompute)
        self._held_out = Collector(*parts, self.validation, self.sampling, together)
        self._perplexity = Perplexity(self.policy)
        self._advantages = AdvantageEstimator(config, self.optimiser)
        self._likelihood = LikelihoodPhases(
            config, self.networks, self.training.batch, self.validation.batch, self.general
        )
        self._likelihood.check({stage.phase for stage in self.stages})
        self._position = 0  # of the current stage
        if self.imitates:
            self._stand_reference()

    @property
    def imitates(self) -> bool:
        """Whether maximum likelihood is done, and the reference stands."""
        return self.phase in (DISCRIMINATOR, IMITATION, None)

    def _walks(self) -> dict[str, Callable[[Stage], Iterator[Event]]]:
        return {
            PRETRAINING: self._walk_likelihood,
            MAXIMUM_LIKELIHOOD: self._walk_likelihood,
            DISCRIMINATOR: self._walk_discriminator,
            IMITATION: self._walk_imitation,
        }

    def _walk_likelihood(self, stage: Stage) -> Iterator[Event]:
        steps = yield from self._likelihood.epoch(stage, self._seeds())
        row = self._likelihood.end_of_epoch(stage)
        yield self._end(stage, steps, _learned(row), row)

    def _walk_discriminator(self, stage: Stage) -> Iterator[Event]:
        """D learns from one buffer before the policy does (Table 1, "Discriminator Pre-Train Steps")."""
        rollouts = self._collect(stage, human_ratio=0.0)
        yield Event(stage, 1, 2, {}, resumable=False)
        per_buffer = phases.steps_on_a_buffer(self.config)
        steps = min(per_buffer, self.config.discriminator_steps - (stage.number - 1) * per_buffer)
        judgement = self.judge.judge(rollouts.given, rollouts.expert)
        row = diagnostics.of_judgement(rollouts, judgement, self.config, self.judge.discriminates)
        row |= self.judge.learn(rollouts, self._seeds()[3], steps=steps)
        yield self._end(stage, 2, row, row)

    def _walk_imitation(self, stage: Stage) -> Iterator[Event]:
        """One turn of Algorithm 1's loop: sample, collect scores from D, improve the policy, let D learn."""
        config, seeds, began = self.config, self._seeds(), time.monotonic()
        ratio = phases.human_ratio(stage.number - 1, stage.of, config.human_ratio)
        rollouts = self._collect(stage, ratio)
        judgement = self.judge.judge(rollouts.given, rollouts.expert)
        row = diagnostics.of_judgement(rollouts, judgement, config, self.judge.discriminates)
        steps = self.optimiser.steps + 2
        yield Event(stage, 1, steps, row, resumable=False)

        expert_length = float(self.training.batch.response_lengths[rollouts.rows].mean())
        advantages = self._advantages.estimate(rollouts, judgement.given, expert_length)
        figures = []
        for figure in self.optimiser.improve(rollouts, *advantages, seeds[2]):
            figures.append(figure)
            yield Event(stage, 1 + len(figures), steps, row, resumable=False)
        row |= diagnostics.of_steps(figures) | {"human_ratio": ratio} | self.optimiser.end_of_update(figures)
        for number in range(config.discriminator_passes):
            row |= self.judge.learn(rollouts, seeds[3], number)
        row |= diagnostics.of_responses(rollouts, expert_length)
        row["tokens_per_second"] = float(rollouts.batch.response_lengths.sum() / (time.monotonic() - began))
        if stage.number % config.validation_frequency == 0 or stage.number == stage.of:
            row |= self._validate()
        yield self._end(stage, steps, _learned(row), row)

    def _collect(self, stage: Stage, human_ratio: float) -> Rollouts:
        config = self.config
        earlier = self._position - [each.phase in (DISCRIMINATOR, IMITATION) for each in self.stages].index(True)
        rows = draw_rows(len(self.training), config.rollouts, earlier * config.rollouts, config.seed)
        seeds = self._seeds()
        return self.collector.collect(rows, (seeds[0], seeds[1]), config.sample_batch_size, human_ratio)

    def _validate(self) -> dict[str, float]:
        """Perplexity, and D's reward, on held-out trajectories; always by the same noise."""
        count = len(self.validation)
        rows = np.linspace(0, count - 1, min(VALIDATION_RESPONSES, count)).astype(int)  # of every corpus
        rollouts = self._held_out.collect(rows, (self.config.seed, 0), self.config.sample_batch_size)
        judgement = self.judge.judge(rollouts.given, rollouts.expert)
        judged = diagnostics.of_judgement(rollouts, judgement, self.config, self.judge.discriminates)
        return diagnostics.held_out(judged, self._perplexity(self.validation.batch))

    def _stand_reference(self) -> None:
        """The reference, and an encoder of D's own, become what the policy is now."""
        self.collector.forget()
        assign(self.reference.policy.variables, self.policy.variables)
        self.judge.begin_as(self.policy)

    def _end(self, stage: Stage, steps: int, metrics: dict[str, float], row: dict[str, float]) -> Event:
        began = self.imitates
        event = super()._end(stage, steps, metrics, row)
        if self.imitates and not began:
            self._stand_reference()
        return event

    # Storing and restoring

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that the rest of the training depends on: facts for JSON, and named arrays."""
        facts = {"position": self._position, "history": list(self.history)}
        arrays = {f"statistics/{name}": np.array(each) for name, each in self._advantages.statistics._asdict().items()}
        for name, variables in self._variables().items():
            arrays |= numbered(name, [variable.numpy() for variable in variables])
        return facts | self._likelihood.facts() | self.optimiser.facts(), arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Return to a stored state of a training with the same config and data.

        Raises KeyError or ValueError where the state is none of such a training.
        """
        self._position, step, self.history = place_of(facts, len(self.stages))
        self._likelihood.restore(self.phase, step, facts, bool(collected("likelihood_optimizer", arrays)))
        self.optimiser.restore(facts)
        for name, variables in self._variables().items():
            assign(variables, collected(name, arrays))
        self._advantages.statistics = RewardStatistics(arrays["statistics/mean"], arrays["statistics/variance"])
        self.collector.forget()

    def _variables(self) -> dict[str, list[keras.Variable]]:
        """What is to be stored now: all that differs from a new training's."""
        stored = {"policy": self.policy.variables} | self._likelihood.variables(self.phase)
        if self.imitates:
            stored["reference"] = self.reference.policy.variables
            stored["discriminator"] = self.judge.variables
            stored["discriminator_optimizer"] = self.judge.optimizer_variables
            stored |= self.optimiser.variables
        return stored


def _learned(row: dict[str, float]) -> dict[str, float]:
    """Without the figures of a validation."""
    return {name: value for name, value in row.items() if not name.startswith("val_")}
