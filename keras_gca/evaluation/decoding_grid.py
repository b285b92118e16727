"""The grid of temperatures and top-p values at which systems are compared. Importing this module is fast.

At a single temperature, a system may look better only because its replies are less diverse there. Therefore every
system is sampled at every point of the same grid, and the best points are compared.
"""

import argparse
import itertools
from collections.abc import Sequence
from typing import NamedTuple

from keras_gca.engine import command_line, reporting
from keras_gca.settings import check_sampling

TEMPERATURES = (0.4, 0.6, 0.8, 1.0, 1.2)
TOP_PS = (0.8, 0.9, 1.0)
# The message that is printed if the time limit is reached before all points are measured
CONTINUES = "the time limit has been reached; next: the same command continues with the remaining points"


class Setting(NamedTuple):
    """One point of the grid: the settings with which replies are sampled.

    Attributes:
        temperature: The temperature.
        top_p: The total probability of the nucleus, or 1 for all tokens.
    """

    temperature: float
    top_p: float

    def __str__(self) -> str:
        return f"T {self.temperature:g}, top-p {self.top_p:g}"


def grid(temperatures: Sequence[float] = TEMPERATURES, top_ps: Sequence[float] = TOP_PS) -> list[Setting]:
    """Combine temperatures and top-p values into a grid, with both in ascending order.

    Raises:
        UserError: A value is out of range.
    """
    for temperature in temperatures:
        check_sampling(temperature, name="--temperatures")
    for top_p in top_ps:
        check_sampling(top_p=top_p)
    return [Setting(*point) for point in itertools.product(sorted(set(temperatures)), sorted(set(top_ps)))]


def at_edge(setting: Setting, settings: Sequence[Setting]) -> bool:
    """Return whether a temperature or top-p value is at an edge of the grid, so that a better point may lie outside.

    A top-p value of 1 is not an edge, because it allows all tokens.
    """
    temperatures, top_ps = {point.temperature for point in settings}, {point.top_p for point in settings}
    narrow = min(top_ps) == setting.top_p != 1
    wide = max(top_ps) == setting.top_p != 1
    return setting.temperature in (min(temperatures), max(temperatures)) or narrow or wide


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options shared by the commands of both papers."""
    for name, default, meaning in (
        ("--temperatures", TEMPERATURES, "the temperatures of the grid"),
        ("--top-ps", TOP_PS, "the top-p values of the grid; 1 allows all tokens"),
    ):
        parser.add_argument(
            name,
            type=float,
            nargs="+",
            default=default,
            metavar="X",
            help=f"{meaning} [{' '.join(f'{value:g}' for value in default)}]",
        )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="the seed for sampling [0]")
    command_line.add_minutes(
        parser,
        "measure no more points after this many minutes; repeat the command to continue with the replies in RUN/grid",
    )
    reporting.add_experiment(parser)
