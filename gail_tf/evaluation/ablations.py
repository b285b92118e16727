"""A table and a plot that compare the trained variants of an experiment."""

import math
import time
from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from gail_tf.evaluation import metrics, systems
from gail_tf.evaluation.independent import MAUVE, RELEVANCE
from gail_tf.evaluation.measure import evaluate
from gail_tf.evaluation.report import chooser
from gail_tf.evaluation.results_file import Options
from gail_tf.evaluation.systems import HUMAN
from gail_tf.imitation import curves
from gail_tf.training.run_folder import GAILRun
from glove.cost import TimeLimit
from keras_gca.engine import reporting
from keras_gca.evaluation.paired_tests import PairedTest, tests_by_seeds
from keras_gca.evaluation.statistics import summarise
from keras_gca.evaluation.tables import Table

PER_WORD, NATS = "perplexity per word", "nats a word"
METRICS = (
    "perplexity", PER_WORD, "BLEU", MAUVE, RELEVANCE, "distinct-1", "distinct-2", "words", "repeated"
)  # fmt: skip
TESTED = (PER_WORD, "BLEU", MAUVE, RELEVANCE, "distinct-2", "words", "repeated")
# The metrics of the plot, with their axis titles, which say in which direction a metric is better.
PICTURED = {
    "perplexity": "perplexity per token\n(lower is better)",
    "BLEU": "BLEU, overlap with the human response\n(higher is better)",
    "distinct-2": "distinct-2, share of distinct word pairs\n(higher is more diverse)",
    "words": "words per response\n(closer to the human value is better)",
}

NOTICED = 5.0  # After a measurement that took this many seconds, a line says that it is finished.

# For each variant, a list with the metrics of each run, by their names in gail_tf.evaluation.metrics. The last key is
# "human"; it has the metrics of the human responses.
Measurements = dict[str, list[dict[str, float]]]


def measure(runs: Mapping[str, Sequence[GAILRun]], how: Options, limit: TimeLimit | None = None) -> Measurements | None:
    """Measure each run's last policy and the human responses, without separating the turns.

    For a run of `--algorithm selection`, each method in SELECTIONS is measured under its own name. Without an
    independent encoder, MAUVE is left out: each run would compute it with features of the network that it started from.

    Args:
        runs: The runs of each variant. All variants must have the same seeds in the same order.
        how: How responses are sampled and measured.
        limit: The time limit after which no further run is measured, or None.

    Returns:
        The metrics of each variant, or None if time runs out before all runs are measured.

    Raises:
        UserError: A run is not finished.
    """
    measurements: Measurements = {}
    for variant, of_variant in runs.items():
        for run in of_variant:
            if limit is not None and limit.is_over:
                return None
            began = time.monotonic()
            evaluation = evaluate(run, how, chooser(None))
            if time.monotonic() - began > NOTICED:
                reporting.say(f"measured {run.path}")
            several = len(evaluation.policies) > 1
            measured = {name if several else variant: policy.figures for name, policy in evaluation.policies.items()}
            if variant == next(iter(runs)):  # the runs of a seed have the same test conversations
                measured[HUMAN] = evaluation.human
            for system, of_parts in measured.items():
                found = of_parts[metrics.ALL].items()
                values = {title: one.value for title, one in found if title != MAUVE or how.encoder is not None}
                measurements.setdefault(system, []).append(values)
    measurements[HUMAN] = measurements.pop(HUMAN)  # tables show the human responses last
    return measurements


def histories(runs: Mapping[str, Sequence[GAILRun]]) -> dict[str, list[curves.History]]:
    """Read the logs of each variant's runs, for `learning_curves.compare`."""
    return {systems.name(variant): [run.read_log() for run in of_variant] for variant, of_variant in runs.items()}


def table(measurements: Measurements, question: str) -> Table:
    """Make a table of each variant's means and standard deviations, with the experiment's question as its caption."""
    titles = [title for title in METRICS if title in next(iter(measurements.values()))[0]]
    lines = []
    for system, runs in measurements.items():
        cells = [f"{summarise([run[title] for run in runs]):.3g}" if title in runs[0] else "" for title in titles]
        lines.append([systems.name(system), *cells])
    return Table(None, question, ["variant", *titles], lines)


def paired_tests(measurements: Measurements) -> list[PairedTest]:
    """Test whether the variants of each pair differ, pairing runs by seed. With a single seed, return an empty list.

    Perplexities are compared by their logarithms, in nats per word.
    """
    values: dict[str, dict[str, list[float]]] = {}
    for variant, runs in measurements.items():
        if variant != HUMAN:
            found = {title: [run[title] for run in runs] for title in TESTED if title in runs[0]}
            nats = {NATS: [math.log(value) for value in found.pop(PER_WORD)]} if PER_WORD in found else {}
            values[systems.name(variant)] = nats | found
    return tests_by_seeds(values)


def paint(measurements: Measurements) -> Figure:
    """Plot the mean and standard deviation of selected metrics for each variant.

    A dashed line marks the value for the human responses. Grey dots show single runs, and grey lines connect the runs
    with the same seed, which share their test conversations. The lines show whether the variants differ in the same way
    for every seed, even if the values vary between seeds.
    """
    variants = [system for system in measurements if system != HUMAN]
    figure = Figure(figsize=(13, 2.2 + 0.4 * len(variants)), layout="constrained")
    grid = figure.subplots(1, len(PICTURED), sharey=True)
    for axes, title in zip(grid, PICTURED, strict=True):
        values = [[run.get(title, math.nan) for run in measurements[variant]] for variant in variants]
        for of_seed in zip(*values, strict=True):
            axes.plot(of_seed, range(len(variants)), "o-", color="0.75", markersize=4, linewidth=0.8, zorder=1)
        for place, of_variant in enumerate(values):
            summary = summarise(of_variant)
            axes.errorbar(summary.mean, place, xerr=summary.deviation, fmt="o", color=f"C{place}", capsize=4)
        if title in measurements[HUMAN][0]:
            human = summarise([run[title] for run in measurements[HUMAN]]).mean
            axes.axvline(human, color="0.3", linestyle="--", linewidth=1, label="human responses")
            axes.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
        axes.set_xlabel(PICTURED[title], fontsize=9)
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=(1, 2, 2.5, 5, 10)))
        axes.grid(alpha=0.3)
    grid[0].set_yticks(range(len(variants)), map(systems.name, variants))
    grid[0].set_ylim(len(variants) - 0.5, -0.5)  # so that the first variant is at the top
    figure.suptitle(
        "coloured: mean and standard deviation over runs; grey: single runs, with lines connecting runs with the same "
        "seed",
        fontsize=9,
    )
    return figure
