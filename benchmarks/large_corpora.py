"""`python -m benchmarks.large_corpora`: measure the preparation of token files of several sizes, and training on them.

By default, the first paper's commands are measured; with `--trajectories`, those of the second paper. The benchmark
generates the text itself: conversations of two to six utterances with word frequencies according to Zipf's law. Nothing
is downloaded. The memory use of all processes of the command is summed four times per second. Anonymous memory and
resident file pages are reported separately. A file page is counted once for each process that maps the page.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import measure
from gail_tf.data.token_folder import TokenFolder as TrajectoryFolder
from gail_tf.data.token_shard import TEST, TRAIN, VALIDATION
from keras_gca.config import Config
from keras_gca.data.batches import take_batch
from keras_gca.data.token_folder import TokenFolder
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.models.networks import WHITE, YELLOW, build
from keras_gca.training.teacher_forcing import TeacherForcing

VOCABULARY, EXPONENT = 60_000, 1.05  # the number of different words, and the exponent of Zipf's law
MEAN_WORDS = 9  # the mean number of words in an utterance
AT_ONCE = 50_000  # the number of conversations that are generated at a time
SAMPLE_EVERY = 0.25  # seconds
BATCH, STEPS = 32, 60


def write_text(path: Path, pairs: int, seed: int = 0) -> None:
    """Write conversations with at least the given number of pairs, one utterance per line."""
    random = np.random.default_rng(seed)
    words = np.array([_word(number) for number in range(VOCABULARY)], object)
    frequencies = 1 / np.arange(1, VOCABULARY + 1) ** EXPONENT
    cumulative = np.cumsum(frequencies / frequencies.sum())
    ends = np.array([".", "?", "!", ", you know."], object)
    left = pairs
    with path.open("w", encoding="utf-8") as stream:
        while left > 0:
            sizes = random.integers(2, 7, min(AT_ONCE, left))
            lengths = 1 + random.poisson(MEAN_WORDS - 1, int(sizes.sum()))
            drawn = words[np.searchsorted(cumulative, random.random(int(lengths.sum()))).clip(0, VOCABULARY - 1)]
            closing = ends[random.integers(0, len(ends), len(lengths))]
            word = utterance = 0
            for size in sizes.tolist():
                for _ in range(size):
                    text = " ".join(drawn[word : word + lengths[utterance]].tolist())
                    stream.write(f"{text[0].upper()}{text[1:]}{closing[utterance]}\n")
                    word, utterance = word + lengths[utterance], utterance + 1
                stream.write("\n")
                left -= size - 1
                if left <= 0:
                    break


def _word(number: int) -> str:
    """Return the word with a given number; frequent words are short, and some have an apostrophe."""
    letters, rest = "", number
    while rest or not letters:
        letters += "etaoinshrdlucmfwypvbgkjqxz"[rest % 26]
        rest //= 26
    return f"{letters}'s" if number % 37 == 5 else letters


class Memory:
    """A monitor of the memory of a process and its children, which runs in another thread until `stop` is called.

    Attributes:
        anonymous: The peak total anonymous memory, in bytes.
        files: The peak total size of resident file pages, in bytes.
        seconds: The processor time of all processes so far, in seconds.
    """

    def __init__(self, pid: int):
        self.anonymous = self.files = 0
        self.seconds = 0.0
        self._pid, self._stopped = pid, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        by_process: dict[int, float] = {}
        while not self._stopped.wait(SAMPLE_EVERY):
            anonymous = files = 0
            for pid in [self._pid, *_children(self._pid)]:
                with contextlib.suppress(OSError, KeyError, IndexError, ValueError):  # the process has just ended
                    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
                    anonymous += 1024 * int(status["RssAnon"].split()[0])
                    files += 1024 * int(status["RssFile"].split()[0])
                    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    by_process[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            self.anonymous, self.files = max(self.anonymous, anonymous), max(self.files, files)
            self.seconds = sum(by_process.values())


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                yield child
                yield from _children(child)


def measured(*arguments: str) -> tuple[float, Memory]:
    """Run a module in a separate process, and return its running time in seconds and its memory use."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", *arguments, "-q"], stdout=subprocess.DEVNULL)
    memory = Memory(process.pid)
    status = process.wait()
    seconds = time.perf_counter() - began
    memory.stop()
    if status not in (0, 130):  # 130: the time limit was reached
        raise SystemExit(f"{arguments[0]} ended with status {status}")
    return seconds, memory


def prepare(text: Path, out: Path, processes: int) -> dict[str, float]:
    """Run `keras_gca.prepare` in a separate process, and measure it."""
    arguments = str(text), "--out", str(out), "--processes", str(processes)
    seconds, memory = measured("keras_gca.prepare", *arguments)
    folder = TokenFolder.open(out)
    pairs = sum(facts.training + facts.validation + facts.test for facts in folder.shards)
    size = sum(file.stat().st_size for file in out.iterdir())
    return {
        "pairs": pairs,
        "seconds": seconds,
        "processor seconds": memory.seconds,
        "anonymous bytes": memory.anonymous,
        "file bytes": memory.files,
        "disk bytes": size,
    }


