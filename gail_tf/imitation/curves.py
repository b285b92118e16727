"""Plots of a run's logged metrics over its epochs and updates."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from keras_gca.storage.atomic import replacing

History = Sequence[dict[str, Any]]  # the log of a run, with one row for each epoch and update; see docs/metrics.md

# For each plot: its title, a hint for reading its values, and the metrics that it shows. docs/metrics.md explains the
# metrics.
PANELS = (
    ("held-out perplexity", "lower is better", ("val_perplexity",)),
    ("reward", "higher is better for the policy", ("reward_generated", "reward_expert", "val_reward_generated")),
    ("discriminator accuracy", "1: perfect, 0.5: guessing", ("accuracy_generated", "accuracy_expert", "val_auc")),
    ("KL to the reference, nats per token", "low: close to the policy before imitation", ("kl_per_token",)),
    ("KL of an update, nats per response", "high: large steps", ("kl",)),
    ("clip fraction", "0 to 0.3 is usual", ("clip_fraction",)),
    ("tokens in a response", "closer to the experts is better", ("response_length", "expert_length")),
    (
        "diversity of the rollouts",
        "word pairs: higher is better; others: lower",
        ("distinct_2", "repeated", "most_common_share"),
    ),
    ("entropy, nats", "0: certain; should not drop quickly", ("entropy", "discriminator_entropy")),
)
LABELS = {
    "val_perplexity": "experts' responses",
    "reward_generated": "the policy's responses",
    "reward_expert": "the experts' responses",
    "val_reward_generated": "the policy's, held-out prompts",
    "accuracy_generated": "the policy's responses",
    "accuracy_expert": "the experts' responses",
    "val_auc": "held-out AUC",
    "kl_per_token": "policy against reference",
    "kl": "policy before and after the update",
    "clip_fraction": "share of clipped responses",
    "response_length": "the policy's responses",
    "expert_length": "the experts' responses",
    "distinct_2": "distinct word pairs",
    "repeated": "repeated responses",
    "most_common_share": "most frequent response",
    "entropy": "the policy's next token",
    "discriminator_entropy": "the discriminator's verdict",
}


def draw(history: History, path: Path) -> None:
    """Plot a run's log, and write the plots to an image file.

    Args:
        history: The rows of the log, in order.
        path: The file to write. Its suffix determines the image format.
    """
    with replacing(path, suffix=path.suffix) as temporary:
        paint(history).savefig(temporary, dpi=110)


def paint(history: History) -> Figure:
    """Plot the metrics of all stages in order, with shading that separates the phases.

    Args:
        history: The rows of the log, in order.

    Returns:
        A Matplotlib figure, which notebooks can display.
    """
    phases = [row["phase"] for row in history]
    borders = [i for i in range(1, len(phases)) if phases[i] != phases[i - 1]]
    figure = Figure(figsize=(14, 9.6), layout="constrained")
    grid = figure.subplots(3, 3, sharex=True)
    for axes, (title, better, names) in zip(grid.flat, PANELS, strict=True):
        for name in names:
            points = [(i + 1, row[name]) for i, row in enumerate(history) if name in row]
            if points:
                axes.plot(*zip(*points, strict=True), marker=".", markersize=4, label=LABELS[name])
        for number, (start, end) in enumerate(zip([0, *borders], [*borders, len(phases)], strict=True)):
            axes.axvspan(start + 0.5, end + 0.5, color="0.5", alpha=0.12 * (number % 2), linewidth=0)
            if axes in grid[0] and end - start > len(phases) / 12:
                middle, name = (start + end + 1) / 2, phases[start].replace("_", " ")
                axes.text(middle, 1.01, name, ha="center", fontsize=7, transform=axes.get_xaxis_transform())
        axes.set_title(title, fontsize=10, pad=14 if axes in grid[0] else 6)
        axes.set_ylabel(better, fontsize=8)
        axes.grid(alpha=0.3)
        if axes.lines:
            low, high = axes.get_ylim()
            axes.set_ylim(low, high + (0.06 + 0.1 * len(axes.lines)) * (high - low))  # room for the legend
            axes.legend(fontsize=8, loc="upper right")
    for axes in grid[-1]:
        axes.set_xlabel("epoch or update since the start of training")
        axes.set_xlim(0.5, max(len(phases), 1) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    bands = zip([0, *borders], [*borders, len(phases)], strict=True)
    listed = ", ".join(f"{phases[start].replace('_', ' ')} ({start + 1} to {end})" for start, end in bands if end)
    figure.supxlabel(f"Background bands mark the phases of training: {listed}.", fontsize=9)
    return figure
