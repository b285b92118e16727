"""Detects the format of a file or folder. If no reader supports the format, the error says what the file looks like.

A file in which `shapes.py` recognises no other format is read as plain text.
"""

import os
from pathlib import Path

from keras_gca.corpora import binary, cornell, data_sets, empathetic, published, shapes
from keras_gca.corpora.encoding import beginning, detect_encoding
from keras_gca.errors import UserError
from keras_gca.storage.token_files import INDEX, file_of_shard

SAMPLE = 1 << 16  # characters
MOST_LINES = 1000
SUPPORTED = (
    "the supported formats are plain text, tables of pairs or turns (CSV or tab-separated), JSON, Parquet, ParlAI, "
    "ConvoKit and those of known corpora"
)
FOLDERS = (
    f"*.txt, {cornell.LINES} with {cornell.CONVERSATIONS}, {published.UTTERANCES}, *.parquet, or files of "
    "DailyDialog, EmpatheticDialogues or a data set saved to disk are expected; if your file has another name, "
    "give the file instead of its folder"
)


def detect(path: str | os.PathLike) -> str:
    """Return the format of a file or folder, one of `conversations.FORMATS`.

    Raises:
        UserError: The file cannot be read, is not text or looks like an unsupported format, or the folder contains none
            of the expected files.
    """
    path = Path(path)
    if path.is_dir():
        return _detect_folder(path)
    if kind := binary.kind_of(path):
        if kind == binary.PARQUET:
            return "datasets"
        unpack = "unpack it and give the corpus inside; " if kind.endswith("archive") else ""
        raise UserError(f"{path}: the file looks like {kind}, which cannot be read; {unpack}{SUPPORTED}")
    text, complete = sample(path)
    found = shapes.recognise(text, complete, path.suffix.lower())
    if found.format is None:
        insist = "use --format text to read it as plain text"
        raise UserError(f"{path}: the file looks like {found.looks_like}, which cannot be read; {SUPPORTED} ({insist})")
    return found.format


def sample(path: Path) -> tuple[str, bool]:
    """Return the beginning of a file as text, and whether this text is the whole file.

    The text consists of complete lines, unless the first line is very long. Lines that cannot be decoded are left out;
    the reader of the format reports them later.
    """
    parts: list[str] = []
    size = 0
    lines, is_whole = beginning(path, detect_encoding(path), 4 * SAMPLE)  # a character has at most four bytes
    for line in lines:
        if size + len(line) > SAMPLE or len(parts) == MOST_LINES:
            text = "".join(parts)
            return text if text.strip() else line[:SAMPLE], False
        parts.append(line)
        size += len(line)
    return "".join(parts), is_whole


def _detect_folder(path: Path) -> str:
    if (path / INDEX).is_file() and file_of_shard(path, 0, "idx").is_file():
        raise UserError(f"{path}: these are token files, which only a training run can read; give the corpus itself")
    if (path / cornell.LINES).exists():
        return "cornell"
    if (path / published.UTTERANCES).exists():
        return "convokit"
    files = published.files_of(path)
    others = [file for file in files if file.suffix == ".csv" and not _is_empathetic(file)]
    if files and not others:
        return "empathetic" if files[0].suffix == ".csv" else "dailydialog"
    if data_sets.is_data_set(path):
        return "datasets"
    if any(path.glob("*.txt")):
        return "text"
    if others:
        raise UserError(
            f"{others[0]}: the first line does not name the columns of EmpatheticDialogues ({empathetic.HEADER}); to "
            "read another table, give the file instead of its folder"
        )
    raise UserError(f"{path}: the folder contains no corpus; {FOLDERS}")


def _is_empathetic(file: Path) -> bool:
    """Return whether the first line of a file names the columns of EmpatheticDialogues."""
    first = next((line for line in sample(file)[0].splitlines() if line.strip()), "")
    return empathetic.header_of(first) is not None
