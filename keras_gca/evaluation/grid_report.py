"""Writes the results of a grid of temperatures and top-p values as tables, a plot and JSON."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullLocator

from keras_gca.evaluation import paired_tests
from keras_gca.evaluation.decoding_grid import at_edge
from keras_gca.evaluation.provenance import Outcome
from keras_gca.evaluation.quality_diversity import DISTINCT, HUMAN, MAUVE, PERPLEXITY, Figures, Results
from keras_gca.evaluation.statistics import Estimate
from keras_gca.evaluation.tables import Table

MODEL = "5-gram"  # the default model for measuring quality


def tables(results: Results, model: str = MODEL) -> list[Table]:
    """Make tables of the best points, of their paired tests (if any), and of all points of the grid.

    Args:
        results: The results.
        model: The name of the model that measures quality.
    """
    measured = [figures for of_system in results.points.values() for figures in of_system.values()]
    by_mauve = all(MAUVE in figures for figures in measured)
    named = [PERPLEXITY, DISTINCT, MAUVE] if by_mauve else [PERPLEXITY, DISTINCT]
    many = max(results.runs.values()) > 1
    rows = [
        [_name(system), f"{best.setting}", "yes" if at_edge(best.setting, results.settings) else "no"]
        + [_cell(best.figures.get(name)) for name in named]
        for system, best in results.best.items()
    ]
    rows.append([HUMAN, "", "", *(_cell(results.human_test.get(name)) for name in named)])
    intervals = "over seeds (Student's t)" if many else "over conversations (jackknife)"
    chosen = "highest MAUVE" if by_mauve else "perplexity and distinct-2 nearest to those of the human replies"
    caption = (
        f"Best points on test conversations: quality (perplexity under the {model} model), distinct-2 at equal numbers "
        f"of words{', and MAUVE' if MAUVE in named else ''}, with 95 % intervals {intervals}. Each point was chosen "
        f"on other conversations, by the {chosen}."
    )
    made = [Table(None, caption, ("replies of", "best point", "at the grid's edge", *named), rows, 2)]
    if results.tests:
        what = " of the best points on the same test conversations"
        made.append(paired_tests.table_of_tests(results.tests, _name, what))
    grid = [
        [_name(system), f"{setting}", *(_cell(figures.get(name)) for name in named)]
        for system, of_system in results.points.items()
        for setting, figures in of_system.items()
    ]
    grid.append([HUMAN, "", *(_cell(results.human.get(name)) for name in named)])
    caption = (
        "All points of the grid, measured on the conversations on which the best points were chosen. Quality is the "
        f"perplexity under the {model} model."
    )
    return [*made, Table(None, caption, ("replies of", "point", *named), grid, 2)]


def _name(system: str) -> str:
    return system.replace("_", " ")


def _cell(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3g}"
    return f"{estimate.value:.3g} [{estimate.low:.3g}, {estimate.high:.3g}]"


def as_json(results: Results) -> dict[str, Any]:
    """Return all results as JSON-serialisable values."""
    return {
        "runs": dict(results.runs),
        "grid": {
            system: [{**setting._asdict(), **_plain(figures)} for setting, figures in of_system.items()]
            for system, of_system in results.points.items()
        },
        "best": {
            system: {**best.setting._asdict(), "edge": at_edge(best.setting, results.settings), **_plain(best.figures)}
            for system, best in results.best.items()
        },
        HUMAN: {"validation": _plain(results.human), "test": _plain(results.human_test)},
        "tests": paired_tests.as_json(results.tests),
    }


def _plain(figures: Figures) -> dict[str, Any]:
    return {
        name: {key: None if value is None or math.isnan(value) else value for key, value in estimate._asdict().items()}
        for name, estimate in figures.items()
    }


def outcome(results: Results, seeds: Mapping[str, Any], model: str = MODEL) -> Outcome:
    """Return the results with their tables, for the file of the option --experiment.

    Args:
        results: The results.
        seeds: A dict that maps each purpose of a seed to the seed, or to a list of seeds.
        model: The name of the model that measures quality.
    """
    return Outcome(seeds, as_json(results), tables(results, model))


def folder_of(runs: Sequence[Path], output: Path | None) -> Path:
    """Return the folder in which the results are stored.

    If `output` is None, the results of a single run are stored in its run folder, and those of several runs in
    runs/evaluation.

    Args:
        runs: The run folders.
        output: The value of the option --output, or None.
    """
    return output or (runs[0] if len(runs) == 1 else Path("runs") / "evaluation")


def write(results: Results, folder: Path, model: str = MODEL) -> None:
    """Print the tables, and write the results to folder/quality_diversity.json, .md and .png.

    Args:
        results: The results.
        folder: The folder.
        model: The name of the model that measures quality.
    """
    made = tables(results, model)
    print("\n\n".join(f"{table.caption}\n\n{table.to_text()}" for table in made[:-1]))
    folder.mkdir(parents=True, exist_ok=True)
    data, page, picture = (folder / f"quality_diversity.{ending}" for ending in ("json", "md", "png"))
    data.write_text(json.dumps(as_json(results), indent=2) + "\n", encoding="utf-8")
    page.write_text("\n".join(table.to_markdown() for table in made), encoding="utf-8")
    paint(results, model).savefig(picture, dpi=130)
    print(f"wrote {data}, {page} and {picture}")


def paint(results: Results, model: str = MODEL) -> Figure:
    """Plot the grid of each system, with better replies higher up and more diverse replies further right.

    Each line joins the points with the same top-p value. A larger dot marks the chosen point. All points, including the
    chosen one, are measured on validation conversations.
    """
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for number, (system, points) in enumerate(results.points.items()):
        colour, chosen = f"C{number}", results.best[system].setting
        for width in sorted({setting.top_p for setting in points}):
            line = [figures for setting, figures in points.items() if setting.top_p == width]
            x, y = ([figures[name].value for figures in line] for name in (DISTINCT, PERPLEXITY))
            axes.plot(x, y, ".-", color=colour, linewidth=0.8, alpha=width)
        at, label = points[chosen], f"{_name(system)}, best at {chosen}"
        axes.plot(at[DISTINCT].value, at[PERPLEXITY].value, "o", color=colour, markersize=9, label=label)
    axes.plot(
        results.human[DISTINCT].value, results.human[PERPLEXITY].value, "*", color="k", markersize=14, label=HUMAN
    )
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))  # labels at all multiples would overlap
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FormatStrFormatter("%g"))  # plain numbers, no powers of ten
    axes.invert_yaxis()
    axes.plot([], [], ".-", color="0.4", linewidth=0.8, label="one line for each top-p, paler for a lower top-p")
    axes.set_xlabel("diversity: distinct-2 at equal numbers of words (higher is more diverse)")
    axes.set_ylabel(f"quality: {model} perplexity (lower is better)")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
