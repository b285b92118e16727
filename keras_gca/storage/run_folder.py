"""Reads and writes the files that the run folders of both papers contain: settings, checkpoints, log, samples and lock.

Each file is written under a temporary name and renamed once it is complete, so an interruption never leaves a partial
file. HDF5 files begin with a checksum of the rest of the file. `lock` prevents two training runs from using the same
folder at the same time.
"""

import contextlib
import csv
import io
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any, ClassVar, Generic, Self, TypeVar

import filelock
import numpy as np

from keras_gca.errors import DivergedError, UserError
from keras_gca.settings import Settings, naming
from keras_gca.storage.arrays import has_right_checksum, read_arrays, read_facts, write_arrays
from keras_gca.storage.atomic import part_of, write_text
from keras_gca.storage.config_file import read_settings, read_source, write_settings
from keras_gca.storage.ownership import refuse_run_of_another

CHECKPOINT, PREVIOUS, LOCK = "checkpoint.h5", "checkpoint.previous.h5", ".lock"

T = TypeVar("T")
SettingsT = TypeVar("SettingsT", bound=Settings)


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Prevent other training runs from using a run folder until the `with` block or the process ends.

    The folder is created if it does not exist, and removed again if nothing is written to it. Partial checkpoints left
    behind by a killed training run are removed.

    Args:
        path: The folder.

    Raises:
        UserError: Another process is training in the folder.
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
        raise UserError(f"{path}: another process is training in this folder; choose another --run, or wait") from None


def refuse_reached(name: str, total: int, done: int) -> None:
    """Check that a new total exceeds what the training run has already completed.

    Args:
        name: The name of the setting.
        total: The new total.
        done: The number of epochs, iterations or updates completed so far.

    Raises:
        UserError: The total does not exceed `done`.
    """
    if total <= done:
        raise UserError(
            f"{naming([name])}: {total} is too low, because the run has already completed {done}; at "
            f"least {done + 1} is expected"
        )


def _last_parts(names: str | Sequence[str] | None) -> str:
    """Return the last parts of paths, or of one path, as a text."""
    paths = [names] if isinstance(names, str) else names or ["none"]
    return " ".join(PurePath(path).name for path in paths)


