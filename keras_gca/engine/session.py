"""Runs the training of either paper, from the first step to the final files.

A session belongs to a run folder. It trains in a loop (`training_loop.walk`). At the end, or after an interruption, it
saves the trained networks and prints the commands that the user can run next.
"""

import abc
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from glove.cost import TimeLimit
from glove.text_files import counted
from keras_gca.engine import reporting
from keras_gca.engine.board import redraw
from keras_gca.engine.staged_training import Event, StagedTraining
from keras_gca.engine.training_loop import interruptible, walk
from keras_gca.errors import UserError
from keras_gca.invocation import hint
from keras_gca.settings import naming
from keras_gca.storage.live_files import LiveFiles
from keras_gca.storage.run_folder import CHECKPOINT, RunFolder

# A function that returns a context manager for a run folder. In its block, a web page shows the run
# (`serving/live_page.py`).
Watching = Callable[[Path], AbstractContextManager[object]]

# The name of the fact in a checkpoint that says how many rows the training has removed from its history. If the program
# was killed after it wrote the checkpoint, the run folder may still have these rows.
DROPPED = "dropped"


class Session(abc.ABC):
    """Base class of both papers' sessions: a training run and its run folder.

    Args:
        run: The run folder.
        training: The training process, with the run's settings and data.

    Attributes:
        package: The package whose commands `train` and `chat` can read the run.
        shown: The metrics to print after each stage, or None for all metrics.
    """

    package: ClassVar[str]
    shown: ClassVar[Collection[str] | None] = None

    def __init__(self, run: RunFolder, training: StagedTraining):
        self.run = run
        self.training = training
        self._further = False  # whether the user has given new totals

    @abc.abstractmethod
    def title(self, stage: Any) -> str:
        """Return the name of a stage for terminal output."""

    @abc.abstractmethod
    def end_of_stage(self, event: Event) -> bool:
        """Write the files of a stage except the log and the checkpoint. Return True to stop training."""

    @abc.abstractmethod
    def write(self) -> None:
        """Save the bot to bot.h5."""

    @abc.abstractmethod
    def sizes(self) -> dict[str, int]:
        """Return the number of weights of each network."""

    @abc.abstractmethod
    def further(self) -> str:
        """Return a sentence that says what a restored training run with new totals will do."""

    @abc.abstractmethod
    def done(self) -> dict[str, int]:
        """Return how far training has progressed towards each total that `--resume` may raise."""

    @abc.abstractmethod
    def summarise(self) -> None:
        """Print the metrics of the finished training run."""

    @abc.abstractmethod
    def show_replies(self) -> None:
        """Print some replies of the trained models."""

    @abc.abstractmethod
    def conclude(self) -> None:
        """Print the names of the files written by the finished training run, and the commands to run next."""

    def __repr__(self) -> str:
        training = self.training
        stages = f"{len(training.history)} of {len(training.stages)} stages are done"
        return f"<{type(self).__name__} {self.run.path}: {'finished' if training.finished else stages}>"

    def begin(self) -> None:
        """Write a checkpoint before the first step of a new training run, so that the run can be resumed from there."""
        self.run.write_checkpoint(*self.training.state())
        redraw(self.run, [], self.training.config.to_values())
        self._describe()
        reporting.say(f"run folder: {self.run.path}\n")

    def restore(
        self, facts: dict[str, Any], arrays: dict[str, np.ndarray], unit: str, totals: Mapping[str, int] | None = None
    ) -> None:
        """Restore the training state from a checkpoint, and make the run folder consistent with this state.

        Args:
            facts: The facts returned by `RunFolder.read_checkpoint`.
            arrays: The arrays returned by `RunFolder.read_checkpoint`.
            unit: The name of the stages, such as "epochs", for the printed line.
            totals: The new totals given by the user, or None. The settings of the training run must already have these
                totals (`RunFolder.with_new_totals`).

        Raises:
            UserError: The checkpoint does not belong to this run.
            OSError: A file cannot be written.
        """
        training, run = self.training, self.run
        try:
            if totals:
                training.restore_with_totals(facts, arrays, run.config_of(facts), totals)
            else:
                training.restore(facts, arrays)
        except UserError:
            raise
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{run.path / CHECKPOINT}: the file is not a checkpoint of this run ({error})") from None
        self._describe()
        reporting.say(f"{run.path}: {unit} done: {len(training.history)}")
        # New totals apply as soon as a checkpoint contains them. The checkpoint is written in one atomic step
        # (`atomic.replacing`). If the training is killed before this step, all files have the earlier totals. If it is
        # killed after this step, it has the new totals, whatever config.json says (`RunFolder.config_of`). In that case
        # the next `--resume` sees the fact `dropped`, or that config.json differs, and completes the change.
        if totals:
            self._further = True
            facts = self._commit(facts, arrays)
            reporting.say(f"new totals: {_listed(training.config.own_totals())}", self.further())
        if rows := _dropped(facts):
            self._forget(rows)
        if run.config() != training.config:
            run.write_config(training.config)
        # A training run that was killed may have written points after its last checkpoint. It will write them again.
        redraw(run, training.history, training.config.to_values())
        reporting.say("")

    def _commit(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> dict[str, Any]:
        """Write the checkpoint with the new totals, and return its facts.

        The previous checkpoint is kept and must contain the earlier totals. A checkpoint from an earlier version of the
        program contains no totals, so it is first written again with its totals.
        """
        training = self.training
        if "totals" not in facts:
            before = self.run.config().own_totals()
            self.run.write_checkpoint(facts | {"totals": before}, arrays)
        rows = len(facts["history"]) - len(training.history) or _dropped(facts)
        facts, arrays = training.state()
        if rows:
            facts[DROPPED] = rows
        self.run.write_checkpoint(facts, arrays)
        return facts

    def _forget(self, rows: int) -> None:
        """Remove the files and TensorBoard points of rows removed from the history. It is safe to repeat this."""
        run, history = self.run, self.training.history
        removed = run.remove_samples(len(history))
        LiveFiles(run.path).remove(len(history))
        run.write_log(history)
        reporting.say(
            f"removed the results of the stages that will be trained again: {counted(rows, 'row')} of log.csv, their "
            f"points in tensorboard, and {counted(removed, 'file')} in samples; bot.h5 is kept until a new one is "
            "written"
        )

    def train(self, minutes: float | None = None, watching: Watching | None = None) -> bool:
        """Train to the end, or until the user stops training or the time limit is reached.

        Args:
            minutes: The time limit in minutes, counted from now, or None for no limit. Training stops after the step
                during which the limit is reached, as after Ctrl-C.
            watching: A function that returns a context manager inside which the live view shows the run, or None for no
                live view.

        Returns:
            Whether training is finished.

        Raises:
            DivergedError: A loss or a weight is no longer finite.
            UserError: A file cannot be written.
        """
        was_finished, limit = self.finished, TimeLimit(minutes)
        view: AbstractContextManager[object] = nullcontext() if watching is None else watching(self.run.path)
        with view:
            self.walk(minutes)
            if self.training.finished:
                self.complete(limit)
        if not self.finished:
            path = self.run.path
            print(f"\nstopped; {path} contains what was learned so far")
            print(f"next: {hint(f'{self.package}.train', '--resume', path)}")
            print(f"  or: {hint(f'{self.package}.chat', path)}")
            return False
        self.summarise()
        if not reporting.is_quiet():
            self.show_replies()
        if self._further:
            print(f"\nnew totals: {_listed(self.training.config.own_totals())}")
        self.conclude()
        if was_finished:
            for name, number in self.done().items():
                command = hint(f"{self.package}.train", "--resume", self.run.path, naming([name]), "N")
                print(f"  or: {command}  (N above {number})")
        return True

    def walk(self, minutes: float | None) -> None:
        """Run the remaining stages, and write the log and the bot. A finished run keeps only its last checkpoint.

        Args:
            minutes: The time limit in minutes, or None for no limit; see `train`.
        """
        with interruptible(minutes) as interruption:
            walk(self.training, self.run, interruption, self.title, self.end_of_stage, self.shown)
        self.run.write_log(self.training.history)
        self.write()
        if self.training.finished:
            self.run.discard_previous()

    def complete(self, limit: TimeLimit) -> None:
        """Train what the bot needs in addition to `training`, which is finished.

        Args:
            limit: The time limit of the whole command.
        """

    @property
    def finished(self) -> bool:
        """Whether training is finished, including everything that `complete` trains."""
        return self.training.finished

    def _describe(self) -> None:
        reporting.detail(*(f"{name}: {number:,} weights" for name, number in self.sizes().items()))


def _dropped(facts: Mapping[str, Any]) -> int:
    """Return the value of DROPPED in `facts`, or 0 if it is missing or (in a damaged file) not a number."""
    rows = facts.get(DROPPED)
    return rows if isinstance(rows, int) else 0


def _listed(totals: Mapping[str, int]) -> str:
    """Format totals for terminal output."""
    return ", ".join(f"{name.replace('_', ' ')} {number}" for name, number in totals.items())
