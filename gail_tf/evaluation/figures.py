"""Figure 5 (perplexity over the turns of a conversation) and Figure 6 (BLEU over the turns)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from gail_tf.evaluation import metrics
from gail_tf.evaluation.systems import Measured, Systems, interval_of, kind_of_bars, name, parts_of, summary
from gail_tf.evaluation.tables import PAPER, in_paper
from keras_gca.evaluation.axes import plain_logarithm

# Figures


def figure_5(by_system: Systems, beside_paper: bool = False) -> Figure:
    """Plot the perplexity over the turns of a conversation, per token (as in the paper) and per word."""
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    axes = figure.subplots(1, 2)
    for panel, title in zip(axes, ("perplexity", "perplexity per word"), strict=True):
        _lines(panel, by_system, title)
        panel.set_ylabel(f"{title} (lower is better)")
        panel.set_yscale("log")
    if beside_paper:
        for line, system in zip(list(axes[0].containers), by_system, strict=True):
            if in_paper(system) in PAPER["perplexity"]:
                values, deviations = zip(*PAPER["perplexity"][in_paper(system)], strict=True)
                style = {"color": line[0].get_color(), "linestyle": ":", "marker": "x", "alpha": 0.7, "capsize": 3}
                label = f"{name(in_paper(system))}, in the paper"
                axes[0].errorbar(range(len(values)), values, deviations, label=label, **style)
    return _finished(figure, by_system)


def figure_6(by_system: Systems) -> Figure:
    """Plot sacreBLEU's corpus BLEU over the turns of a conversation."""
    figure = Figure(figsize=(6, 4.6), layout="constrained")
    axes = figure.subplots()
    _lines(axes, by_system, "BLEU")
    axes.set_ylabel("BLEU (higher is better)")
    axes.set_ylim(bottom=0)
    return _finished(figure, by_system)


def _lines(axes: Any, by_system: Systems, figure: str) -> None:
    turns = [part for part in parts_of(by_system) if part in metrics.TURNS]
    for number, (system, measured) in enumerate(by_system.items()):
        points = [(metrics.TURNS.index(part), *_with_error(measured, part, figure)) for part in turns]
        places, values, below, above = np.array(points, float).reshape(-1, 4).T
        places = places + 0.04 * (
            number - (len(by_system) - 1) / 2
        )  # draw the systems beside each other, so that their error bars do not overlap
        axes.errorbar(places, values, [below, above], marker="o", capsize=4, label=name(system))
    axes.set_xticks(range(len(metrics.TURNS)), metrics.TURNS)
    axes.set_xlabel("turn of the conversation")
    axes.grid(alpha=0.3)


def _with_error(measured: Sequence[Measured], part: str, figure: str) -> tuple[float, float, float]:
    value = summary(measured, part, figure)
    if value is None:
        return math.nan, math.nan, math.nan
    if value.runs > 1:
        return value.mean, value.deviation, value.deviation
    interval = interval_of(measured, part, figure, value)
    if interval is None:
        return value.mean, 0.0, 0.0
    low, high = interval
    return value.mean, max(value.mean - low, 0), max(high - value.mean, 0)


def _finished(figure: Figure, by_system: Systems) -> Figure:
    for axes in figure.axes:
        if axes.get_yscale() == "log":
            plain_logarithm(axes)
    # The legend is below the plot, because the paper's lines leave no room inside it.
    shown, columns = figure.axes[0].get_legend_handles_labels(), 5 if len(figure.axes) > 1 else 3
    figure.legend(*shown, loc="outside lower center", ncols=columns, fontsize=8)
    bars = "95 % intervals" if "intervals" in kind_of_bars(by_system) else "standard deviation over seeds"
    figure.suptitle(f"error bars: {bars}", fontsize=9)
    return figure
