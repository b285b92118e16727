"""`python -m benchmarks.second_paper`: measure the second paper's training at the sizes of GPT-2 and of a Llama.

    memory     peak memory of one PPO update, in a separate process
    mle-memory peak memory of one maximum likelihood training step, in a separate process
    update     one PPO update, phase by phase, compared with TextGAIL's loop in PyTorch and TRL's PPO trainer
    sampling   sampling of responses, compared with Hugging Face's `generate`; several responses to each prompt
    mle        a maximum likelihood training step, compared with PyTorch; full and lora, float32 and bfloat16
    growth     how the cost grows with the batch size, the response length and the size of the network
    workers    the overhead of distributing an update over several replicas or processes on this machine
    padding    the share of padding in the batches, compared with batches in random order
    plan       Table 1 at full scale: hours on this machine and on accelerators, memory, traffic

The results are printed as Markdown tables. The contestants take turns in one process, and the values are medians.
PyTorch, transformers, peft and TRL are included if they are installed: pip install -e '.[benchmarks]'. The default
contestants in `update` need about 20 GB of memory in total; use --contestants to select fewer.
"""

import argparse
import gc
import importlib
import importlib.metadata
import itertools
import multiprocessing
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")

import numpy as np

from benchmarks import costs, full_scale
from benchmarks.costs import Sizes
from benchmarks.exercise import LEARNING, PHASES, SAMPLING, SIZES, Exercise, Update
from benchmarks.likelihood import OURS, PRECISIONS, SEQUENCES, STEPS, steps
from benchmarks.measure import (
    compete,
    installed,
    interleave,
    matrix_product_rate,
    number,
    parser,
    peak_memory,
    progress,
    run_parts,
    table,
)
from benchmarks.our_update import OurUpdate, settings
from benchmarks.several_devices import Devices
from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, take
from gail_tf.data.samples import CONTROL_TOKENS, Samples
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import read_trajectories, split
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood
from gail_tf.imitation.ppo import PPO
from gail_tf.imitation.rollouts import draw_rows
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.batching import plan

PAPER = GAILConfig()
TORCH, GENERATE, STEP = "PyTorch", "Hugging Face's generate", "a step of maximum likelihood"
TITLES = {
    "full": f"{OURS}, full",
    "head": f"{OURS}, head",
    "lora": f"{OURS}, lora",
    "bfloat16": f"{OURS}, full, bfloat16",
    "textgail": f"TextGAIL's loop, {TORCH}",
    "trl": "TRL's PPO trainer",
    "lora-bfloat16": f"{OURS}, lora, bfloat16",
    "trl-lora": "TRL's PPO trainer, lora",
    "trl-lora-bfloat16": "TRL's PPO trainer, lora, bfloat16",
}
DEFAULT = list(TITLES)[:6]  # the others are for networks of Llama's kind, whose users train adapters
# These modules are imported only if the contestant takes part.
THEIRS = {
    "textgail": ("benchmarks.torch_gail", "TorchUpdate"),
    **dict.fromkeys(("trl", "trl-lora", "trl-lora-bfloat16"), ("benchmarks.trl_ppo", "TRLUpdate")),
}
# Arguments of a contestant's class, apart from the exercise
ARGUMENTS = {
    "bfloat16": ("full", "bfloat16"),
    "lora-bfloat16": ("lora", "bfloat16"),
    "trl-lora": ("lora",),
    "trl-lora-bfloat16": ("lora", "bfloat16"),
}
CANDIDATES = 4
CONDITIONS, RESPONSES = (1,), (3,)  # the indices in a Batch of the conditions' mask and of the responses' mask


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.rollouts < 1 or options.rollouts % Exercise.discriminator_batch:
        raise SystemExit(f"--rollouts: {options.rollouts}; a multiple of {Exercise.discriminator_batch} is expected")
    results: dict = {}
    parts = {name: partial(part, options) for name, part in PARTS.items()}
    parts["plan"] = lambda: table_1(options, results.get("update"))
    run_parts(parts, options, results)
    return 0