class RunFolder(Generic[SettingsT]):
    """The base class of both papers' run folders, which contain settings, checkpoints, a log and samples.

    Args:
        path: The folder.

    Attributes:
        kind: The class of the settings.
        package: The package whose runs are accepted (see `ownership`), or None to accept any run.
    """

    kind: type[SettingsT]
    package: ClassVar[str | None] = None

    def __init__(self, path: Path):
        self.path = path
        self._damaged = False  # whether the last checkpoint was found to be damaged

    @classmethod
    def make(cls, path: str | os.PathLike, config: SettingsT, source: dict[str, Any]) -> Self:
        """Create a run folder, and write the settings to it.

        Args:
            path: The folder.
            config: The settings.
            source: A description of where the data comes from.

        Raises:
            UserError: The folder already contains a run, or `path` is a file.
        """
        cls.refuse_existing(path)
        run = cls(Path(path))
        run.path.mkdir(parents=True, exist_ok=True)
        write_settings(run.config_file, config, source)
        return run

    @staticmethod
    def refuse_existing(path: str | os.PathLike) -> None:
        """Raise UserError if the folder already contains a run, or if `path` is a file."""
        if (Path(path) / CHECKPOINT).exists():
            raise UserError(f"{path} already contains a run; choose another --run, or resume it with --resume {path}")
        if Path(path).exists() and not Path(path).is_dir():
            raise UserError(f"{path} is a file; --run expects a folder")

    @classmethod
    def open(cls, path: str | os.PathLike, door: str = "chat") -> Self:
        """Open an existing run.

        Args:
            path: The folder.
            door: The name of the calling command, such as "chat". If the run belongs to the other package, the error
                message suggests that package's command of the same name.

        Raises:
            UserError: There is no run in the folder, or the run belongs to another package.
        """
        run = cls(Path(path))
        if not (run.path / CHECKPOINT).exists():
            raise UserError(f"{run.path}: there is no run here ({CHECKPOINT} is missing)")
        if cls.package is not None:
            refuse_run_of_another(run.path, cls.package, door)
        return run

    def __repr__(self) -> str:
        if not (self.path / CHECKPOINT).exists():
            state = "no run here"
        else:
            state = "one can chat with it" if self.bot.exists() else "no bot yet"
        return f"<{type(self).__name__} {self.path}: {state}>"

    @property
    def bot(self) -> Path:
        """The path of the bot file."""
        return self.path / "bot.h5"

    @property
    def config_file(self) -> Path:
        """The path of the settings file, which `train --config` can read."""
        return self.path / "config.json"

    def source(self) -> dict[str, Any]:
        """Return the description of where the data comes from; see `read_source`."""
        return read_source(self.config_file)

    def config(self) -> SettingsT:
        """Return the settings of the run; see `read_settings`."""
        return read_settings(self.config_file, self.kind)

    def refuse_other(self, config: SettingsT, source: Mapping[str, Any], free: Collection[str] = ()) -> None:
        """Check that a study which would train this run in the same way can use it instead of training it.

        Args:
            config: The settings of the training that the study asks for.
            source: The names of its files; see `source`. Only the last parts of paths are compared, because folders may
                have been moved.
            free: The names of settings that may differ.

        Raises:
            UserError: The run was trained with other settings or files.
        """
        stored, wanted = self.config().to_values(), config.to_values()
        compared = wanted.keys() - {"checkpoint_minutes", *free}
        pairs = {naming([name]): (stored[name], wanted[name]) for name in wanted if name in compared}
        pairs |= {naming([name]): (_last_parts(self.source().get(name)), _last_parts(source[name])) for name in source}
        other = [f"{option} {had}, not {asked}" for option, (had, asked) in pairs.items() if had != asked]
        if other:
            raise UserError(
                f"{self.path}: this run was trained with {', '.join(other)}; give the options with which it was "
                "trained, or another folder with --runs"
            )

    def config_of(self, facts: dict[str, Any]) -> SettingsT:
        """Return the settings of the run, with the totals taken from a checkpoint.

        Totals are the settings that `--resume` may change. The totals in a checkpoint can differ from those in
        config.json. A training run with new totals may have been killed before it updated config.json, or the last
        checkpoint may be damaged, so the previous one, with older totals, is used. Checkpoints written by earlier
        versions of the program contain no totals; for these, the totals in config.json are used.

        Args:
            facts: The facts of the checkpoint.

        Raises:
            UserError: config.json cannot be read, or the totals are invalid.
        """
        config = self.config()
        try:
            return self._with_totals(config, facts.get("totals", {}))
        except (UserError, TypeError) as error:
            raise UserError(f"{self.path / CHECKPOINT}: the file is not a checkpoint of this run ({error})") from None

    def with_new_totals(self, facts: dict[str, Any], changes: Mapping[str, Any]) -> SettingsT:
        """Return the settings for continuing a training run from a checkpoint.

        Args:
            facts: The facts of the checkpoint.
            changes: New totals by name. If empty, the settings are those returned by `config_of`.

        Raises:
            UserError: A setting is not a total, a total is invalid or has already been reached, or the facts do not
                come from a checkpoint of this run.
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
            raise UserError(f"{self.path / CHECKPOINT}: the file is not a checkpoint of this run ({error})") from None
        return config

    def refuse_totals(self, before: SettingsT, facts: dict[str, Any], changes: Mapping[str, Any]) -> None:
        """Check that new totals exceed what has already been completed.

        The base class checks nothing. Subclasses, which can tell what has been completed, override this method.

        Args:
            before: The settings at the time of the checkpoint.
            facts: The facts of the checkpoint.
            changes: New totals by name.

        Raises:
            UserError: A total has already been reached.
            KeyError: A fact is missing.
            ValueError: A fact has an invalid value.
            TypeError: A fact has the wrong type.
        """

    def _with_totals(self, config: SettingsT, totals: Mapping[str, Any]) -> SettingsT:
        if others := sorted(set(totals) - set(config.totals)):
            possible = " and ".join(config.totals) or "no setting"
            raise UserError(f"{others[0]!r} cannot be changed in a run that has begun; {possible} can be changed")
        return config.changed(**totals)

    def write_config(self, config: SettingsT) -> None:
        """Overwrite the settings of a run, for example with new totals."""
        write_settings(self.config_file, config, self.source())

    def write_checkpoint(self, facts: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        """Write a checkpoint for `--resume`, and keep the previous checkpoint unless it is damaged.

        Args:
            facts: JSON-serialisable values by name.
            arrays: Arrays by name.

        Raises:
            DivergedError: An array contains NaN or infinity. Nothing is written in this case.
            OSError: The file cannot be written.
        """
        for name, array in arrays.items():
            if array.dtype.kind == "f" and not np.isfinite(array).all():
                raise DivergedError(f"training has diverged: {name} contains NaN or infinity")
        write_arrays(self.path / CHECKPOINT, arrays, facts, keep=None if self._damaged else self.path / PREVIOUS)
        self._damaged = False

    def discard_previous(self) -> None:
        """Remove the previous checkpoint, which a finished run no longer needs, unless the last one is damaged."""
        if has_right_checksum(self.path / CHECKPOINT):
            (self.path / PREVIOUS).unlink(missing_ok=True)

    def read_checkpoint(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Read the last checkpoint. If it is damaged, print a message to standard error, and read the previous one.

        Returns:
            The facts and the arrays of the checkpoint.

        Raises:
            UserError: Neither checkpoint can be read.
        """
        return self._of_checkpoint(read_arrays)

    def read_facts(self) -> dict[str, Any]:
        """Read only the facts of a checkpoint.

        If the facts of the last checkpoint are damaged, the previous checkpoint is used. Damage to the arrays is not
        detected; see `arrays.read_facts`.
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
            print(f"{error}; the previous checkpoint is used", file=sys.stderr)
            return previous

    def write_log(self, history: list[dict[str, Any]]) -> None:
        """Overwrite log.csv with the whole history, so the log of a resumed run contains each epoch only once."""
        columns = list(dict.fromkeys(key for row in history for key in row))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
        write_text(self.path / "log.csv", text.getvalue())

    def read_log(self) -> list[dict[str, Any]]:
        """Read the history from log.csv, with numbers as floats. The history is empty if there is no log yet.

        Raises:
            UserError: The file is damaged.
        """
        path = self.path / "log.csv"
        try:
            with path.open(encoding="utf-8", newline="") as stream:
                rows = [
                    {key: text if key == "phase" else float(text) for key, text in row.items() if text}
                    for row in csv.DictReader(stream)
                ]
            if not all("phase" in row for row in rows):
                raise ValueError("a line has no phase")
            return rows
        except FileNotFoundError:
            return []
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise UserError(f"{path}: cannot be read ({error})") from None

    def write_samples(self, name: str, exchanges: list[tuple[str, str]]) -> None:
        """Write contexts and their replies to a text file in the folder `samples`."""
        (self.path / "samples").mkdir(exist_ok=True)
        write_text(
            self.path / "samples" / f"{name}.txt",
            "".join(f"{context}\n    {reply}\n\n" for context, reply in exchanges),
        )

    def read_samples(self, row: int) -> str | None:
        """Return the text of the sample replies for a row of the log, or None if there is no such file.

        The name of the file begins with the number of the row.

        Raises:
            OSError: The file cannot be read.
        """
        found = [path for path in (self.path / "samples").glob("*.txt") if _row_of(path) == row]
        return found[0].read_text(encoding="utf-8", errors="replace") if found else None

    def remove_samples(self, after: int) -> int:
        """Remove the samples of all log rows after a given row.

        The name of each sample file begins with the number of its row.

        Args:
            after: The number of the last row to keep.

        Returns:
            The number of removed files.
        """
        numbered = [(_row_of(path), path) for path in (self.path / "samples").glob("*.txt")]
        stale = [path for row, path in numbered if row is not None and row > after]
        for path in stale:
            path.unlink()
        return len(stale)


def _row_of(samples: Path) -> int | None:
    """Return the row number at the start of a sample file's name, or None if the name does not start with a number."""
    number = re.match(r"\d+", samples.name)
    return int(number[0]) if number else None
