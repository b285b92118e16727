"""Plots quality against diversity of replies sampled at several temperatures, for both papers.

Results at one temperature prove nothing, because a model may seem better only because it is less diverse. Therefore
Caccia et al. 2020 ("Language GANs Falling Short") compare whole curves. Here quality is the perplexity of the replies
under a 5-gram model of the human training answers (lower is better), and diversity is their distinct-2.

Imports nothing heavy, because the commands take their options from here.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from keras_gca.evaluation import reply_metrics
from keras_gca.evaluation.axes import plain_logarithm
from keras_gca.evaluation.tables import Table
from keras_gca.settings import check_sampling

MODEL = "5-gram"  # the model that measures the quality, unless another one is named
TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)

# The points of one system by rising temperature, as dictionaries with the keys "temperature", "perplexity" and
# "distinct_2". The human replies are a system with one point, whose temperature is None.
Curve = list[dict[str, Any]]
Curves = dict[str, Curve]


def point(temperature: float | None, perplexity: float, replies: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Make one point of a curve.

    Args:
        temperature: The temperature of sampling; None for human replies.
        perplexity: The perplexity of the replies.
        replies: The replies as words.
    """
    return {"temperature": temperature, "perplexity": perplexity, "distinct_2": reply_metrics.distinct(replies, 2)}


def table(curves: Curves, model: str = MODEL) -> Table:
    """Make a table with a row for each point; `model` names the model that measures the quality."""
    rows = [
        (
            name.replace("_", " "),
            "" if point["temperature"] is None else f"{point['temperature']:g}",
            f"{point['perplexity']:.1f}",
            f"{point['distinct_2']:.3f}",
        )
        for name, points in curves.items()
        for point in points
    ]
    caption = f"Quality ({model} perplexity) against diversity of sampled replies."
    return Table(None, caption, ("replies", "temperature", "perplexity", "distinct-2"), rows)


def write(curves: Curves, folder: Path, model: str = MODEL) -> None:
    """Print the curves, and write them to folder/quality_diversity.json and .png; `model` is that of `table`."""
    print(table(curves, model).to_text())
    folder.mkdir(parents=True, exist_ok=True)
    data, picture = (folder / f"quality_diversity.{ending}" for ending in ("json", "png"))
    data.write_text(json.dumps(curves, indent=2) + "\n", encoding="utf-8")
    paint(curves, model).savefig(picture, dpi=130)
    print(f"wrote {data} and {picture}")


def paint(curves: Curves, model: str = MODEL) -> Figure:
    """Plot the curves, with better replies at the top and more diverse ones to the right."""
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    for number, (name, points) in enumerate(curves.items()):
        x, y = [p["distinct_2"] for p in points], [p["perplexity"] for p in points]
        style = {"marker": "*", "markersize": 15, "linestyle": ""} if name == "human" else {"marker": "o"}
        (line,) = axes.plot(x, y, label=name.replace("_", " "), **style)
        for p in points:
            if p["temperature"] is not None:
                axes.annotate(
                    f"{p['temperature']:g}",
                    (p["distinct_2"], p["perplexity"]),
                    textcoords="offset points",
                    xytext=(7, 3) if number % 2 == 0 else (-7, -3),  # curves often overlap
                    ha="left" if number % 2 == 0 else "right",
                    va="bottom" if number % 2 == 0 else "top",
                    color=line.get_color(),
                    fontsize=8,
                )
    axes.set_yscale("log")
    plain_logarithm(axes)
    axes.invert_yaxis()
    axes.margins(x=0.09)
    axes.set_xlabel("diversity: distinct-2, the share of different word pairs\n(higher, to the right, is better)")
    axes.set_ylabel(f"quality: {model} perplexity of the replies\n(lower, to the top, is better)")
    axes.grid(alpha=0.3)
    axes.legend(title="replies of (small numbers: temperature)", title_fontsize=8, fontsize=8)
    return figure


def refuse_temperatures(temperatures: Sequence[float]) -> None:
    """Raise UserError if a temperature is out of range."""
    for temperature in temperatures:
        check_sampling(temperature, name="--temperatures")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that both papers' commands have."""
    parser.add_argument(
        "--temperatures",
        type=float,
        nargs="+",
        default=TEMPERATURES,
        metavar="X",
        help=f"the temperatures of sampling [{' '.join(map(str, TEMPERATURES))}]",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seed of sampling [0]")