# Contestants in an update


def make_update(name: str, exercise: Exercise) -> Update:
    """Make the contestant with the given name, which is one of TITLES."""
    if name in THEIRS:
        module, theirs = THEIRS[name]
        return getattr(importlib.import_module(module), theirs)(exercise, *ARGUMENTS.get(name, ()))
    return OurUpdate(exercise, *ARGUMENTS.get(name, (name,)))


def absence(name: str) -> str | None:
    """Return the reason why a contestant cannot take part, or None if it can."""
    if name in (*THEIRS, STEP) and not (installed("torch") and installed("transformers")):
        return "PyTorch or transformers is not installed"
    if name.startswith("trl") and not installed("trl"):
        return "it is not installed"
    if name in (STEP, "trl-lora", "trl-lora-bfloat16") and not installed("peft"):
        return "peft is not installed"
    if name.startswith("trl") and not installed("trl.experimental.ppo"):
        return f"TRL {importlib.metadata.version('trl')} has no PPO trainer; 1.12 is the last release that has one"
    return None


def takes_part(name: str, title: str) -> bool:
    """Return whether a contestant can take part. If it cannot, print the reason."""
    reason = absence(name)
    if reason:
        print(f"{title} is not included: {reason}.\n")
    return not reason


def present(options: argparse.Namespace) -> list[str]:
    """Return the requested contestants for `update` that can take part."""
    return [name for name in options.contestants if takes_part(name, TITLES[name])]


# Parts


def memory(options: argparse.Namespace) -> dict:
    """Measure the peak memory of a process that runs one update.

    The update has 64 rollouts instead of 128, because `gail_tf` samples only 64 at a time.
    """
    exercise = Exercise(SIZES[options.size], PAPER.rollout.decoding_batch_size)
    results = {}
    for name in present(options):
        progress(f"memory: {TITLES[name]}")
        module = THEIRS[name][0] if name in THEIRS else None
        results[name] = peaks_in_new_process(partial(make_update, name, exercise), module)
    print(f"Peak memory of one update with {_called(options.size)}, in GiB. Every process has imported TensorFlow.\n")
    _print_peaks({TITLES[name]: found for name, found in results.items()})
    return results


def mle_memory(options: argparse.Namespace) -> dict:
    """Measure the peak memory of a process that runs one step of maximum likelihood, the step that `mle` measures."""
    exercise, results = Exercise(SIZES[options.size], SEQUENCES), {}
    theirs = takes_part(STEP, TORCH)
    for trainable, precision in itertools.product(STEPS, PRECISIONS):
        for name, make in steps(trainable, precision, theirs, compiled=False).items():
            title = f"{name}, {trainable}, {precision}"
            progress(f"mle-memory: {title}")
            module = None if name == OURS else "benchmarks.torch_lora"
            results[title] = peaks_in_new_process(partial(make, exercise), module)
    print(
        f"Peak memory of one maximum likelihood step with {_called(options.size)} on {SEQUENCES} x {exercise.prompt} + "
        f"{exercise.response} tokens, in GiB. Every process has imported TensorFlow.\n"
    )
    _print_peaks(results)
    return results


