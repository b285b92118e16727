"""Plots the metrics in the log of a run over its epochs and updates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from keras_gca.storage.atomic import replacing

History = Sequence[dict[str, Any]]  # the log of a run: a row for each epoch and update; see docs/metrics.md

# The title of each plot and the metrics that it shows; docs/metrics.md explains them.
PANELS = (
    ("perplexity, held out", ("val_perplexity",)),
    ("reward", ("reward_generated", "reward_expert", "val_reward_generated")),
    ("discriminator: recognised", ("accuracy_generated", "accuracy_expert")),
    ("KL to the reference, nats a token", ("kl_per_token",)),
    ("KL of an update, nats a response", ("kl",)),
    ("clip fraction", ("clip_fraction",)),
    ("tokens in a response", ("response_length", "expert_length")),
    ("diversity of the rollouts", ("distinct_2", "repeated", "most_common_share")),
    ("entropy, nats", ("entropy", "discriminator_entropy")),
)


def draw(history: History, path: Path) -> None:
    """Plot the log and write the plots to an image file.

    Args:
        history: The log, in order.
        path: The file to write; its suffix determines the format.
    """
    with replacing(path, suffix=path.suffix) as temporary:
        paint(history).savefig(temporary, dpi=110)


def paint(history: History) -> Figure:
    """Plot the metrics of all stages in order; shading separates the phases.

    Args:
        history: The log, in order.

    Returns:
        A Matplotlib figure, which a notebook shows.
    """
    phases = [row["phase"] for row in history]
    borders = [i for i in range(1, len(phases)) if phases[i] != phases[i - 1]]
    figure = Figure(figsize=(13, 9), layout="constrained")
    grid = figure.subplots(3, 3, sharex=True)
    for axes, (title, names) in zip(grid.flat, PANELS, strict=True):
        for name in names:
            points = [(i + 1, row[name]) for i, row in enumerate(history) if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", markersize=4, label=name.replace("_", " "))
        for number, (start, end) in enumerate(zip([0, *borders], [*borders, len(phases)], strict=True)):
            axes.axvspan(start + 0.5, end + 0.5, color="0.5", alpha=0.12 * (number % 2), linewidth=0)
            if axes in grid[0] and end - start > len(phases) / 12:
                middle, name = (start + end + 1) / 2, phases[start].replace("_", " ")
                axes.text(middle, 1.01, name, ha="center", fontsize=7, transform=axes.get_xaxis_transform())
        axes.set_title(title, fontsize=10, pad=14 if axes in grid[0] else 6)
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("epoch or update")
    return figure


def plain_logarithm(axes: Axes) -> None:
    """Label a logarithmic y axis with plain numbers instead of powers of ten."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
