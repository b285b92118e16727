"""`python -m benchmarks.memory_bound`: compare work that mainly reads weights with the speed of the memory.

    reading   reading an array that is larger than the caches: the speed of the memory
    product   the large product of a greedy reply, for several shares of active units and weights of 32, 16 and 8 bits
    reply     a greedy reply at the paper's sizes, and the share of the hidden units that are active
    adam      a step of Adam for the paper's generator: the bytes that it must move, and the time that this takes
    loading   reading the weights of a bot file, and mapping the same number of bytes into memory

The results are printed as Markdown tables. Run this benchmark while no other program is running.
"""

import argparse
import itertools
import mmap
import os
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from benchmarks.first_paper import PAPER, pairs_of, several, taught
from benchmarks.measure import interleave, number, parser, run_parts, table
from keras_gca.agent import Agent
from keras_gca.chat import SHIPPED
from keras_gca.engine.optimizers import Adam
from keras_gca.models.decoding import Decoder
from keras_gca.models.forward import PrefixGenerator
from keras_gca.models.relu_matmul import UNROLLED, relu_sparse_matmul, sum_of_rows
from keras_gca.models.rows import rows_of

HIDDEN, WORDS = PAPER.hidden_units, PAPER.vocabulary
# The shares of active units: all; as in the generator of benchmarks.first_paper; as in a fully trained generator; and
# none, which takes the time of calling the function
SHARES = (1.0, 0.56, 0.2, 0.0)
TYPES = {"float32": tf.float32, "bfloat16": tf.bfloat16, "int8": tf.int8}
# Adam reads a weight, its gradient and its two moments, and writes the weight and the moments.
MOVED_BY_ADAM = {"float32 moments": 7 * 4, "bfloat16 moments": 3 * 4 + 4 * 2}


def main() -> int:
    options = _parser().parse_args()
    run_parts({name: partial(part, options) for name, part in PARTS.items()}, options, {})
    return 0


def one(work: Callable[[], object]) -> Callable[[], int]:
    """Return a function that calls `work` and counts it as one unit."""

    def call() -> int:
        work()
        return 1

    return call


def bandwidth(rounds: int) -> float:
    """Return the median speed at which all cores together read an array of 1 GiB, in GB/s."""
    cores = os.cpu_count() or 1
    parts = np.array_split(np.ones(2**28, np.float32), cores)
    with ThreadPoolExecutor(cores) as pool:

        def read() -> int:
            list(pool.map(lambda part: np.dot(part, part), parts))  # NumPy releases Python's lock meanwhile
            return sum(part.nbytes for part in parts)

        (rates,) = interleave({"read": read}, rounds).values()
    return statistics.median(rates) / 1e9


def reading(options: argparse.Namespace) -> dict:
    """Measure the speed of the memory."""
    speed = bandwidth(options.rounds)
    print(f"reading memory: {speed:.1f} GB/s with {os.cpu_count()} threads\n")
    return {"GB/s": speed}


def product(options: argparse.Namespace) -> dict:
    """Measure the large product of one token of a greedy reply, with weights of several types."""
    random = np.random.default_rng(0)
    whole = random.normal(size=(HIDDEN, WORDS)).astype(np.float32)
    contestants: dict[str, Callable[[], int]] = {}
    for name, dtype in TYPES.items():
        matrix = tf.constant((whole * 32).astype(np.int8)) if dtype == tf.int8 else tf.cast(whole, dtype)
        for share in SHARES:
            active = int(HIDDEN * share) // UNROLLED * UNROLLED
            indices, values = np.zeros((2, HIDDEN + -HIDDEN % UNROLLED))
            indices[:active], values[:active] = np.sort(random.choice(HIDDEN, active, replace=False)), 1.0
            arguments = tf.constant(indices, tf.int32), tf.constant(values, tf.float32), tf.constant(active), matrix
            work = one(lambda of=arguments: sum_of_rows(*of)[0].numpy())
            contestants[f"{name}, {share:.0%} of the units active"] = several(work, 20)
    row = tf.constant((np.arange(HIDDEN) < HIDDEN * SHARES[1])[None], tf.float32)
    matrix = tf.constant(whole)
    ours = one(lambda: relu_sparse_matmul(row, matrix)[0, 0].numpy())
    contestants[f"this project's function, float32, {SHARES[1]:.0%} of the units active"] = several(ours, 20)
    rates = interleave(contestants, options.rounds)
    medians = {name: 1e3 / statistics.median(of_name) for name, of_name in rates.items()}
    print(table(("product", "ms"), [(name, f"{ms:.2f}") for name, ms in medians.items()]) + "\n")
    return medians


