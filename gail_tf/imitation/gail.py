"""Algorithm 1: adversarial imitation of expert responses, after training by maximum likelihood.

The discriminator D is a network that learns to distinguish the experts' responses from the policy's. The policy and D
learn from buffers, which are sets of responses collected together (`rollouts.py`).

A training run is a list of stages (`phases.schedule`). `GAILTraining` runs the stages in order and yields an event
after each step. A checkpoint can be written after any event marked as resumable (`state.py`). All random numbers are
derived from the run's seed and the stage's number, so a resumed run takes exactly the same steps as an uninterrupted
run.
"""

import time
from collections.abc import Iterator

from gail_tf.imitation import diagnostics, phases
from gail_tf.imitation.offline import OfflineOptimiser
from gail_tf.imitation.phases import Stage
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts, draw_rows
from gail_tf.imitation.state import GAILState
from keras_gca.engine.staged_training import Event


class GAILTraining(GAILState):
    """A training run of Algorithm 1. Iterate over it to train the policy: `for event in training: ...`."""

    def walk_through(self, stage: Stage) -> Iterator[Event]:
        """Run one stage: an epoch of maximum likelihood, the pretraining of D on one buffer, or an update."""
        match stage.phase:
            case phases.PRETRAINING | phases.MAXIMUM_LIKELIHOOD:
                yield from self.maximum_likelihood(stage)
            case phases.DISCRIMINATOR:
                yield from self.pretrain_discriminator(stage)
            case phases.IMITATION:
                optimiser = self.optimiser
                if isinstance(optimiser, OfflineOptimiser):
                    yield from self.update_offline(stage, optimiser)
                else:
                    yield from self.update(stage, optimiser)

    def maximum_likelihood(self, stage: Stage) -> Iterator[Event]:
        """Run an epoch of maximum likelihood on running text (during pretraining) or on expert responses."""
        steps = yield from self.likelihood.epoch(stage, self._seeds())
        row = self.likelihood.end_of_epoch(stage)
        yield self._end(stage, steps, diagnostics.learned(row), row)

    def pretrain_discriminator(self, stage: Stage) -> Iterator[Event]:
        """Train D on one buffer before the first update (Table 1, "Discriminator Pre-Train Steps")."""
        rollouts = self.collect(human_ratio=0.0)
        yield Event(stage, 1, 2, {}, resumable=False)
        per_buffer = phases.steps_on_a_buffer(self.config)
        steps = min(per_buffer, self.config.judge.discriminator_steps - (stage.number - 1) * per_buffer)
        judgement = self.judge.judge(rollouts.given, rollouts.expert)
        row = diagnostics.of_judgement(rollouts, judgement, self.config, self.judge.discriminates)
        row |= self.judge.learn(rollouts, self._seeds()[3], steps=steps)
        yield self._end(stage, 2, row, row)

    def update_offline(self, stage: Stage, optimiser: OfflineOptimiser) -> Iterator[Event]:
        """Train the policy on the experts' responses to an update's prompts, without sampling responses or using D."""
        rows = draw_rows(len(self.training), *self._place_of_buffer(), self.config.seed)
        log = []
        for metrics in optimiser.learn(self.training.batch.taken(rows), self._seeds()[2]):
            log.append(metrics)
            yield Event(stage, len(log), optimiser.steps + 1, metrics, resumable=False)
        row = diagnostics.of_steps(log)
        yield self._end(stage, optimiser.steps + 1, row, row | self.held_out.measure(stage))

    def update(self, stage: Stage, optimiser: PolicyOptimiser) -> Iterator[Event]:
        """Run one iteration of Algorithm 1's loop: sample responses, score them with D, improve the policy, train D.

        The paper trains D before the policy. docs/fidelity.md explains why this method trains the policy first.
        """
        began = time.monotonic()
        steps = optimiser.steps + 2
        _, _, minibatches, noise = self._seeds()
        ratio = phases.human_ratio(stage.number - 1, stage.of, self.config.rollout.human_ratio)

        rollouts = self.collect(ratio)
        judgement = self.judge.judge(rollouts.given, rollouts.expert)
        judged = diagnostics.of_judgement(rollouts, judgement, self.config, self.judge.discriminates)
        yield Event(stage, 1, steps, judged, resumable=False)

        advantages, targets = self.advantages.estimate(rollouts, judgement.given, noise)
        policy_log = []
        for metrics in optimiser.improve(rollouts, advantages, targets, minibatches):
            policy_log.append(metrics)
            yield Event(stage, 1 + len(policy_log), steps, judged, resumable=False)
        adapted = {"human_ratio": ratio} | optimiser.end_of_update(policy_log)
        adapted |= self.advantages.end_of_update(judged["kl_per_token"])
        passes = self.config.judge.discriminator_passes
        judge_log = [self.judge.learn(rollouts, noise, number) for number in range(passes)]

        row = diagnostics.row(rollouts, judged, policy_log, adapted, judge_log, time.monotonic() - began)
        yield self._end(stage, steps, row, row | self.held_out.measure(stage))

    def collect(self, human_ratio: float) -> Rollouts:
        """Collect a buffer of responses to the next prompts in the training data.

        Args:
            human_ratio: The share of prompts for which the expert's response replaces the policy's response.

        Returns:
            The buffer.
        """
        seeds = self._seeds()
        rows = draw_rows(len(self.training), *self._place_of_buffer(), self.config.seed)
        return self.collector.collect(rows, (seeds[0], seeds[1]), self.config.rollout.sample_batch_size, human_ratio)

    def _place_of_buffer(self) -> tuple[int, int]:
        """Return the number of prompts in a buffer, and the buffer's position in the sequence of `draw_rows`."""
        size = self.config.rollout.rollouts
        return size, self.buffers * size
