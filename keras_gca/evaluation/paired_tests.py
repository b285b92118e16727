"""Paired comparisons of two systems: exact sign-flip tests, intervals, Holm's correction, and detectable differences.

Both systems are measured on the same units. To compare two models trained with the same seed, the units are
conversations; to compare two methods, the units are seeds. A test over conversations says nothing about other seeds, so
a claim about two methods needs a test over seeds. With n seeds, the smallest possible p-value is 2 / 2^n: 0.25 for 3
seeds, and 0.03 for 6.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from keras_gca.evaluation import statistics
from keras_gca.evaluation.tables import Table

FLIPS = 9999  # the number of random sign flips; with at most 13 units, all possible flips are made instead
RESAMPLES = 2000  # the number of resamples of the bootstrap
LEVEL, POWER = 0.05, 0.8  # the significance level and the power that `detectable` assumes
# For few units, the power of the sign-flip test is lower than that of a t-test. {units: the difference, in standard
# errors, that the sign-flip test detects with the probability POWER}, by simulation; with 6 units, it is the solution
# of Phi(x / sqrt 6)^6 + Phi(-x / sqrt 6)^6 = POWER.
FACTORS = {6: 4.39, 7: 3.53, 8: 3.37, 9: 3.26, 10: 3.18}


class Comparison(NamedTuple):
    """The result of a paired test.

    Attributes:
        difference: The first system's mean minus the second system's.
        p_value: The two-sided p-value of the sign-flip test.
        units: The number of conversations or seeds.
        low: The lower end of the 95 % interval of the difference, or None if there is only one unit.
        high: The upper end of this interval, or None if there is only one unit.
        detectable: The smallest true difference that a single test at the 5 % significance level would detect with a
            probability of 80 %, or None if there are too few units to detect any difference.
    """

    difference: float
    p_value: float
    units: int
    low: float | None = None
    high: float | None = None
    detectable: float | None = None


class PairedTest(NamedTuple):
    """One of the tests in a table.

    Attributes:
        systems: The names of the two systems.
        seed: The seed of both runs if the units are conversations, or None if the units are seeds.
        figure: The name of the metric.
        comparison: The result.
        corrected: The p-value after Holm's correction over all tests in the table.
    """

    systems: tuple[str, str]
    seed: int | None
    figure: str
    comparison: Comparison
    corrected: float


def flip_test(differences: np.ndarray, seed: int = 0) -> float:
    """Compute the two-sided p-value of a sign-flip test on the sum of differences.

    If two systems do not differ, the sign of each difference is random. The p-value is the proportion of sign
    combinations for which the sum is at least as far from 0 as the observed sum. If there are more than FLIPS
    combinations, the test uses FLIPS random combinations and the observed one.

    Args:
        differences: The difference for each unit, shape (n,).
        seed: The seed for the random sign flips.
    """
    if len(differences) < 2:
        return 1.0  # both signs of a single difference are equally far from 0
    test = stats.permutation_test(
        (np.asarray(differences, np.float64),),
        lambda flipped, axis: flipped.sum(axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        batch=500,
        rng=np.random.default_rng(seed),
    )
    return float(test.pvalue)


def compare_conversations(differences: np.ndarray, weights: np.ndarray, seed: int = 0) -> Comparison:
    """Compare two trained models on the same conversations.

    The interval comes from a bootstrap over conversations.

    Args:
        differences: The difference between the models in each conversation, summed over its responses or words,
            shape (n,).
        weights: The number of responses or words in each conversation, shape (n,).
        seed: The seed for the sign flips and the bootstrap.
    """
    total, count = float(np.sum(weights)), len(differences)
    difference = float(np.sum(differences)) / total
    p_value = flip_test(differences, seed)
    if count < 2:
        return Comparison(difference, p_value, count)
    drawn = statistics.bootstrap(count, seed, RESAMPLES)
    tops, bottoms = drawn @ np.asarray(differences, np.float64), drawn @ np.asarray(weights, np.float64)
    values = tops[bottoms > 0] / bottoms[bottoms > 0]
    low, high = statistics.bootstrap_interval(values)
    return Comparison(difference, p_value, count, low, high, detectable(float(values.std(ddof=1)), count))


def compare_seeds(first: Sequence[float], second: Sequence[float], seed: int = 0) -> Comparison:
    """Compare two methods on the same seeds.

    The interval is computed with Student's t-distribution.

    Args:
        first: The first method's value for each seed.
        second: The second method's value for each of the same seeds.
        seed: The seed for the random sign flips, which are used if there are more than 13 seeds.

    Raises:
        ValueError: The methods have different numbers of values, or there are no values.
    """
    if len(first) != len(second):
        raise ValueError(
            f"the methods have {len(first)} and {len(second)} values; give one value per seed for each method"
        )
    differences = [a - b for a, b in zip(first, second, strict=True)]
    mean, deviation, low, high, runs = statistics.summarise(differences)
    return Comparison(
        mean, flip_test(np.array(differences), seed), runs, low, high, detectable(deviation / math.sqrt(runs), runs)
    )


def detectable(error: float, units: int) -> float | None:
    """Compute the smallest detectable difference: (t_0.975 + t_0.8) * standard error, or FACTORS * standard error.

    This is the difference for a single test; after Holm's correction, only larger differences can be detected.

    Args:
        error: The standard error of the difference.
        units: The number of units, n. The t-distribution has n - 1 degrees of freedom.

    Returns:
        The difference, or None if the smallest possible p-value, 2 / 2^n, exceeds the 5 % significance level.
    """
    if 2.0 ** (1 - units) > LEVEL:
        return None
    of_t_test = float(stats.t.ppf(1 - LEVEL / 2, units - 1) + stats.t.ppf(POWER, units - 1))
    return FACTORS.get(units, of_t_test) * error


def fewest_seeds(tests: int) -> int:
    """Compute the fewest seeds with which one of several tests over seeds can be significant after Holm's correction.

    The smallest possible p-value with n seeds, 2 / 2^n, times the number of tests must not exceed LEVEL.

    Args:
        tests: The number of tests in the table.
    """
    return math.ceil(1 + math.log2(tests / LEVEL))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct the p-values of a table for multiple testing with Holm's method (1979).

    The k-th smallest of m p-values is multiplied by m - k + 1. A corrected p-value never exceeds 1, and is never below
    the corrected value of a smaller p-value. Rejecting every hypothesis whose corrected p-value is at most 5 % keeps
    the probability of any false rejection at or below 5 %.

    Args:
        p_values: The uncorrected p-values.

    Returns:
        The corrected p-values, in the same order.
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for k, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - k) * p_values[i]))
        corrected[i] = largest
    return corrected


def with_correction(rows: Sequence[tuple[tuple[str, str], int | None, str, Comparison]]) -> list[PairedTest]:
    """Apply `holm` to all tests in a table. Each row holds the attributes of `PairedTest` except `corrected`."""
    corrected = holm([comparison.p_value for *_, comparison in rows])
    return [PairedTest(*row, p_value) for row, p_value in zip(rows, corrected, strict=True)]


def tests_by_seeds(*groups: Mapping[str, Mapping[str, Sequence[float]]]) -> list[PairedTest]:
    """Compare each pair of systems on every metric that both have, with seeds as units, and apply `holm` to all tests.

    Args:
        *groups: {system: {metric: its value for each seed}}. Only systems of the same group are compared. Systems with
            a single seed are not tested.
    """
    rows: list[tuple[tuple[str, str], int | None, str, Comparison]] = []
    for values in groups:
        for pair in itertools.combinations(values, 2):
            first, second = (values[system] for system in pair)
            for metric in first:
                if metric in second and len(first[metric]) > 1:
                    rows.append((pair, None, metric, compare_seeds(first[metric], second[metric])))
    return with_correction(rows)


def table_of_tests(results: Sequence[PairedTest], name: Callable[[str], str] = str, what: str = "") -> Table:
    """Make a table of paired tests.

    Args:
        results: The tests.
        name: A function that returns the display name of a system.
        what: Text that is added to the caption to name the data on which the systems are compared.
    """
    caption = (
        f"Paired sign-flip tests{what}. Tests of one seed are over conversations; tests of all seeds are over seeds. "
        "The columns show the difference with its 95 % interval, the two-sided p-value (p), the p-value after Holm's "
        "correction over this table, and the smallest true difference that a single test would detect with a "
        "probability of 80 % (detectable)."
    )
    header = "systems", "metric", "seed", "difference", "p", "p (Holm)", "detectable", "units"
    return Table(None, caption, header, [_row_of_test(test, name) for test in results], 2)


def _row_of_test(test: PairedTest, name: Callable[[str], str]) -> tuple[str, ...]:
    compared = test.comparison
    interval = ""
    if compared.low is not None and compared.high is not None:
        interval = f" [{compared.low:+.3g}, {compared.high:+.3g}]"
    return (
        f"{name(test.systems[0])} minus {name(test.systems[1])}",
        test.figure,
        "all" if test.seed is None else str(test.seed),
        f"{compared.difference:+.3g}{interval}",
        f"{compared.p_value:.4f}",
        f"{test.corrected:.4f}",
        "none" if compared.detectable is None else f"{compared.detectable:.3g}",
        f"{compared.units:,} {'seeds' if test.seed is None else 'conversations'}",
    )


def as_json(results: Sequence[PairedTest]) -> list[dict[str, Any]]:
    """Convert tests to a form that can be written as JSON."""
    return [
        {"systems": list(test.systems), "seed": test.seed, "figure": test.figure}
        | {**test.comparison._asdict(), "corrected": test.corrected}
        for test in results
    ]
