"""One training from its first step to the files that it leaves: what both papers' commands do alike.

A session belongs to a run folder. It walks through the training (`training_loop.walk`), then writes what is learned, at
the end and after an interruption alike, and says what to run next.
"""

import abc
from collections.abc import Collection
from typing import Any, ClassVar

from keras_gca.engine import reporting
from keras_gca.engine.staged_training import Event, StagedTraining
from keras_gca.engine.training_loop import interruptible, walk
from keras_gca.errors import UserError
from keras_gca.storage.run_folder import CHECKPOINT, RunFolder


class Session(abc.ABC):
    """Base of the papers' sessions: a training, and the run folder that it is kept in.

    package: the package whose commands `train` and `chat` take the run. shown: the metrics of a stage's line; None
    shows all.

    Args:
        run: The run folder.
        training: The training, of the run's settings and data.
    """

    package: ClassVar[str]
    shown: ClassVar[Collection[str] | None] = None

    def __init__(self, run: RunFolder, training: StagedTraining):
        self.run = run
        self.training = training

    @abc.abstractmethod
    def title(self, stage: Any) -> str:
        """What a stage is called on the screen."""

    @abc.abstractmethod
    def end_of_stage(self, event: Event) -> bool:
        """Write what belongs to the end of a stage besides log and checkpoint; true stops the training."""

    @abc.abstractmethod
    def write(self) -> None:
        """Write what chats."""

    @abc.abstractmethod
    def sizes(self) -> dict[str, int]:
        """How many weights each network has."""

    @abc.abstractmethod
    def summarise(self) -> None:
        """Print the metrics of a training that has ended."""

    @abc.abstractmethod
    def show_replies(self) -> None:
        """Print replies of a training that has ended."""

    @abc.abstractmethod
    def conclude(self) -> None:
        """Print what a training that has ended has written, and what to run next."""

    def __repr__(self) -> str:
        training = self.training
        stages = f"{len(training.history)} of {len(training.stages)} stages are done"
        return f"<{type(self).__name__} {self.run.path}: {'finished' if training.finished else stages}>"

    def begin(self) -> None:
        """Store a new training before its first step, so that it can be resumed from there."""
        self.run.write_checkpoint(*self.training.state())
        self._describe()
        reporting.say(f"run folder: {self.run.path}\n")

    def restore(self, unit: str) -> None:
        """Return to the last checkpoint.

        Args:
            unit: What the rows of the log are, for the line that is printed.

        Raises:
            UserError: The checkpoint is damaged, or not one of this run.
        """
        facts, arrays = self.run.read_checkpoint()
        try:
            self.training.restore(facts, arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{self.run.path / CHECKPOINT}: not a checkpoint of this run ({error})") from None
        self._describe()
        reporting.say(f"{self.run.path}: {unit} done: {len(self.training.history)}\n")

    def train(self) -> bool:
        """Train to the end, or until the user stops it.

        Returns:
            Whether the end is reached.

        Raises:
            DivergedError: A loss or a weight is not a finite number any more.
            UserError: A file cannot be written.
        """
        with interruptible() as interruption:
            walk(self.training, self.run, interruption, self.title, self.end_of_stage, self.shown)
        self.run.write_log(self.training.history)
        self.write()
        if not self.training.finished:
            path = self.run.path
            print(f"\nstopped; what is learned so far is in {path}")
            print(f"next: python -m {self.package}.train --resume {path}")
            print(f"  or: python -m {self.package}.chat {path}")
            return False
        self.summarise()
        if not reporting.is_quiet():
            self.show_replies()
        self.conclude()
        return True

    def _describe(self) -> None:
        reporting.detail(*(f"{name}: {number:,} weights" for name, number in self.sizes().items()))
