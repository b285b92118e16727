"""Estimates the uncertainty of metrics over several runs, or over the conversations or lines of one run.

Over several runs, a metric has a mean, a standard deviation, and a 95 % confidence interval of the mean (`summarise`,
`over_runs`).

Within one run, the 95 % interval of a metric comes from a bootstrap over groups such as conversations (`bootstrap`,
`ratio_interval`, `bootstrap_interval`). The lines of a conversation depend on each other, but different conversations
are nearly independent, so complete conversations are drawn with replacement.

A bootstrap does not suit metrics such as distinct-n, which change when a text is drawn twice. For these metrics, the
interval comes from a jackknife, which leaves out one block of groups at a time (`jackknife`).
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t

CONFIDENCE = 0.95
RESAMPLES = 10_000
COVERED = (2.5, 97.5)  # the percentiles at the ends of a 95 % interval
BLOCKS = 20  # the number of blocks of a jackknife


class Estimate(NamedTuple):
    """The value of a metric and the two ends of its 95 % interval, which are None if there is no interval."""

    value: float
    low: float | None = None
    high: float | None = None


# Over runs


class Summary(NamedTuple):
    """Summary statistics of a metric over several runs.

    Attributes:
        mean: The mean.
        deviation: The sample standard deviation, or 0 for one run.
        low: The lower end of the Student's t confidence interval of the mean, or None for one run.
        high: The upper end of this interval, or None for one run.
        runs: The number of runs.
    """

    mean: float
    deviation: float
    low: float | None
    high: float | None
    runs: int

    def __format__(self, form: str) -> str:
        """Format as `mean ± deviation` using the given float format, or as the mean alone for a single run."""
        if self.runs == 1:
            return format(self.mean, form)
        return f"{format(self.mean, form)} ± {format(self.deviation, form)}"


def summarise(values: Sequence[float]) -> Summary:
    """Summarise the values of a metric over several runs.

    Raises:
        ValueError: There are no values.
    """
    if not values:
        raise ValueError("no values to summarise")
    mean = float(np.mean(values))
    if len(values) == 1:
        return Summary(mean, 0.0, None, None, 1)
    deviation = float(np.std(values, ddof=1))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * deviation / len(values) ** 0.5
    return Summary(mean, deviation, mean - reach, mean + reach, len(values))


def over_runs(results: Sequence[Any]) -> Any:
    """Summarise every metric over several runs.

    Args:
        results: The metrics of each run, as nested dictionaries with the same keys.

    Returns:
        Dictionaries with the same keys and a `Summary` in place of each number. Values that are not numbers are taken
        from the first run.
    """
    first = results[0]
    if isinstance(first, dict):
        return {key: over_runs([result[key] for result in results]) for key in first}
    if isinstance(first, int | float) and not isinstance(first, bool):
        return summarise(results)
    return first


def as_json(tree: Any) -> Any:
    """Convert all `Summary` objects in nested dictionaries to dictionaries that can be written as JSON."""
    if isinstance(tree, Summary):
        return tree._asdict()
    if isinstance(tree, dict):
        return {key: as_json(value) for key, value in tree.items()}
    return tree


# Over the groups of one run


def bootstrap(groups: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Draw bootstrap resamples, each with as many groups as the data, drawn with replacement.

    Args:
        groups: The number of groups.
        seed: The seed.
        resamples: The number of resamples.

    Returns:
        An int64 array of shape (resamples, groups): how often each resample contains each group.
    """
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), resamples)


def ratio_interval(drawn: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float]:
    """Compute the 95 % bootstrap interval of a ratio whose numerator and denominator are sums over groups.

    Args:
        drawn: The resamples, as `bootstrap` returns them.
        numerator: The value of the numerator in each group, shape (groups,).
        denominator: The value of the denominator in each group, shape (groups,). Resamples whose denominator is 0 are
            left out.

    Returns:
        The ends of the interval, which are NaN if all resamples are left out.
    """
    top, bottom = drawn @ numerator, drawn @ denominator
    return bootstrap_interval(top[bottom > 0] / bottom[bottom > 0])


def bootstrap_interval(values: np.ndarray) -> tuple[float, float]:
    """Compute the 95 % interval of a metric from its values in all resamples. Without resamples, both ends are NaN."""
    if not len(values):
        return math.nan, math.nan
    low, high = np.percentile(values, COVERED).tolist()
    return low, high


def jackknife(measure: Callable[[np.ndarray], float], groups: np.ndarray, logarithm: bool = False) -> Estimate:
    """Compute a metric and its 95 % jackknife interval, leaving out one block of complete groups at a time.

    With B blocks and the metric m_b without block b, the standard error is sqrt((B - 1) / B * sum of (m_b - mean)^2).
    The interval uses Student's t-distribution with B - 1 degrees of freedom.

    Args:
        measure: A function that computes the metric from the replies selected by a boolean mask of shape (n,).
        groups: The index of the group that each reply belongs to, such as its conversation, shape (n,).
        logarithm: Whether to compute the interval on the logarithm of the metric, which suits a perplexity.
    """
    value = measure(np.ones(len(groups), bool))
    numbers, index = np.unique(groups, return_inverse=True)
    blocks = min(BLOCKS, len(numbers))
    if blocks < 2:
        return Estimate(value)
    without = np.array([measure(index % blocks != block) for block in range(blocks)])
    centre, without = (math.log(value), np.log(without)) if logarithm else (value, without)
    error = math.sqrt((blocks - 1) / blocks * float(((without - without.mean()) ** 2).sum()))
    reach = float(t.ppf((1 + CONFIDENCE) / 2, blocks - 1)) * error
    ends = centre - reach, centre + reach
    if not all(map(math.isfinite, ends)):
        return Estimate(value)
    return Estimate(value, *(map(math.exp, ends) if logarithm else ends))
