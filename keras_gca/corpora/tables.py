"""Reads tables of question/answer pairs or of turns, with commas, tabs, semicolons or bars between the columns.

The columns are identified by their names in the first line (`names.py`). A table without column names can be read if it
has two columns, separated by a tab or in quotation marks; they are read as question and answer.
"""

import csv
import itertools
import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from glove.text_files import counted
from keras_gca.corpora.conversation import WRONG_FIELDS, Conversation, Reading, one_line
from keras_gca.corpora.names import SPEAKERS, TURNS, find, pair_columns, turn_columns
from keras_gca.errors import UserError

SEPARATORS = "\t,;|"
QUOTED_PAIRS = {mark: re.compile(rf'\s*"(?:[^"]|"")*"{mark} *"(?:[^"]|"")*"\s*$') for mark in ",;"}
NUMBER = re.compile(r"[-+]?\d{1,300}(?:\.\d{0,300})?(?:[eE][-+]?\d{1,9})?", re.ASCII)


def split_line(line: str, separator: str) -> list[str] | None:
    """Return the fields of a line, or None if the line does not belong to a table with this separator.

    Quotation marks around a field are removed. In tab-separated tables, all other quotation marks are literal.
    """
    line = line.rstrip("\r\n")
    if separator == "\t":
        return [_unquoted(part) for part in line.split("\t")]
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True), [])
    except csv.Error:
        return None


def header_of(line: str) -> tuple[str, list[str]] | None:
    """Return the separator and the column names if a line names the columns of pairs or turns, or None otherwise."""
    for separator in SEPARATORS:
        names = split_line(line, separator) if separator in line else None
        if names and len(names) <= 200 and (pair_columns(names) or turn_columns(names)):
            return separator, names
    return None


def separator_of_pair(line: str) -> str | None:
    """Return the separator of a line with two columns: a tab, or a comma or semicolon between quoted fields."""
    if line.count("\t") == 1:
        return "\t"
    return next((separator for separator, form in QUOTED_PAIRS.items() if form.match(line)), None)


