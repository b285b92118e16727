"""Runs the preparation of a corpus as token files with several processes, and continues an interrupted preparation.

A preparation works in passes. The first pass reads the corpora and writes chunks, and the last pass writes shards
(`storage/token_files.py`). Until the folder is complete, its subfolder WORK contains the chunks and a record of each
shard. After an interruption, run the command again: it reuses all chunks and shards already written.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

import filelock

from keras_gca.engine.processes import Processes, TimeOverError
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.token_files import INDEX, WORK

T = TypeVar("T")


def prepare_in(
    out: Path,
    corpora: Sequence[Path],
    plan: Mapping[str, Any],
    make: Callable[[Processes], T],
    ready: Callable[[], object],
    processes: int = 1,
    minutes: float | None = None,
) -> T | None:
    """Prepare corpora in a folder, or continue an interrupted preparation.

    Args:
        out: The folder to create.
        corpora: The files or folders to read.
        plan: The options on which the chunks depend, as JSON values. They are stored together with the paths, sizes and
            modification times of the files.
        make: A function that carries out the preparation and returns its result.
        ready: A function that each process calls before its first task.
        processes: The number of parallel processes. If 1, this process does all the work.
        minutes: The time limit in minutes, or None for no limit; see `Processes`.

    Returns:
        The result of `make`, or None if time runs out before the folder is complete.

    Raises:
        UserError: The folder is already complete or contains something else, an interrupted preparation of the folder
            used other files or options, another process is preparing the folder, or a process ended unexpectedly.
        OSError: The disk is full.
    """
    if (out / INDEX).exists():
        raise UserError(
            f"{out}: this folder is already complete; give a new folder, or train on this one with --data {out}"
        )
    if out.exists() and (not out.is_dir() or ((others := os.listdir(out)) and WORK not in others)):
        raise UserError(f"{out}: this is not an empty folder; give a new folder")
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(work / ".lock", blocking=False):
            _refuse_other_plan(work, {"files": _states(corpora, out), **plan})
            with Processes(processes, ready, minutes) as pool:
                made = make(pool)
    except TimeOverError:
        return None
    except filelock.Timeout:
        raise UserError(f"{out}: another process is preparing this folder; wait until it has finished") from None
    except BrokenProcessPool:
        raise UserError(
            f"{out}: one of the processes ended unexpectedly, perhaps because memory ran out; repeat the command "
            "with fewer --processes to continue"
        ) from None
    shutil.rmtree(work)
    return made


def _refuse_other_plan(work: Path, plan: dict[str, Any]) -> None:
    """Store the files and options of a preparation. Raise an error if those of an interrupted preparation differ."""
    path = work / "plan.json"
    if not path.exists():
        write_text(path, json.dumps(plan))
    elif json_files.read(path) != plan:
        raise UserError(
            f"{work.parent}: an interrupted preparation of this folder used other files or options; repeat its "
            "command, or give a new folder"
        )


def files_of(corpora: Sequence[Path], out: Path) -> list[Path]:
    """Return all files of corpora, which are files or folders, leaving out the files of the preparation itself.

    Args:
        corpora: The files or folders.
        out: The folder to create, which may be inside one of the corpora.
    """
    every = (file for path in corpora for file in ([path] if path.is_file() else sorted(path.rglob("*"))))
    own = out.resolve()
    return [file for file in every if file.is_file() and not file.resolve().is_relative_to(own)]


def _states(corpora: Sequence[Path], out: Path) -> list[list[Any]]:
    """Return the path, the size and the modification time of each file; see `files_of`."""
    states = ((file, file.stat()) for file in files_of(corpora, out))
    return [[str(file.resolve()), state.st_size, state.st_mtime_ns] for file, state in states]


def chunk_path(out: Path, number: int) -> Path:
    """Return the path of a chunk."""
    return out / WORK / f"chunk-{number:06d}.npz"


def chunks_of(out: Path) -> int:
    """Return the number of chunks that have been written."""
    return len(list((out / WORK).glob("chunk-*.npz")))


def record_path(out: Path, number: int, determined_by: str) -> Path:
    """Return the path of the record of a shard; see `remove_other_records`."""
    return out / WORK / f"shard-{number:05d}-{determined_by}.json"


def records(out: Path) -> list[Path]:
    """Return the records of all shards that have been written."""
    return list((out / WORK).glob("shard-*.json"))


def remove_other_records(out: Path, determined_by: list[Any]) -> str:
    """Remove the records of shards that an interrupted preparation made with another vocabulary or other settings.

    Args:
        out: The folder to create.
        determined_by: Everything that determines the shards, except the chunks, as JSON values.

    Returns:
        A short checksum of `determined_by`, which is part of the names of the records.
    """
    name = hashlib.sha256(json.dumps(determined_by).encode()).hexdigest()[:16]
    for record in records(out):
        if not record.stem.endswith(name):
            record.unlink()
    return name


def grouped(chunks: Iterable[tuple[int, int]], enough: int) -> Iterator[list[int]]:
    """Group consecutive chunks into shards, and yield each shard's chunk numbers.

    Args:
        chunks: The number and the size of each chunk.
        enough: The total size at which a shard ends. The chunk that reaches this size is its last one.
    """
    group: list[int] = []
    total = 0
    for number, size in chunks:
        group.append(number)
        total += size
        if total >= enough:
            yield group
            group, total = [], 0
    if group:
        yield group
