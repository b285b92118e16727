"""Bootstrap intervals of figures over whole groups: dialogue lines, conversations.

What belongs to one group depends on each other, groups much less; so groups are drawn, with replacement.
"""

import math

import numpy as np

RESAMPLES = 10_000
COVERED = (2.5, 97.5)  # percentiles of a 95 % interval


def draw(groups: int, seed: int, resamples: int = RESAMPLES) -> np.ndarray:
    """Drawings of as many groups, with replacement: (resamples, groups) int64, how often each was drawn."""
    return np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), resamples)


def ratio_interval(drawn: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a ratio of sums over groups.

    drawn: as `draw` gives them. numerator, denominator: (groups,). A drawing whose denominator is 0 has no ratio and is
    left out; NaN where that is so of all.
    """
    top, bottom = drawn @ numerator, drawn @ denominator
    return interval(top[bottom > 0] / bottom[bottom > 0])


def interval(values: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of a figure, from its values in all drawings; NaN where there is none."""
    if not len(values):
        return math.nan, math.nan
    low, high = np.percentile(values, COVERED).tolist()
    return low, high
