"""The state of Algorithm 2 between two of its steps: progress, the generator that is kept, storing and restoring."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import keras
import numpy as np

from keras_gca.config import TOTALS, Config
from keras_gca.data.pairs import Pairs
from keras_gca.engine.learner import StepResult, add_up
from keras_gca.engine.staged_training import Event, StagedTraining, pack, unpack, validated_position
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError, refuse_nan
from keras_gca.models.decoding import Decoder
from keras_gca.models.networks import WHITE, YELLOW, GenerativeConversationalAgent
from keras_gca.training.held_out import HeldOut
from keras_gca.training.learner import BlockLearner
from keras_gca.training.learners import Learners
from keras_gca.training.schedule import (
    DISCRIMINATOR,
    GENERATOR,
    INTERLEAVED,
    RATES,
    TEACHER_FORCING,
    Stage,
    schedule,
)

T = TypeVar("T")

_MACHINE = ("machine/training", "machine/validation")
_AVERAGE = "average"  # of line 3's weights


@dataclass
class AdversarialState(StagedTraining):
    """Base class of `AdversarialTraining`, which adds the algorithm's lines.

    Attributes:
        history: One row for each stage that has ended: phase, iteration, epoch, and its metrics (`val_` held out).
        machine: The latest M of line 5, and its counterpart from held-out seeds; None before the first.
        teacher_forced: The weights of WHITE and YELLOW that line 3 has kept (see `Config.patience`); None in its first
            epoch.
        learners: What makes the steps of each phase.
    """

    config: Config
    gca: GenerativeConversationalAgent
    training: Pairs
    validation: Pairs
    history: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stages = schedule(self.config)
        self.decoder = Decoder(self.gca)
        self.held_out = HeldOut(self.gca, self.validation, self.config)
        self.learners = Learners(self.config, self.gca, len(self.training))
        self.machine: tuple[Pairs, Pairs] | None = None
        self.teacher_forced: list[np.ndarray] | None = None
        self._best: dict[str, Any] | None = None  # perplexity, and the epochs since, in line 3
        self._position = 0  # of the current stage
        self._step = 0  # steps of it that are done
        self._sums: np.ndarray | None = None  # over these steps

    # Progress

    def remaining(self, batches: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the batches of an epoch whose steps are not done yet, each with its number; see `step_is_done`."""
        while self._step < len(batches):
            yield self._step, batches[self._step]

    def step_is_done(self, stage: Stage, learner: BlockLearner, steps: int, result: StepResult) -> Event:
        """Count a step of an epoch of so many; raises DivergedError where its sums are not numbers."""
        sums = add_up([result.sums])
        refuse_nan(float(sums.sum()), f"line {stage.line}", RATES[stage.phase])
        self._sums = sums if self._sums is None else self._sums + sums
        self._step += 1
        return Event(stage, self._step, steps, learner.metrics(self._sums))

    def epoch_is_done(self, stage: Stage, learner: BlockLearner, steps: int, held_out: dict[str, float]) -> Event:
        """Count an epoch of so many steps; what comes now belongs to the next stage."""
        return self._end(stage, steps, learner.metrics(present(self._sums, "the sums of an epoch")), held_out)

    def _end(self, stage: Stage, steps: int, metrics: dict[str, float], row: dict[str, float]) -> Event:
        event = super()._end(stage, steps, metrics, metrics | row)
        self._step, self._sums = 0, None
        return event

    # The generator that line 3 ends with

    @property
    def teacher_forced_perplexity(self) -> float | None:
        """The held-out perplexity of `teacher_forced`."""
        return None if self._best is None else self._best["perplexity"]

    def start_from(self, weights: list[np.ndarray]) -> None:
        """Leave out line 3: take this generator, weights of WHITE and YELLOW, as what it ends with.

        The rest is what it would have been after a line 3 that ended so.
        """
        assign(self.gca.variables(*WHITE, *YELLOW), weights)
        self.keep_generator(self.held_out.perplexity()["val_perplexity"])
        self._position = self.config.teacher_forcing_epochs

    def keep_generator(self, perplexity: float) -> None:
        """Keep line 3's generator as it is now: in any case, or with a patience if it is the best so far."""
        best = self._best
        if best is None or self.config.patience is None or perplexity < best["perplexity"]:
            self._best = {"perplexity": perplexity, "waited": 0}
            self.teacher_forced = [variable.numpy() for variable in self.gca.variables(*WHITE, *YELLOW)]
        else:
            best["waited"] += 1

    def return_to_kept_generator(self) -> None:
        """Leave line 3 early where patience has run out; wherever it ends, continue with the kept generator."""
        patience, best = self.config.patience, present(self._best, "the perplexity of line 3")
        if patience is not None and best["waited"] >= patience:
            self._position = self.config.teacher_forcing_epochs
        if self.phase != TEACHER_FORCING:
            assign(self.gca.variables(*WHITE, *YELLOW), present(self.teacher_forced, "the generator of line 3"))
            del self.learners[TEACHER_FORCING]

    # Storing and restoring

    @staticmethod
    def totals_of(config: Config) -> dict[str, int]:
        """The numbers of epochs of line 3 and of iterations of line 4."""
        return {name: getattr(config, name) for name in TOTALS}

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """All that the rest of the training depends on: facts for JSON, and named arrays."""
        facts = {
            "position": self._position,
            "step": self._step,
            "sums": None if self._sums is None else self._sums.tolist(),
            "best": self._best,
            "history": self.history,
            "totals": self.totals_of(self.config),
        }
        arrays = dict(pack("networks", [variable.numpy() for variable in self._networks()]))
        if self.teacher_forced is not None:
            arrays |= pack("teacher_forced", self.teacher_forced)
        if self.machine is not None:
            for name, pairs in zip(_MACHINE, self.machine, strict=True):
                arrays |= pack(name, pairs.arrays())
        for phase, learner in self.learners.items():
            arrays |= pack(f"optimizers/{phase}", learner.state())
            if learner.average is not None:
                arrays |= pack(_AVERAGE, [total.numpy() for total in learner.average.sums])
        return facts, arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Return to a stored state of a training with the same config, sizes and pairs.

        Raises KeyError, TypeError or ValueError where the state is not one of such a training.
        """
        self._position, self._step, self.history = validated_position(facts, len(self.stages))
        self._sums = None if facts["sums"] is None else np.array(facts["sums"], float)
        self._best = facts["best"]
        assign(self._networks(), unpack("networks", arrays))
        self.teacher_forced = unpack("teacher_forced", arrays) or None
        machine = [unpack(name, arrays) for name in _MACHINE]
        self.machine = (Pairs(*machine[0]), Pairs(*machine[1])) if machine[0] else None
        for phase in (TEACHER_FORCING, DISCRIMINATOR, GENERATOR, INTERLEAVED):
            if stored := unpack(f"optimizers/{phase}", arrays):
                learner = self.learners[phase]
                if learner.average is not None:
                    assign(learner.average.sums, _average(arrays))
                learner.restore(stored)

    def restore_with_totals(
        self, facts: dict[str, Any], arrays: dict[str, np.ndarray], before: Config, given: Collection[str]
    ) -> None:
        """Return to a stored state of a training that had other totals. For a new training.

        Line 3 goes on where it has ended already, if its total is given: G is what line 3 ended with, and D is as a new
        training has it. M and all learners are forgotten, with Adam's moments and the running average of the weights,
        so that lines 4 to 12 are run anew. The generator that line 3 has kept stays the best so far; a patience begins
        anew. In all other cases the training is the stored one, which ends later (or earlier).

        Args: see `StagedTraining.restore_with_totals`.
        """
        if "teacher_forcing_epochs" in given and facts["position"] >= before.teacher_forcing_epochs:
            rows = [row for row in facts["history"] if row["phase"] == TEACHER_FORCING]
            best = facts["best"] | {"waited": 0}
            facts = facts | {"position": len(rows), "step": 0, "sums": None, "history": rows, "best": best}
            ended, green = unpack("teacher_forced", arrays), self.gca.variables(*self.gca.green)
            networks = [*ended, *(variable.numpy() for variable in green)]
            arrays = dict(pack("networks", networks)) | pack("teacher_forced", ended)
        self.restore(facts, arrays)

    def _networks(self) -> list[keras.Variable]:
        return self.gca.variables(*WHITE, *YELLOW, *self.gca.green)


def present(value: T | None, name: str) -> T:
    """Return a part of the state that an earlier step has left.

    Args:
        value: The part; None if it is missing.
        name: The name of the part in the message.

    Raises:
        UserError: The part is missing, because the training was restored from a checkpoint without it.
    """
    if value is None:
        raise UserError(f"the checkpoint lacks {name}, so the run cannot be resumed; train it anew with another --run")
    return value


def _average(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The sums of the running average of line 3's weights."""
    sums = unpack(_AVERAGE, arrays)
    if not sums:
        raise UserError(
            "this run was interrupted in line 3 by a version that averaged weights wrongly (they kept the noise of the "
            "first step), so it cannot be resumed; train it anew with `--config RUN/config.json --run NEW`"
        )
    return sums
