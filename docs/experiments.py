"""Writes the tables of experiments into the pages with results: `python -m docs.experiments`.

A table stands between two markers, for example `<!-- experiment: ratings.json 0 -->` and `<!-- /experiment -->`. The
first marker names a file in docs/measurements, which an evaluation has written with `--experiment`, and the position of
a table in this file. The command that computed the table is written below the table, unless the table before it comes
from the same file. The package versions of most commands are written between `<!-- versions -->` and
`<!-- /versions -->`; other commands are followed by their versions.
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_gca.evaluation.provenance import read_experiment, table_of

PAGES = [Path(__file__).parent / name for name in ("results.md", "systems_results.md")]
MEASUREMENTS = Path(__file__).parent / "measurements"
_TABLE = re.compile(r"(<!-- experiment: ([\w.-]+) (\d+) -->\n).*?(<!-- /experiment -->)", re.DOTALL)
_VERSIONS = re.compile(r"(<!-- versions -->\n).*?(<!-- /versions -->)", re.DOTALL)


def filled(text: str, folder: Path) -> str:
    """Return a page in which the tables that its markers name, and the usual package versions, have been filled in.

    Args:
        text: The page.
        folder: The folder with the experiments' files.

    Raises:
        UserError: A file is missing or damaged, or does not contain the table.
    """
    files = [match.group(2) for match in _TABLE.finditer(text)]
    experiments = {file: read_experiment(folder / file) for file in files}
    usual = Counter(map(_versions, experiments.values())).most_common(1)[0][0] if experiments else ""
    previous = iter([None, *files])

    def table(match: re.Match) -> str:
        begin, file, number, end = match.groups()
        experiment = experiments[file]
        lines = [begin, table_of(experiment, int(number)).to_markdown()]
        if next(previous) != file:
            stated = "" if _versions(experiment) == usual else f" ({_versions(experiment)})"
            lines.append(f"`{experiment['command']}`{stated}\n")
        return "\n".join([*lines, end])

    return _VERSIONS.sub(rf"\g<1>\n{usual}\n\n\g<2>", _TABLE.sub(table, text))


def _versions(experiment: Mapping[str, Any]) -> str:
    """Return the package versions of an experiment as a text."""
    stated = ", ".join(f"{name} {version}" for name, version in experiment["versions"].items())
    return stated or "the versions were not recorded"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8"), MEASUREMENTS), encoding="utf-8")
        print(f"wrote the tables in {page}")
