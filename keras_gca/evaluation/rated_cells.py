"""Compares the discriminator D of each cell of the study `adversarial` with human ratings.

The cells differ in how the machine-generated pairs M are made, from which D learns (line 6 of Algorithm 2), and in D
itself. The tables show whether choosing answers by Eq. 10 agrees with people (Eq. 11).
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_gca.errors import UserError
from keras_gca.evaluation import human_ratings, rated_answers
from keras_gca.evaluation.rated_answers import BY_D
from keras_gca.evaluation.statistics import summarise
from keras_gca.evaluation.system_studies import is_newer
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import FACTORS
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.token_files import sha256_of

Rated = Mapping[tuple[str, int], Mapping[str, Any]]  # the results of `rate` by cell and seed

EQ_9, EQ_10 = BY_D
OF_M = 2  # the number of FACTORS that determine how M is made; they come first
MEANS = {"spearman": "+.3f", "jaccard": ".3f", "chance": ".3f"}  # the columns of the table of means
CONTROLS = (human_ratings.LENGTH, human_ratings.RANDOM)


def refuse_unusable(ratings: Sequence[Path]) -> None:
    """Check files of ratings before the first cell is trained.

    Raises:
        UserError: A file cannot be used, or two files have the same name, so their results would have the same name.
    """
    for file in ratings:
        human_ratings.read_ratings(file)
    names = [file.stem for file in ratings]
    if len(set(names)) < len(names):
        raise UserError("--ratings: two files have the same name; give files with different names")


def rate(run: Path, ratings: Path) -> dict[str, Any]:
    """Compare the discriminator of a run with human ratings, or read the stored results of this comparison.

    Args:
        run: The run folder, to which the results are written.
        ratings: The file of ratings; see `human_ratings`.

    Returns:
        The results, as `human_ratings.compare` returns them, and the checksum of the file of ratings.

    Raises:
        UserError: A file is missing or damaged.
    """
    known = _stored(run, ratings)
    if known is not None:
        return known
    values = rated_answers.evaluate_ratings(run, ratings, only_discriminator=True) | {"sha256": sha256_of(ratings)}
    write_text(_file(run, ratings), json.dumps(values, indent=1) + "\n")
    return values


def stored(runs: Mapping[tuple[str, int], Path], ratings: Path) -> Rated:
    """Return the stored results of all given runs that have been compared with a file of ratings.

    Args:
        runs: The run folder of each cell with each seed.
        ratings: The file of ratings.
    """
    found = {key: _stored(run, ratings) for key, run in runs.items()}
    return {key: values for key, values in found.items() if values is not None}


def is_rated(run: Path, ratings: Sequence[Path]) -> bool:
    """Return whether the results for all the given files of ratings are stored."""
    return all(_stored(run, file) is not None for file in ratings)


def _file(run: Path, ratings: Path) -> Path:
    return run / f"ratings_{ratings.stem}.json"


def _stored(run: Path, ratings: Path) -> dict[str, Any] | None:
    """Return the stored results if they are newer than the run's bot and belong to this file of ratings."""
    file = _file(run, ratings)
    if not is_newer(file, run):
        return None
    values = json_files.read_object(file)
    return values if values.get("sha256") == sha256_of(ratings) else None


def as_json(rated: Rated) -> dict[str, dict[str, Any]]:
    """Return the results as {cell: {seed: results}}, for JSON."""
    cells: dict[str, dict[str, Any]] = {}
    for (cell, seed), values in rated.items():
        cells.setdefault(cell, {})[str(seed)] = values
    return cells


# Tables


def tables(rated: Rated) -> list[Table]:
    """Make a table with a row for each cell, and a table of means over the cells with the same M.

    Args:
        rated: The results of the cells with one file of ratings.

    Returns:
        The two tables, or an empty list if there are no results.
    """
    if not rated:
        return []
    cells: dict[str, list[Mapping[str, Any]]] = {}
    for (cell, _), values in rated.items():
        cells.setdefault(cell, []).append(values["measures"])
    first = next(iter(rated.values()))
    rows: list[Sequence[str]] = [[*cell.split("_"), *_cells(runs)] for cell, runs in cells.items()]
    blanks = [""] * (len(FACTORS) - 1)
    rows += [[name, *blanks, *_row([first["measures"][name]], name == human_ratings.RANDOM), ""] for name in CONTROLS]
    rows.append(["one half of the raters (ceiling)", *blanks, f"{first['split-half']:+.3f}", "", "", "", ""])
    many = "means over seeds" if any(len(runs) > 1 for runs in cells.values()) else "with 95 % intervals over contexts"
    caption = (
        f"{first['file']}: agreement of each cell's D with people's ratings of {first['responses']} responses to "
        f"{first['contexts']} contexts, {many}. Spearman's correlation and Eq. 11 are those of Eq. 10; the last column "
        "gives Eq. 11 for choosing by Eq. 9."
    )
    header = [*FACTORS, "Spearman", "beats length", "Jaccard (Eq. 11)", "by chance", "Jaccard, Eq. 9"]
    return [Table(None, caption, header, rows, len(FACTORS)), _means(cells, first["file"])]


def _cells(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    by_eq_9 = _row([measures[EQ_9] for measures in runs])[2]
    return [*_row([measures[EQ_10] for measures in runs]), by_eq_9]


def _row(agreements: Sequence[Mapping[str, Any]], is_control: bool = False) -> list[str]:
    """Return Spearman's correlation, whether the measure beats the length, Eq. 11, and its value by chance."""
    beats = [one["beats_length"] for one in agreements]
    known = not is_control and all(value is not None for value in beats)
    yes = f"{sum(map(bool, beats))} of {len(beats)}" if len(beats) > 1 else "yes" if beats[0] else "no"
    return [
        _value(agreements, "spearman", "", "+.3f"),
        yes if known else "",
        _value(agreements, "jaccard", "jaccard_", ".3f"),
        _value(agreements, "chance", None, ".3f"),
    ]


def _value(agreements: Sequence[Mapping[str, Any]], name: str, ends: str | None, form: str) -> str:
    """Format a value as its mean over seeds, or, for one seed, with the interval whose ends have the prefix `ends`."""
    values = [one[name] for one in agreements]
    if any(value is None for value in values):
        return ""
    text = format(summarise(values), form)
    if len(values) > 1 or ends is None or agreements[0][f"{ends}low"] is None:
        return text
    return f"{text} [{agreements[0][f'{ends}low']:{form}}, {agreements[0][f'{ends}high']:{form}}]"


def _means(cells: Mapping[str, Sequence[Mapping[str, Any]]], file: str) -> Table:
    """Make a table of the means of Eq. 10's agreement over the cells (and seeds) that make M in the same way."""
    groups: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for cell, runs in cells.items():
        groups.setdefault(tuple(cell.split("_")[:OF_M]), []).extend(measures[EQ_10] for measures in runs)
    rows = [
        [*group, str(len(agreements)), *(_mean(agreements, name, form) for name, form in MEANS.items())]
        for group, agreements in groups.items()
    ]
    caption = f"{file}: means over the cells whose M is made in the same way, for choosing by Eq. 10."
    return Table(
        None, caption, [*list(FACTORS)[:OF_M], "runs", "Spearman", "Jaccard (Eq. 11)", "by chance"], rows, OF_M
    )


def _mean(agreements: Sequence[Mapping[str, Any]], name: str, form: str) -> str:
    values = [one[name] for one in agreements if one[name] is not None]
    return format(float(np.mean(values)), form) if values else ""
