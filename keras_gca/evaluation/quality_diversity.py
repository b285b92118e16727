"""Quality against diversity of sampled replies, over the temperature: what both papers' measurements share.

One temperature proves nothing: a model may look better merely because it is less diverse. Caccia et al. 2020 ("Language
GANs Falling Short") therefore compare whole curves. Quality is here the perplexity of the replies under a trigram model
of the human training answers (lower is better), diversity their distinct-2.

Imports nothing heavy: the commands take their options from here.
"""

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from keras_gca.evaluation import reply_metrics
from keras_gca.evaluation.tables import Table
from keras_gca.settings import check_sampling

if TYPE_CHECKING:  # imports NLTK, for which `--help` must not wait
    from keras_gca.evaluation.trigram import TrigramModel

TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
DISCOUNT = 0.75  # the trigram's; see docs/results.md

# A system's points {"temperature", "perplexity", "distinct_2"} by rising temperature; human replies have none.
Curve = list[dict[str, Any]]
Curves = dict[str, Curve]


def point(
    trigram: "TrigramModel",
    temperature: float | None,
    answers: Iterable[Sequence[int]],
    replies: Sequence[Sequence[str]],
) -> dict[str, Any]:
    """One point of a curve: replies as indices, BOS and EOS included, and as words."""
    return {
        "temperature": temperature,
        "perplexity": trigram.perplexity(answers),
        "distinct_2": reply_metrics.distinct(replies, 2),
    }


def table(curves: Curves) -> Table:
    """A line for each point."""
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
    caption = "Quality (trigram perplexity) against diversity of sampled replies."
    return Table(None, caption, ("replies", "temperature", "perplexity", "distinct-2"), rows)


def write(curves: Curves, folder: Path) -> None:
    """Print the curves, and write them to folder/quality_diversity.json and .png."""
    print(table(curves).to_text())
    folder.mkdir(parents=True, exist_ok=True)
    data, picture = (folder / f"quality_diversity.{ending}" for ending in ("json", "png"))
    data.write_text(json.dumps(curves, indent=2) + "\n", encoding="utf-8")
    paint(curves).savefig(picture, dpi=130)
    print(f"wrote {data} and {picture}")


def paint(curves: Curves) -> Figure:
    """Paint the curves, better replies above and more diverse ones to the right."""
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
                    xytext=(5, 5 if number % 2 else -11),  # curves often lie on each other
                    color=line.get_color(),
                    fontsize=8,
                )
    axes.set_yscale("log")
    for axis in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):  # plain numbers, no powers of ten
        axis(FormatStrFormatter("%g"))
    axes.invert_yaxis()
    axes.set_xlabel("diversity: distinct-2 of the replies")
    axes.set_ylabel("quality: trigram perplexity (lower is better, above)")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def refuse_temperatures(temperatures: Sequence[float]) -> None:
    """Raises UserError where one is out of range."""
    for temperature in temperatures:
        check_sampling(temperature, name="--temperatures")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options that both papers' commands have."""
    parser.add_argument(
        "--temperatures", type=float, nargs="+", default=TEMPERATURES, metavar="X", help=f"of sampling {TEMPERATURES}"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sampling")
