"""`python -m benchmarks.first_paper`: measure the first paper's training and decoding at the paper's sizes.

    speed    each kind of work, compared with the original method and PyTorch
    epoch    one epoch of teacher forcing over a corpus of the paper's size, in float32 and bfloat16
    growth   how the cost grows with the vocabulary, the answer length and the batch size
    memory   peak memory of training on 100,000 pairs

The results are printed as Markdown tables. PyTorch is included if it is installed: pip install -e '.[benchmarks]'.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from benchmarks.measure import (
    compete,
    installed,
    interleave,
    matrix_product_rate,
    number,
    parser,
    peak_memory,
    run_parts,
    table,
)
from benchmarks.original_method import OriginalMethod, samples_of
from keras_gca.config import Config
from keras_gca.data.batches import plan_batches, take_batch
from keras_gca.data.conversations import read_conversations
from keras_gca.data.dataset import prepare
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.models.decoding import Decoder
from keras_gca.models.networks import WHITE, YELLOW, GenerativeConversationalAgent, Sizes
from keras_gca.training.discriminator import DiscriminatorTraining
from keras_gca.training.generator import GeneratorTraining
from keras_gca.training.self_conversation import converse
from keras_gca.training.teacher_forcing import TeacherForcing

PAPER = Sizes(vocabulary=7000)
# The numbers of answers in a batch. 12 answers have about 128 tokens, the size of a batch in the original program.
SMALL, LARGE = 12, 64
RATE = 5e-5
SEED = np.zeros(2, np.int32)
OURS, ORIGINAL, TORCH = "here", "original method", "PyTorch"


def main() -> int:
    options = _parser().parse_args()
    run_parts({name: partial(part, options) for name, part in PARTS.items()}, options, {})
    return 0


# Work


def pairs_of(path: Path | None) -> Pairs:
    """Read the training pairs of a corpus (default: the embedded one), with a vocabulary of at most 7,000 words."""
    config = Config.preset("paper", validation_fraction=0.001)
    return prepare(read_conversations(path), config).training


def flops_of_a_token(sizes: Sizes) -> float:
    """Return how many floating-point operations a training step takes per token in the two largest layers."""
    return 6 * (2 * sizes.sentence_embedding * sizes.hidden_units + sizes.hidden_units * sizes.vocabulary)


def cycling(pairs: Pairs, size: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over the batches endlessly, returning to the first batch after the last."""
    batches = [take_batch(pairs, batch, size) for batch in plan_batches(pairs, size, seed=0) if len(batch) == size]
    return itertools.cycle(batches)


def several(work: Callable[[], int], times: int) -> Callable[[], int]:
    """Return a function that calls `work` several times and returns the sum of the results."""
    return lambda: sum(work() for _ in range(times))


def teacher_forcing(pairs: Pairs, size: int, precision: str = "float32", sizes: Sizes = PAPER) -> Callable[[], int]:
    """Return a function that runs one training step per call and returns the number of tokens in the step."""
    learner = TeacherForcing(GenerativeConversationalAgent(sizes), (*WHITE, *YELLOW), RATE, precision=precision)
    batches = cycling(pairs, size)
    return lambda: int(learner.train_step(*next(batches), SEED).sums[1])


def discriminator(pairs: Pairs, size: int) -> Callable[[], int]:
    learner = DiscriminatorTraining(GenerativeConversationalAgent(PAPER), RATE)
    batches, labels = cycling(pairs, size), np.arange(size, dtype=np.float32) % 2

    def work() -> int:
        _, human, _, machine, _ = learner.train_step(*next(batches), labels).sums
        return int(human + machine)

    return work


def generator(pairs: Pairs, size: int) -> Callable[[], int]:
    learner = GeneratorTraining(GenerativeConversationalAgent(PAPER), RATE)
    batches = cycling(pairs, size)
    return lambda: int(learner.train_step(*next(batches)).sums[2])


def taught(pairs: Pairs, steps: int) -> GenerativeConversationalAgent:
    """Train a generator until it ends its replies and its hidden layer is sparse, as after full training."""
    gca = GenerativeConversationalAgent(PAPER)
    learner, batches = TeacherForcing(gca, (*WHITE, *YELLOW), 1e-3), cycling(pairs, SMALL)
    for _ in range(steps):
        learner.train_step(*next(batches), SEED)
    return gca


# Parts


