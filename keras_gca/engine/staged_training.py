"""Base class of both papers' training runs: a list of stages that can be interrupted, stored and resumed.

A stage is an epoch or an update, and becomes a row of the log. Its attribute `phase` names the part of the algorithm to
which the stage belongs. Its attribute `number_in_phase` has the columns of the log that distinguish the stage from the
other stages of this phase.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


@dataclass(frozen=True)
class Event:
    """The step that a training run has just taken.

    Attributes:
        stage: The current stage.
        step: The number of steps taken in the stage.
        steps: The total number of steps in the stage.
        metrics: The metrics of the stage so far.
        row: The stage's row of the log if the stage ends with this event, or None.
        resumable: Whether the training run may be stored or interrupted after this event.
    """

    stage: Any
    step: int
    steps: int
    metrics: dict[str, float]
    row: dict[str, Any] | None = None
    resumable: bool = True


class TrainingSettings(Protocol):
    """The interface through which the engine reads the settings of either paper."""

    @property
    def seed(self) -> int:
        """The seed of all random numbers."""

    def own_totals(self) -> dict[str, int]:
        """See `Settings.own_totals`."""

    def to_values(self) -> dict[str, Any]:
        """See `Settings.to_values`."""

    @property
    def checkpoint_minutes(self) -> float:
        """The number of minutes between checkpoints within a stage."""


class StagedTraining:
    """Base class of training runs. The loop `for event in training` takes one step before each event.

    After a `resumable` event, the state may be stored (`state`, `restore`), or the loop may be left. A new loop
    continues training from there.

    Attributes:
        config: The settings, including `seed` and `checkpoint_minutes`.
        stages: All stages.
        history: The rows of the log for the stages that have ended.
    """

    config: TrainingSettings
    stages: list[Any]
    history: list[dict[str, Any]]
    _position: int  # the number of the current stage

    @property
    def finished(self) -> bool:
        """Whether all stages have ended."""
        return self._position == len(self.stages)

    @property
    def stages_left(self) -> list[Any]:
        """The current stage and those after it."""
        return self.stages[self._position :]

    @property
    def phase(self) -> str | None:
        """The current phase, or None after the last stage."""
        return None if self.finished else self.stages[self._position].phase

    def __iter__(self) -> Iterator[Event]:
        while not self.finished:
            yield from self.walk_through(self.stages[self._position])

    def walk_through(self, stage: Any) -> Iterator[Event]:
        """Take the remaining steps of a stage, and yield an event after each step. The last event is made by `_end`."""
        raise NotImplementedError

    def _seeds(self) -> list[int]:
        """Derive four seeds for the current stage from the run's seed and the stage's number."""
        sequence = np.random.SeedSequence([self.config.seed, self._position])
        return [int(seed >> 1) for seed in sequence.generate_state(4)]

    def _end(self, stage: Any, steps: int, metrics: dict[str, float], row: dict[str, float]) -> Event:
        """End the current stage, and return its last event.

        Args:
            stage: The stage.
            steps: The number of steps in the stage.
            metrics: The metrics of the event.
            row: The metrics for the stage's row of the log.
        """
        line = {"phase": stage.phase, **stage.number_in_phase, **row}
        self.history.append(line)
        self._position += 1
        return Event(stage, steps, steps, metrics, line)

    def state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return the complete state of the training run: JSON-serialisable facts, and named arrays."""
        raise NotImplementedError

    def restore(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Restore the stored state of a training run with the same settings and data."""
        raise NotImplementedError

    def restore_with_totals(
        self, facts: dict[str, Any], arrays: dict[str, np.ndarray], before: Any, given: Collection[str]
    ) -> None:
        """Restore the stored state of a training run that had different totals (numbers of epochs or updates).

        Call this method before the first step.

        Args:
            facts: The facts returned by `state`.
            arrays: The arrays returned by `state`.
            before: The settings of the stored training run.
            given: The names of the totals that the user has given, including totals that have not changed.
        """
        self.restore(facts, arrays)


def validated_position(facts: dict[str, Any], stages: int) -> tuple[int, int, list[dict[str, Any]]]:
    """Read and check the position of a stored training run.

    Args:
        facts: The facts returned by `StagedTraining.state`.
        stages: The number of stages in the training run.

    Returns:
        The index of the current stage, the number of steps taken in this stage, and the history.

    Raises:
        KeyError: A fact is missing.
        ValueError: A fact is invalid for a training run with this number of stages.
    """
    position, step, history = facts["position"], facts["step"], facts["history"]
    if type(position) is not int or type(step) is not int or not 0 <= position <= stages or step < 0:
        raise ValueError(f"it is at step {step} of stage {position}, but the training run has {stages} stages")
    if not isinstance(history, list) or not all(isinstance(row, dict) and "phase" in row for row in history):
        raise ValueError("the history is not a list of rows")
    return position, step, list(history)


def pack(name: str, values: Iterable[np.ndarray]) -> dict[str, np.ndarray]:
    """Name the arrays in one part of a state: name/0000, name/0001, and so on."""
    return {f"{name}/{i:04d}": value for i, value in enumerate(values)}


def unpack(name: str, arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Return the arrays that `pack` named, in order; the list is empty if there is no such part."""
    return [arrays[key] for key in sorted(arrays) if key.startswith(name + "/")]