def reply(options: argparse.Namespace) -> dict:
    """Measure greedy replies of a generator that is trained for a number of steps, and its share of active units."""
    pairs = pairs_of(options.data)
    gca = taught(pairs, options.steps)
    decoder = Decoder(gca)
    contexts = pairs.contexts[:: max(1, len(pairs) // 64)][:64]
    turns = itertools.cycle(contexts)

    def replies() -> int:
        return sum(int((decoder.greedy(next(turns)[None]).answers[0, 1:] > 0).sum()) for _ in range(len(contexts)))

    (rates,) = interleave({"greedy": replies}, options.rounds).values()
    said = decoder.greedy(contexts).answers
    _, y_h = PrefixGenerator.of(gca).outputs(tf.constant(contexts), said, rows_of(said))
    tokens, active = replies() / len(contexts), float(np.mean(y_h.numpy() > 0))
    result = {"tokens": tokens, "ms per token": 1e3 / statistics.median(rates), "active": active}
    print(
        f"a greedy reply after {options.steps:,} training steps: {tokens:.1f} tokens, {result['ms per token']:.2f} ms "
        f"per token, {1e3 / tokens / result['ms per token']:.1f} replies/s; {active:.0%} of the units are active\n"
    )
    return result


def adam(options: argparse.Namespace) -> dict:
    """Measure Adam's step, and calculate the time in which the memory can move its bytes."""
    sizes = [(HIDDEN, WORDS), (2 * PAPER.sentence_embedding, HIDDEN)]
    variables = [keras.Variable(np.zeros(size, np.float32)) for size in sizes]
    gradients = [tf.fill(size, 1e-3) for size in sizes]
    optimizer = Adam(1e-3)
    optimizer.build(variables)
    step = tf.function(lambda: optimizer.apply(gradients, variables), jit_compile=True)

    def steps() -> int:
        for _ in range(10):
            step()
        variables[0].value[0, 0].numpy()
        return 10

    (rates,) = interleave({"adam": steps}, options.rounds).values()
    weights, speed = sum(int(np.prod(size)) for size in sizes), bandwidth(options.rounds)
    measured = 1e3 / statistics.median(rates)
    result = {"weights": weights, "ms": measured, "GB/s read": speed}
    rows = [("measured, float32 moments", f"{measured:.1f}", "")]
    for name, size in MOVED_BY_ADAM.items():
        result[name] = weights * size / speed / 1e6
        rows.append((f"at the speed of the memory, {name}", f"{result[name]:.1f}", number(weights * size / 1e6)))
    print(table(("a step of Adam", "ms", "MB moved"), rows) + "\n")
    return result


def loading(options: argparse.Namespace) -> dict:
    """Measure how long a bot takes to load, and how long mapping its file would take instead of reading it."""
    size = options.bot.stat().st_size
    contestants = {
        "loading the bot": one(lambda: Agent.load(options.bot)),
        "reading the file": one(options.bot.read_bytes),
        "mapping the file and reading a byte of each page": one(
            lambda: np.memmap(options.bot, np.uint8, "r")[:: mmap.PAGESIZE].sum()
        ),
    }
    rates = interleave(contestants, options.rounds)
    medians = {name: 1e3 / statistics.median(of_name) for name, of_name in rates.items()}
    print(table((f"a bot of {size / 1e6:.0f} MB", "ms"), [(name, f"{ms:.1f}") for name, ms in medians.items()]) + "\n")
    return {"MB": size / 1e6, **medians}


def _parser() -> argparse.ArgumentParser:
    made = parser("memory_bound", __doc__ or "", tuple(PARTS), 5)
    made.add_argument("--data", type=Path, metavar="FILE", help="the corpus for the part reply [the embedded corpus]")
    made.add_argument("--steps", type=int, default=600, metavar="N", help="training steps before the part reply [600]")
    made.add_argument(
        "--bot",
        type=Path,
        default=SHIPPED,
        metavar="FILE",
        help="the bot file for the part loading [the included bot]",
    )
    return made


PARTS = {"reading": reading, "product": product, "reply": reply, "adam": adam, "loading": loading}

if __name__ == "__main__":
    sys.exit(main())
