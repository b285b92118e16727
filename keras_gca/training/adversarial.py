"""Algorithm 2, whole: end-to-end adversarial training by backpropagation.

The algorithm is a list of stages (`schedule`); `AdversarialTraining` walks through it and can be stored and restored
after any step. All randomness comes from the run's seed and the stage's number, so a resumed training takes exactly
the steps of an uninterrupted one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gca.config import Config
from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import EOS
from keras_gca.engine.learner import add_up
from keras_gca.engine.staged_training import Event, StagedTraining, collected, numbered, place_of
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError, refuse_nan
from keras_gca.models import likelihood
from keras_gca.models.decoding import Decoder
from keras_gca.models.likelihood import Evaluator
from keras_gca.models.networks import WHITE, YELLOW, GenerativeConversationalAgent
from keras_gca.training.discriminator import DiscriminatorTraining, labelled_batches
from keras_gca.training.generator import GeneratorTraining
from keras_gca.training.learner import BlockLearner
from keras_gca.training.reinforce import ReinforceTraining
from keras_gca.training.schedule import (
    DISCRIMINATOR,
    GENERATOR,
    INTERLEAVED,
    RATES,
    SELF_CONVERSATION,
    TEACHER_FORCING,
    Stage,
    schedule,
)
from keras_gca.training.self_conversation import choose_seeds, converse
from keras_gca.training.teacher_forcing import TeacherForcing


@dataclass
class AdversarialTraining(StagedTraining):
    """Walks through Algorithm 2: `for event in training: ...`.

    Between two events the training may be stored (`state`), or left and taken up again by another iteration.
    history holds one row for each stage that has ended: phase, iteration, epoch, and its metrics (`val_` held out).
    """

    config: Config
    gca: GenerativeConversationalAgent
    training: Pairs
    validation: Pairs
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self):
        self.stages = schedule(self.config)
        self.decoder = Decoder(self.gca)
        self._evaluator = Evaluator(self.gca)
        self._position = 0  # of the current stage
        self._step = 0  # steps of it that are done
        self._sums: np.ndarray | None = None  # over these steps
        self._best: dict[str, Any] | None = None  # perplexity, and the epochs since, in line 3
        self._teacher_forced: list[np.ndarray] | None = None  # the generator's weights at the end of line 3
        self._machine: tuple[Pairs, Pairs] | None = None  # M, and its counterpart from held-out seeds
        self._learners: dict[str, BlockLearner] = {}

    @property
    def teacher_forced(self) -> list[np.ndarray] | None:
        """The weights of WHITE and YELLOW that line 3 has kept (see `Config.patience`); None in its first epoch."""
        return self._teacher_forced

    @property
    def teacher_forced_perplexity(self) -> float | None:
        """The held-out perplexity of `teacher_forced`."""
        return None if self._best is None else self._best["perplexity"]

    def start_from(self, weights: list[np.ndarray]) -> None:
        """Leave out line 3: take this generator, weights of WHITE and YELLOW, as what it ends with.

        The rest is what it would have been after a line 3 that ended so.
        """
        assign(self.gca.variables(*WHITE, *YELLOW), weights)
        self._keep(self._perplexity()["val_perplexity"])
        self._position = self.config.teacher_forcing_epochs

    @property
    def machine(self) -> tuple[Pairs, Pairs] | None:
        """The latest M of line 5, and its counterpart from held-out seeds; None before the first."""
        return self._machine

    def _walks(self) -> dict[str, Callable[[Stage], Iterator[Event]]]:
        return {
            TEACHER_FORCING: self._walk_teacher_forcing,
            SELF_CONVERSATION: self._walk_self_conversation,
            DISCRIMINATOR: self._walk_discriminator,
            GENERATOR: self._walk_generator,
            INTERLEAVED: self._walk_teacher_forcing,
        }

    # One epoch of each line

    def _walk_teacher_forcing(self, stage: Stage) -> Iterator[Event]:
        learner = self._learner(stage.phase)
        if stage.phase == TEACHER_FORCING:
            decay = self.config.learning_rate_decay ** (stage.epoch - 1)
            learner.optimizer.learning_rate.assign(self.config.teacher_forcing_learning_rate * decay)
        size = self._batch_size(stage.phase)
        seeds = self._seeds()
        batches = plan_batches(self.training, size, seeds[0])

        def step(number, batch):
            seed = tf.constant([seeds[1], number], tf.int32)
            return learner.step(*take_batch(self.training, batch, size), seed)

        yield from self._epoch(stage, batches, step, likelihood.metrics)
        with learner.averaged():
            row = self._perplexity()
            if stage.phase == TEACHER_FORCING:
                self._keep(row["val_perplexity"])
        event = self._end(stage, len(batches), likelihood.metrics(self._sums), row)
        if stage.phase == TEACHER_FORCING:
            self._end_of_line_3()
        yield event

    def _walk_self_conversation(self, stage: Stage) -> Iterator[Event]:
        seeds = self._seeds()[:2]
        sources = (
            choose_seeds(self.training, self.config.machine_pairs, seeds[0]),
            choose_seeds(self.validation, min(len(self.validation), self.config.machine_pairs), seeds[1]),
        )
        total, done, machine = sum(map(len, sources)), 0, []
        for source, seed in zip(sources, seeds, strict=True):
            how = (1, seed) if self._reinforce else (self.config.self_conversation_turns,)
            parts = []
            for answered, pairs in converse(self.decoder, source, *how):
                parts.append(pairs)
                if done + answered < total:
                    yield Event(stage, done + answered, total, {})
            done += len(source)
            machine.append(Pairs.concatenate(parts))
        self._machine = (machine[0], machine[1])
        yield self._end(stage, total, {}, _diversity(machine[0]))

    def _walk_discriminator(self, stage: Stage) -> Iterator[Event]:
        learner = self._learner(stage.phase)
        machine, machine_held_out = self._machine
        seeds = self._seeds()
        # As many human pairs as machine-made ones, where H has more: in the paper both are about 8,000.
        human = self.training
        if len(human) > len(machine):
            human = human[np.random.default_rng(seeds[0]).permutation(len(human))[: len(machine)]]
        size = self._batch_size(stage.phase)

        batches, take = labelled_batches(human, machine, size, seeds[1])
        yield from self._epoch(stage, batches, lambda _, batch: learner.step(*take(batch)), learner.metrics)
        held_out, take = labelled_batches(self.validation, machine_held_out, size)
        row = _held_out(learner.metrics(add_up(learner.evaluate(*take(batch)) for batch in held_out)))
        yield self._end(stage, len(batches), learner.metrics(self._sums), row)

    def _walk_generator(self, stage: Stage) -> Iterator[Event]:
        learner = self._learner(stage.phase)
        machine, machine_held_out = self._machine
        size = self._batch_size(stage.phase)
        seeds = self._seeds()
        batches = plan_batches(machine, size, seeds[0])

        def step(number, batch):
            if not self._reinforce:
                return learner.step(*take_batch(machine, batch, size))
            pairs = self._sampled(machine.contexts[batch], seeds[1] + number)  # by the policy as it is now
            return learner.step(*take_batch(pairs, np.arange(len(pairs)), size))

        yield from self._epoch(stage, batches, step, learner.metrics)
        if self._reinforce:
            machine_held_out = self._sampled(machine_held_out.contexts, seeds[0])
        sums = add_up(
            learner.evaluate(*take_batch(machine_held_out, batch, size))
            for batch in plan_batches(machine_held_out, size)
        )
        row = _held_out(learner.metrics(sums)) | self._perplexity()
        yield self._end(stage, len(batches), learner.metrics(self._sums), row)

    # Their common parts

    @property
    def _reinforce(self) -> bool:
        return self.config.algorithm == "reinforce"

    def _sampled(self, contexts: np.ndarray, seed: int) -> Pairs:
        """Pairs of contexts and answers drawn by the generator."""
        return Pairs.concatenate([pairs for _, pairs in converse(self.decoder, contexts, 1, seed)])

    def _epoch(self, stage: Stage, batches, step, metrics) -> Iterator[Event]:
        while self._step < len(batches):
            sums = add_up([step(self._step, batches[self._step])])
            refuse_nan(float(sums.sum()), f"line {stage.line}", RATES[stage.phase])
            self._sums = sums if self._sums is None else self._sums + sums
            self._step += 1
            yield Event(stage, self._step, len(batches), metrics(self._sums))

    def _end(self, stage: Stage, steps: int, metrics: dict[str, float], row: dict[str, float]) -> Event:
        event = super()._end(stage, steps, metrics, metrics | row)
        self._step, self._sums = 0, None
        return event

    def _learner(self, phase: str) -> BlockLearner:
        if phase not in self._learners:
            config, gca = self.config, self.gca
            if phase == TEACHER_FORCING:
                names, rate = (*WHITE, *YELLOW), config.teacher_forcing_learning_rate
                window = config.average_epochs * -(-len(self.training) // config.batch_size)  # in steps
                average = max(0.0, 1 - 1 / window) if window else 0.0
                rates = config.dropout, config.hidden_dropout
                learner = TeacherForcing(gca, names, rate, *rates, average, config.precision)
            elif phase == INTERLEAVED:
                rate = config.interleaved_learning_rate
                rates = config.dropout, config.hidden_dropout
                learner = TeacherForcing(gca, YELLOW, rate, *rates, precision=config.precision)
            elif phase == DISCRIMINATOR:
                learner = DiscriminatorTraining(gca, config.discriminator_learning_rate, self._reinforce)
            elif self._reinforce:
                learner = ReinforceTraining(gca, config.generator_learning_rate, config.precision)
            else:
                learner = GeneratorTraining(gca, config.generator_learning_rate, config.precision)
            self._learners[phase] = learner
        learner = self._learners[phase]
        self.gca.select_trainable(*learner.names)
        return learner

    def _batch_size(self, phase: str) -> int:
        return self.config.batch_size if phase == TEACHER_FORCING else self.config.adversarial_batch_size

    def _perplexity(self) -> dict[str, float]:
        """The generator's perplexity on the held-out pairs of H."""
        return {"val_perplexity": self._evaluator.perplexity(self.validation, self.config.batch_size)}

    def _keep(self, perplexity: float) -> None:
        """Keep line 3's generator as it is now: in any case, or with a patience if it is the best so far."""
        best = self._best
        if best is None or self.config.patience is None or perplexity < best["perplexity"]:
            self._best = {"perplexity": perplexity, "waited": 0}
            self._teacher_forced = [variable.numpy() for variable in self.gca.variables(*WHITE, *YELLOW)]
        else:
            best["waited"] += 1

    def _end_of_line_3(self) -> None:
        """Leave line 3 early where patience has run out; wherever it ends, go on with the generator that was kept."""
        patience = self.config.patience
        if patience is not None and self._best["waited"] >= patience:
            self._position = self.config.teacher_forcing_epochs
        if self.phase != TEACHER_FORCING:
            assign(self.gca.variables(*WHITE, *YELLOW), self._teacher_forced)
            del self._learners[TEACHER_FORCING]

    # Storing and restoring

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that the rest of the training depends on: facts for JSON, and named arrays."""
        facts = {
            "position": self._position,
            "step": self._step,
            "sums": None if self._sums is None else self._sums.tolist(),
            "best": self._best,
            "history": self.history,
        }
        arrays = dict(numbered("networks", [variable.numpy() for variable in self._networks()]))
        if self._teacher_forced is not None:
            arrays |= numbered("teacher_forced", self._teacher_forced)
        if self._machine is not None:
            for name, pairs in zip(_MACHINE, self._machine, strict=True):
                arrays |= numbered(name, pairs.arrays())
        for phase, learner in self._learners.items():
            arrays |= numbered(f"optimizers/{phase}", learner.state())
            if learner.average is not None:
                arrays |= numbered(_AVERAGE, [total.numpy() for total in learner.average.sums])
        return facts, arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Return to a stored state of a training with the same config, sizes and pairs.

        Raises KeyError, TypeError or ValueError where the state is none of such a training.
        """
        self._position, self._step, self.history = place_of(facts, len(self.stages))
        self._sums = None if facts["sums"] is None else np.array(facts["sums"], float)
        self._best = facts["best"]
        assign(self._networks(), collected("networks", arrays))
        self._teacher_forced = collected("teacher_forced", arrays) or None
        machine = [collected(name, arrays) for name in _MACHINE]
        self._machine = (Pairs(*machine[0]), Pairs(*machine[1])) if machine[0] else None
        for phase in (TEACHER_FORCING, DISCRIMINATOR, GENERATOR, INTERLEAVED):
            if stored := collected(f"optimizers/{phase}", arrays):
                learner = self._learner(phase)
                if learner.average is not None:
                    sums = collected(_AVERAGE, arrays)
                    if not sums:
                        raise UserError(
                            "this run was interrupted in line 3 by a version that averaged weights wrongly (they kept "
                            "the noise of the first step), so it cannot go on; train it anew, with --config"
                        )
                    assign(learner.average.sums, sums)
                learner.restore(stored)

    def _networks(self):
        return self.gca.variables(*WHITE, *YELLOW, *self.gca.green)


_MACHINE = ("machine/training", "machine/validation")
_AVERAGE = "average"  # of line 3's weights


def _held_out(metrics: dict[str, float]) -> dict[str, float]:
    return {f"val_{name}": value for name, value in metrics.items()}


def _diversity(machine: Pairs) -> dict[str, float]:
    """The share of the generated answers y- that differ, and their mean length in words."""
    words = np.count_nonzero(machine.answers, axis=1) - 1 - np.any(machine.answers == EOS, axis=1)
    return {"distinct_answers": len(np.unique(machine.answers, axis=0)) / len(machine), "words": float(words.mean())}
