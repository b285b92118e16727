"""Quality against diversity of sampled replies, over the temperature.

One temperature proves nothing: a model may look better merely because it is less diverse. Caccia et al. 2020 ("Language
GANs Falling Short") therefore compare whole curves. Quality is here the perplexity of the replies under a trigram model
of the human training answers (lower is better), diversity their distinct-2.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter

from keras_gca.settings import check_sampling

if TYPE_CHECKING:
    from keras_gca.agent import Agent
    from keras_gca.data.dataset import Dataset
    from keras_gca.evaluation.trigram import TrigramModel


TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
DISCOUNT = 0.75  # the trigram's; see docs/results.md

# Of each system {"temperature", "perplexity", "distinct_2"} by rising temperature; human replies have no temperature.
Curve = list[dict[str, Any]]
Curves = dict[str, Curve]


def measure(agent: "Agent", dataset: "Dataset", temperatures: Sequence[float], seed: int = 0) -> Curves:
    """The curves of "human" and of each generator on held-out contexts."""
    from keras_gca.agent import Decoding
    from keras_gca.evaluation.replies import answers_to
    from keras_gca.evaluation.trigram import TrigramModel

    trigram = TrigramModel(dataset.training.answers, len(agent.vocabulary), DISCOUNT)

    def measured(temperature, answers):
        return point(trigram, temperature, answers, [agent.vocabulary.decode(row[1:]) for row in answers])

    held_out = dataset.validation
    curves = {"human": [measured(None, held_out.answers)]}
    for name in agent.generators:
        curves[name] = [
            measured(temperature, answers_to(agent, name, held_out.contexts, Decoding(temperature), seed))
            for temperature in temperatures
        ]
    return curves


def point(
    trigram: "TrigramModel",
    temperature: float | None,
    answers: Sequence[Sequence[int]],
    replies: Sequence[Sequence[str]],
) -> dict[str, Any]:
    """One point of a curve: replies as indices, BOS and EOS included, and as words."""
    from keras_gca.evaluation import reply_metrics

    return {
        "temperature": temperature,
        "perplexity": trigram.perplexity(answers),
        "distinct_2": reply_metrics.distinct(replies, 2),
    }


def write(curves: Curves, folder: Path) -> None:
    """Print the curves, and write them to folder/quality_diversity.json and .png."""
    width = max(18, *(len(name) + 2 for name in curves))
    print(f"{'':{width}}{'temperature':>12}{'perplexity':>12}{'distinct-2':>12}")
    for name, points in curves.items():
        for point in points:
            temperature = "" if point["temperature"] is None else f"{point['temperature']:g}"
            figures = f"{temperature:>12}{point['perplexity']:12.1f}{point['distinct_2']:12.3f}"
            print(f"{name.replace('_', ' '):{width}}{figures}")
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
    parser.add_argument(
        "--temperatures", type=float, nargs="+", default=TEMPERATURES, metavar="X", help=f"of sampling {TEMPERATURES}"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the sampling")
