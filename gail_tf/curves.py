"""The log of a run as pictures, and the logs of several runs as one."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from gail_tf.gail import IMITATION
from keras_gca.aggregate import summarise
from keras_gca.run_folder import replacing

History = Sequence[dict[str, Any]]  # a row for each epoch and update; see docs/metrics.md

# Each picture: its title, and the figures that it shows; docs/metrics.md says what each means.
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
# Each picture of `compare`: its title, a figure of the policy, and the experts' if they have it.
COMPARED = (
    ("perplexity, held out", "val_perplexity", None),
    ("reward", "reward_generated", "reward_expert"),
    ("discriminator: share recognised", "accuracy_generated", "accuracy_expert"),
    ("KL to the reference, nats a token", "kl_per_token", None),
    ("tokens in a response", "response_length", "expert_length"),
    ("distinct-2 of the rollouts", "distinct_2", None),
)


def draw(history: History, path: Path) -> None:
    """Paint the log to a file; see `paint`."""
    with replacing(path, suffix=path.suffix) as temporary:
        paint(history).savefig(temporary, dpi=110)


def paint(history: History) -> Figure:
    """Paint the figures of every stage, one after the other; shades tell the phases apart.

    A notebook shows the figure that is returned.
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


def compare(histories: Mapping[str, Sequence[History]]) -> Figure:
    """Imitation of several systems over the updates: means over their runs, in a band of a standard deviation.

    histories: of each system, by the name to show, the logs of its runs. Those that do not imitate are left out. What
    is of the experts' responses is drawn with dashes and without a band.
    """
    figure = Figure(figsize=(13, 7), layout="constrained")
    grid = figure.subplots(2, 3, sharex=True)
    imitating = {
        system: [[row for row in history if row["phase"] == IMITATION] for history in runs]
        for system, runs in histories.items()
        if any(row["phase"] == IMITATION for row in itertools.chain(*runs))
    }
    for axes, (title, generated, expert) in zip(grid.flat, COMPARED, strict=True):
        for number, (system, runs) in enumerate(imitating.items()):
            colour = f"C{number}"
            updates, means, deviations = _over_runs(runs, generated)
            axes.plot(updates, means, color=colour, label=system)
            ends = [[m + sign * d for m, d in zip(means, deviations, strict=True)] for sign in (-1, 1)]
            axes.fill_between(updates, *ends, color=colour, alpha=0.18, linewidth=0)
            if expert:
                axes.plot(*_over_runs(runs, expert)[:2], color=colour, linestyle="--", linewidth=1)
        axes.set_title(f"{title} (dashes: the experts)" if expert else title, fontsize=10)
        axes.grid(alpha=0.3)
    grid[0, 0].set_yscale("log")
    plain_logarithm(grid[0, 0])
    grid[0, 2].set_ylim(-0.03, 1.03)  # shares, whose bands would go beyond
    for axes in grid[-1]:
        axes.set_xlabel("update")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if imitating:
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=9)
    return figure


def plain_logarithm(axes: Axes) -> None:
    """Label a logarithmic y axis with plain numbers, no powers of ten."""
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _over_runs(runs: Sequence[History], name: str) -> tuple[list[float], list[float], list[float]]:
    """The updates that have a figure; its mean and its deviation over the runs that have it there."""
    found: dict[float, list[float]] = {}
    for row in itertools.chain(*runs):
        if name in row:
            found.setdefault(row["number"], []).append(row[name])
    summaries = [summarise(found[update]) for update in sorted(found)]
    return sorted(found), [each.mean for each in summaries], [each.deviation for each in summaries]
