"""Reads EmpatheticDialogues, a table with named columns and one turn on each line.

In the published files, commas inside a field are written `_comma_`, and quotation marks are literal. If another program
has saved the files again, fields that contain commas may be quoted.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from glove.text_files import BadLines, counted
from keras_gca.corpora.conversation import WRONG_FIELDS, Conversation, Reading, one_line
from keras_gca.corpora.names import key_of
from keras_gca.corpora.published import files_of, part_of
from keras_gca.corpora.tables import SEPARATORS, rows, split_line

HEADER = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags"
COLUMNS = HEADER.split(",")
NEEDED = ("conv_id", "utterance")


class Turn(NamedTuple):
    """The fields read from each line."""

    where: str
    conversation: str
    number: str
    emotion: str
    situation: str
    speaker: str
    text: str


def header_of(line: str) -> tuple[str, list[str]] | None:
    """Return the separator and the column names if a line is the corpus's header, or None otherwise."""
    for separator in SEPARATORS:
        names = [key_of(name) for name in split_line(line, separator) or ()]
        if all(name in names for name in NEEDED):
            return separator, names
    return None


def read_empathetic(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read the corpus from a file or its folder. The files may be as published or saved again by another program."""
    if not path.is_dir():
        yield from _read(path, reading)
        return
    for file in files_of(path):
        reading.part = part_of(file)
        yield from _read(file, reading)


def _read(path: Path, reading: Reading) -> Iterator[Conversation]:
    first = next((line for _, line in reading.lines(path) if line.strip()), "")
    published = first.rstrip("\r\n") == HEADER or header_of(first) is None
    turns = _published(path, reading) if published and not _is_quoted(path, reading) else _saved(path, reading)
    return _conversations(turns, reading.bad)


def _is_quoted(path: Path, reading: Reading) -> bool:
    """Return whether a line has the right number of fields only if quotation marks are read as in CSV."""
    quiet = Reading(BadLines(skip=True), dict(reading.encodings))
    for _, line in quiet.lines(path):
        if '"' in line and line.count(",") >= len(COLUMNS):
            fields = split_line(line, ",")
            if fields is not None and len(fields) == len(COLUMNS) and _fields(line) is None:
                return True
    return False


def _fields(line: str) -> list[str] | None:
    """Return the fields of a line of the published files, or None if their number is wrong."""
    fields = line.rstrip("\r\n").split(",")
    # Some files have a ninth field with candidate answers. But a line also has nine fields if its utterance contains a
    # comma. In that case the seventh field has words; otherwise it has only digits, "|" and "_".
    right = len(fields) == 8 or (len(fields) == 9 and re.fullmatch(r"[\d|_]*", fields[6]))
    return fields if right else None


def _published(path: Path, reading: Reading) -> Iterator[Turn]:
    for number, line in reading.lines(path):
        if number == 1 and line.rstrip("\r\n") == HEADER:
            continue
        where, fields = f"{path}:{number}", _fields(line)
        if fields is None:
            message = f"{counted(line.count(',') + 1, 'field')}; {len(COLUMNS)} are expected: {HEADER}"
            reading.bad.report(where, WRONG_FIELDS, f"{message} (a comma inside a field is written _comma_)")
            continue
        yield Turn(where, *(field.replace("_comma_", ",").strip() for field in fields[:6]))


def _saved(path: Path, reading: Reading) -> Iterator[Turn]:
    first = next(line for _, line in reading.lines(path) if line.strip())
    separator, names = header_of(first) or (",", COLUMNS)
    table = rows(path, reading, separator)
    next(table, None)
    return _turns(names, ((f"{path}:{number}", row) for number, row in table), reading)


def read_rows(names: list[str], rows: Iterator[tuple[str, list[str]]], reading: Reading) -> Iterator[Conversation]:
    """Read the rows of a table with named columns.

    Args:
        names: The names of the columns, as returned by `key_of`.
        rows: The position (for messages) and the fields of each row.
        reading: The reader's settings, and its record of what it has read.
    """
    return _conversations(_turns(names, rows, reading), reading.bad)


def _turns(names: list[str], rows: Iterator[tuple[str, list[str]]], reading: Reading) -> Iterator[Turn]:
    places = [names.index(name) if name in names else None for name in COLUMNS[:6]]
    last, turn = "", 0
    for where, row in rows:
        if len(row) != len(names):
            message = f"{counted(len(row), 'field')}; {len(names)} are expected, as on the first line"
            reading.bad.report(where, WRONG_FIELDS, message)
            continue
        fields = ["" if place is None else one_line(row[place].replace("_comma_", ",")) for place in places]
        turn = turn + 1 if fields[0] == last else 1
        last = fields[0]
        if places[1] is None:
            fields[1] = str(turn)
        if places[4] is None:
            fields[4] = str(turn % 2)
        yield Turn(where, *fields)


def _conversations(turns: Iterator[Turn], bad: BadLines) -> Iterator[Conversation]:
    said: list[Turn] = []
    for turn in turns:
        if said and turn.conversation != said[0].conversation:
            yield from _conversation(said, bad)
            said = []
        if turn.number != str(len(said) + 1):
            message = f"turn {turn.number!r} of {turn.conversation}; turn {len(said) + 1} is expected"
            bad.report(turn.where, "with missing turns", f"{message} (turns are numbered from 1, one per line)")
        elif not turn.text:
            bad.report(turn.where, "without an utterance", "the utterance is empty")
        else:
            said.append(turn)
    yield from _conversation(said, bad)


def _conversation(turns: list[Turn], bad: BadLines) -> Iterator[Conversation]:
    if len(turns) > 1 and len({turn.speaker for turn in turns}) == 1:
        message = (
            f"all turns of {turns[0].conversation} are by one speaker, {turns[0].speaker!r}; two speakers are expected"
        )
        bad.report(turns[0].where, "of one speaker only", message)
    elif turns:
        yield Conversation(tuple(turn.text for turn in turns), turns[0].emotion or None)
