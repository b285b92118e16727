"""Says what a file or folder is: one of the formats that are read, or something else, which is named in an error.

Plain text is what remains if nothing else is recognised (`shapes.py`).
"""

import os
from pathlib import Path

from glove.text_files import BadLines
from keras_gca.corpora import binary, cornell, data_sets, published, shapes
from keras_gca.corpora.encoding import decoded_lines, detect_encoding
from keras_gca.errors import UserError

SAMPLE = 1 << 16  # characters
MOST_LINES = 1000
SUPPORTED = (
    "plain text, CSV or tab-separated pairs or turns, JSON, Parquet, ParlAI, ConvoKit and known corpora are expected"
)
FOLDERS = (
    f"*.txt, {cornell.LINES} with {cornell.CONVERSATIONS}, {published.UTTERANCES}, *.parquet, and the files of "
    "DailyDialog, EmpatheticDialogues and of data sets saved to disk are looked for; name a file of the folder if it "
    "has another name"
)


def detect(path: str | os.PathLike) -> str:
    """Return the format of a file or folder, one of `conversations.FORMATS`.

    Raises:
        UserError: The file cannot be read, or it is not text, or it looks like a format that is not supported. A folder
            has no file that is looked for.
    """
    path = Path(path)
    if path.is_dir():
        return _detect_folder(path)
    if kind := binary.kind_of(path):
        if kind == binary.PARQUET:
            return "datasets"
        unpack = "unpack it, and name the corpus; " if kind.endswith("archive") else ""
        raise UserError(f"{path}: looks like {kind}, which cannot be read; {unpack}{SUPPORTED}")
    text, complete = sample(path)
    found = shapes.recognise(text, complete, path.suffix.lower())
    if found.format is None:
        insist = "--format text reads it as plain text all the same"
        raise UserError(f"{path}: looks like {found.looks_like}, which cannot be read; {SUPPORTED} ({insist})")
    return found.format


def sample(path: Path) -> tuple[str, bool]:
    """Return the beginning of a file as text, in whole lines unless the first is very long, and whether it is all.

    Lines that cannot be decoded are left out; the reader of the format reports them.
    """
    parts: list[str] = []
    size = 0
    for _, line in decoded_lines(path, BadLines(skip=True), detect_encoding(path)):
        if size + len(line) > SAMPLE or len(parts) == MOST_LINES:
            return "".join(parts) or line[:SAMPLE], False
        parts.append(line)
        size += len(line)
    return "".join(parts), True


def _detect_folder(path: Path) -> str:
    if (path / cornell.LINES).exists():
        return "cornell"
    if (path / published.UTTERANCES).exists():
        return "convokit"
    if files := published.files_of(path):
        return "empathetic" if files[0].suffix == ".csv" else "dailydialog"
    if data_sets.is_data_set(path):
        return "datasets"
    if any(path.glob("*.txt")):
        return "text"
    raise UserError(f"{path}: the folder contains no corpus; {FOLDERS}")
