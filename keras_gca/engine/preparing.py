"""Runs the preparation of a corpus as token files: one at a time in a folder, by several processes, and resumable.

A preparation works in passes. The first pass reads the corpora and writes chunks, and the last pass writes shards
(`storage/token_files.py`). Until the folder is complete, the chunks, and a record of each shard, are in its subfolder
WORK. A repeated command uses those that an interrupted one has written.
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

CHUNK_UTTERANCES, CHUNK_CHARACTERS = 2**15, 2**25  # a chunk ends with the conversation that reaches one of these
REPORT_EVERY = 2**20  # utterances

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
    """Prepare corpora in a folder, or continue a preparation that was interrupted.

    Args:
        out: The folder to make.
        corpora: The files or folders that are read.
        plan: The options on which the chunks depend, as JSON values. With the state of the files, they are stored.
        make: Carries out the preparation.
        ready: A function that each process calls before its first task.
        processes: The number of processes that work at the same time. 1: this process does all the work.
        minutes: The time limit in minutes, or None for no limit; see `Processes`.

    Returns:
        What `make` returns, or None if the time is over before the folder is complete.

    Raises:
        UserError: The folder is complete or contains something else, an interrupted preparation of it had another plan,
            another process is preparing it, or a process has ended.
        OSError: The disk is full.
    """
    if (out / INDEX).exists():
        raise UserError(f"{out}: this folder is complete already; name a new one, or train on it: --data {out}")
    if out.exists() and (not out.is_dir() or ((others := os.listdir(out)) and WORK not in others)):
        raise UserError(f"{out}: this is not an empty folder; name a new one")
    work = out / WORK
    work.mkdir(parents=True, exist_ok=True)
    try:
        with filelock.FileLock(work / ".lock", blocking=False):
            _refuse_other_plan(work, {"files": _states(corpora), **plan})
            with Processes(processes, ready, minutes) as pool:
                made = make(pool)
    except TimeOverError:
        return None
    except filelock.Timeout:
        raise UserError(f"{out}: another process is preparing this folder; wait for its end") from None
    except BrokenProcessPool:
        raise UserError(
            f"{out}: one of the processes has ended, perhaps because the memory was full; repeat the command to "
            "continue, with fewer --processes"
        ) from None
    shutil.rmtree(work)
    return made


def _refuse_other_plan(work: Path, plan: dict[str, Any]) -> None:
    """Store the plan of a preparation, or raise an error if an interrupted one had another plan."""
    path = work / "plan.json"
    if not path.exists():
        write_text(path, json.dumps(plan))
    elif json_files.read(path) != plan:
        raise UserError(
            f"{work.parent}: an interrupted preparation of this folder had other files or options; repeat its command, "
            "or name a new folder"
        )


def files_of(corpora: Sequence[Path]) -> list[Path]:
    """Return all files of corpora, which are files or folders."""
    return [file for path in corpora for file in ([path] if path.is_file() else sorted(path.rglob("*")))]


def _states(corpora: Sequence[Path]) -> list[list[Any]]:
    """Return the path, the size and the time of the last change of each file."""
    states = ((file, file.stat()) for file in files_of(corpora))
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
    """Remove the records of shards that an interrupted preparation has made with other settings.

    Args:
        out: The folder to make.
        determined_by: All that determines the shards, besides the chunks, as JSON values.

    Returns:
        A short checksum of it, which is a part of the records' names.
    """
    name = hashlib.sha256(json.dumps(determined_by).encode()).hexdigest()[:16]
    for record in records(out):
        if not record.stem.endswith(name):
            record.unlink()
    return name


def grouped(chunks: Iterable[tuple[int, int]], enough: int) -> Iterator[list[int]]:
    """Divide chunks into groups of consecutive ones, one for each shard.

    Args:
        chunks: The number and the size of each chunk.
        enough: A group ends with the chunk that reaches this size.
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
