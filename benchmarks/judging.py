"""Lets bots answer fixed prompts, and makes sheets on which readers judge the replies blind.

docs/judging/rubric.md contains the rules for judging.

    python -m benchmarks.judging answer docs/judging/first_messages.csv RUN --generator adversarial --output new.csv
    python -m benchmarks.judging sheets before.csv new.csv --folder sheets
    python -m benchmarks.judging count sheets --experiment counts.json --table replies.md

`answer` accepts bots of both papers. Each sheet contains the replies of all systems in a different order, without the
systems' names. If several systems give the same reply to a prompt, the reply is listed only once. `key.csv` records
which system gave which reply. Readers enter 1 or 0 in the column `judgement`. `count` counts the judgements, and can
also write the counts as the JSON file of an experiment and all replies as a table.
"""

import argparse
import collections
import csv
import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_gca.engine import command_line, reporting
from keras_gca.errors import UserError
from keras_gca.evaluation import provenance
from keras_gca.evaluation.tables import Table as Counted
from keras_gca.storage.arrays import read_facts

if TYPE_CHECKING:
    from keras_gca.serving.protocol import Chatting

REPLY, ROW, JUDGEMENT, KEY = "reply", "row", "judgement", "key.csv"
AT_ONCE = 50  # the number of prompts that are answered in one batch

Table = list[dict[str, str]]


def answer(prompts: Table, agent: "Chatting", how: Any, generator: str | None = None, seed: int = 0) -> Table:
    """Answer each prompt separately, as the first utterance of a conversation.

    Args:
        prompts: The rows of a file of prompts, whose first column contains the messages to answer.
        agent: The agent of either paper.
        how: The settings for generating answers; see `decoding` of `Chatting.answers_to_all`.
        generator: The generator whose reply to use. If None, the discriminator's first choice is used.
        seed: The sampling seed for the first prompt. The seed increases by one from prompt to prompt.

    Returns:
        The rows in the same order, with the additional column `reply`.

    Raises:
        UserError: The agent has no such generator.
    """
    if generator is not None and generator not in agent.generators:
        raise UserError(f"--generator {generator}: the bot's generators are {', '.join(agent.generators)}")
    texts, replies = [next(iter(row.values())) for row in prompts], []
    for start in range(0, len(texts), AT_ONCE):
        part = texts[start : start + AT_ONCE]
        seeds = [seed + start + i for i in range(len(part))]
        for answers in agent.answers_to_all(part, None, how, seeds):
            replies += [next(given.text for given in answers if generator in (None, given.generator))]
    return [{**row, REPLY: reply} for row, reply in zip(prompts, replies, strict=True)]


def make_sheet(systems: dict[str, Table], random: np.random.Generator) -> tuple[Table, Table]:
    """Shuffle the replies of several systems to the same prompts.

    Args:
        systems: The result of `answer` for each system.
        random: The random number generator for the order.

    Returns:
        The sheet and the key. The sheet has the row number, the columns of the prompts, the reply and an empty
        judgement. For each row of the sheet, the key has one row per system that gave this reply.

    Raises:
        UserError: The systems have not answered the same prompts.
    """
    first, *others = systems.values()
    asked = [_without_reply(row) for row in first]
    if any([_without_reply(row) for row in other] != asked for other in others):
        raise UserError(f"{', '.join(systems)}: these are not replies to the same prompts")
    givers: dict[tuple[int, str], list[str]] = collections.defaultdict(list)
    for name, rows in systems.items():
        for number, row in enumerate(rows):
            givers[number, row[REPLY]].append(name)
    distinct = list(givers)
    sheet, key = [], []
    for place, i in enumerate(random.permutation(len(distinct)), start=1):
        number, reply = distinct[i]
        sheet.append({ROW: str(place), **asked[number], REPLY: reply, JUDGEMENT: ""})
        key += [{ROW: str(place), "prompt": str(number + 1), "system": name} for name in givers[distinct[i]]]
    return sheet, key


def judgements(sheets: dict[str, Table]) -> dict[tuple[str, str], int]:
    """Return the judgement of each reader and row.

    Args:
        sheets: The filled sheet of each reader.

    Raises:
        UserError: A judgement is neither 0 nor 1.
    """
    judged = {}
    for reader, sheet in sheets.items():
        for row in sheet:
            if row[JUDGEMENT].strip() not in ("0", "1"):
                raise UserError(f"{reader}, row {row[ROW]}: the judgement is {row[JUDGEMENT]!r}; 0 or 1 is expected")
            judged[reader, row[ROW]] = int(row[JUDGEMENT])
    return judged