def peaks_in_new_process(make: Callable[[], Callable[[], int]], module: str | None) -> dict[str, float]:
    """Call `peaks` in a new process."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as fresh:
        return fresh.submit(peaks, make, module).result()


def peaks(make: Callable[[], Callable[[], int]], module: str | None = None) -> dict[str, float]:
    """Import a module, make a contestant and let it work once in this process.

    Returns:
        The peak memory in GiB after the imports and after the work.
    """
    if module is not None:
        importlib.import_module(module)
    imports = peak_memory()
    make()()
    return {"imports": imports, "peak": peak_memory()}


def _print_peaks(results: dict[str, dict[str, float]]) -> None:
    rows = [
        [title, *(f"{gib:.2f}" for gib in (found["peak"], found["imports"], found["peak"] - found["imports"]))]
        for title, found in results.items()
    ]
    print(table(["program", "peak", "after the imports", "difference"], rows) + "\n")


def update(options: argparse.Namespace) -> dict:
    """Measure one PPO update, phase by phase. The seconds are scaled to the paper's 128 rollouts."""
    rate = matrix_product_rate()
    exercise = Exercise(SIZES[options.size], options.rollouts)
    updates = {name: make_update(name, exercise) for name in present(options)}
    laps: dict[str, list[dict[str, float]]] = {name: [] for name in updates}

    def work(name: str) -> int:
        tokens = updates[name]()
        laps[name].append(updates[name].watch.lap())
        return tokens

    progress(f"update: {', '.join(updates)}")
    rates = interleave({name: partial(work, name) for name in updates}, options.rounds)
    scale = PAPER.rollout.rollouts / options.rollouts
    by = {}
    for name, made in updates.items():
        counted = laps[name][1:]
        seconds = {phase: scale * statistics.median(lap.get(phase, 0) for lap in counted) for phase in PHASES}
        tokens_per_second = statistics.median(rates[name])
        by[name] = {
            "seconds": seconds,
            "total": scale * exercise.tokens / tokens_per_second,
            "tokens/s": tokens_per_second,
            "flops": {phase: scale * count for phase, count in made.flops.items()},
        }
    _print_update(options, by, rate)
    return {"matrix product GFLOP/s": rate, "rollouts": options.rollouts, "by": by}


def _print_update(options: argparse.Namespace, by: dict[str, dict], rate: float) -> None:
    print(f"Speed of the matrix product in the first paper's largest layer: {rate:.0f} GFLOP/s.\n")
    print(
        f"One PPO update with {_called(options.size)}, in seconds: {PAPER.rollout.rollouts} rollouts "
        f"({options.rollouts} were timed), prompts of {Exercise.prompt} tokens and responses of {Exercise.response} "
        "tokens.\n"
    )
    rows, bases = [], [name for name in ("full", "lora", "lora-bfloat16") if name in by]
    for name, found in by.items():
        fraction = sum(found["flops"].values()) / found["total"] / 1e9 / rate
        rows.append(
            [
                TITLES[name],
                *(number(found["seconds"][phase]) for phase in PHASES),
                number(found["total"]),
                number(found["tokens/s"]),
                *(number(found["total"] / by[base]["total"]) for base in bases),
                number(sum(found["flops"].values()) / 1e12),
                f"{fraction:.0%}",
            ]
        )
    header = ["program", *PHASES, "total", "tokens/s", *(f"speed-up of {TITLES[base]}" for base in bases), "TFLOP"]
    print(table([*header, "share of the matrix product's speed"], rows) + "\n")


