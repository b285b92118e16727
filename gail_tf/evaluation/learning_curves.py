"""Plots that compare the logged metrics of several systems during imitation."""

import itertools
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gail_tf.imitation.curves import History
from gail_tf.imitation.phases import IMITATION
from keras_gca.evaluation.axes import plain_logarithm
from keras_gca.evaluation.statistics import summarise

# For each plot of `compare`: its title, a hint on how to read it, the log column with the policy's metric, and the log
# column with the experts' metric, or None.
COMPARED = (
    ("perplexity on the validation set", "lower is better", "val_perplexity", None),
    ("reward", "higher is better for the policy", "reward_generated", "reward_expert"),
    ("discriminator: share recognised", "1: all, 0.5: it guesses", "accuracy_generated", "accuracy_expert"),
    ("KL to the reference, nats per token", "low: close to the policy before imitation", "kl_per_token", None),
    ("tokens in a response", "closer to the experts is better", "response_length", "expert_length"),
    ("distinct-2 of the rollouts", "higher is more diverse", "distinct_2", None),
)


def compare(histories: Mapping[str, Sequence[History]]) -> Figure:
    """Plot the metrics of several systems after each update of imitation.

    Solid lines show means over the runs of a system, with bands of one standard deviation. Dashed lines show the same
    metric for the experts' responses.

    Args:
        histories: A mapping from the name of each system, as shown in the legend, to the logs of its runs. Systems
            without imitation are left out.
    """
    figure = Figure(figsize=(13, 7), layout="constrained")
    grid = figure.subplots(2, 3, sharex=True)
    imitating = {
        system: [[row for row in history if row["phase"] == IMITATION] for history in runs]
        for system, runs in histories.items()
        if any(row["phase"] == IMITATION for row in itertools.chain(*runs))
    }
    for axes, (title, better, generated, expert) in zip(grid.flat, COMPARED, strict=True):
        for number, (system, runs) in enumerate(imitating.items()):
            colour = f"C{number}"
            updates, means, deviations = _over_runs(runs, generated)
            axes.plot(updates, means, color=colour, label=system)
            ends = [[m + sign * d for m, d in zip(means, deviations, strict=True)] for sign in (-1, 1)]
            axes.fill_between(updates, *ends, color=colour, alpha=0.18, linewidth=0)
            if expert:
                axes.plot(*_over_runs(runs, expert)[:2], color=colour, linestyle="--", linewidth=1)
        axes.set_title(title, fontsize=10)
        axes.set_ylabel(better, fontsize=8)
        axes.grid(alpha=0.3)
    grid[0, 0].set_yscale("log")
    plain_logarithm(grid[0, 0])
    grid[0, 2].set_ylim(-0.03, 1.03)  # the values are shares, but the bands can extend beyond 0 and 1
    for axes in grid[-1]:
        axes.set_xlabel("update of imitation")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(
        "solid lines: means over the runs of a system; bands: one standard deviation over the runs; dashed lines: the "
        "same metric for the experts' responses",
        fontsize=9,
    )
    if imitating:
        figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=9)
    return figure


def _over_runs(runs: Sequence[History], name: str) -> tuple[list[float], list[float], list[float]]:
    """Return the updates at which a metric was logged, with its means and standard deviations over the runs."""
    values: dict[float, list[float]] = {}
    for row in itertools.chain(*runs):
        if name in row:
            values.setdefault(row["number"], []).append(row[name])
    summaries = [summarise(values[update]) for update in sorted(values)]
    return sorted(values), [summary.mean for summary in summaries], [summary.deviation for summary in summaries]
