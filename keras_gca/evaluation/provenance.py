"""Says where measured numbers come from: the command, the seeds, and the versions of the programs.

An experiment's numbers are committed as a small JSON file with this information, and tables of the documentation are
generated from such files. Then a reader can repeat each number, and no number is copied by hand.
"""

import importlib.metadata
import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_gca.errors import UserError
from keras_gca.evaluation.tables import Table
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text

FORMAT = "experiment 1"
PACKAGES = ("keras", "tensorflow-cpu", "tensorflow", "numpy", "scipy", "nltk", "sacrebleu", "tokenizers")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that compute numbers, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def command_of(module: str, arguments: Sequence[str]) -> str:
    """Return the command that was given, for example `python -m gail_tf.evaluate runs/gail`."""
    return shlex.join(["python", "-m", module, *arguments])


def write_experiment(path: Path, command: str, seeds: Mapping[str, Any], results: Any) -> None:
    """Write the results of an experiment as JSON, together with where they come from.

    Args:
        path: The file.
        command: The command that computed them.
        seeds: The seeds by what they were used for.
        results: Values for JSON, without NaN.
    """
    values = {"format": FORMAT, "command": command, "seeds": dict(seeds), "versions": versions(), "results": results}
    write_text(path, json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def read_experiment(path: Path) -> dict[str, Any]:
    """Read what `write_experiment` wrote.

    Raises:
        UserError: The file is missing or damaged, or is no such file.
    """
    values = json_files.read_object(path)
    if values.get("format") != FORMAT or not {"command", "seeds", "versions", "results"} <= set(values):
        raise UserError(f"{path}: not the results of an experiment; {FORMAT!r} with its command is expected")
    return values


def with_command(table: Table, experiment: Mapping[str, Any]) -> str:
    """Write a table of an experiment's results as Markdown, with the experiment's command and versions below."""
    stated = ", ".join(f"{name} {version}" for name, version in experiment["versions"].items())
    return f"{table.to_markdown()}\n`{experiment['command']}` ({stated})\n"
