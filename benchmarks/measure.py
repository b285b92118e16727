"""Fair time measurements: all contestants take turns in one process, and medians are reported.

This module also contains code shared by the benchmark commands: selection of parts by name, Markdown tables, and
results as JSON.
"""

import argparse
import contextlib
import gc
import importlib.util
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf

PRODUCT = (1536, 3500, 7000)  # rows, and the sizes of the paper's largest layer


def interleave(contestants: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Measure the speeds of contestants that take turns.

    The first round is a warm-up and is not counted. Objects that exist after the warm-up are excluded from garbage
    collection; otherwise, garbage collection during one contestant's turn would also scan the other contestants'
    objects.

    Args:
        contestants: One function per contestant. Each call does some work and returns the number of units done, for
            example tokens.
        rounds: The number of counted rounds. Every contestant has one turn per round.

    Returns:
        A dictionary that maps each contestant's name to a list of its units of work per second in each round.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for work in contestants.values():
        work()
    gc.collect()
    gc.freeze()
    for _ in range(rounds):
        for name, work in contestants.items():
            began = time.perf_counter()
            units = work()
            rates[name].append(units / (time.perf_counter() - began))
    gc.unfreeze()
    return rates


def compete(results: dict[str, Any], title: str, contestants: dict[str, Callable[[], int]], rounds: int) -> None:
    """Measure contestants with `interleave`, and store the median speed of each in `results[title]`."""
    progress(title)
    results[title] = {name: statistics.median(rates) for name, rates in interleave(contestants, rounds).items()}


class Stopwatch:
    """A stopwatch that adds up the seconds of named phases. An outer phase does not include its inner phases."""

    def __init__(self):
        self._seconds: dict[str, float] = defaultdict(float)
        self._within = 0.0  # the seconds of the phases that ran inside the current phase

    @contextlib.contextmanager
    def during(self, phase: str) -> Iterator[None]:
        began, before, self._within = time.perf_counter(), self._within, 0.0
        yield
        whole = time.perf_counter() - began
        self._seconds[phase] += whole - self._within
        self._within = before + whole

    def timed(self, phase: str, function: Callable) -> Callable:
        """Return a function that calls `function` and adds the time of the call to a phase."""

        def call(*arguments, **options):
            with self.during(phase):
                return function(*arguments, **options)

        return call

    def lap(self) -> dict[str, float]:
        """Return the seconds of each phase since this method was last called."""
        seconds, self._seconds = dict(self._seconds), defaultdict(float)
        return seconds


def matrix_product_rate(precision: str = "float32", seconds: float = 2.0) -> float:
    """Return this machine's median speed for a matrix product with the dimensions PRODUCT, in GFLOP/s."""
    rows, inner, columns = PRODUCT
    a, b = (tf.cast(tf.random.normal(shape), precision) for shape in ((rows, inner), (inner, columns)))
    product = tf.function(tf.matmul)
    product(a, b)
    rates, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds or len(rates) < 3:
        start = time.perf_counter()
        product(a, b)[0, 0].numpy()
        rates.append(2e-9 * rows * inner * columns / (time.perf_counter() - start))
    return statistics.median(rates)


def peak_memory() -> float:
    """Return the peak memory of this process, in GiB.

    On Linux, a new process inherits its parent's peak if the parent's peak is higher. The measurement is therefore
    valid only for a process whose parent used little memory.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)


def installed(module: str) -> bool:
    """Return whether a module can be imported, without importing it. Its parent package may be missing, too."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


# Commands


def parser(name: str, description: str, parts: Sequence[str], rounds: int) -> argparse.ArgumentParser:
    """Make a parser for a benchmark's options: the parts to run, the number of rounds, and the results file."""
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("parts", nargs="*", help=f"parts to run: {', '.join(parts)} [all]")
    made.add_argument(
        "--rounds", type=int, default=rounds, metavar="N", help=f"number of turns of each contestant [{rounds}]"
    )
    made.add_argument("--output", type=Path, metavar="FILE", help="also write the results as JSON")
    return made


def run_parts(parts: Mapping[str, Callable[[], Any]], options: argparse.Namespace, results: dict[str, Any]) -> None:
    """Run the requested parts in the order of `parts`, and store their return values in `results`."""
    unknown = [name for name in options.parts if name not in parts]
    if unknown:
        raise SystemExit(f"{', '.join(unknown)}: there is no such part; the parts are {', '.join(parts)}")
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {time.strftime('%Y-%m-%d')}\n")
    for name, part in parts.items():
        if options.parts and name not in options.parts:
            continue
        gc.collect()  # frees the networks of earlier parts
        results[name] = part()
        if options.output:  # after each part, so that no measurement is lost
            options.output.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if options.output:
        print(f"wrote {options.output}")


def progress(line: str) -> None:
    """Print a line on standard error that says what is running."""
    print(f"{line} ...", file=sys.stderr, flush=True)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Format a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(value: float) -> str:
    """Format a value with three significant digits."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
