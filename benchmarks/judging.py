"""Lets bots answer fixed prompts, and makes sheets on which readers judge the replies blind by docs/judging/rubric.md.

    python -m benchmarks.judging answer docs/judging/first_messages.csv RUN --generator adversarial --output new.csv
    python -m benchmarks.judging sheets before.csv new.csv --folder sheets
    python -m benchmarks.judging count sheets --experiment counts.json --table replies.md

`answer` takes bots of both papers. Each sheet has the replies of all systems in a different order, without the names of
the systems. If several systems give the same reply to a prompt, it occurs only once. `key.csv` says which system gave
which reply. A reader writes 1 or 0 into the column `judgement`, and `count` counts these judgements. It can also write
the counts as the JSON file of an experiment, and all replies as a table.
"""

import argparse
import collections
import csv
import dataclasses
import sys
from collections.abc import Sequence
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
AT_ONCE = 50  # prompts that are answered in one batch

Table = list[dict[str, str]]


def answer(prompts: Table, agent: "Chatting", how: Any, generator: str | None = None, seed: int = 0) -> Table:
    """Answer each prompt alone, as the first utterance of a conversation.

    Args:
        prompts: The rows of a file of prompts. The first column has the messages that the agent answers.
        agent: The agent of either paper.
        how: The settings with which the agent generates answers; see `decoding` of `Chatting.answers_to_all`.
        generator: The generator whose reply is taken. If None, the reply that the discriminator ranks first is taken.
        seed: The seed of sampling for the first prompt. The seed of each further prompt is one higher.

    Returns:
        The rows with the column `reply`, in the same order.

    Raises:
        UserError: The agent has no such generator.
    """
    if generator is not None and generator not in agent.generators:
        raise UserError(f"--generator {generator}: the bot has {', '.join(agent.generators)}")
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
        random: The random number generator that determines the order.

    Returns:
        The sheet, with the number of each row, the columns of the prompts, the reply and an empty judgement; and the
        key, with one row for each row of the sheet and each system that gave its reply.

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


def count(sheets: dict[str, Table], key: Table) -> dict[str, dict[str, int]]:
    """Count the replies of each system that each reader accepts.

    Args:
        sheets: The filled sheet of each reader.
        key: The rows of `key.csv`.

    Returns:
        For each system the number of accepted replies by reader.

    Raises:
        UserError: A judgement is neither 0 nor 1.
    """
    judged = {}
    for reader, sheet in sheets.items():
        for row in sheet:
            if row[JUDGEMENT].strip() not in ("0", "1"):
                raise UserError(f"{reader}, row {row[ROW]}: the judgement is {row[JUDGEMENT]!r}; 0 or 1 is expected")
            judged[reader, row[ROW]] = int(row[JUDGEMENT])
    counts: dict[str, dict[str, int]] = {}
    for row in key:
        of_system = counts.setdefault(row["system"], dict.fromkeys(sheets, 0))
        of_system[row["reader"]] += judged[row["reader"], row[ROW]]
    return counts


def agreement(sheets: dict[str, Table], key: Table) -> float:
    """Return the share of replies, counted once for each system, on which all readers agree."""
    judged = {(reader, row[ROW]): row[JUDGEMENT].strip() for reader, sheet in sheets.items() for row in sheet}
    verdicts = collections.defaultdict(set)
    for row in key:
        verdicts[row["system"], row["prompt"]].add(judged[row["reader"], row[ROW]])
    return sum(len(said) == 1 for said in verdicts.values()) / len(verdicts)


def replies_table(sheets: dict[str, Table], key: Table) -> str:
    """Return a Markdown table of all replies, one row for each prompt and one column for each system.

    The judgements of the readers are in brackets after each reply.

    Args:
        sheets: The filled sheet of each reader.
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
    """Run one command; return its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    options.command = provenance.command_of("benchmarks.judging", given)
    return options.run(options)


