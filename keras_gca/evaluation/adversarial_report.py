"""Makes the tables of the study `adversarial` from the results that `adversarial_cells.py` has stored for each cell."""

import functools
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_gca.evaluation.paired_tests import (
    Comparison,
    PairedTest,
    compare_seeds,
    table_of_tests,
    with_correction,
)
from keras_gca.evaluation.statistics import summarise
from keras_gca.evaluation.tables import Table
from keras_gca.evaluation.variants import FACTORS
from keras_gca.training.schedule import DISCRIMINATOR, GENERATOR

# The temperatures from which that of the teacher-forced generator is chosen
TEMPERATURES = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3)
SYSTEMS = ("adversarial", "teacher_forcing")
TERMS = ("context", "answer", "token")  # the terms of Eq. 8
GAIN = "gain, nats per token"


def best_cells(results: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of all cells, sorted by mean gain on validation conversations, highest first."""
    gains = {
        cell: float(np.mean([run["validation"]["gain"]["difference"] for run in runs]))
        for cell, runs in by_cell(results).items()
    }
    return sorted(gains, key=lambda cell: -gains[cell])


def by_cell(results: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """Group results by cell; each cell has one result for each seed."""
    cells: dict[str, list[Mapping[str, Any]]] = {}
    for one in results:
        cells.setdefault(one["cell"], []).append(one)
    return cells


def tables(results: Sequence[Mapping[str, Any]], left: int = 0) -> list[Table]:
    """Make the table of the cells and the table of their paired tests.

    Args:
        results: The results of each cell with each seed.
        left: The number of further results that the study still lacks. The caption states this number.
    """
    cells, rows = by_cell(results), []
    for cell in best_cells(results):
        runs = cells[cell]

        def cell_of(*keys: str, form: str, runs: Sequence = runs) -> str:
            """Format the mean, over the runs, of the value found under these nested keys."""
            return format(summarise([functools.reduce(operator.getitem, keys, run) for run in runs]), form)

        of_terms = [cell_of("terms", DISCRIMINATOR, f"{term}_auc", form=".3f") for term in TERMS]
        pairs = [
            cell_of("test", name, system, form=form)
            for name, form in (("distinct-2", ".3f"), ("word perplexity", ".1f"))
            for system in SYSTEMS
        ]
        rows.append(
            [
                *cell.split("_"),
                *of_terms,
                cell_of("terms", GENERATOR, "token_gap", form="+.3f"),
                cell_of("validation", "gain", "difference", form="+.4f"),
                cell_of("test", "gain", "difference", form="+.4f"),
                cell_of("test", "first", form=".1%"),
                cell_of("decoding", "teacher_forcing", form=".2f"),
                *pairs,
            ]
        )
    header = [
        *FACTORS,
        *(f"AUC, {term}" for term in TERMS),
        "gap, p",
        "gain, validation",
        "gain, test",
        "adversarial first",
        "T of t. f.",
        *(f"{name}, {system}" for name in ("distinct-2", "5-gram") for system in ("adv.", "t. f.")),
    ]
    caption = (
        "Each cell starts from the same teacher-forced generator, and is compared with it at equal diversity "
        "(distinct-2). The AUC of each term of Eq. 8 is measured after line 6. The gap is the mean of the term of p "
        "for human tokens minus its mean for machine-generated tokens, in logits, after line 9. The gain is log S "
        "(Eq. 10) by independent judges, adversarial minus teacher forcing, in nats per token, averaged over "
        "several replies to each context. T of t. f. is the "
        f"temperature, from {TEMPERATURES[0]} to {TEMPERATURES[-1]}, at which teacher forcing (t. f.) is equally "
        "diverse. 5-gram is the perplexity under the word model. The cells are sorted by their gain on validation "
        "conversations."
    )
    if left:
        caption = f"Unfinished: {len(results)} of {len(results) + left} results. {caption}"
    tested = table_of_tests(tests(cells), _title, " of the gain on test conversations")
    return [Table(None, caption, header, rows, len(FACTORS)), tested]


def tests(cells: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[PairedTest]:
    """Test whether the gain of each cell on test conversations differs from 0.

    Args:
        cells: The results of each cell with each seed.

    Returns:
        The tests. A cell with one seed is tested over conversations, and a cell with several seeds over seeds. The
        p-values are corrected jointly for all tests.
    """
    rows: list[tuple[tuple[str, str], int | None, str, Comparison]] = []
    for cell, runs in cells.items():
        systems = cell, "teacher forcing"
        if len(runs) == 1:
            rows.append((systems, runs[0]["seed"], GAIN, Comparison(**runs[0]["test"]["gain"])))
        else:
            values = [[run["test"]["log S"][system] for run in runs] for system in SYSTEMS]
            rows.append((systems, None, GAIN, compare_seeds(values[0], values[1])))
    return with_correction(rows)


def _title(system: str) -> str:
    return system.replace("_", " ")