def prepare_trajectories(text: Path, out: Path, processes: int) -> dict[str, float]:
    """Measure `gail_tf.prepare`, and then a minute of training on the folder, each in a separate process."""
    arguments = str(text), "--out", str(out), "--processes", str(processes), "--pretraining-epochs", "0"
    seconds, memory = measured("gail_tf.prepare", *arguments)
    run = "--data", str(out), "--run", f"{out}-run", "--preset", "tiny", "--algorithm", "mle"
    _, training = measured("gail_tf.train", *run, "--pretraining-epochs", "0", "--updates", "0", "--minutes", "1")
    shutil.rmtree(f"{out}-run")
    folder = TrajectoryFolder.open(out)
    return {
        "trajectories": sum(folder.count(part) for part in (TRAIN, TEST, VALIDATION)),
        "seconds": seconds,
        "processor seconds": memory.seconds,
        "anonymous bytes": memory.anonymous,
        "file bytes": memory.files,
        "disk bytes": sum(file.stat().st_size for file in out.rglob("*") if file.is_file()),
        "anonymous bytes of the training": training.anonymous,
    }


def step(folder: TokenFolder) -> dict[str, float]:
    """Measure the time it takes to plan an epoch, to make a batch, and to train on this batch by teacher forcing."""
    config = folder.settings_of(Config.preset("tiny", hidden_size=64))
    pairs = TokenPairs(folder, config.sentence_length, config.context_utterances)
    began = time.process_time()
    epoch = pairs.plan(BATCH, 1)
    _ = epoch[0]
    planning = time.process_time() - began
    gca = build(config, len(folder.vocabulary))
    learner = TeacherForcing(gca, (*WHITE, *YELLOW), 1e-3)
    making, learning = [], []
    for number in np.linspace(0, len(epoch) - 1, STEPS).astype(int).tolist():
        selection = epoch[number]
        began = time.process_time()
        batch = take_batch(pairs, selection, BATCH)
        middle = time.process_time()
        learner.train_step(*batch, np.array([0, number], np.int32))
        making.append(middle - began)
        learning.append(time.process_time() - middle)
    return {
        "seconds to plan": planning,
        "ms to make a batch": 1000 * statistics.median(making),
        "ms to learn": 1000 * statistics.median(learning),
    }


def main() -> None:
    """Measure corpora of the requested sizes and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.large_corpora", description=__doc__)
    parser.add_argument(
        "--pairs", type=int, nargs="+", default=[1_000_000], metavar="N", help="sizes of the corpora in pairs [1000000]"
    )
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="number of processes [number of cores]"
    )
    parser.add_argument("--folder", type=Path, metavar="DIR", help="the folder for the corpora [a temporary folder]")
    parser.add_argument(
        "--trajectories",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="measure the second paper's commands with these numbers of trajectories",
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        if options.trajectories:
            _measure_trajectories(Path(place), options.trajectories, options.processes)
        else:
            _measure_pairs(Path(place), options.pairs, options.processes)


def _measure_pairs(place: Path, sizes: list[int], processes: int) -> None:
    rows = []
    for pairs in sizes:
        text, out = place / f"{pairs}.txt", place / f"{pairs}"
        measure.progress(f"{pairs:,} pairs: making the text")
        write_text(text, pairs)
        measure.progress(f"{pairs:,} pairs: preparing")
        made = prepare(text, out, processes)
        text.unlink()
        measure.progress(f"{pairs:,} pairs: {made}; training")
        made |= step(TokenFolder.open(out))
        shutil.rmtree(out)
        rows.append(
            [
                f"{made['pairs']:,}",
                measure.number(made["seconds"]),
                measure.number(made["pairs"] / made["seconds"]),
                measure.number(made["processor seconds"]),
                measure.number(made["pairs"] / made["processor seconds"]),
                measure.number(made["anonymous bytes"] / 1e9),
                measure.number(made["file bytes"] / 1e9),
                measure.number(made["disk bytes"] / made["pairs"]),
                measure.number(made["seconds to plan"]),
                measure.number(made["ms to make a batch"]),
                measure.number(made["ms to learn"]),
            ]
        )
        print(measure.table(HEADER, rows), flush=True)


def _measure_trajectories(place: Path, sizes: list[int], processes: int) -> None:
    rows = []
    for trajectories in sizes:
        text, out = place / f"{trajectories}.txt", place / f"{trajectories}"
        measure.progress(f"{trajectories:,} trajectories: making the text")
        # A conversation of 2 to 6 utterances has 3 pairs and 1.8 trajectories on average.
        write_text(text, trajectories * 15 // 9)
        measure.progress(f"{trajectories:,} trajectories: preparing, and training for a minute")
        made = prepare_trajectories(text, out, processes)
        text.unlink()
        shutil.rmtree(out)
        rows.append(
            [
                f"{made['trajectories']:,}",
                measure.number(made["seconds"]),
                measure.number(made["processor seconds"]),
                measure.number(made["trajectories"] / made["processor seconds"]),
                measure.number(made["anonymous bytes"] / 1e9),
                measure.number(made["file bytes"] / 1e9),
                measure.number(made["disk bytes"] / made["trajectories"]),
                measure.number(made["anonymous bytes of the training"] / 1e9),
            ]
        )
        print(measure.table(TRAJECTORY_HEADER, rows), flush=True)


HEADER = (
    "pairs",
    "seconds",
    "pairs/s",
    "processor seconds",
    "pairs per processor second",
    "anonymous memory, GB",
    "pages of files, GB",
    "disk bytes per pair",
    "processor seconds to plan the first shards",
    "processor ms to make a batch",
    "processor ms to train on a batch",
)
TRAJECTORY_HEADER = (
    "trajectories",
    "seconds",
    "processor seconds",
    "trajectories per processor second",
    "anonymous memory, GB",
    "pages of files, GB",
    "disk bytes per trajectory",
    "anonymous memory of the training, GB",
)

if __name__ == "__main__":
    main()