def count(sheets: dict[str, Table], key: Table) -> dict[str, dict[str, int]]:
    """Count the accepted replies of each system, for each reader.

    Args:
        sheets: The completed sheet of each reader.
        key: The rows of `key.csv`.

    Returns:
        For each system, the number of accepted replies per reader.

    Raises:
        UserError: A judgement is neither 0 nor 1.
    """
    judged = judgements(sheets)
    counts: dict[str, dict[str, int]] = {}
    for row in key:
        of_system = counts.setdefault(row["system"], dict.fromkeys(sheets, 0))
        of_system[row["reader"]] += judged[row["reader"], row[ROW]]
    return counts


def agreement(sheets: dict[str, Table], key: Table) -> float:
    """Return the share of replies on which all readers agree. A reply counts once for each system that gave it."""
    judged = {(reader, row[ROW]): row[JUDGEMENT].strip() for reader, sheet in sheets.items() for row in sheet}
    verdicts = collections.defaultdict(set)
    for row in key:
        verdicts[row["system"], row["prompt"]].add(judged[row["reader"], row[ROW]])
    return sum(len(said) == 1 for said in verdicts.values()) / len(verdicts)


def replies_table(sheets: dict[str, Table], key: Table) -> str:
    """Return a Markdown table of all replies, with one row per prompt and one column per system.

    Each reply is followed by the readers' judgements in brackets.

    Args:
        sheets: The completed sheet of each reader.
        key: The rows of `key.csv`.
    """
    rows = {(reader, row[ROW]): row for reader, sheet in sheets.items() for row in sheet}
    texts: dict[int, str] = {}
    replies: dict[tuple[int, str], tuple[str, list[str]]] = {}
    for entry in key:
        row, number = rows[entry["reader"], entry[ROW]], int(entry["prompt"])
        texts[number] = next(value for name, value in row.items() if name not in (ROW, REPLY, JUDGEMENT))
        replies.setdefault((number, entry["system"]), (row[REPLY], []))[1].append(row[JUDGEMENT].strip())
    systems = list(dict.fromkeys(entry["system"] for entry in key))
    lines = [
        f"| message | {' | '.join(name.replace('_', ' ') for name in systems)} |",
        "| --- " * (len(systems) + 1) + "|",
    ]
    for number in sorted(texts):
        cells = [texts[number]]
        for system in systems:
            reply, judgements = replies[number, system]
            cells.append(f"{reply} ({', '.join(judgements)})")
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    options.command = provenance.command_of("benchmarks.judging", given)
    return options.run(options)


def _answer(options: argparse.Namespace) -> int:
    prompts = read(options.prompts)
    agent, how = _open(options)
    rows = answer(prompts, agent, how, options.generator, options.seed)
    write(options.output, rows)
    for row in rows:
        print(f"{next(iter(row.values()))}\n    {row[REPLY]}")
    return 0


def _open(options: argparse.Namespace) -> tuple["Chatting", Any]:
    """Load a bot of either paper. Return its agent, and its chat settings with the changes from the options."""
    bot = options.bot / "bot.h5" if options.bot.is_dir() else options.bot
    if str(read_facts(bot).get("format")).startswith("gail_tf"):
        from gail_tf.agent import GAILAgent, Replying

        if options.beam is not None:
            raise UserError("--beam: only bots of the first paper have a beam search; leave out --beam")
        agent = GAILAgent.load(options.bot)
        return agent, Replying() if options.temperature is None else Replying(options.temperature)
    from keras_gca.agent import Agent
    from keras_gca.models.decoding_settings import Decoding

    if options.beam is not None and options.temperature is not None:
        raise UserError("--beam and --temperature exclude each other; leave out one of the two")
    agent = Agent.load(options.bot)
    by_beam = dataclasses.replace(agent.usual_decoding, beam=options.beam or agent.usual_decoding.beam)
    return agent, by_beam if options.temperature is None else Decoding(options.temperature)


def _sheets(options: argparse.Namespace) -> int:
    systems = {path.stem: read(path) for path in options.replies}
    if len(systems) < len(options.replies):
        raise UserError(
            "two files have the same name; use different names, because a file's name identifies its system"
        )
    write_sheets(make_sheet, systems, options)
    return 0


