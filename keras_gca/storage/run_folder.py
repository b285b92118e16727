"""What the run folders of both papers have in common: settings, checkpoint, log, samples, and a lock.

The files of a training are written beside their places and moved there when they are complete: an interruption never
leaves half a file in its place. Those in HDF5 begin with a checksum of the rest. `lock` keeps two trainings out of one
folder.
"""

import contextlib
import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import filelock
import numpy as np

from keras_gca.errors import DivergedError, UserError
from keras_gca.settings import Settings
from keras_gca.storage import json_files
from keras_gca.storage.arrays import read_arrays, read_facts, write_arrays
from keras_gca.storage.atomic import part_of, write_text
from keras_gca.storage.ownership import refuse_run_of_another

CHECKPOINT, PREVIOUS, LOCK = "checkpoint.h5", "checkpoint.previous.h5", ".lock"

T = TypeVar("T")


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder, which is made if it is not there, until the block or the process ends.

    Nothing stays of it where nothing was written to it, and nothing of a checkpoint that a killed training was writing.
    Raises UserError where another process trains in it.
    """
    made = [each for each in (path, *path.parents) if not each.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path / LOCK, blocking=False):
            for name in (CHECKPOINT, PREVIOUS):
                part_of(path / name).unlink(missing_ok=True)
            try:
                yield
            finally:
                if [each.name for each in path.iterdir()] == [LOCK]:
                    (path / LOCK).unlink()
                for each in made:
                    if not any(each.iterdir()):
                        each.rmdir()
    except filelock.Timeout:
        raise UserError(f"{path}: another process is training in this folder; take another --run, or wait") from None


class RunFolder:
    """What the runs of both papers have in common: settings, checkpoint, log, samples. Each paper has a subclass.

    kind: the class of its settings. package: whose runs they are, see `ownership`; None: anybody's.
    """

    kind: ClassVar[type[Settings]]
    package: ClassVar[str | None] = None

    def __init__(self, path: Path):
        self.path = path
        self._damaged = False  # whether the last checkpoint was found so

    @classmethod
    def make(cls, path: str | os.PathLike, config: Settings, source: dict[str, Any]) -> Self:
        """Make the folder and write the settings.

        source: where the data came from, for people. Raises UserError where a run is already there.
        """
        cls.refuse_existing(path)
        run = cls(Path(path))
        run.path.mkdir(parents=True, exist_ok=True)
        settings = json.dumps({"source": source, "config": config.to_values()}, indent=2)
        write_text(run.path / "config.json", settings)
        return run

    @staticmethod
    def refuse_existing(path: str | os.PathLike) -> None:
        """Raises UserError where a run is already there, or where a file stands in the way."""
        if (Path(path) / CHECKPOINT).exists():
            raise UserError(f"{path} holds a run already; take another --run, or go on with --resume {path}")
        if Path(path).exists() and not Path(path).is_dir():
            raise UserError(f"{path} is a file; --run names a folder")

    @classmethod
    def open(cls, path: str | os.PathLike, door: str = "chat") -> Self:
        """A run that exists.

        door: the command that this is, if the other package has one of this name; see `refuse_run_of_another`. Raises
        UserError where there is no run, or one of another package.
        """
        run = cls(Path(path))
        if not (run.path / CHECKPOINT).exists():
            raise UserError(f"{run.path}: no run here ({CHECKPOINT} is missing)")
        if cls.package is not None:
            refuse_run_of_another(run.path, cls.package, door)
        return run

    @property
    def bot(self) -> Path:
        """Where the bot is written."""
        return self.path / "bot.h5"

    def source(self) -> dict[str, Any]:
        """Where the data came from, as `make` was told."""
        found = self._setting("source")
        kinds = (str, list, dict, type(None))
        if not isinstance(found, dict) or not all(isinstance(each, kinds) for each in found.values()):
            raise UserError(
                f"{self.path / 'config.json'}: damaged; the source of a run is an object of names and texts"
            )
        if not all(isinstance(name, str) for each in found.values() if isinstance(each, list) for name in each):
            raise UserError(f"{self.path / 'config.json'}: damaged; a list of texts is expected in the source of a run")
        return found

    def config(self) -> Settings:
        try:
            return self.kind.from_values(self._setting("config"))
        except UserError as error:
            raise UserError(f"{self.path / 'config.json'}: {error}") from None

    def write_checkpoint(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write what `--resume` needs, and keep the checkpoint before it, unless that was found damaged.

        Raises DivergedError, and writes nothing, where an array holds NaN or infinity.
        """
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DivergedError(f"the training has diverged: {name} holds NaN or infinity")
        write_arrays(self.path / CHECKPOINT, arrays, facts, keep=None if self._damaged else self.path / PREVIOUS)
        self._damaged = False

    def read_checkpoint(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """The last checkpoint; where it is damaged, the one before, and a line on standard error says so.

        Raises UserError where neither can be read.
        """
        return self._of_checkpoint(read_arrays)

    def read_facts(self) -> dict[str, Any]:
        """The facts of the last checkpoint without its arrays, or those of the one before, as `read_checkpoint`.

        Damage to the arrays alone goes unnoticed: see `arrays.read_facts`.
        """
        return self._of_checkpoint(read_facts)

    def _of_checkpoint(self, read: Callable[[Path], T]) -> T:
        try:
            return read(self.path / CHECKPOINT)
        except UserError as error:
            if not (self.path / PREVIOUS).exists():
                raise
            previous = read(self.path / PREVIOUS)
            self._damaged = True
            print(f"{error}; the checkpoint before it is taken", file=sys.stderr)
            return previous

    def write_log(self, history: list[dict[str, Any]]) -> None:
        """The history as log.csv, whole: a resumed run's log holds each epoch once."""
        columns = list(dict.fromkeys(key for row in history for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_text(self.path / "log.csv", text.getvalue())

    def read_log(self) -> list[dict[str, Any]]:
        """The history as `write_log` was given it, numbers as float; empty where nothing is learned yet.

        Raises UserError where the file is damaged.
        """
        path = self.path / "log.csv"
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                rows = [
                    {key: text if key == "phase" else float(text) for key, text in row.items() if text}
                    for row in csv.DictReader(stream)
                ]
            if not all("phase" in row for row in rows):
                raise ValueError("every line has a phase")
            return rows
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise UserError(f"{path}: cannot be read ({error})") from None

    def write_samples(self, name: str, exchanges: list[tuple[str, str]]) -> None:
        """Contexts and replies, as text."""
        (self.path / "samples").mkdir(exist_ok=True)
        write_text(
            self.path / "samples" / f"{name}.txt",
            "".join(f"{context}\n    {reply}\n\n" for context, reply in exchanges),
        )

    def _setting(self, name: str) -> Any:
        found = json_files.read_object(self.path / "config.json")
        if name not in found:
            raise UserError(f"{self.path / 'config.json'}: damaged; the {name} of a run is missing")
        return found[name]
