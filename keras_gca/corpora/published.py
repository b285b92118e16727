"""Finds the files of a published corpus in its folder, or copies them from its archive.

EmpatheticDialogues has `train.csv`, `valid.csv` and `test.csv`. DailyDialog has either `dialogues_text.txt` with all
conversations, or one file for each split, such as `dialogues_train.txt`. Split files may be in folders named after the
splits. Archives need not be unpacked. DailyDialog's archive contains one archive for each split.
"""

import gzip
import re
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from glove.text_files import most_unpacked
from keras_gca.corpora import cornell
from keras_gca.corpora.conversation import PARTS
from keras_gca.errors import UserError

FOLDERS = (*PARTS, "valid")
DIALOGUES = re.compile(r"dialogues_(emotion_)?(train|validation|test)\.txt")
ALL_DIALOGUES = re.compile(r"dialogues_(text|emotion)\.txt")
EMPATHETIC = re.compile(r"(train|valid|test)\.csv")
UTTERANCES = "utterances.jsonl"  # the file of a ConvoKit corpus
WANTED = (cornell.LINES, cornell.CONVERSATIONS, UTTERANCES)
ZIP_BEGINNINGS = (b"PK\3\4", b"PK\5\6", b"PK\7\x08")  # the first bytes of a usual, an empty and a split archive
BLOCK = 1 << 16  # bytes
MOST = 400_000_000  # the maximum size of an unpacked archive in bytes
MOST_MEMBERS = 10_000


def files_of(folder: Path) -> list[Path]:
    """Return the DailyDialog or EmpatheticDialogues files in a folder. The list is empty for any other folder.

    Args:
        folder: The folder. The files may also be in subfolders named after the splits.
    """
    for names in (
        [f"dialogues_{part}.txt" for part in PARTS],
        ["dialogues_text.txt"],
        [f"{part}.csv" for part in ("train", "valid", "test")],
    ):
        there: dict[str, Path] = {}
        for name in names:
            for place in (folder, *(folder / part for part in FOLDERS)):
                if (place / name).is_file():
                    there.setdefault(name, place / name)
        if there:
            return list(there.values())
    return []


def part_of(file: Path) -> str | None:
    """Return the split, one of PARTS, of a file from `files_of`, or None if the file contains all conversations."""
    part = file.stem.removeprefix("dialogues_")
    return {"valid": "validation"}.get(part, part if part in PARTS else None)


def is_archive(path: Path) -> bool:
    """Return whether a file is an archive that `unpacked` can read: ZIP, or tar compressed with gzip."""
    return path.is_file() and (_is_zip(path) or path.name.lower().endswith((".tar.gz", ".tgz")))


def _is_zip(path: Path) -> bool:
    """Return whether a file begins and ends like a ZIP archive.

    `zipfile.is_zipfile` checks only the end of a file, and a text can end with the same bytes.
    """
    with path.open("rb") as stream:
        if stream.read(4) not in ZIP_BEGINNINGS:
            return False
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:  # the end of the file says that the archive is split
        return True


@contextmanager
def unpacked(path: Path) -> Iterator[Path]:
    """Copy the corpus files of a .zip or .tar.gz archive into a temporary folder, and yield the folder.

    Only members with the names of corpus files are copied. Their paths in the archive are ignored.

    Args:
        path: The archive.

    Raises:
        UserError: The archive is damaged, is too large when unpacked, or does not contain a known corpus.
    """
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        budget = _Budget(path)
        try:
            with path.open("rb") as stream:
                if _is_zip(path):
                    _copy_zip(stream, folder, budget)
                else:
                    _copy_tar(stream, folder, budget)
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
            if isinstance(error, UserError):
                raise
            raise UserError(f"{path}: the archive is damaged or cannot be read ({error})") from None
        if not any(folder.iterdir()):
            raise UserError(
                f"{path}: the file looks like an archive or an office document, but contains no known corpus; "
                "archives of EmpatheticDialogues, DailyDialog, Cornell and ConvoKit can be read (unpack any other "
                "archive, and give a file from it)"
            )
        yield folder


class _Budget:
    """Limits on the unpacked size of an archive and on its number of members."""

    def __init__(self, path: Path):
        self._path, self._left, self._members = path, min(most_unpacked(path.stat().st_size), MOST), MOST_MEMBERS

    def member(self) -> None:
        self._members -= 1
        if self._members < 0:
            raise UserError(f"{self._path}: the archive has more than {MOST_MEMBERS:,} members; a corpus is expected")

    def read(self, source: IO[bytes] | gzip.GzipFile, size: int) -> bytes:
        block = source.read(size)
        self._left -= len(block)
        if self._left < 0:
            raise UserError(f"{self._path}: the unpacked archive is too large; an archive of text files is expected")
        return block

    def copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        while block := self.read(source, BLOCK):
            target.write(block)


class _Unzipped:
    """A gzip reader that counts all bytes read, including those of skipped members."""

    def __init__(self, stream: IO[bytes], budget: _Budget):
        self._stream, self._budget = gzip.GzipFile(fileobj=stream), budget

    def read(self, size: int) -> bytes:
        return self._budget.read(self._stream, size)


def _is_wanted(name: str) -> bool:
    patterns = (DIALOGUES, ALL_DIALOGUES, EMPATHETIC)
    return name in WANTED or any(pattern.fullmatch(name) for pattern in patterns)


def _copy(name: str, source: IO[bytes], folder: Path, budget: _Budget) -> None:
    target = folder / PurePosixPath(name).name
    if not target.exists():
        with target.open("wb") as stream:
            budget.copy(source, stream)


def _copy_zip(stream: IO[bytes], folder: Path, budget: _Budget, inner: bool = False) -> None:
    with zipfile.ZipFile(stream) as archive:
        for member in archive.infolist():
            budget.member()
            name = PurePosixPath(member.filename)
            if "__MACOSX" in name.parts:
                continue
            if _is_wanted(name.name):
                with archive.open(member) as source:
                    _copy(name.name, source, folder, budget)
            elif not inner and name.name in {f"{part}.zip" for part in FOLDERS}:
                with archive.open(member) as source, tempfile.TemporaryFile() as copy:
                    budget.copy(source, copy)
                    copy.seek(0)
                    _copy_zip(copy, folder, budget, inner=True)


def _copy_tar(stream: IO[bytes], folder: Path, budget: _Budget) -> None:
    with tarfile.open(fileobj=_Unzipped(stream, budget), mode="r|") as archive:  # type: ignore[call-overload]  # reads
        for member in archive:
            budget.member()
            name = PurePosixPath(member.name).name
            if member.isfile() and _is_wanted(name) and (source := archive.extractfile(member)) is not None:
                with source, (folder / name).open("wb") as target:
                    shutil.copyfileobj(source, target, BLOCK)  # `_Unzipped` counts the bytes
