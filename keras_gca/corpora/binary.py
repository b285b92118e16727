"""Recognises non-text files by their first bytes."""

import re
from pathlib import Path

from keras_gca.corpora.encoding import MARKS
from keras_gca.errors import UserError

PARQUET = "a Parquet table"
BEGINNINGS = (
    (b"PK\x03\x04", "a ZIP archive or an office document"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ\0", "an xz archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"%PDF-", "a PDF document"),
    (b"{\\rtf", "an RTF document"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document in an old format"),
    (b"PAR1", PARQUET),
    (b"ARROW1", "an Arrow table"),
    (b"\xff\xff\xff\xff", "an Arrow table"),  # part of a data set that was saved to disk
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"GGUF", "a GGUF file"),
    (b"RIFF", "a sound or a video"),
    (b"ID3", "a sound"),
    (b"\x7fELF", "a program"),
)
CONTROLS = re.compile(rb"[\x01-\x08\x0e-\x1a\x1c-\x1f\x7f]")
PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def kind_of(path: Path) -> str | None:
    """Describe the format of a file that is not text, or return None if the first bytes are not recognised.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(512)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head.startswith(PICKLES):
        return "a Python pickle"
    for beginning, kind in BEGINNINGS:
        if head.startswith(beginning) and not (beginning.isalnum() and _is_words(head)):
            return kind
    # NUL bytes alone could come from UTF-16 or from a single bad line. Any text has few other control characters.
    marked = any(head.startswith(mark) for mark, _ in MARKS)  # in UTF-16, letters may contain such bytes
    if b"\0" in head and not marked and len(CONTROLS.findall(head)) > len(head) / 30:
        return "a binary file"
    return None


def _is_words(head: bytes) -> bool:
    """Return whether the first bytes are text. Text may begin with the same letters as a format in BEGINNINGS."""
    high = sum(byte > 127 for byte in head)
    return not any(byte < 9 or 13 < byte < 32 for byte in head) and high <= len(head) / 2
