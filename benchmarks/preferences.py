"""Makes sheets on which readers say which of two bots' replies they prefer, and counts the preferences.

docs/judging/rubric.md contains the rules. `judging answer` writes the files of replies.

    python -m benchmarks.preferences sheets base.csv imitation.csv --folder sheets
    python -m benchmarks.preferences count sheets --experiment preferences.json

Each prompt has one row with the two replies, A and B, whose order is drawn at random. `key.csv` records which bot gave
A and which gave B. Readers enter A, B or tie in the column `preference`.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from benchmarks.judging import REPLY, ROW, Table, add_sheet_options, read, read_sheets, write_sheets
from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import provenance
from keras_gca.evaluation.tables import Table as Counted

SIDES, TIE, PREFERENCE = ("A", "B"), "tie", "preference"


def make_sheet(systems: dict[str, Table], random: np.random.Generator) -> tuple[Table, Table]:
    """Put the replies of two systems side by side, in a random order of prompts and of the two replies.

    Args:
        systems: The result of `judging.answer` for each of the two systems.
        random: The random number generator for both orders.

    Returns:
        The sheet and the key. The sheet has the row number, the prompt, the replies A and B, and an empty preference.
        The key has the names of the systems that gave A and B.

    Raises:
        UserError: There are not two systems, or they have not answered the same prompts.
    """
    if len(systems) != len(SIDES):
        raise UserError(f"{len(systems)} files of replies; two with different names are expected")
    (first, of_first), (second, of_second) = systems.items()
    prompts = [next(iter(row.values())) for row in of_first]
    if prompts != [next(iter(row.values())) for row in of_second]:
        raise UserError(f"{first}, {second}: these are not replies to the same prompts")
    sheet, key = [], []
    for place, i in enumerate(random.permutation(len(prompts)), start=1):
        given = [(first, of_first[i][REPLY]), (second, of_second[i][REPLY])]
        if random.integers(2):
            given.reverse()
        names, replies = zip(*given, strict=True)
        sheet.append({ROW: str(place), "prompt": prompts[i], **dict(zip(SIDES, replies, strict=True)), PREFERENCE: ""})
        key.append({ROW: str(place), **dict(zip(SIDES, names, strict=True))})
    return sheet, key


def count(sheets: dict[str, Table], key: Table) -> dict[str, dict[str, int]]:
    """Count how often each reader prefers each system, and how often neither.

    Args:
        sheets: The completed sheet of each reader.
        key: The rows of `key.csv`.

    Returns:
        For each system, and for TIE, the number of prompts per reader.

    Raises:
        UserError: A preference is not A, B or tie.
    """
    names = sorted({row[side] for row in key for side in SIDES})
    counts = {name: dict.fromkeys(sheets, 0) for name in (*names, TIE)}
    of_row = {(row["reader"], row[ROW]): row for row in key}
    for reader, sheet in sheets.items():
        for row in sheet:
            said = row[PREFERENCE].strip()
            if said not in (*SIDES, TIE):
                raise UserError(f"{reader}, row {row[ROW]}: the preference is {said!r}; A, B or tie is expected")
            counts[TIE if said == TIE else of_row[reader, row[ROW]][said]][reader] += 1
    return counts


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    options.command = provenance.command_of("benchmarks.preferences", given)
    return options.run(options)


def _sheets(options: argparse.Namespace) -> int:
    write_sheets(make_sheet, {path.stem: read(path) for path in options.replies}, options)
    return 0


def _count(options: argparse.Namespace) -> int:
    sheets, key = read_sheets(options.folder)
    counts = count(sheets, key)
    rows = [[name, *map(str, of.values()), str(min(of.values()))] for name, of in counts.items()]
    counted = Counted(None, "", ["preferred", *sheets, "lower"], rows)
    print(counted.to_markdown())
    provenance.write_if_asked(options.experiment, options.command, provenance.Outcome({}, counts, [counted]))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog="python -m benchmarks.preferences",
        description="Compare the replies of two bots to the same prompts, without knowing which bot gave them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sheets = commands.add_parser("sheets", help="make sheets without the bots' names, and a key")
    sheets.add_argument("replies", type=Path, nargs=2, help="files written by `judging answer`, one for each bot")
    add_sheet_options(sheets)
    sheets.set_defaults(run=_sheets)
    counting = commands.add_parser("count", help="count the preferences on the completed sheets")
    counting.add_argument("folder", type=Path, help="the folder with the sheets and the key")
    reporting.add_experiment(counting)
    counting.set_defaults(run=_count)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "preferences"))