def speed(options: argparse.Namespace) -> dict:
    """Measure training and decoding, and compare them with the original method and PyTorch."""
    pairs = pairs_of(options.data)
    method = OriginalMethod(PAPER)
    results: dict = {"matrix product GFLOP/s": matrix_product_rate()}
    for size in (SMALL, LARGE):
        method.compile("teacher forcing")
        samples = _samples(pairs, size, method)
        contestants = {
            OURS: several(teacher_forcing(pairs, size), 8),
            f"{OURS}, bfloat16": several(teacher_forcing(pairs, size, "bfloat16"), 8),
            ORIGINAL: lambda samples=samples: method.teacher_forcing(samples),
        }
        if installed("torch"):
            from benchmarks.torch_model import TorchModel

            model, batches = TorchModel(PAPER), cycling(pairs, size)
            contestants[TORCH] = several(lambda m=model, b=batches: m.step(*next(b)), 4)
        compete(results, f"teacher forcing, {size} answers a batch, tokens/s", contestants, options.rounds)

    for name, title, ours in (
        ("discriminator", "discriminator training", discriminator),
        ("generator", "adversarial step of G", generator),
    ):
        method.compile(name)
        for size in (SMALL, LARGE):
            samples = _samples(pairs, size, method)
            contestants = {
                OURS: several(ours(pairs, size), 8),
                ORIGINAL: lambda name=name, samples=samples: getattr(method, name)(samples),
            }
            compete(results, f"{title}, {size} answers a batch, tokens/s", contestants, options.rounds)

    gca = taught(pairs, 600)
    method.gca.layers.decision_bot.set_weights(gca.layers.decision_bot.get_weights())
    decoder = Decoder(gca)
    contexts = pairs.contexts[:: max(1, len(pairs) // 512)][:512]
    turns = itertools.cycle(contexts)

    def reply() -> int:
        for _ in range(16):
            decoder.greedy(next(turns)[None])
        return 16

    def talk() -> int:
        # Each context leads to two answers, which form one pair.
        return 2 * sum(len(made) for _, made in converse(decoder, contexts))

    def original_reply() -> int:
        method.reply(next(turns))
        return 1

    latency = {OURS: reply, ORIGINAL: original_reply}
    many = {OURS: talk, ORIGINAL: original_reply}
    if installed("torch"):
        from benchmarks.torch_model import TorchModel

        model = TorchModel(PAPER)
        model.load(gca)
        same = [decoder.greedy(c[None]).answers[0, 1:] for c in contexts[:8]]
        for ours, context in zip(same, contexts, strict=False):
            theirs = model.greedy(context[None])[0]
            print(f"the same reply in PyTorch: {np.array_equal(ours[: len(theirs)], theirs)}", file=sys.stderr)

        def torch_reply() -> int:
            for _ in range(16):
                model.greedy(next(turns)[None])
            return 16

        def torch_talk() -> int:
            for start in range(0, len(contexts), 128):
                first = model.greedy(contexts[start : start + 128])
                model.greedy(pad_contexts([row[row > 2] for row in first], PAPER.sentence_length))
            return 2 * len(contexts)

        latency[TORCH], many[TORCH] = torch_reply, torch_talk
    rounds = max(3, options.rounds // 2)
    compete(results, "one greedy reply, replies/s", latency, rounds)
    compete(results, "self-conversation, replies/s", many, rounds)
    _print_speed(results)
    return results


def _samples(pairs: Pairs, size: int, method: OriginalMethod):
    contexts, answers = next(cycling(pairs, size))
    batch = Pairs(
        pad_contexts([row[row != 0] for row in contexts], PAPER.sentence_length),
        frame_answers([row[(row != 0)][1:-1] for row in answers], PAPER.sentence_length),
        np.zeros(size, np.int32),
    )
    return samples_of(batch, PAPER.vocabulary, method.gca.padding)


def _print_speed(results: dict) -> None:
    rate = results["matrix product GFLOP/s"]
    rows = []
    for title, rates in results.items():
        if title == "matrix product GFLOP/s":
            continue
        ours = rates[OURS]
        for name, value in rates.items():
            flops = flops_of_a_token(PAPER) * value / 1e9 / rate if title.startswith("teacher") else None
            rows.append([title, name, number(value), number(ours / value), "" if flops is None else f"{flops:.0%}"])
    print(f"Speed of the matrix product in the largest layer: {rate:.0f} GFLOP/s.\n")
    header = ["work", "program", "speed", "speed-up of this project", "share of the matrix product's speed"]
    print(table(header, rows) + "\n")


def epoch(options: argparse.Namespace) -> dict:
    """Measure complete epochs of teacher forcing."""
    pairs = pairs_of(options.data)
    results, rows = {}, []
    for precision in ("float32", "bfloat16"):
        for size in (SMALL, LARGE):
            learner = TeacherForcing(GenerativeConversationalAgent(PAPER), (*WHITE, *YELLOW), RATE, precision=precision)
            seconds = []
            for turn in range(2):  # the first turn compiles the functions
                began = time.perf_counter()
                for batch in plan_batches(pairs, size, seed=turn):
                    tokens = learner.train_step(*take_batch(pairs, batch, size), SEED).sums[1]
                int(tokens)
                seconds.append(time.perf_counter() - began)
            waiting = time.perf_counter()
            for batch in plan_batches(pairs, size, seed=2):
                take_batch(pairs, batch, size)
            waiting = time.perf_counter() - waiting
            results[f"{precision}, {size}"] = seconds
            rows.append([precision, size, *(f"{s:.1f}" for s in seconds), f"{waiting / seconds[1]:.2%}"])
    print(f"One epoch: {len(pairs):,} pairs, {pairs.tokens:,} tokens, 7,000 words.\n")
    header = ["precision", "answers per batch", "first epoch, s", "second epoch, s", "input pipeline's share"]
    print(table(header, rows) + "\n")
    return results


def growth(options: argparse.Namespace) -> dict:
    """Measure how the speed of teacher forcing, in tokens per second, changes as one size grows at a time."""
    random = np.random.default_rng(0)

    def synthetic(vocabulary: int, length: int, count: int) -> Pairs:
        words = lambda n: random.integers(4, vocabulary, n)  # noqa: E731
        contexts, answers = [words(20) for _ in range(count)], [words(length - 1) for _ in range(count)]
        return Pairs(pad_contexts(contexts, 50), frame_answers(answers, 50), np.zeros(count, np.int32))

    cases = [
        *(
            (f"{v:,} words", Sizes(v, hidden=PAPER.hidden_units), 11, 32)
            for v in (1000, 2000, 5000, 10_000, 20_000, 50_000)
        ),
        *((f"{n} tokens an answer", PAPER, n, 32) for n in (5, 10, 20, 50)),
        *((f"{b} answers a batch", PAPER, 11, b) for b in (4, 12, 32, 64, 128)),
    ]
    results, rows = {}, []
    for title, sizes, length, batch in cases:
        work = teacher_forcing(synthetic(sizes.vocabulary, length, batch * 4), batch, sizes=sizes)
        rate = statistics.median(interleave({OURS: several(work, 3)}, 3)[OURS])
        results[title] = rate
        gflops = flops_of_a_token(sizes) * rate / 1e9
        rows.append([title, number(rate), number(gflops)])
    print(table(["varied size", "tokens/s", "GFLOP/s in the two large layers"], rows) + "\n")
    return results


def memory(options: argparse.Namespace) -> dict:
    """Measure the peak memory of preparing 100,000 pairs and training on them at the paper's sizes."""
    random = np.random.default_rng(0)
    count, words = 120_000, [f"word{i}" for i in range(20_000)]
    lines = [" ".join(random.choice(words[:2000], random.integers(3, 20))) for _ in range(count)]
    lines += [" ".join(words[i : i + 5]) for i in range(0, len(words), 5)]
    path = Path(options.folder) / "100000_pairs.txt"
    path.write_text("".join(f"{line}\n" + "\n" * (i % 10 == 9) for i, line in enumerate(lines)), encoding="utf-8")
    pairs = prepare(read_conversations(path), Config.preset("paper")).training
    path.unlink()
    for work in (teacher_forcing(pairs, LARGE), discriminator(pairs, LARGE), generator(pairs, LARGE)):
        for _ in range(10):
            work()
    peak = peak_memory()
    print(f"Peak memory of the three training phases at the paper's sizes, with {len(pairs):,} pairs: {peak:.2f} GiB\n")
    return {"pairs": len(pairs), "peak GiB": peak}


# `memory` comes first, because a new process inherits the peak memory of its parent.
PARTS = {"memory": memory, "speed": speed, "epoch": epoch, "growth": growth}


def _parser() -> argparse.ArgumentParser:
    made = parser("first_paper", __doc__, PARTS, rounds=7)
    made.add_argument("--data", type=Path, metavar="FILE", help="a corpus to use instead of the embedded one")
    made.add_argument(
        "--folder", default=".", metavar="DIR", help="the folder in which `memory` writes its temporary corpus"
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