def _answer(options: argparse.Namespace) -> int:
    prompts = _read(options.prompts)
    agent, how = _open(options)
    rows = answer(prompts, agent, how, options.generator, options.seed)
    _write(options.output, rows)
    for row in rows:
        print(f"{next(iter(row.values()))}\n    {row[REPLY]}")
    return 0


def _open(options: argparse.Namespace) -> tuple["Chatting", Any]:
    """Open a bot of either paper; the replies are made as in its chat unless the options differ."""
    bot = options.bot / "bot.h5" if options.bot.is_dir() else options.bot
    if str(read_facts(bot).get("format")).startswith("gail_tf"):
        from gail_tf.agent import GAILAgent, Replying

        agent = GAILAgent.load(options.bot)
        return agent, Replying() if options.temperature is None else Replying(options.temperature)
    from keras_gca.agent import Agent
    from keras_gca.models.decoding_settings import CHAT, Decoding

    by_beam = dataclasses.replace(CHAT, beam=options.beam or CHAT.beam)
    return Agent.load(options.bot), by_beam if options.temperature is None else Decoding(options.temperature)


def _sheets(options: argparse.Namespace) -> int:
    systems = {path.stem: _read(path) for path in options.replies}
    if len(systems) < len(options.replies):
        raise UserError("two files have the same name, which is that of their system")
    options.folder.mkdir(parents=True, exist_ok=True)
    whole_key = []
    for number in range(1, options.readers + 1):
        sheet, key = make_sheet(systems, np.random.default_rng([options.seed, number]))
        _write(options.folder / f"reader_{number}.csv", sheet)
        whole_key += [{"reader": f"reader_{number}", **row} for row in key]
    _write(options.folder / KEY, whole_key)
    print(f"{options.readers} sheets of {len(sheet)} replies and {KEY} in {options.folder}")
    return 0


def _count(options: argparse.Namespace) -> int:
    key = _read(options.folder / KEY)
    sheets = {reader: _read(options.folder / f"{reader}.csv") for reader in dict.fromkeys(row["reader"] for row in key)}
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


def _read(path: Path) -> Table:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _write(path: Path, rows: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def _parser() -> argparse.ArgumentParser:
    parser = command_line.Parser(
        prog="python -m benchmarks.judging", description="Answer fixed prompts, and judge the replies blind."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    answering = commands.add_parser("answer", help="a bot answers a file of prompts")
    answering.add_argument("prompts", type=Path, help="a CSV file, whose first column has the prompts")
    answering.add_argument("bot", type=Path, help="a run folder or a bot.h5 of either paper")
    answering.add_argument("--output", type=Path, required=True, metavar="FILE", help="named like the system")
    answering.add_argument("--generator", metavar="NAME", help="take this generator's replies (default: D chooses)")
    answering.add_argument("--temperature", type=float, metavar="X", help="sample at this temperature")
    answering.add_argument(
        "--beam", type=int, metavar="N", help="width of the beam, for the first paper (default: as in the chat)"
    )
    answering.add_argument("--seed", type=int, default=0, metavar="N", help="seed of sampling [0]")
    answering.set_defaults(run=_answer)
    sheets = commands.add_parser("sheets", help="make sheets without the systems' names, and a key")
    sheets.add_argument("replies", type=Path, nargs="+", help="files that `answer` wrote, one for each system")
    sheets.add_argument("--folder", type=Path, required=True, metavar="DIR", help="where the sheets are written")
    sheets.add_argument("--readers", type=command_line.at_least_one, default=2, metavar="N", help="sheets [2]")
    sheets.add_argument("--seed", type=int, default=0, metavar="N", help="seed of the order [0]")
    sheets.set_defaults(run=_sheets)
    counting = commands.add_parser("count", help="count the judgements of filled sheets")
    counting.add_argument("folder", type=Path, help="the folder of the sheets")
    reporting.add_experiment(counting)
    counting.add_argument("--table", type=Path, metavar="FILE", help="write all replies to this Markdown file, too")
    counting.set_defaults(run=_count)
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "judging"))
