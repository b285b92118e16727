"""One run on disk.

    config.json                     every setting of the run, and where its data came from
    vocabulary.json  pairs.h5       the data as it was divided: a resumed run does not need the corpus again
    checkpoint.h5                   all that `--resume` needs
    checkpoint.previous.h5          the one before, for the case that the other is damaged
    log.csv          tensorboard/   one line and one point for each epoch
    samples/                        replies to the same held-out contexts after each epoch
    teacher_forcing.weights.h5  adversarial.weights.h5  discriminator.weights.h5
    bot.h5                          what chats: weights, config and vocabulary in one file
    transcripts/                    saved chats
    evaluation.json                 what `keras_gca.evaluate` found

The files of a training are written beside their places and moved there when they are complete: an interruption never
leaves half a file in its place. Those in HDF5 begin with a checksum of the rest. `lock` keeps two trainings out of one
folder.
"""

import contextlib
import csv
import hashlib
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import filelock
import h5py
import numpy as np

from keras_gca import json_text
from keras_gca.config import Config
from keras_gca.errors import DivergedError, UserError
from keras_gca.hdf5 import open_arrays
from keras_gca.pairs import Dataset, Pairs
from keras_gca.settings import Settings
from keras_gca.vocabulary import Vocabulary

if TYPE_CHECKING:
    import keras

CHECKPOINT, PREVIOUS, LOCK = "checkpoint.h5", "checkpoint.previous.h5", ".lock"
MARK, HEADER = b"keras-conversational-agents sha256 ", 512  # what such a file begins with, and how long that is
HDF5_STRUCTURE = 2**18  # bytes: more than a file of some dozen arrays has besides them


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
                _part(path / name).unlink(missing_ok=True)
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
    """What the runs of both papers have in common: settings, checkpoint, log, samples; see `GCARun`.

    kind: the class of its settings.
    """

    kind: ClassVar[type[Settings]]

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
    def open(cls, path: str | os.PathLike) -> Self:
        """Raises UserError where there is no run."""
        run = cls(Path(path))
        if not (run.path / CHECKPOINT).exists():
            raise UserError(f"{run.path}: no run here ({CHECKPOINT} is missing)")
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
        try:
            return read_arrays(self.path / CHECKPOINT)
        except UserError as error:
            if not (self.path / PREVIOUS).exists():
                raise
            found = read_arrays(self.path / PREVIOUS)
            self._damaged = True
            print(f"{error}; the checkpoint before it is taken", file=sys.stderr)
            return found

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
        found = json_text.read_object(self.path / "config.json")
        if name not in found:
            raise UserError(f"{self.path / 'config.json'}: damaged; the {name} of a run is missing")
        return found[name]


class GCARun(RunFolder):
    """Reads and writes one run of the first paper. `create` starts a new one; `open` finds one that exists."""

    kind = Config

    @classmethod
    def create(cls, path: str | os.PathLike, config: Config, dataset: Dataset, source: dict[str, Any]) -> Self:
        """Make the folder and write what does not change; see `make`."""
        run = cls.make(path, config, source)
        text = json.dumps(dataset.vocabulary.to_values(), ensure_ascii=False)
        write_text(run.path / "vocabulary.json", text)
        pairs = {"training": dataset.training, "validation": dataset.validation}
        arrays = {f"{name}/{i}": array for name in pairs for i, array in enumerate(pairs[name].arrays())}
        write_arrays(run.path / "pairs.h5", arrays, {"whole_conversations": dataset.whole_conversations}, compress=True)
        return run

    def dataset(self) -> Dataset:
        """The stored data; its `documents` are empty: they only served to fit word vectors.

        Raises UserError where its files are missing, damaged or do not fit together.
        """
        path, length = self.path / "vocabulary.json", self.config().sentence_length
        try:
            vocabulary = Vocabulary.from_values(json_text.read(path))
            path = self.path / "pairs.h5"
            facts, arrays = read_arrays(path)
            training, validation = (
                Pairs.of_arrays([arrays[f"{name}/{i}"] for i in range(3)], len(vocabulary), length)
                for name in ("training", "validation")
            )
            return Dataset(vocabulary, training, validation, [], bool(facts["whole_conversations"]))
        except UserError:
            raise
        except (KeyError, ValueError) as error:
            raise UserError(f"{path}: damaged; its parts do not fit together ({error})") from None

    def write_weights(self, name: str, network: "keras.Model") -> None:
        """`{name}.weights.h5`, in Keras' own format."""
        with replacing(self.path / f"{name}.weights.h5", suffix=".weights.h5") as temporary:
            # Keras leaves the writing to HDF5 (see `new_hdf5`): that there is space for it is found out before.
            temporary.write_bytes(bytes(sum(value.nbytes for value in network.get_weights()) + HDF5_STRUCTURE))
            network.save_weights(temporary)


