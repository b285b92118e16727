"""Reads Hugging Face data sets: Parquet files, or a folder written by `save_to_disk` (needs the extra `datasets`).

Each row is a conversation or one turn of a conversation. A conversation is a list of utterances in one column, or a
question and its answer in two columns. Nothing is downloaded.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from keras_gca.corpora import empathetic, json_text, tables
from keras_gca.corpora.conversation import PARTS, Conversation, Reading
from keras_gca.corpora.names import (
    ANSWERS,
    CONVERSATIONS,
    LISTS,
    QUESTIONS,
    SPEAKERS,
    TEXTS,
    TURNS,
    find,
    key_of,
    pair_columns,
    turn_columns,
)
from keras_gca.engine.loading import needs_extra
from keras_gca.errors import UserError
from keras_gca.storage import json_files

if TYPE_CHECKING:
    import pyarrow as pa

SAVED, SAVED_PARTS = ("state.json", "dataset_info.json"), "dataset_dict.json"
NAME_OF_PART = re.compile(r"(?:^|[-_.])(train|validation|valid|val|dev|test)(?=$|[-_.\d])")
SPELLED = {"valid": "validation", "val": "validation", "dev": "validation"}
USED = {*QUESTIONS, *ANSWERS, *TEXTS, *CONVERSATIONS, *TURNS, *SPEAKERS, *LISTS, *empathetic.COLUMNS, "emotion"}
MOST = 400_000_000  # the maximum number of bytes that all rows of a data set may need in memory
OF_ROW = 64  # the minimum number of bytes that a row is assumed to need
OF_BATCH = 16_000_000  # the maximum number of bytes in a batch, estimated from the file's own metadata
ROWS = 1000  # the maximum number of rows in a batch


class Table(NamedTuple):
    """One file or folder of a data set.

    Attributes:
        path: The file or folder, to be named in messages.
        part: The official split that the conversations of this table belong to, one of PARTS, or None.
        schema: The names and types of the columns.
        batches: The rows in batches. Only the columns whose names are in USED are read.
    """

    path: Path
    part: str | None
    schema: "pa.Schema"
    batches: Iterator["pa.RecordBatch | pa.Table"]


def is_data_set(path: Path) -> bool:
    """Return whether a folder was written by `save_to_disk` or contains Parquet files."""
    saved = (path / SAVED_PARTS).is_file() or all((path / name).is_file() for name in SAVED)
    return saved or bool(_parquet_files(path))


def read_data_set(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read a Parquet file, a folder of Parquet files, or a folder written by `save_to_disk`.

    Args:
        path: The file or folder.
        reading: The reader's settings, and its record of what it has read. If the data set has several splits, `part`
            is set to the split being read.

    Raises:
        UserError: The extra `datasets` is not installed, a file is damaged, the data set is too large, or it has no
            columns of conversations.
    """
    with needs_extra("datasets"):
        import datasets  # noqa: F401  (pyarrow without the rest of the extra does not suffice)
        import pyarrow as pa

    left = MOST
    for table in _tables(path):
        reading.part = table.part

        def rows(table: Table = table) -> Iterator[tuple[str, dict[str, Any]]]:
            nonlocal left
            number = 0
            while (batch := _damaged(table.path, lambda: next(table.batches, None))) is not None:
                left -= max(batch.nbytes, OF_ROW * batch.num_rows)
                if left < 0:
                    raise UserError(f"{path}: the data set is too large; its rows may take up at most {MOST:,} bytes")
                for row in _damaged(table.path, batch.to_pylist):
                    number += 1
                    yield f"{table.path}: row {number}", row

        names = [field.name for field in table.schema if key_of(field.name) in USED]
        lists = [field.name for field in table.schema if field.name in names and _has_lists(field.type, pa)]
        yield from _conversations(table, names, lists, rows(), reading)


