"""The state of a training run of Algorithm 2, which can be stored and restored after any step.

G is the generator, and D the discriminator. WHITE names the layer of word vectors, which G and D share, and `yellow`
names the other layers of G. M is the set of machine-generated pairs. Line 3 of Algorithm 2 trains G by teacher forcing,
and lines 4 to 12 are the adversarial iterations.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import keras
import numpy as np

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.engine.learner import StepResult, add_up
from keras_gca.engine.staged_training import Event, StagedTraining, pack, unpack, validated_position
from keras_gca.engine.variables import assign
from keras_gca.errors import UserError, refuse_nan
from keras_gca.models.decoding import Decoder
from keras_gca.models.networks import WHITE, GenerativeConversationalAgent
from keras_gca.training.dialogue_rewards import DialogueRewards
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
_EARLIER = "earlier"  # the name under which pairs of earlier iterations are stored
_AVERAGE = "average"  # the name under which the running average of line 3's weights is stored


@dataclass
class AdversarialState(StagedTraining):
    """The state of a training run, to which the subclass `AdversarialTraining` adds the algorithm.

    Attributes:
        history: A row for each finished stage, with the phase, the iteration, the epoch and metrics. The names of
            held-out metrics begin with `val_`.
        rewards: The rewards of simulated conversations for line 9 with `--algorithm dialogue_rewards`, or None.
        machine: The latest M of line 5, and the pairs that line 5 generated from held-out seeds. None until line 5 has
            run.
        earlier: Pairs of M from earlier iterations for `--replay`, or None.
        teacher_forced: The weights of G (WHITE and `yellow`) from teacher forcing (line 3): the best weights if a
            patience is set, else the latest. None during the first epoch of line 3.
        learners: The learner of each phase.
    """

    config: Config
    gca: GenerativeConversationalAgent
    training: Pairs | TokenPairs
    validation: Pairs
    history: list[dict[str, Any]] = field(default_factory=list)
    rewards: DialogueRewards | None = None

    def __post_init__(self) -> None:
        self.stages = schedule(self.config)
        self.decoder = Decoder(self.gca)
        self.held_out = HeldOut(self.gca, self.validation, self.config)
        self.learners = Learners(self.config, self.gca, len(self.training))
        self.machine: tuple[Pairs, Pairs] | None = None
        self.earlier: Pairs | None = None
        self.teacher_forced: list[np.ndarray] | None = None
        self._best: dict[str, Any] | None = None  # the lowest perplexity of line 3, and the number of epochs since
        self._position = 0  # the number of the current stage
        self._step = 0  # the number of steps of the current stage that have been made
        self._sums: np.ndarray | None = None  # the sums of the metrics over these steps

    # Progress

    def remaining(self, batches: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the number and the batch of each remaining step of an epoch.

        The caller takes the step and then calls `step_is_done`, which moves on to the next batch.
        """
        while self._step < len(batches):
            yield self._step, batches[self._step]

    def step_is_done(self, stage: Stage, learner: BlockLearner, steps: int, result: StepResult) -> Event:
        """Record a step of an epoch.

        Args:
            stage: The epoch.
            learner: The learner that took the step.
            steps: The number of steps in the epoch.
            result: The result of the step.

        Returns:
            The event of the step, with the metrics over the epoch so far.

        Raises:
            DivergedError: The sums of the step are not finite.
        """
        sums = add_up([result.sums])
        refuse_nan(float(sums.sum()), f"line {stage.line}", RATES[stage.phase])
        self._sums = sums if self._sums is None else self._sums + sums
        self._step += 1
        return Event(stage, self._step, steps, learner.metrics(self._sums))

    def epoch_is_done(self, stage: Stage, learner: BlockLearner, steps: int, held_out: dict[str, float]) -> Event:
        """End an epoch, and begin the next stage.

        Args:
            stage: The epoch.
            learner: The learner that took the steps of the epoch.
            steps: The number of steps in the epoch.
            held_out: The held-out metrics for the log.

        Returns:
            The last event of the epoch.
        """
        return self._end(stage, steps, learner.metrics(present(self._sums, "the sums of an epoch")), held_out)

    def _end(self, stage: Stage, steps: int, metrics: dict[str, float], row: dict[str, float]) -> Event:
        event = super()._end(stage, steps, metrics, metrics | row)
        self._step, self._sums = 0, None
        return event

    # The weights of G that line 3 keeps

    @property
    def teacher_forced_perplexity(self) -> float | None:
        """The held-out perplexity of the weights in `teacher_forced`, or None if no weights have been kept."""
        return None if self._best is None else self._best["perplexity"]

    def start_from(self, weights: list[np.ndarray]) -> None:
        """Skip teacher forcing (line 3), and use the given generator as its result.

        Args:
            weights: The weights of the generator (WHITE and `yellow`).
        """
        assign(self.gca.variables(*WHITE, *self.gca.yellow), weights)
        self.keep_generator(self.held_out.perplexity()["val_perplexity"])
        self._position = self.config.teacher_forcing_epochs

    def keep_generator(self, perplexity: float) -> None:
        """Keep the current weights of G, unless a patience is set and earlier weights were at least as good."""
        best = self._best
        if best is None or self.config.patience is None or perplexity < best["perplexity"]:
            self._best = {"perplexity": perplexity, "waited": 0}
            self.teacher_forced = [variable.numpy() for variable in self.gca.variables(*WHITE, *self.gca.yellow)]
        else:
            best["waited"] += 1

    def return_to_kept_generator(self) -> None:
        """End teacher forcing if the patience is exhausted. At the end of teacher forcing, restore G's kept weights."""
        patience, best = self.config.patience, present(self._best, "the perplexity of line 3")
        if patience is not None and best["waited"] >= patience:
            self._position = self.config.teacher_forcing_epochs
        if self.phase != TEACHER_FORCING:
            assign(
                self.gca.variables(*WHITE, *self.gca.yellow), present(self.teacher_forced, "the generator of line 3")
            )
            del self.learners[TEACHER_FORCING]

    # Storing and restoring

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return everything that the rest of training depends on, as JSON-serialisable facts and named arrays."""
        facts = {
            "position": self._position,
            "step": self._step,
            "sums": None if self._sums is None else self._sums.tolist(),
            "best": self._best,
            "history": self.history,
            "totals": self.config.own_totals(),
        }
        arrays = dict(pack("networks", [variable.numpy() for variable in self._networks()]))
        if self.teacher_forced is not None:
            arrays |= pack("teacher_forced", self.teacher_forced)
        if self.machine is not None:
            for name, pairs in zip(_MACHINE, self.machine, strict=True):
                arrays |= pack(name, pairs.arrays())
        if self.earlier is not None:
            arrays |= pack(_EARLIER, self.earlier.arrays())
        for phase, learner in self.learners.items():
            arrays |= pack(f"optimizers/{phase}", learner.state())
            if learner.average is not None:
                arrays |= pack(_AVERAGE, [total.numpy() for total in learner.average.sums])
        return facts, arrays

    def restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Restore the state of a training run with the same settings, network sizes and pairs.

        Args:
            facts: The facts returned by `state`.
            arrays: The arrays returned by `state`.

        Raises:
            KeyError: A fact is missing.
            TypeError: A fact has the wrong type.
            ValueError: A fact or an array does not fit this training run.
            UserError: The state was stored during line 3 by an earlier version of the program, which averaged the
                weights wrongly.
        """
        self._position, self._step, self.history = validated_position(facts, len(self.stages))
        self._sums = None if facts["sums"] is None else np.array(facts["sums"], float)
        self._best = facts["best"]
        assign(self._networks(), unpack("networks", arrays))
        self.teacher_forced = unpack("teacher_forced", arrays) or None
        machine = [unpack(name, arrays) for name in _MACHINE]
        self.machine = (Pairs(*machine[0]), Pairs(*machine[1])) if machine[0] else None
        earlier = unpack(_EARLIER, arrays)
        self.earlier = Pairs(*earlier) if earlier else None
        for phase in (TEACHER_FORCING, DISCRIMINATOR, GENERATOR, INTERLEAVED):
            if stored := unpack(f"optimizers/{phase}", arrays):
                learner = self.learners[phase]
                if learner.average is not None:
                    assign(learner.average.sums, _average(arrays))
                learner.restore(stored)

    def restore_with_totals(
        self, facts: dict[str, Any], arrays: dict[str, np.ndarray], before: Config, given: Collection[str]
    ) -> None:
        """Restore the state of a training run that had other totals (numbers of epochs or iterations).

        This training run must not have taken a step yet. If the teacher forcing phase (line 3) of the stored run is
        complete and a total is given for it, the phase continues: G gets the final weights of the phase, and D keeps
        its initial weights. M, Adam's moments and the running average of the weights are discarded, and lines 4 to 12
        are run again. The stored weights of G remain the best so far, but the patience counter is reset.

        In all other cases, the stored state is restored unchanged, and only the point at which training ends differs.

        Args:
            facts: The facts returned by `state`.
            arrays: The arrays returned by `state`.
            before: The settings of the stored run.
            given: The names of the totals given by the user, including totals that have not changed.
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
        return self.gca.variables(*WHITE, *self.gca.yellow, *self.gca.green)


def present(value: T | None, name: str) -> T:
    """Return a part of the state, or raise UserError if the part is missing.

    Args:
        value: The part, or None if it is missing.
        name: The name of the part, for the message.

    Raises:
        UserError: The part is missing because the checkpoint does not contain it.
    """
    if value is None:
        raise UserError(f"the checkpoint lacks {name}, so the run cannot be resumed; train again with another --run")
    return value


def _average(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the sums from which the running average of the weights in line 3 is computed."""
    sums = unpack(_AVERAGE, arrays)
    if not sums:
        raise UserError(
            "this run cannot be resumed, because an older version of the program averaged the weights wrongly in line "
            "3 (it gave too much weight to the first step); train it again with `--config RUN/config.json --run NEW`"
        )
    return sums