def rows(path: Path, reading: Reading, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line number and the fields of each non-empty row in a table.

    A field in quotation marks may contain line breaks, except in tab-separated tables. The line number of such a row
    is that of its last line.
    """
    number = 0

    def lines() -> Iterator[str]:
        nonlocal number
        for number, line in reading.lines(path):  # noqa: B007  (rows and messages below name the line)
            yield line.rstrip("\r\n").replace("\r", " ") + "\n"

    if separator == "\t":
        for line in lines():
            if line.strip():
                yield number, split_line(line, separator) or []
        return
    reader = csv.reader(lines(), delimiter=separator, skipinitialspace=True, strict=True)
    while True:
        before = number
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # If a quotation mark is not closed, the row includes all following lines. The message names its first line.
            reading.bad.report(f"{path}:{before + 1}", "not CSV", f"not CSV ({csv_fault(error)})")
            continue
        if any(map(str.strip, row)):
            yield number, row


def csv_fault(error: csv.Error) -> str:
    """Describe an error in a row, in plainer words than Python's csv module uses."""
    message = str(error)
    if "unexpected end of data" in message:
        return "a field begins with a quotation mark that is never closed"
    if "expected after" in message:
        return "text follows a closing quotation mark; quotation marks inside a field must be doubled"
    if "field limit" in message:
        return f"a field has more than {csv.field_size_limit():,} characters; perhaps a quotation mark is not closed"
    if "new-line character" in message:
        return "a field contains a carriage return; each line must end with a line feed"
    return one_line(message)


def read_table(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read a table of pairs or turns.

    Raises:
        UserError: The first line does not name the columns, and is not a pair (see `separator_of_pair`).
    """
    first = next((line for _, line in reading.lines(path) if line.strip()), "")
    found = header_of(first)
    separator, names = found or (separator_of_pair(first), ["", ""])
    if separator is None:
        raise UserError(
            f"{path}: the first line does not name the columns; the names question and answer, or conversation and "
            "text, are expected (or two columns, separated by a tab or in quotation marks)"
        )
    complete = _complete(path, rows(path, reading, separator), len(names), reading)
    if found is not None:
        next(complete, None)
    if found is None:
        return _pairs(complete, 0, 1)
    return read_rows(names, complete, reading)


def read_rows(names: Sequence[str], rows: Iterator[tuple[str, list[str]]], reading: Reading) -> Iterator[Conversation]:
    """Read the rows of a table with named columns of pairs or turns.

    Args:
        names: The names of the columns.
        rows: The position of each row (for messages) and its fields, one for each column.
        reading: The reader's settings, and its record of what it has read.
    """
    pair, turn = pair_columns(names), turn_columns(names)
    if turn is not None and (pair is None or find(names, TURNS) is not None):
        return _turns(rows, names, turn, reading)
    assert pair is not None  # the caller has checked that there are columns of pairs or turns
    return _pairs(rows, names.index(pair[0]), names.index(pair[1]))


def _complete(
    path: Path, rows: Iterator[tuple[int, list[str]]], columns: int, reading: Reading
) -> Iterator[tuple[str, list[str]]]:
    for number, row in rows:
        where = f"{path}:{number}"
        if len(row) == columns:
            yield where, row
        else:
            message = f"{counted(len(row), 'field')}; {columns} are expected, as on the first line"
            reading.bad.report(where, WRONG_FIELDS, message)


def _pairs(rows: Iterator[tuple[str, list[str]]], question: int, answer: int) -> Iterator[Conversation]:
    for _, row in rows:
        utterances = tuple(text for field in (question, answer) if (text := one_line(row[field])))
        if utterances:
            yield Conversation(utterances)


def _turns(
    rows: Iterator[tuple[str, list[str]]], names: Sequence[str], columns: tuple[str, str], reading: Reading
) -> Iterator[Conversation]:
    conversation, text = map(names.index, columns)
    others = [name if name not in columns else "" for name in names]
    turn, speaker = find(others, TURNS), find(others, SPEAKERS)
    said: defaultdict[str, list[Turn]] = defaultdict(list)
    for where, row in rows:
        utterance = one_line(row[text])
        if not utterance:
            continue
        if speaker is not None and (name := row[names.index(speaker)].strip()):
            reading.speakers[name] += 1
        number = row[names.index(turn)].strip() if turn is not None else ""
        said[row[conversation].strip()].append(Turn(where, number, utterance))
    every = list(itertools.chain.from_iterable(said.values()))
    numbered = any(each.place is not None for each in every)
    if not numbered and (other := next((each for each in every if each.number), None)) is not None:
        reading.bad.notes.append(
            f"{other.where}: the turn {other.number[:40]!r} is not a number, nor is any other turn; the utterances "
            "keep the order of the file"
        )
    for turns in said.values():
        if numbered:
            turns = _sorted(turns, reading)
        if turns:
            yield Conversation(tuple(each.utterance for each in turns))


class Turn(NamedTuple):
    """An utterance in a table of turns.

    Attributes:
        where: The position of the row, for messages.
        number: The text in the column of turn numbers, or "" if there is no such column.
        utterance: The utterance.
    """

    where: str
    number: str
    utterance: str

    @property
    def place(self) -> float | None:
        """The number of the turn, or None if it is not a finite number."""
        if not NUMBER.fullmatch(self.number):
            return None
        value = int(self.number) if self.number.isdecimal() else float(self.number)
        return value if math.isfinite(value) else None


def _sorted(turns: list[Turn], reading: Reading) -> list[Turn]:
    """Sort the turns of a conversation by their numbers. Report turns without a number as bad lines."""
    placed: list[tuple[float, Turn]] = []
    for turn in turns:
        if (place := turn.place) is None:
            message = f"the turn {turn.number[:40]!r} is not a number; a number is expected, as in other rows"
            reading.bad.report(turn.where, "without the number of a turn", message)
        else:
            placed.append((place, turn))
    return [turn for _, turn in sorted(placed, key=lambda each: each[0])]


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    if len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', ""):
        return inner.replace('""', '"')
    return field
