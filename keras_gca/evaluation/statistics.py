"""How sure figures are: over several runs, and over the conversations or lines of one.

Several runs have a mean, a standard deviation, and a 95 % confidence interval of the mean (`summarise`, `over_runs`).

One run has a 95 % interval by a bootstrap over whole groups (`bootstrap` and what follows it). What belongs to one
group depends on each other, groups much less; so groups are drawn, with replacement.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.95
RESAMPLES = 10_000
COVERED = (2.5, 97.5)  # percentiles of a 95 % interval

# Over runs


class Summary(NamedTuple):
    """Of `runs` values: mean and sample standard deviation, and Student's t interval of the mean.

    With one value the deviation is 0 and there is no interval: low and high are None.
    """

    mean: float
    deviation: float
    low: float | None
    high: float | None
    runs: int

    def __format__(self, form: str) -> str:
        """`mean ± deviation` in a format of floats; the mean alone of a single run."""
        if self.runs == 1:
            return format(self.mean, form)
        return f"{format(self.mean, form)} ± {format(self.deviation, form)}"


def summarise(values: Sequence[float]) -> Summary:
    """Raises ValueError where there is none."""
    if not values:
        raise ValueError("no values to summarise")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Summary(mean, 0.0, None, None, 1)
    deviation = float(np.std(values, ddof=1))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * deviation / len(values) ** 0.5
    return Summary(mean, deviation, mean - reach, mean + reach, len(values))


def over_runs(results: Sequence[Any]) -> Any:
    """The same tree of figures for every run, as one tree of Summary; what is no number is taken from the first."""
    first = results[0]
    if isinstance(first, dict):
        return {key: over_runs([result[key] for result in results]) for key in first}
    if isinstance(first, int | float) and not isinstance(first, bool):
        return summarise(results)
    return first


def as_json(tree: Any) -> Any:
    """A tree of Summary as dictionaries, for JSON."""
    if isinstance(tree, Summary):
        return tree._asdict()
    if isinstance(tree, dict):
        return {key: as_json(value) for key, value in tree.items()}
    return tree


# Over the groups of one run


def bootstrap(groups: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Drawings of as many groups, with replacement: (resamples, groups) int64, how often each was drawn."""
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), resamples)


def ratio_interval(drawn: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a ratio of sums over groups.

    drawn: as `bootstrap` gives them. numerator, denominator: (groups,). A drawing whose denominator is 0 has no ratio
    and is left out; NaN where that is so of all.
    """
    top, bottom = drawn @ numerator, drawn @ denominator
    return bootstrap_interval(top[bottom > 0] / bottom[bottom > 0])


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a figure, from its values in all drawings; NaN where there is none."""
    if not len(values):
        return math.nan, math.nan
    low, high = np.percentile(values, COVERED).tolist()
    return low, high
