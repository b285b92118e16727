"""Opens files of word vectors, which may be compressed (.gz) or in an archive (.zip)."""

import contextlib
import gzip
import io
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from glove.text_files import BadLines, most_unpacked

# A zip file with a password, an unknown feature, or an offset beyond its end can raise any of these exceptions.
_ZIP_FAULTS = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, struct.error, OverflowError, EOFError, OSError,
    UnicodeDecodeError,
)  # fmt: skip
_MEMBERS = (".txt", ".vec", ".bin")  # members of a .zip that may be word vectors


@contextlib.contextmanager
def open_vectors(
    path: Path, dimension: int | None, member: str | None, bad: BadLines
) -> Iterator[tuple[io.BufferedIOBase, str, int | None]]:
    """Open a file of word vectors.

    Args:
        path: The file.
        dimension: See `read_vectors`.
        member: The name of the file inside a .zip, or None; see `read_vectors`.
        bad: An object whose attribute `error` is the class of the exceptions to raise.

    Yields:
        A binary stream, its name for messages, and the maximum number of bytes it may return, or None for no limit.

    Raises:
        VectorFileError: The file is damaged, or it is unclear which member of a .zip to read.
    """
    if member is not None and path.suffix != ".zip":
        raise bad.error(f"{path}: this is not a .zip file, so the member {member} cannot be chosen from it")
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as stream:
            yield stream, str(path), most_unpacked(path.stat().st_size)
    elif path.suffix == ".zip":
        with _open_member(path, dimension, member, bad) as (stream, chosen):
            most = most_unpacked(min(chosen.compress_size, path.stat().st_size))
            yield stream, f"{path}:{chosen.filename}", most
    else:
        with path.open("rb") as stream:
            yield stream, str(path), None


@contextlib.contextmanager
def _open_member(
    path: Path, dimension: int | None, member: str | None, bad: BadLines
) -> Iterator[tuple[io.BufferedIOBase, zipfile.ZipInfo]]:
    with path.open("rb") as file, contextlib.ExitStack() as opened:
        try:
            archive = opened.enter_context(zipfile.ZipFile(file))
            chosen = archive.getinfo(_choose_member(path, archive.namelist(), dimension, member, bad))
            # Other compression methods unpack complete blocks of any size, so the memory use would have no limit.
            if chosen.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise zipfile.BadZipFile(
                    f"{chosen.filename} is compressed by an unsupported method; only deflate is supported"
                )
            # `open` returns a ZipExtFile for reading; its declared type covers writing as well.
            stream = cast(zipfile.ZipExtFile, opened.enter_context(archive.open(chosen)))
        except _ZIP_FAULTS as error:
            raise bad.error(f"{path}: the file is not a readable .zip file ({error})") from None
        yield io.BufferedReader(stream, 1 << 16), chosen


def _choose_member(path: Path, names: list[str], dimension: int | None, member: str | None, bad: BadLines) -> str:
    texts = [name for name in names if name.endswith(_MEMBERS)]
    if member is not None:
        if member not in names:
            raise bad.error(f"{path}: the file has no member {member}; its members are {', '.join(names)}")
        return member
    if len(texts) > 1 and dimension is not None:
        texts = [name for name in texts if name.endswith(f".{dimension}d.txt")]
    if len(texts) != 1:
        raise bad.error(f"{path}: it is not clear which member to read; name one of these members: {', '.join(names)}")
    return texts[0]
