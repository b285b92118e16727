"""Writes the tables of experiments into docs/results.md: `python -m docs.experiments`.

A table stands between two markers, for example `<!-- experiment: ratings.json 0 -->` and `<!-- /experiment -->`. The
first marker names a file in docs/measurements, which an evaluation has written with `--experiment`, and the position of
a table in this file. The command that computed the table is written below the table.
"""

import re
from pathlib import Path

from keras_gca.evaluation.provenance import read_experiment, table_with_command

PAGE = Path(__file__).parent / "results.md"
MEASUREMENTS = Path(__file__).parent / "measurements"
_MARKED = re.compile(r"(<!-- experiment: ([\w.-]+) (\d+) -->\n).*?(<!-- /experiment -->)", re.DOTALL)


def filled(text: str, folder: Path) -> str:
    """Return a page in which the tables that its markers name have been filled in.

    Args:
        text: The page.
        folder: The folder with the experiments' files.

    Raises:
        UserError: A file is missing or damaged, or does not contain the table.
    """

    def table(match: re.Match) -> str:
        begin, file, number, end = match.groups()
        return f"{begin}\n{table_with_command(read_experiment(folder / file), int(number))}\n{end}"

    return _MARKED.sub(table, text)


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), MEASUREMENTS), encoding="utf-8")
    print(f"wrote the tables in {PAGE}")
