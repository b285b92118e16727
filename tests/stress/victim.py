"""A training whose file layer kills the process or fails at one chosen call.

Every call that writes to a run folder goes through a `FileLayer`: writes to streams, datasets of HDF5, fsync, link and
replace. The code of the packages does not know of this layer.
"""

import builtins
import contextlib
import errno
import importlib
import io
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py

from keras_gca.engine import command_line

WRITE, DATASET, FSYNC, LINK, REPLACE = OPERATIONS = ("write", "dataset", "fsync", "link", "replace")
BEFORE, HALF, AFTER = KILLS = ("before", "half", "after")  # SIGKILL before a call, after half of its bytes, after it
LIMIT = "EFBIG"  # the kernel itself writes only the first part
FAULTS = ("ENOSPC", "EIO", LIMIT)
FOLDER = "folder"  # the name of the run folder itself among the names of its files


class Call(NamedTuple):
    """A call: what is done to which file. See `FileLayer.name` for the names of files."""

    operation: str
    file: str


class Strike(NamedTuple):
    """An event, one of KILLS or FAULTS, which occurs at the call of this kind with this number, from 1."""

    call: Call
    number: int
    how: str


def can_be_halved(operation: str) -> bool:
    return operation in (WRITE, DATASET)


class FileLayer:
    """Notes the calls that write to a run folder, in order, and strikes one of them."""

    def __init__(self, folder: Path, strike: Strike | None = None):
        self._folder, self._strike = folder, strike
        self.calls: list[Call] = []
        self._left = strike.number if strike else 0  # the number of matching calls until the event occurs
        self._latest = folder  # the file that was last opened for writing

    def name(self, path: str | os.PathLike) -> str | None:
        """Return the name of a file of the run in the list of calls.

        Marks of temporary parts are removed. A file in a subfolder has the name of the subfolder.

        The name is None if the file is outside of the run folder.
        """
        path = Path(os.path.abspath(path))
        if path == self._folder:
            return FOLDER
        if self._folder not in path.parents:
            return None
        return path.relative_to(self._folder).parts[0].removeprefix(".").split(".part")[0]

    def call(
        self,
        operation: str,
        path: str | os.PathLike,
        act: Callable[[], Any],
        half: Callable[[], Any] = lambda: None,
    ) -> Any:
        """Do `act`, unless this call is to be struck. `half` does a part of it, whose effect is then on the disk."""
        name = self.name(path)
        if name is None:
            return act()
        call = Call(operation, name)
        self.calls.append(call)
        if self._strike is None or call != self._strike.call:
            return act()
        self._left -= 1
        if self._left:
            return act()
        how = self._strike.how
        if how in FAULTS:
            if operation == WRITE:
                half()
            if how == LIMIT:
                with _limited(Path(path)):
                    return act()
            number = getattr(errno, how)
            raise OSError(number, os.strerror(number))
        {BEFORE: lambda: None, HALF: half, AFTER: act}[how]()
        os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """Put this layer between the process and its files."""
        opened, fsync, link, replace = builtins.open, os.fsync, os.link, os.replace
        create_dataset = h5py.Group.create_dataset

        def open_file(file, mode="r", *arguments, **options):
            stream = opened(file, mode, *arguments, **options)
            if isinstance(file, int) or not set(mode) & set("wax+") or self.name(file) is None:
                return stream
            self._latest = Path(file)
            return Stream(stream, self, self._latest)

        def write_dataset(group, *arguments, **options):
            # HDF5 writes either to a stream of this process or to a file that it has opened itself.
            path = Path(group.file.filename)
            path = path if path.is_file() else self._latest

            def half():
                create_dataset(group, *arguments, **options)
                group.file.flush()
                os.truncate(path, path.stat().st_size // 2)

            return self.call(DATASET, path, lambda: create_dataset(group, *arguments, **options), half)

        builtins.open = io.open = open_file
        os.fsync = lambda descriptor: self.call(
            FSYNC, os.readlink(f"/proc/self/fd/{descriptor}"), lambda: fsync(descriptor)
        )
        os.link = lambda source, target: self.call(LINK, target, lambda: link(source, target))
        os.replace = lambda source, target: self.call(REPLACE, target, lambda: replace(source, target))
        h5py.Group.create_dataset = write_dataset


class Stream:
    """A stream whose writes go through a layer."""

    def __init__(self, stream: Any, layer: FileLayer, path: Path):
        self._stream, self._layer, self._path = stream, layer, path

    def write(self, content: Any) -> int:
        def act() -> int:
            written = self._stream.write(content)
            self._stream.flush()
            return written

        def half() -> None:
            self._stream.write(content[: len(content) // 2])
            self._stream.flush()

        return self._layer.call(WRITE, self._path, act, half)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> "Stream":
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stream.close()


@contextlib.contextmanager
def _limited(path: Path) -> Iterator[None]:
    """Limit the size of all files to the present size of this one: the kernel then refuses to write more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(1, path.stat().st_size), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Printed(NamedTuple):
    """The files to which a training run's output and the calls of its file layer are written."""

    out: Path
    err: Path
    calls: Path


def train(module: str, arguments: list[str], folder: Path, strike: Strike | None, printed: Printed) -> None:
    """Run a training command in this process, as `python -m` would, and end the process with its status."""
    for descriptor, path in ((1, printed.out), (2, printed.err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), descriptor)
    sys.stdout.reconfigure(line_buffering=True)
    layer = FileLayer(folder, strike)
    layer.install()
    status = command_line.run(importlib.import_module(module).main, "train", arguments)
    printed.calls.write_text(json.dumps(layer.calls))
    sys.exit(status)
