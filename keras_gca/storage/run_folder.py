"""What the run folders of both papers have in common: settings, checkpoint, log, samples, and a lock.

The files of a training are written beside their places and moved there when they are complete: an interruption never
leaves half a file in its place. Those in HDF5 begin with a checksum of the rest. `lock` keeps two trainings out of one
folder.
"""

import contextlib
import csv
import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import filelock
import numpy as np

from keras_gca.errors import DivergedError, UserError
from keras_gca.settings import Settings
from keras_gca.storage.arrays import read_arrays, read_facts, write_arrays
from keras_gca.storage.atomic import part_of, write_text
from keras_gca.storage.config_file import read_settings, read_source, write_settings
from keras_gca.storage.ownership import refuse_run_of_another

CHECKPOINT, PREVIOUS, LOCK = "checkpoint.h5", "checkpoint.previous.h5", ".lock"

T = TypeVar("T")
SettingsT = TypeVar("SettingsT", bound=Settings)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Keep other trainings out of a run folder, which is made if it is not there, until the block or the process ends.

    Nothing stays of it where nothing was written to it, and nothing of a checkpoint that a killed training was writing.
    Raises UserError where another process trains in it.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    path.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(path / LOCK, blocking=False):
            for name in (CHECKPOINT, PREVIOUS):
                part_of(path / name).unlink(missing_ok=True)
            try:
                yield
            finally:
                if [file.name for file in path.iterdir()] == [LOCK]:
                    (path / LOCK).unlink()
                for folder in made:
                    if not any(folder.iterdir()):
                        folder.rmdir()
    except filelock.Timeout:
        raise UserError(f"{path}: another process is training in this folder; take another --run, or wait") from None


def refuse_reached(name: str, total: int, done: int) -> None:
    """Refuse a new total that a training has reached already.

    Args:
        name: The setting.
        total: The number that the user has given.
        done: How much is done.

    Raises:
        UserError: The total is not above what is done.
    """
    if total <= done:
        option = f"--{name.replace('_', '-')}"
        raise UserError(f"{option}: {total} in all, and {done} done already; at least {done + 1} is expected")


class RunFolder(Generic[SettingsT]):
    """What the runs of both papers have in common: settings, checkpoint, log, samples. Each paper has a subclass.

    kind: the class of its settings. package: whose runs they are, see `ownership`; None: anybody's. totals: names of
    the settings that a run which has begun may have otherwise; see `config_of`.
    """

    kind: type[SettingsT]
    totals: ClassVar[tuple[str, ...]] = ()
    package: ClassVar[str | None] = None

    def __init__(self, path: Path):
        self.path = path
        self._damaged = False  # whether the last checkpoint is so

    @classmethod
    def make(cls, path: str | os.PathLike, config: SettingsT, source: dict[str, Any]) -> Self:
        """Make the folder and write the settings.

        source: where the data came from, for people. Raises UserError where a run is already there.
        """
        cls.refuse_existing(path)
        run = cls(Path(path))
        run.path.mkdir(parents=True, exist_ok=True)
        write_settings(run.config_file, config, source)
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

    def __repr__(self) -> str:
        if not (self.path / CHECKPOINT).exists():
            state = "no run here"
        else:
            state = "it chats" if self.bot.exists() else "no bot yet"
        return f"<{type(self).__name__} {self.path}: {state}>"

    @property
    def bot(self) -> Path:
        """Where the bot is written."""
        return self.path / "bot.h5"

    @property
    def config_file(self) -> Path:
        """Where the settings are, and what `train --config` takes."""
        return self.path / "config.json"

    def source(self) -> dict[str, Any]:
        """Where the data came from, as `make` was told; see `read_source`."""
        return read_source(self.config_file)

    def config(self) -> SettingsT:
        """The settings of the run; see `read_settings`."""
        return read_settings(self.config_file, self.kind)

    def config_of(self, facts: dict[str, Any]) -> SettingsT:
        """The settings that a checkpoint was written with: the run's, with the totals that the checkpoint names.

        The checkpoint decides, because a training that is given new totals may be killed before config.json has them,
        and because the checkpoint before it, which is read where the last is damaged, may be of the earlier totals.
        Checkpoints of earlier versions name none: those of config.json apply.

        Args:
            facts: Those of the checkpoint.

        Raises:
            UserError: config.json cannot be read, or the totals are impossible.
        """
        config = self.config()
        try:
            return self._with_totals(config, facts.get("totals", {}))
        except (UserError, TypeError) as error:
            raise UserError(f"{self.path / CHECKPOINT}: not a checkpoint of this run ({error})") from None

    def with_new_totals(self, facts: dict[str, Any], changes: Mapping[str, Any]) -> SettingsT:
        """The settings that a training goes on with from a checkpoint.

        Args:
            facts: Those of the checkpoint.
            changes: New totals; without any, the settings are those of `config_of`.

        Raises:
            UserError: A setting is not a total of the class, a number is impossible or not above what is done, or the
                facts are not those of a checkpoint of this run.
        """
        before = self.config_of(facts)
        if not changes:
            return before
        config = self._with_totals(before, changes)
        try:
            self.refuse_totals(before, facts, changes)
        except UserError:
            raise
        except (KeyError, ValueError, TypeError) as error:
            raise UserError(f"{self.path / CHECKPOINT}: not a checkpoint of this run ({error})") from None
        return config

    def refuse_totals(self, before: SettingsT, facts: dict[str, Any], changes: Mapping[str, Any]) -> None:
        """Refuse totals of which all is done already; each paper's class says which these are.

        Args:
            before: The settings that the checkpoint was written with.
            facts: Those of the checkpoint.
            changes: New totals.

        Raises:
            UserError: A total cannot be reached from this checkpoint.
            KeyError, ValueError, TypeError: The facts are not those of such a checkpoint.
        """

    def _with_totals(self, config: SettingsT, totals: Mapping[str, Any]) -> SettingsT:
        if others := sorted(set(totals) - set(self.totals)):
            possible = " and ".join(self.totals) or "no setting"
            raise UserError(f"{others[0]!r} cannot change in a run that has begun; {possible} can")
        return config.changed(**totals)

    def write_config(self, config: SettingsT) -> None:
        """Write the settings anew, for a run that has been given new totals."""
        write_settings(self.config_file, config, self.source())

    def write_checkpoint(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write what `--resume` needs, and keep the checkpoint before it, unless that one is damaged.

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

    def remove_samples(self, after: int) -> int:
        """Remove the samples whose names begin with a larger number, that of a row of the log.

        Args:
            after: The number of the last row whose samples stay.

        Returns:
            How many files there were.
        """
        numbered = [(re.match(r"\d+", path.name), path) for path in (self.path / "samples").glob("*.txt")]
        stale = [path for number, path in numbered if number and int(number[0]) > after]
        for path in stale:
            path.unlink()
        return len(stale)
