"""Decides what a command prints: little with -q, details with -v, JSON with --json. Importing this module is fast."""

import argparse
import contextlib
import json
import sys
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from glove.cost import Estimate
from keras_gca.storage import json_files

QUIET, USUAL, VERBOSE = -1, 0, 1

# This is a context variable, so that the level of one command does not affect other commands in the same process.
_level: ContextVar[int] = ContextVar("level", default=USUAL)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options -q and -v, which `set_level` reads."""
    group = parser.add_mutually_exclusive_group()
    # The name is not "level", because a setting of the second paper has this name.
    kept: dict[str, Any] = {"dest": "verbosity", "action": "store_const", "default": USUAL}
    group.add_argument(
        "-q", "--quiet", const=QUIET, **kept, help="print only warnings, errors and the final lines; no progress bars"
    )
    group.add_argument(
        "-v", "--verbose", const=VERBOSE, **kept, help="also print versions, devices, network sizes and times"
    )


def set_level(options: argparse.Namespace) -> None:
    """Set the level from a command's options. A command without the options -q and -v gets the normal level."""
    _level.set(getattr(options, "verbosity", USUAL))


def is_quiet() -> bool:
    """Return whether -q was given."""
    return _level.get() == QUIET


def is_verbose() -> bool:
    """Return whether -v was given."""
    return _level.get() == VERBOSE


def say_cost(cost: Estimate) -> None:
    """Print the estimated cost of a command that takes a long time, unless -q was given.

    Args:
        cost: The estimate.
    """
    if cost.is_long:
        say(cost)


def say(*lines: Any) -> None:
    """Print lines and flush them, unless -q was given."""
    if not is_quiet():
        print(*lines, sep="\n", flush=True)


def detail(*lines: Any) -> None:
    """Print lines and flush them if -v was given."""
    if is_verbose():
        print(*lines, sep="\n", flush=True)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option --json, for `print_results`."""
    parser.add_argument(
        "--json",
        action="store_true",
        help="print the results as one JSON document (docs/json.md); all other lines go to standard error",
    )


def add_experiment(parser: argparse.ArgumentParser, dest: str = "experiment") -> None:
    """Add the option --experiment, for `provenance.write_if_asked`.

    Args:
        parser: The parser of a command.
        dest: The name of the parsed option.
    """
    parser.add_argument(
        "--experiment",
        dest=dest,
        type=Path,
        metavar="FILE",
        help="also write metrics and tables to this file as JSON, with the command, the seeds and the versions",
    )


def print_results(compute: Callable[[], dict[str, Any] | None], as_json: bool) -> int:
    """Run a command that prints its results as text or, on request, as one JSON document.

    Args:
        compute: A function that runs the command. It prints the results as text, and returns them as JSON-serialisable
            values; numbers may be NaN. It returns None if the time limit is reached before there are results.
        as_json: Whether only the JSON document is written to standard output. If so, the text that `compute` prints
            goes to standard error.

    Returns:
        The exit status: 0, or 130 if the time limit is reached, in which case no JSON document is printed.
    """
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        results = compute()
    if results is None:
        return 130
    if as_json:
        print(json.dumps(json_files.plain(results), indent=2, allow_nan=False))
    return 0
