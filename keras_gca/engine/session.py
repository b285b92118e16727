"""One training from its first step to the files that it leaves: what both papers' commands do alike.

A session belongs to a run folder. It walks through the training (`training_loop.walk`), then writes what is learned, at
the end and after an interruption alike, and says what to run next.
"""

import abc
from collections.abc import Collection
from typing import Any, ClassVar

from keras_gca.engine.staged_training import Event, StagedTraining
from keras_gca.engine.training_loop import interruptible, walk
from keras_gca.errors import UserError
from keras_gca.storage.run_folder import CHECKPOINT, RunFolder


class Session(abc.ABC):
    """Base of the papers' sessions: a training, and the run folder that it is kept in.

    package: whose commands `train` and `chat` go on with the run. shown: the figures of a stage's line; None: all.
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
    def summarise(self) -> None:
        """Print what a training that has ended came to, and what to run next."""

    def begin(self) -> None:
        """Store a new training before its first step, so that it can be resumed from there."""
        self.run.write_checkpoint(*self.training.state())
        print(f"run folder: {self.run.path}\n")

    def restore(self, unit: str) -> None:
        """Return to the last checkpoint. unit: what the rows of the log are, for the line that is printed.

        Raises UserError where the checkpoint is not one of this run.
        """
        facts, arrays = self.run.read_checkpoint()
        try:
            self.training.restore(facts, arrays)
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{self.run.path / CHECKPOINT}: not a checkpoint of this run ({error})") from None
        print(f"{self.run.path}: {unit} done: {len(self.training.history)}\n")

    def train(self) -> bool:
        """Train to the end, or until the user stops it; returns whether the end is reached."""
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
        return True