@contextlib.contextmanager
def replacing(path: Path, suffix: str = "", keep: Path | None = None) -> Iterator[Path]:
    """A name beside `path` to write to; moved over `path` when the block ends well, removed when it does not.

    keep: another name for what was in `path` before. At every moment both are there, whole, if they were there before,
    and they are two files: what damages one does not damage the other. Raises OSError, with `path` as its filename.
    """
    temporary, spare = _part(path, suffix), None if keep is None else _part(keep)
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        kept = spare is not None and path.exists()
        if kept:
            _copy(path, spare)
        temporary.replace(path)
        if kept:
            spare.replace(keep)
        _sync(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        for part in filter(None, (temporary, spare)):
            part.unlink(missing_ok=True)


def _part(path: Path, suffix: str = "") -> Path:
    """What a file is called as long as it is not whole."""
    return path.with_name(f".{path.name}.part{suffix}")


def _copy(path: Path, other: Path) -> None:
    """A second name for a file, or a second file where the file system has no such thing."""
    other.unlink(missing_ok=True)
    try:
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def _sync(folder: Path) -> None:
    """Have the names in a folder written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def new_hdf5(path: Path, **options: Any) -> Iterator[h5py.File]:
    """A new HDF5 file to write to. options: of h5py.File. Raises OSError where the disk is full or fails.

    HDF5's own way of writing cannot be used for that: the process crashes where a file cannot be closed.
    """
    with path.open("wb+") as stream:
        sink = _Sink(stream)
        try:
            with h5py.File(sink, "w", **options) as file:
                yield file
        finally:
            if sink.error is not None:
                raise sink.error


class _Sink(io.RawIOBase):
    """A stream that keeps the first error of another one, and from then on does nothing and reports success."""

    def __init__(self, stream: io.BufferedRandom):
        super().__init__()
        self._stream = stream
        self.error: OSError | None = None

    def write(self, content: memoryview) -> int:
        return self._attempt(self._stream.write, content, otherwise=len(content))

    def readinto(self, buffer: memoryview) -> int:
        return self._attempt(self._stream.readinto, buffer, otherwise=len(buffer))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._attempt(self._stream.seek, offset, whence)

    def truncate(self, size: int | None = None) -> int:
        return self._attempt(self._stream.truncate, size)

    def flush(self) -> None:
        self._attempt(self._stream.flush)

    def _attempt(self, act: Callable[..., int | None], *arguments: Any, otherwise: int = 0) -> int | None:
        if self.error is None:
            try:
                return act(*arguments)
            except OSError as error:
                self.error = error
        return otherwise


def write_arrays(
    path: Path, arrays: dict[str, np.ndarray], facts: dict[str, Any], compress: bool = False, keep: Path | None = None
) -> None:
    """Named arrays and JSON facts as one HDF5 file with a checksum, atomically. keep: see `replacing`."""
    with replacing(path, keep=keep) as temporary:
        with new_hdf5(temporary, userblock_size=HEADER) as file:
            file.create_dataset("facts", data=np.frombuffer(json.dumps(facts).encode(), np.uint8))
            for name, array in arrays.items():
                file.create_dataset(f"arrays/{name}", data=array, compression="gzip" if compress else None)
        with temporary.open("rb+") as stream:
            checksum = _checksum(stream)
            stream.seek(0)
            stream.write(MARK + checksum)


def _checksum(stream: io.BufferedIOBase) -> bytes:
    """Of all that comes after the header."""
    stream.seek(HEADER)
    return hashlib.file_digest(stream, "sha256").hexdigest().encode()


def _is_whole(path: Path) -> bool:
    """Whether the checksum is right; true for a file without one, which an earlier version has written."""
    with path.open("rb") as stream:
        header = stream.read(HEADER)
        return not header.startswith(MARK) or header[len(MARK) :].rstrip(b"\0") == _checksum(stream)


def read_arrays(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What `write_arrays` wrote. Raises UserError where the file is missing or damaged."""
    if not path.exists():
        raise UserError(f"{path}: no such file")
    try:
        if not _is_whole(path):
            raise ValueError("its checksum is wrong")
        with open_arrays(path) as file:
            facts = json_text.loads(file.array("facts").tobytes().decode("utf-8"))
            arrays = {name: file.array(f"arrays/{name}") for name in file.names("arrays")}
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a complete file of this program ({error})") from None
    if not isinstance(facts, dict):
        raise UserError(f"{path}: not a complete file of this program (its facts are no object)")
    return facts, arrays


def write_bot(path: Path, format: str, facts: dict[str, Any], networks: dict[str, list[np.ndarray]]) -> None:
    """What chats, in one file: facts for JSON, and networks' weights. format: the name that `read_bot` looks for."""
    arrays = {f"{name}/{i}": value for name, weights in networks.items() for i, value in enumerate(weights)}
    counts = {name: len(weights) for name, weights in networks.items()}
    write_arrays(path, arrays, {"format": format, **facts, "networks": counts})


def read_bot(
    path: str | os.PathLike, format: str, kind: type[RunFolder], train: str
) -> tuple[Path, dict[str, Any], dict[str, list[np.ndarray]]]:
    """The file of a bot, or of the one in a run folder; its facts, and its networks in the order of writing.

    kind: of the run folder. train: the command that writes such bots, for the message. Raises UserError where the bot
    is missing, damaged, or not of this format.
    """
    path = Path(path)
    if path.is_dir():
        run = kind.open(path)
        path = run.bot
        if not path.exists():
            raise UserError(f"{path}: not written yet; {train} --resume {run.path} writes it")
    facts, arrays = read_arrays(path)
    if facts.get("format") != format:
        raise UserError(f"{path}: not a bot that this version can read ({format} is expected)")
    try:
        counts = facts["networks"].items()
        return path, facts, {name: [arrays[f"{name}/{i}"] for i in range(count)] for name, count in counts}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise damaged_bot(path, error) from None


def damaged_bot(path: Path, error: Exception) -> UserError:
    return UserError(f"{path}: damaged; its parts do not fit together ({error})")


def write_text(path: Path, text: str) -> None:
    """A text file, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")
