"""Trains further generators after Algorithm 2, each in a run folder inside the run folder.

Such a folder is an ordinary run folder with a checkpoint, so an interrupted training run can be resumed. `ranking.py`
and `seq2bf.py` define the generators.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from keras_gca.bot import Bot
from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.engine.staged_training import Event
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training.run_folder import GCARun
from keras_gca.training.schedule import Stage
from keras_gca.training.session import GCASession
from keras_gca.training.state import present


class InnerSession(GCASession):
    """The training of a further generator, together with its run folder.

    Attributes:
        label: What the generator is for, for the progress bar.
        predicts: What the generator predicts, for the progress bar.
    """

    label: ClassVar[str]
    predicts: ClassVar[str]

    @classmethod
    def within(cls, outer: GCASession, path: Path, config: Config, dataset_of: Callable[[], Dataset]) -> Self:
        """Begin to train the generator, or restore its training from the checkpoint in its run folder.

        It starts from the word vectors that the generator for p(y|x) has learned in line 3.

        Args:
            outer: The training run that the generator belongs to.
            path: The run folder of the generator.
            config: The settings of the generator.
            dataset_of: A function that makes the data of the generator.
        """
        if (path / CHECKPOINT).exists():
            run = GCARun.open(path, "train --resume")
            session = cls.of(run, run.config(), run.dataset())
            session.restore(*run.read_checkpoint(), f"epochs of the generator for {cls.predicts}")
            return session
        if path.exists():
            shutil.rmtree(path)  # the run was killed before it wrote its first checkpoint
        dataset = dataset_of()
        run = GCARun.create(path, config, dataset, outer.run.source())
        words = present(outer.training.teacher_forced, "the generator of line 3")[0]
        session = cls.of(run, config, dataset, words)
        session.begin()
        return session

    def title(self, stage: Stage) -> str:
        """Return the name and the epoch of a stage as text for the progress bar."""
        return f"{self.label}  {self.predicts:17} {stage.epoch}/{stage.epochs}"

    def end_of_stage(self, event: Event) -> bool:
        """Return False, so that training continues. This generator has no replies to show."""
        return False


def finished_weights(path: Path) -> list[np.ndarray] | None:
    """Return the weights of a further generator, or None if its training in the folder is not finished."""
    run = GCARun(path)
    return weights_of(run) if (path / CHECKPOINT).exists() and run.is_finished() else None


def weights_of(run: GCARun) -> list[np.ndarray]:
    """Return the weights of a further generator that was trained in a run folder."""
    return Bot.read(run.bot)[1].generators["teacher_forcing"]