def write_sheets(
    make: Callable[[dict[str, Table], np.random.Generator], tuple[Table, Table]],
    systems: dict[str, Table],
    options: argparse.Namespace,
) -> None:
    """Write a sheet for each reader, each in an order of its own, and the key, to the folder in the options.

    Args:
        make: A function that makes the sheet and the key of one reader, for example `make_sheet`.
        systems: The result of `answer` for each system.
        options: The parsed options of `add_sheet_options`.
    """
    options.folder.mkdir(parents=True, exist_ok=True)
    whole_key = []
    for number in range(1, options.readers + 1):
        sheet, key = make(systems, np.random.default_rng([options.seed, number]))
        write(options.folder / f"reader_{number}.csv", sheet)
        whole_key += [{"reader": f"reader_{number}", **row} for row in key]
    write(options.folder / KEY, whole_key)
    print(f"wrote {options.readers} sheets with {len(sheet)} rows each, and {KEY}, to {options.folder}")


def add_sheet_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `write_sheets`."""
    parser.add_argument(
        "--folder", type=Path, required=True, metavar="DIR", help="the folder for the sheets and the key"
    )
    parser.add_argument(
        "--readers",
        type=command_line.at_least_one,
        default=2,
        metavar="N",
        help="number of readers, who get one sheet each [2]",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed for the order on the sheets [0]")


def _count(options: argparse.Namespace) -> int:
    sheets, key = read_sheets(options.folder)
    sensible, agreed = count(sheets, key), agreement(sheets, key)
    rows = [[system, *map(str, counts.values()), str(min(counts.values()))] for system, counts in sensible.items()]
    counted = Counted(None, "", ["system", *sheets, "lower"], rows)
    print(counted.to_markdown())
    print(f"The readers agree on {agreed:.1%} of the replies.")
    results = {"agreement": round(agreed, 4), "sensible": sensible}
    provenance.write_if_asked(options.experiment, options.command, provenance.Outcome({}, results, [counted]))
    if options.table:
        options.table.write_text(replies_table(sheets, key), encoding="utf-8")
    return 0


def _without_reply(row: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in row.items() if name != REPLY}


def read(path: Path) -> Table:
    """Read a CSV file with a header.

    Raises:
        UserError: There is no such file.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def read_sheets(folder: Path) -> tuple[dict[str, Table], Table]:
    """Read the filled sheet of each reader, and the key, from a folder that `sheets` wrote."""
    key = read(folder / KEY)
    return {reader: read(folder / f"{reader}.csv") for reader in dict.fromkeys(row["reader"] for row in key)}, key


def write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write rows with the same columns to a CSV file with a header."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog="python -m benchmarks.judging",
        description="Let bots answer fixed prompts, and judge the replies without knowing which bot gave them.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    answering = commands.add_parser("answer", help="let a bot answer a file of prompts")
    answering.add_argument("prompts", type=Path, help="a CSV file whose first column contains the prompts")
    answering.add_argument("bot", type=Path, help="a run folder or a bot.h5 of either paper")
    answering.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the file for the replies; its name identifies the system",
    )
    answering.add_argument(
        "--generator", metavar="NAME", help="use this generator's replies (default: the discriminator's first choices)"
    )
    answering.add_argument("--temperature", type=float, metavar="X", help="sample at this temperature")
    answering.add_argument(
        "--beam", type=int, metavar="N", help="beam width, for bots of the first paper (default: as in the chat)"
    )
    answering.add_argument("--seed", type=int, default=0, metavar="N", help="sampling seed [0]")
    answering.set_defaults(run=_answer)
    sheets = commands.add_parser(
        "sheets", help="make sheets without the systems' names, and a key that records which system gave each reply"
    )
    sheets.add_argument("replies", type=Path, nargs="+", help="files written by `answer`, one for each system")
    add_sheet_options(sheets)
    sheets.set_defaults(run=_sheets)
    counting = commands.add_parser("count", help="count the judgements on the completed sheets")
    counting.add_argument("folder", type=Path, help="the folder with the sheets and the key")
    reporting.add_experiment(counting)
    counting.add_argument("--table", type=Path, metavar="FILE", help="also write all replies to this Markdown file")
    counting.set_defaults(run=_count)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "judging"))