def _conversations(
    table: Table, names: list[str], lists: list[str], rows: Iterator[tuple[str, dict[str, Any]]], reading: Reading
) -> Iterator[Conversation]:
    texts = [name for name in names if name not in lists]
    cells = ((where, ["" if row[name] is None else str(row[name]) for name in texts]) for where, row in rows)
    if all(name in map(key_of, texts) for name in empathetic.NEEDED):
        return empathetic.read_rows([key_of(name) for name in texts], cells, reading)
    if find(lists, LISTS) is not None:
        return (
            made
            for where, row in rows
            for made in json_text.conversations(_as_json(row), where, reading)
        )  # fmt: skip
    if pair_columns(texts) or turn_columns(texts):
        return tables.read_rows(texts, cells, reading)
    there = ", ".join(table.schema.names[:12])
    raise UserError(
        f"{table.path}: the columns are {there}; a column with lists of utterances is expected, or the columns "
        "question and answer, or the columns conversation and text"
    )


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    """Convert a row to JSON values: an object of lists becomes a list of objects, and numeric labels are left out."""
    row = {name: value for name, value in row.items() if value is not None}
    if isinstance(row.get("emotion"), int):
        del row["emotion"]
    for name, value in row.items():
        if isinstance(value, dict) and value and all(isinstance(column, list) for column in value.values()):
            row[name] = [dict(zip(value, turn, strict=False)) for turn in zip(*value.values(), strict=False)]
    return row


def _has_lists(kind: "pa.DataType", pa: Any) -> bool:
    """Return whether each value of a column is a list, or an object whose values are all lists."""
    if pa.types.is_struct(kind):
        return kind.num_fields > 0 and all(_has_lists(kind.field(i).type, pa) for i in range(kind.num_fields))
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _tables(path: Path) -> Iterator[Table]:
    if path.is_file():
        yield _parquet(path, None)
    elif files := _parquet_files(path):
        for file, part in files:
            yield _parquet(file, part)
    else:
        yield from _saved(path)


def _part_of(name: str) -> str | None:
    found = NAME_OF_PART.findall(name.lower())
    return SPELLED.get(found[-1], found[-1]) if found else None


def _parquet_files(folder: Path) -> list[tuple[Path, str | None]]:
    """Return the Parquet files in a folder and in its subfolders for data and splits, with the split of each file."""
    names = (*PARTS, *SPELLED)
    places = (folder, folder / "data", *(above / part for above in (folder, folder / "data") for part in names))
    files = [file for place in places for file in sorted(place.glob("*.parquet"))]
    parts = [(file, _part_of(file.stem) or (_part_of(file.parent.name) if file.parent != folder else None))
             for file in files]  # fmt: skip
    return sorted(parts, key=lambda each: (*PARTS, None).index(each[1]))


def _parquet(path: Path, part: str | None) -> Table:
    import pyarrow.parquet

    file = _damaged(path, lambda: pyarrow.parquet.ParquetFile(path))
    facts = file.metadata
    if facts.num_rows * OF_ROW > MOST:
        raise UserError(f"{path}: the data set is too large ({facts.num_rows:,} rows); use a smaller data set")
    # The sizes of single columns would be more exact, but pyarrow aborts the process if their statistics are damaged.
    sizes = [facts.row_group(i).total_byte_size for i in range(facts.num_row_groups)]
    schema = _damaged(path, lambda: file.schema_arrow)
    used = [name for name in schema.names if key_of(name) in USED]
    # A value cannot be larger than its group of rows, but many rows may share the same stored value.
    size = min(ROWS, max(1, OF_BATCH // max(sizes, default=1)))
    return Table(path, part, schema, file.iter_batches(batch_size=size, columns=used, use_threads=False))


def _saved(path: Path) -> Iterator[Table]:
    import datasets

    if sum(file.stat().st_size for file in path.rglob("*.arrow")) > MOST:
        raise UserError(f"{path}: the data set is too large; its rows may take up at most {MOST:,} bytes")
    folders: list[tuple[Path, str | None]] = [(path, None)]
    if (path / SAVED_PARTS).is_file():
        names = json_files.read_object(path / SAVED_PARTS).get("splits")
        if not isinstance(names, list) or not all(isinstance(name, str) and Path(name).name == name for name in names):
            raise UserError(f"{path / SAVED_PARTS}: the file is damaged; a list of split names is expected")
        folders = [(path / name, SPELLED.get(name, name if name in PARTS else None)) for name in names]
    for folder, part in folders:
        made = _damaged(folder, lambda folder=folder: datasets.Dataset.load_from_disk(str(folder.absolute())))
        # The files are mapped into memory unchecked. Without this validation, a damaged file would crash the process.
        _damaged(folder, lambda made=made: made.data.table.validate(full=True))
        schema = made.data.table.schema
        used = [name for name in schema.names if key_of(name) in USED]
        yield Table(folder, part, schema, made.select_columns(used).with_format("arrow").iter(ROWS))


def _damaged(path: Path, read: Any) -> Any:
    """Call a library function. If it raises an exception, report the file or folder as damaged."""
    try:
        return read()
    except Exception as error:
        message = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: the data set is damaged or cannot be read ({message})") from None
