"""Records how measured numbers were obtained: the command, the seeds, and the package versions.

The results of an experiment are committed as a small JSON file with this information, and the tables in the
documentation are generated from such files. Readers can therefore reproduce each number, and no number is copied by
hand.
"""

import dataclasses
import importlib.metadata
import json
import platform
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from keras_gca.errors import UserError
from keras_gca.evaluation.tables import Table
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

FORMAT = "experiment 1"
PACKAGES = ("keras", "tensorflow-cpu", "tensorflow", "numpy", "scipy", "nltk", "sacrebleu", "tokenizers")


class Outcome(NamedTuple):
    """The outcome of an experiment.

    Attributes:
        seeds: {purpose of the seed: the seed, or a list of seeds}.
        results: All results, in a form that can be written as JSON.
        tables: Tables of these results.
        complete: Whether the experiment is finished. If False, an interruption or the time limit has ended it, and the
            results are those obtained so far.
    """

    seeds: Mapping[str, Any]
    results: Any
    tables: Sequence[Table]
    complete: bool = True


def versions() -> dict[str, str]:
    """Return the versions of Python and of the installed packages that affect the results."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def command_of(module: str, arguments: Sequence[str]) -> str:
    """Return the command as the user typed it, for example `python -m gail_tf.evaluate runs/gail`."""
    return shlex.join(["python", "-m", module, *arguments])


def document(command: str, results: Any, written: Sequence[Path]) -> dict[str, Any]:
    """Return the JSON document that a command prints with --json; docs/json.md describes the keys.

    Args:
        command: The command; see `command_of`.
        results: The results, as values that can be written as JSON. Numbers may be NaN.
        written: The files that the command wrote.
    """
    return {"command": command, "results": results, "written": [str(path) for path in written]}


def write_experiment(
    path: Path, command: str, seeds: Mapping[str, Any], results: Any, tables: Sequence[Table] = ()
) -> None:
    """Write the results of an experiment as JSON, together with its command, seeds, and package versions.

    Args:
        path: The file to write.
        command: The command that computed the results.
        seeds: {purpose of the seed: the seed, or a list of seeds}.
        results: The results, in a form that can be written as JSON. Undefined numbers (NaN) become null.
        tables: Tables of these results, for the documentation.
    """
    values = {
        "format": FORMAT,
        "command": command,
        "seeds": dict(seeds),
        "versions": versions(),
        "results": json_files.plain(results),
        "tables": [dataclasses.asdict(table) for table in tables],
    }
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_if_asked(path: Path | None, command: str, outcome: Outcome) -> list[Path]:
    """Write the file that --experiment names, and print its path.

    Args:
        path: The file to write, or None if the option was not given.
        command: The command that computed the outcome.
        outcome: The outcome.

    Returns:
        A list with the path of the written file, or an empty list if no file was written.
    """
    if path is None:
        return []
    write_experiment(path, command, outcome.seeds, outcome.results, outcome.tables)
    print(f"wrote {path}")
    return [path]


def run_all(names: Sequence[str], run: Callable[[str], Outcome | None], path: Path | None, command: str) -> int:
    """Run experiments one after the other, and write all results and tables to one file.

    Args:
        names: The names of the experiments, all of which use the same seeds.
        run: A function that runs an experiment. It returns None or an incomplete outcome if the user interrupts the
            experiment or the time limit is reached.
        path: The file that --experiment names, or None if the option was not given.
        command: The command.

    Returns:
        The exit status: 0, or 130 if an experiment was not completed. In this case, the file is written only if the
        experiment has an incomplete outcome, and contains the outcomes so far.
    """
    outcomes: dict[str, Outcome] = {}
    for name in names:
        outcome = run(name)
        if outcome is None:
            return 130
        outcomes[name] = outcome
        if not outcome.complete:
            break
    results = {name: outcome.results for name, outcome in outcomes.items()}
    tables = [table for outcome in outcomes.values() for table in outcome.tables]
    write_if_asked(path, command, Outcome(outcomes[names[0]].seeds, results, tables))
    return 0 if all(outcome.complete for outcome in outcomes.values()) else 130


def read_experiment(path: Path) -> dict[str, Any]:
    """Read a file written by `write_experiment`.

    Raises:
        UserError: The file is missing or damaged, or does not contain the results of an experiment.
    """
    values = json_files.read_object(path)
    if values.get("format") != FORMAT or not {"command", "seeds", "versions", "results", "tables"} <= set(values):
        raise UserError(
            f"{path}: the file does not contain the results of an experiment; the format {FORMAT!r} and a command are "
            "expected"
        )
    return values


def table_of(experiment: Mapping[str, Any], number: int = 0) -> Table:
    """Return a table of an experiment.

    Args:
        experiment: The content of the file, as returned by `read_experiment`.
        number: The index of the table, starting from 0.

    Raises:
        UserError: The experiment does not have this table, or the table is damaged.
    """
    try:
        return Table(**experiment["tables"][number])
    except (LookupError, TypeError):
        raise UserError(f"{experiment['command']}: the results of this command have no table {number}") from None