def sampling(options: argparse.Namespace) -> dict:
    """Measure sampling: one response to each of 16 or 64 prompts, and several responses to each prompt.

    For several responses, each prompt is read either once for all responses or once per response.
    """
    exercise = Exercise(SIZES[options.size], Exercise.sample_batch)
    prompts, mask = exercise.prompts(), np.ones((exercise.rollouts, exercise.prompt), bool)
    drawn = Sampling(exercise.response, exercise.top_p, exercise.temperature)
    policies = {precision: Policy(exercise.network(precision=precision)) for precision in PRECISIONS}
    policies["XLA"] = Policy(policies["float32"].network, jit_compile=True)
    results: dict = {}

    def ours(kind: str, repeats: int = 1, candidates: int = 1) -> Callable[[], int]:
        policy, rows = policies[kind], [np.repeat(each, repeats, 0) for each in (prompts, mask)]
        return lambda: int(policy.sample(*rows, (0, 0), drawn, candidates=candidates).lengths.numpy().sum())

    contestants = {
        OURS: ours("float32"),
        f"{OURS}, 64 together": ours("float32", repeats=4),
        f"{OURS}, bfloat16": ours("bfloat16"),
        f"{OURS}, bfloat16, 64 together": ours("bfloat16", repeats=4),
        f"{OURS}, XLA": ours("XLA"),
    }
    if takes_part("textgail", GENERATE):
        import torch
        import transformers

        from benchmarks.torch_gail import sample, torch_network

        def theirs(model: transformers.PreTrainedModel, repeats: int = 1) -> Callable[[], int]:
            tokens = torch.from_numpy(np.repeat(prompts, repeats, 0)).long()
            return lambda: sample(model, tokens, exercise)[:, exercise.prompt :].numel()

        for kind, dtype in (("", torch.float32), (", bfloat16", torch.bfloat16)):
            model = torch_network(exercise.network()).to(dtype)
            contestants[f"{GENERATE}{kind}"] = theirs(model)
            contestants[f"{GENERATE}{kind}, 64 together"] = theirs(model, repeats=4)
    title = f"sampling, {len(prompts)} responses together, tokens/s"
    compete(results, title, contestants, options.rounds)
    alike = {
        f"sampling, {count} responses together, {precision}, tokens/s": {
            name: results[title][f"{name}{kind}"] for name in (OURS, GENERATE) if f"{name}{kind}" in results[title]
        }
        for precision, count, kind in (
            ("float32", 16, ""),
            ("bfloat16", 16, ", bfloat16"),
            ("float32", 64, ", 64 together"),
            ("bfloat16", 64, ", bfloat16, 64 together"),
        )
    }
    contestants = {
        "prompt read once": ours("float32", candidates=CANDIDATES),
        "prompt read for each candidate": ours("float32", repeats=CANDIDATES),
    }
    title = f"{CANDIDATES} candidates for each of {len(prompts)} prompts, tokens/s"
    compete(results, title, contestants, options.rounds)
    _print_rates(results)
    operations = flops_of_a_token(exercise.sizes, exercise.response)[SAMPLING]
    _print_shares(alike, dict.fromkeys(alike, operations))
    return results | alike


def mle(options: argparse.Namespace) -> dict:
    """Measure maximum likelihood training steps: on 8 sequences of 64 tokens, and on 8 conditions with responses.

    The dropout rate is the one in the network's config, 0.1 for GPT-2 and 0 for Llama.
    """
    exercise, results = Exercise(SIZES[options.size], rollouts=8, prompt=1, response=64), {}
    condition, response = exercise.prompts(), exercise.expert_responses()
    batch = Batch(condition, np.ones_like(condition, bool), response, np.ones_like(response, bool))

    def ours(precision: str) -> Callable[[], int]:
        policy = Policy(exercise.network(precision=precision))
        learner = MaximumLikelihood(
            policy,
            PAPER.likelihood.mle_learning_rate,
            weight_decay=PAPER.optimizer.weight_decay,
            gradient_clip=PAPER.optimizer.gradient_clip,
        )
        rows, seed = np.arange(len(batch.response), dtype=np.int32), np.zeros(2, np.int32)
        return lambda: int(learner.train_step(batch, rows, seed).sums[1])

    contestants = {OURS: ours("float32"), f"{OURS}, bfloat16": ours("bfloat16")}
    if takes_part("textgail", TORCH):
        from benchmarks.torch_gail import TorchMaximumLikelihood

        training, tokens = TorchMaximumLikelihood(exercise.network()), np.concatenate([condition, response], 1)
        contestants[TORCH] = lambda: training.step(tokens)
    compete(results, "maximum likelihood, 8 x 64 tokens, tokens/s", contestants, options.rounds)
    _print_rates(results)
    contestants.clear()  # frees their networks
    gc.collect()
    return results | _steps(options)


