"""How much a command prints: little with -q, details too with -v; imports nothing heavy."""

import argparse
from contextvars import ContextVar
from typing import Any

QUIET, USUAL, VERBOSE = -1, 0, 1

# A context variable: what one command is asked for ends with it, where several run in one process.
_level: ContextVar[int] = ContextVar("level", default=USUAL)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options -q and -v of a command; `set_level` takes what they give."""
    group = parser.add_mutually_exclusive_group()
    kept = {"dest": "verbosity", "action": "store_const", "default": USUAL}
    group.add_argument(
        "-q", "--quiet", const=QUIET, **kept, help="print warnings, errors and the closing lines only; no progress bars"
    )
    group.add_argument(
        "-v", "--verbose", const=VERBOSE, **kept, help="print versions, devices, sizes of networks and times as well"
    )


def set_level(options: argparse.Namespace) -> None:
    """Print as much as a command's options ask for; as usual where it does not have those of `add_options`."""
    _level.set(getattr(options, "verbosity", USUAL))


def is_quiet() -> bool:
    """Whether -q is given."""
    return _level.get() == QUIET


def is_verbose() -> bool:
    """Whether -v is given."""
    return _level.get() == VERBOSE


def say(*lines: Any) -> None:
    """Print lines at once, unless -q is given."""
    if not is_quiet():
        print(*lines, sep="\n", flush=True)


def detail(*lines: Any) -> None:
    """Print lines at once where -v is given."""
    if is_verbose():
        print(*lines, sep="\n", flush=True)
