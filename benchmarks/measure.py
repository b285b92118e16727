"""Fair timing: all contestants in one process, interleaved; medians; and the machine's own matrix-product rate."""

import statistics
import time
from collections.abc import Callable, Sequence

import tensorflow as tf

PRODUCT = (1536, 3500, 7000)  # rows, and the sizes of the paper's largest layer


def interleave(contestants: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Work rates of contestants that take turns: {name: [units of work per second, ...]}.

    contestants: each call does a share of work and returns its units. A first round warms up and is not counted.
    """
    rates: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(rounds + 1):
        for name, work in contestants.items():
            began = time.perf_counter()
            units = work()
            if turn:
                rates[name].append(units / (time.perf_counter() - began))
    return rates


def matrix_product_rate(seconds: float = 2.0) -> float:
    """The median rate of one float32 matrix product of PRODUCT's sizes on this machine, in GFLOP/s."""
    rows, inner, columns = PRODUCT
    a, b = tf.random.normal((rows, inner)), tf.random.normal((inner, columns))
    product = tf.function(tf.matmul)
    product(a, b)
    rates, began = [], time.perf_counter()
    while time.perf_counter() - began < seconds or len(rates) < 3:
        start = time.perf_counter()
        product(a, b)[0, 0].numpy()
        rates.append(2e-9 * rows * inner * columns / (time.perf_counter() - start))
    return statistics.median(rates)


def table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def number(value: float) -> str:
    """Three digits that count."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