def _steps(options: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Measure a step of maximum likelihood on conditions and responses, for all weights and for adapters."""
    exercise, results, operations = Exercise(SIZES[options.size], SEQUENCES), {}, {}
    theirs, width = takes_part(STEP, TORCH), exercise.prompt + exercise.response
    for trainable, precision in itertools.product(STEPS, PRECISIONS):
        title = (
            f"step on {SEQUENCES} x {exercise.prompt} + {exercise.response} tokens, {trainable}, {precision}, tokens/s"
        )
        contestants = {name: make(exercise) for name, make in steps(trainable, precision, theirs).items()}
        compete(results, title, contestants, options.rounds)
        done = costs.learning_flops(exercise.sizes, SEQUENCES * (width - 1), exercise.tokens, trainable)
        operations[title] = done / (SEQUENCES * width)
        contestants.clear()
        gc.collect()
    _print_shares(results, operations)
    return results


def _print_shares(results: dict[str, dict[str, float]], operations: dict[str, float]) -> None:
    """Print the contestants' speeds, the first one's speed-up, and their shares of the matrix product's speed.

    Args:
        results: The contestants' speeds in tokens/s for each kind of work. The title of the work contains its
            precision.
        operations: The number of floating-point operations per token for each kind of work.
    """
    products = {precision: matrix_product_rate(precision) for precision in PRECISIONS}
    rows = []
    for title, rates in results.items():
        product = products[next(precision for precision in PRECISIONS if precision in title)]
        first = next(iter(rates.values()))
        rows += [
            [title, name, number(rate), number(first / rate), f"{rate * operations[title] / 1e9 / product:.0%}"]
            for name, rate in rates.items()
        ]
    speeds = ", ".join(f"{rate:.0f} GFLOP/s in {precision}" for precision, rate in products.items())
    print(f"Speed of the matrix product in the first paper's largest layer: {speeds}.\n")
    header = ["work", "program", "speed", "speed-up of the first program", "share of the matrix product's speed"]
    print(table(header, rows) + "\n")


def _print_rates(results: dict[str, dict[str, float]]) -> None:
    """Print the contestants' speeds, and the first contestant's speed-up over each of the others."""
    rows = []
    for title, rates in results.items():
        first = next(iter(rates.values()))
        rows += [[title, name, number(value), number(first / value)] for name, value in rates.items()]
    print(table(["work", "program", "speed", "speed-up of the first program"], rows) + "\n")


def growth(options: argparse.Namespace) -> dict:
    """Measure how the speeds of sampling and PPO depend on the batch size, the response length and the network's size.

    The chosen size, all smaller sizes of the same kind of network and the next larger size are measured. The other
    sizes are extrapolated.
    """
    names = [name for name, sizes in SIZES.items() if type(sizes) is type(SIZES[options.size])]
    measured = names[: names.index(options.size) + 2]
    sizes, results = SIZES[options.size], {}
    cases = {f"batches of {batch}": (sizes, batch, batch, 32) for batch in (1, 4, 16, 64)}
    cases |= {f"responses of {response} tokens": (sizes, 16, 8, response) for response in (8, 16, 32, 50)}
    cases |= {_described(name): (SIZES[name], 16, 8, 32) for name in measured}
    for title, case in cases.items():
        progress(f"growth: {title}")
        results[title] = growing(*case, options.rounds)
        gc.collect()
    largest = results[_described(measured[-1])]
    for name in names[len(measured) :]:
        per_token = flops_of_a_token(SIZES[name], 32)
        rates = {kind: largest[kind]["FLOP/s"] for kind in per_token}
        results[f"{_described(name)}, extrapolated"] = {
            kind: {"tokens/s": rates[kind] / count, "FLOP/s": rates[kind]} for kind, count in per_token.items()
        }
    rows = [
        [title, *(number(each) for kind in found.values() for each in (kind["tokens/s"], kind["FLOP/s"] / 1e9))]
        for title, found in results.items()
    ]
    print(
        f"This project's sampling and PPO (full, float32) with {_called(options.size)} and responses of 32 tokens to "
        f"prompts of {Exercise.prompt} tokens, unless the row says otherwise. 16 responses are sampled at a time, and "
        "a PPO minibatch contains 8 responses. Extrapolated rows assume the GFLOP/s of the largest network that "
        "was measured."
    )
    print(table(["varied size", "sampling, tokens/s", "GFLOP/s", "PPO, tokens/s", "GFLOP/s"], rows) + "\n")
    return results


def _called(name: str) -> str:
    return f"{SIZES[name].title} {name}"


def _described(name: str) -> str:
    return f"{_called(name)}, {number(costs.parameters(SIZES[name]) / 1e6)} million weights"


def flops_of_a_token(sizes: Sizes, response: int) -> dict[str, float]:
    """Return the FLOPs per response token, for responses of this length, in sampling and in a PPO minibatch."""
    read = (Exercise.prompt + response - 1) / response
    return {SAMPLING: costs.flops(sizes, read, 1), LEARNING: costs.learning_flops(sizes, read, 1)}


def growing(sizes: Sizes, sampled: int, learned: int, response: int, rounds: int) -> dict[str, dict[str, float]]:
    """Measure the speeds of sampling `sampled` responses at a time and of PPO on minibatches of `learned` responses."""
    exercise = Exercise(sizes, max(sampled, learned), response=response)
    prompts, responses = exercise.prompts(), exercise.expert_responses()
    arrays = (prompts, np.ones_like(prompts, bool), responses, np.ones_like(responses, bool))
    condition = [each[:sampled] for each in arrays[:2]]
    batch = Batch(*(each[:learned] for each in arrays))
    drawn = Sampling(response, exercise.top_p, exercise.temperature)
    policy = Policy(exercise.network())
    training = PPO(policy, settings(Exercise(sizes, response=response)), drawn)
    old = np.full(batch.response.shape, -np.log(sizes.vocab_size), np.float32)
    ones = np.ones(learned, np.float32)

    def learn() -> int:
        training.step(batch, old, ones, ones, ones > 0, PAPER.ppo.kl_coefficient)
        return batch.response.size

    works = {
        SAMPLING: lambda: int(policy.sample(*condition, (0, 0), drawn).lengths.numpy().sum()),
        LEARNING: learn,
    }
    rates = {kind: statistics.median(found) for kind, found in interleave(works, rounds).items()}
    counts = flops_of_a_token(sizes, response)
    return {kind: {"tokens/s": rate, "FLOP/s": rate * counts[kind]} for kind, rate in rates.items()}


def workers(options: argparse.Namespace) -> dict:
    """Measure one PPO update, distributed over replicas that share this machine's cores."""
    exercise = Exercise(SIZES[options.size], options.rollouts)
    several = [Devices(name, count) for name in ("mirrored", "multi_worker") for count in (2, 4)]
    results: dict[str, dict[str, float]] = {}
    for devices in (Devices(), *several):
        progress(f"workers: {devices.title}")
        results[devices.title] = devices.measure(exercise, options.rounds)
    alone = results[Devices().title]["seconds"]
    rows = [
        [title, number(found["seconds"]), f"{alone / found['seconds']:.0%}", number(found["bytes"] / 1e6)]
        for title, found in results.items()
    ]
    sent = {
        count: costs.traffic(SIZES[options.size], "full", options.rollouts // Exercise.minibatch, count)
        for count in (2, 4)
    }
    print(
        f"One PPO update in this project (full) with {_called(options.size)}: {options.rollouts} rollouts of "
        f"{Exercise.prompt} + {Exercise.response} tokens, distributed over replicas that share this machine's "
        f"{os.cpu_count()} cores. For the gradients alone, "
        + " and ".join(f"{count} processes send {number(count * each / 1e6)} MB" for count, each in sent.items())
        + ".\n"
    )
    print(table(["devices", "seconds", "speed relative to one device", "MB sent over loopback"], rows) + "\n")
    return results


def padding(options: argparse.Namespace) -> dict:
    """Measure the share of padding in the batches of the embedded corpus."""
    config = GAILConfig.preset("default") if options.size in ("tiny", "default") else PAPER
    training = split(read_trajectories(), seed=0).train
    progress(f"padding: encoding {len(training):,} trajectories")
    texts = (text for each in training for text in (*each.history, each.prompt, each.response))
    tokenizer = Tokenizer.fit(texts, config.model.vocabulary_size, CONTROL_TOKENS)
    batch = Samples.encode(
        tokenizer, training, config.data.condition_tokens, config.data.response_tokens, with_sentiment=True
    ).batch
    count, rollouts, width = len(training), config.rollout.rollouts, config.data.response_tokens
    starts = range(0, min(count, 20 * rollouts), rollouts)
    buffers = [take(batch, draw_rows(count, rollouts, start, seed=0), response_width=width) for start in starts]

    def epoch(order: Sequence[np.ndarray]) -> list[Batch]:
        return [take(batch, rows, config.optimizer.batch_size) for rows in order]

    def taken(size: int, order: Callable[[Batch], Sequence[np.ndarray]], width: int | None = width) -> list[Batch]:
        return [take(buffer, rows, size, width) for buffer in buffers for rows in order(buffer)]

    def sorted_by_length(buffer: Batch) -> list[np.ndarray]:
        return np.split(np.argsort(buffer.condition_lengths), rollouts // sampled)

    def planned(buffer: Batch) -> list[np.ndarray]:
        return plan(buffer.condition_lengths, learned, seed=0)

    def by_chance(size: int) -> Callable[[Batch], list[np.ndarray]]:
        return lambda _: in_random_order(rollouts, size)

    sampled, learned = config.rollout.sample_batch_size, config.ppo.minibatch_size
    minibatches = taken(learned, planned), taken(learned, by_chance(learned))
    cut = taken(learned, planned, None), taken(learned, by_chance(learned), None)
    cases = {
        "maximum likelihood": (
            epoch(plan(batch.condition_lengths, config.optimizer.batch_size, 0, batch.response_lengths)),
            epoch(in_random_order(count, config.optimizer.batch_size)),
            CONDITIONS + RESPONSES,
        ),
        "rollouts, conditions": (taken(sampled, sorted_by_length), taken(sampled, by_chance(sampled)), CONDITIONS),
        "PPO minibatches, conditions": (*minibatches, CONDITIONS),
        "PPO minibatches, experts' responses": (*minibatches, RESPONSES),
        "experts' responses, cut to the longest in a minibatch": (*cut, RESPONSES),
    }
    results = {
        title: [padded_share([each[i] for each in batches for i in masks]) for batches in order]
        for title, (*order, masks) in cases.items()
    }
    rows = [[title, *(f"{share:.1%}" for share in shares)] for title, shares in results.items()]
    print(
        f"Share of padding: {count:,} trajectories of the embedded corpus, {config.model.vocabulary_size:,} tokens.\n"
    )
    print(table(["batches", "as in training", "in random order"], rows) + "\n")
    return results


def padded_share(masks: Sequence[np.ndarray]) -> float:
    """Return the share of padding among all positions. Each mask is a bool array of shape (B, T), false at padding."""
    return 1 - sum(int(mask.sum()) for mask in masks) / sum(mask.size for mask in masks)


def in_random_order(count: int, size: int) -> list[np.ndarray]:
    """Shuffle the rows and divide them into batches of `size` rows."""
    order = np.random.default_rng(0).permutation(count)
    return [order[start : start + size] for start in range(0, count, size)]


def table_1(options: argparse.Namespace, measured: dict | None) -> dict:
    """Calculate the cost of Table 1 at full scale.

    `measured` is the result of `update`. If `measured` is None, the table contains no hours for this machine.
    """
    rates = {device.name: device.rates for device in full_scale.DEVICES}
    if measured and "full" in measured["by"]:
        ours = measured["by"]["full"]
        rates = {"this machine": {kind: count / ours["seconds"][kind] for kind, count in ours["flops"].items()}} | rates
    work = full_scale.plan(SIZES[options.size], PAPER)
    hours = {name: full_scale.hours(work, each) for name, each in rates.items()}
    rows = [
        [f"{each.phase}, {each.kind}", number(each.flops / 1e15), *(number(found[i]) for found in hours.values())]
        for i, each in enumerate(work)
    ]
    rows.append(["all", number(sum(each.flops for each in work) / 1e15), *(number(sum(h)) for h in hours.values())])
    shares = ", ".join(f"{share:.0%} in {kind}" for kind, share in full_scale.UTILISATION.items())
    print(
        f"Hours for Table 1 at full scale with {_called(options.size)}: {full_scale.TRAJECTORIES:,} trajectories of "
        f"{Exercise.prompt} + {Exercise.response} tokens, 70 % of them for training; {PAPER.likelihood.mle_epochs} "
        f"epochs of maximum likelihood, {PAPER.rollout.updates} updates of {PAPER.rollout.rollouts} rollouts. The "
        "accelerators have not been measured; their hours assume bfloat16 and these shares of the peak speed: "
        f"{shares}.\n"
    )
    print(table(["work", "PFLOP", *hours], rows) + "\n")

    names = ("small", "medium", "large", "xl") if isinstance(SIZES[options.size], GPT2Config) else (options.size,)
    sizes = {name: SIZES[name] for name in names}
    ways = {
        "full, float32": ("full", 4, False),
        "full, bfloat16 with float32 copies": ("full", 2, True),
        "lora, float32": ("lora", 4, False),
        "head, float32": ("head", 4, False),
    }
    footprints = {way: {name: costs.memory(each, *how) for name, each in sizes.items()} for way, how in ways.items()}
    print(
        "Memory for the policy, the gradients, AdamW's moments and the reference, without activations, in GiB. With "
        "--precision bfloat16, this project keeps weights, gradients and moments in float32.\n"
    )
    rows = [[way, *(number(count / 2**30) for count in found.values())] for way, found in footprints.items()]
    print(table(["trained weights", *sizes], rows) + "\n")

    steps, workers = PAPER.ppo.ppo_epochs * PAPER.steps_in_a_buffer, 8
    sent = {
        trainable: {name: costs.traffic(each, trainable, steps, workers) for name, each in sizes.items()}
        for trainable in costs.PRODUCTS
    }
    print(f"GB that each of {workers} workers sends for the float32 gradients of the {steps} steps in an update.\n")
    rows = [[trainable, *(number(count / 1e9) for count in found.values())] for trainable, found in sent.items()]
    print(table(["trained weights", *sizes], rows) + "\n")
    return {"flops": {f"{w.phase}, {w.kind}": w.flops for w in work}, "hours": hours, "bytes": footprints, "sent": sent}


# The measurements of memory come first, because a new process inherits the peak memory of its parent.
PARTS = {
    "memory": memory,
    "mle-memory": mle_memory,
    "update": update,
    "sampling": sampling,
    "mle": mle,
    "growth": growth,
    "workers": workers,
    "padding": padding,
}


def _parser() -> argparse.ArgumentParser:
    made = parser("second_paper", __doc__, [*PARTS, "plan"], rounds=3)
    made.add_argument("--size", choices=SIZES, default="small", help="the size of GPT-2 or Llama [small]")
    made.add_argument(
        "--contestants",
        nargs="+",
        choices=TITLES,
        default=DEFAULT,
        metavar="NAME",
        help=f"contestants in `memory` and `update`: {', '.join(TITLES)} [{', '.join(DEFAULT)}]",
    )
    made.add_argument(
        "--rollouts",
        type=int,
        default=32,
        metavar="N",
        help=f"number of timed rollouts in an update, a multiple of 32 [32]; the seconds are scaled to the paper's "
        f"{PAPER.rollout.rollouts} rollouts",
    )
    return made


if __name__ == "__main__":
    sys.exit(main())
