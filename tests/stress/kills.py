"""`python -m tests.stress.kills`: kills training runs, makes their files fail, and checks that nothing is lost.

For each kind of training, a small training runs undisturbed, with a checkpoint after every step. This is the reference.
Then other runs are killed (SIGKILL) at random instants, and while they write a file: before, after or inside of a
call. They meet full and failing disks, and damaged checkpoints. A second process is started in their folder. They
are resumed again and again until they end. After each of these events the run folder must be readable. In the end,
every file must equal the reference's file to the bit, except for wall-clock times.

All processes are forked from a process that has imported TensorFlow but has not used it. Otherwise each start would
take ten seconds.
"""

import errno
import json
import multiprocessing
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
from tqdm import tqdm

from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.evaluation.tables import Table
from keras_gca.storage.arrays import read_arrays
from keras_gca.storage.run_folder import CHECKPOINT, LOCK, PREVIOUS, RunFolder
from keras_gca.training.run_folder import GCARun
from tests.factories.embedded import write_conversations
from tests.stress import victim
from tests.stress.victim import AFTER, BEFORE, FAULTS, HALF, LIMIT, LINK, WRITE, Call, Strike

TIMEOUT = 600.0  # the seconds that a process may take, far more than any needs
# The environment of training runs. They print only errors. Killed training runs leave semaphores, which Python removes.
QUIET = {
    "TQDM_DISABLE": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",
}
WALL_CLOCK = ("tokens_per_second",)  # columns of log.csv
BEGINS = re.compile(
    r"^run folder: |^.*: (epochs|epochs and updates) done: \d+$", re.MULTILINE
)  # the lines that a training run prints when it begins
PRELOADED = (
    "tests.stress.victim", "glove", "keras_gca.training.pipeline", "gail_tf.training.pipeline",
)  # fmt: skip
HEADER = (
    "training", "kills at an instant", "kills inside writes, by call", "errors of files, by call", "ended by one line",
    "resumed", "begun again", "checkpoints damaged, the one before taken", "second process refused", "ends equal",
)  # fmt: skip


class Kind(NamedTuple):
    """A kind of training.

    Attributes:
        module: The module of its command.
        folders: The class of its run folders.
        arguments: The arguments of its command.
        prepares: The command that prepares the token files on which it trains, with its arguments, or None if it trains
            on the embedded corpus.
    """

    module: str
    folders: type[RunFolder]
    arguments: tuple[str, ...]
    prepares: tuple[str, ...] | None = None


# Few shapes, because most of the time of such a training run goes into compiling.
_GCA = (
    "--preset", "tiny", "--max-pairs", "120", "--vocabulary-size", "150", "--sentence-length", "8", "--dropout", "0.1",
)  # fmt: skip
_GAIL_SIZES = (
    "--preset", "tiny", "--pretraining-epochs", "0", "--n-layer", "1",
    "--condition-tokens", "16", "--response-tokens", "8", "--dropout", "0.1", "--warmup-steps", "0",
)  # fmt: skip
_GAIL = ("--max-trajectories", "60", *_GAIL_SIZES)
KINDS = {
    "teacher_forcing": Kind("keras_gca.train", GCARun, (*_GCA, "--adversarial-epochs", "0")),
    "adversarial": Kind("keras_gca.train", GCARun, _GCA),
    "mle": Kind("gail_tf.train", GAILRun, (*_GAIL, "--algorithm", "mle", "--mle-epochs", "4")),
    "ppo": Kind(
        "gail_tf.train",
        GAILRun,
        (*_GAIL, "--mle-epochs", "1", "--updates", "4", "--rollouts", "8", "--discriminator-steps", "1"),
    ),
    "token_files": Kind(
        "keras_gca.train",
        GCARun,
        ("--preset", "tiny", "--sentence-length", "8", "--dropout", "0.1", "--adversarial-epochs", "0"),
        ("keras_gca.prepare", "--preset", "tiny", "--vocabulary-size", "150"),
    ),
    "token_trajectories": Kind(
        "gail_tf.train",
        GAILRun,
        (*_GAIL_SIZES, "--algorithm", "mle", "--mle-epochs", "4"),
        ("gail_tf.prepare", "--preset", "tiny", "--pretraining-epochs", "0"),
    ),
}
CONVERSATIONS = 40  # of the corpus from which token files are prepared


class Plan(NamedTuple):
    """The events that a kind of training has to survive, and how often each occurs.

    Attributes:
        instants: The number of kills at random instants.
        writes: The number of kills while a file is written.
        faults: The number of errors of files.
        damages: The number of checkpoints that are damaged after a kill.
        second: Whether a second process is started, which must be refused.
    """

    instants: int = 25
    writes: int = 25
    faults: int = 10
    damages: int = 4
    second: bool = True


class Instant(NamedTuple):
    """A kill, a number of seconds after a process has begun to train."""

    seconds: float


class DifferenceError(Exception):
    """A file differs from the reference's file, or cannot be read. The message says which file and where."""


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    os.environ |= QUIET
    work = Path(tempfile.mkdtemp(prefix="kills_"))
    plan = Plan(instants=options.kills // 2, writes=options.kills - options.kills // 2)
    try:
        campaigns = [fight(name, work, plan, options.seed) for name in options.kinds]
    except KeyboardInterrupt:
        shutil.rmtree(work)
        raise
    problems = [f"{each.name}: {problem}" for each in campaigns for problem in each.problems]
    print(Table(None, "What training runs have gone through", HEADER, [each.row() for each in campaigns]).to_markdown())
    for problem in problems:
        print(problem, file=sys.stderr)
    if options.output:
        options.output.write_text(json.dumps([each.results() for each in campaigns], indent=2) + "\n", encoding="utf-8")
        print(f"wrote {options.output}")
    if problems:
        print(f"the run folders are in {work}", file=sys.stderr)
        return 1
    shutil.rmtree(work)
    return 0


def fight(name: str, work: Path, plan: Plan, seed: int) -> "Campaign":
    """Carry out a plan for training runs of a kind, in subfolders of `work`."""
    campaign = Campaign(name, work, plan, seed)
    total = plan.instants + plan.writes + plan.faults
    with tqdm(total=total, desc=name, disable=False, dynamic_ncols=True) as bar:
        campaign.fight(bar.update)
    return campaign


class Campaign:
    """The events of training runs of one kind, and their results."""

    def __init__(self, name: str, work: Path, plan: Plan, seed: int):
        self.name, self._kind, self._plan = name, KINDS[name], plan
        self._random = random.Random(f"{seed} {name}")
        self._left = Counter(instant=plan.instants, write=plan.writes, fault=plan.faults, damage=plan.damages)
        self._work = work / name
        self._work.mkdir(parents=True)
        self._processes = Processes(self._kind.module, self._work)
        self._data = () if self._kind.prepares is None else ("--data", str(prepared(self._kind.prepares, self._work)))
        self.counts = Counter[str]()
        self.struck = Counter[str]()  # the number of kills while writing and of faults, by call
        self.problems: list[str] = []

    # The reference

    def _learn(self) -> None:
        """Run the reference. Store its files, how long it trains, and which calls it makes."""
        self._reference = self._work / "reference"
        process = self._processes.start(self._beginning(self._reference), self._reference)
        process.wait_for_training()
        trains = time.monotonic()
        if status := process.wait():
            raise DifferenceError(f"the reference ended with status {status}: {process.err}")
        self.seconds = time.monotonic() - trains  # the seconds that an undisturbed training takes
        self._files = contents(self._reference)
        calls = process.calls
        first = calls.index(Call("replace", CHECKPOINT))
        self._calls = {False: Counter(calls), True: Counter(calls[first + 1 :])}  # the calls of a resumed training run
        self._created = {call.file for call in calls[:first]} - {call.file for call in calls[first + 1 :]}

    def _beginning(self, folder: Path) -> list[str]:
        return [*self._kind.arguments, *self._data, "--checkpoint-minutes", "0", "--run", str(folder)]

    # The others

    def fight(self, report: Callable[[], Any]) -> None:
        """Train until all planned events have occurred. report() is called after each kill and each fault."""
        self._report = report
        try:
            self._learn()
            if self._plan.second:
                self._attempt(self._refuse_second)
            while sum(self._left[each] for each in ("instant", "write", "fault")):
                self._attempt(self._train)
        except DifferenceError as error:
            self.problems.append(str(error))
        finally:
            self._processes.stop()

    def _attempt(self, training: Callable[[Path], None]) -> None:
        """Run one training run from beginning to end in a folder of its own.

        The folder is kept only if something is wrong.
        """
        folder = self._work / f"run_{self.counts['trainings']:03d}"
        self.counts["trainings"] += 1
        try:
            training(folder)
            self._compare(folder)
            self.counts["equal"] += 1
            shutil.rmtree(folder)
        except DifferenceError as error:
            self.problems.append(f"{folder}: {error}")

    def _train(self, folder: Path) -> None:
        """Attack a training run again and again, until it has ended in spite of this."""
        damaged = None  # the contents of checkpoint.h5 as long as it is damaged
        while True:
            resumed = (folder / CHECKPOINT).exists()
            arguments = ["--resume", str(folder)] if resumed else self._beginning(folder)
            attack = self._choose(resumed, damaged is not None)
            process = self._processes.start(arguments, folder, attack if isinstance(attack, Strike) else None)
            if isinstance(attack, Instant) and process.wait_for_training():
                began = time.monotonic()
                if not process.kill_after(attack.seconds) and not resumed:
                    self.seconds = time.monotonic() - began  # the machine may have more free time than before
            status = process.wait()
            self.counts["resumed"] += resumed and process.trains
            if damaged is not None and process.trains:
                self._expect_message(process, folder)
            if folder.exists():
                self._examine(folder, damaged)
                self.counts["begun again"] += status != 0 and not (folder / CHECKPOINT).exists()
                if damaged is not None and (folder / CHECKPOINT).read_bytes() != damaged:
                    damaged = None
            if status == 0:
                if isinstance(attack, Strike) and process.calls.count(attack.call) >= attack.number:
                    self._judge_survived(attack)
                return
            self._judge(status, attack, process)
            if status == -signal.SIGKILL and damaged is None and self._left["damage"] and (folder / PREVIOUS).exists():
                damaged = self._damage(folder / CHECKPOINT)

    def _choose(self, resumed: bool, damaged: bool) -> Instant | Strike | None:
        """Choose the event for the next process, or return None if no event is left."""
        left = {each: self._left[each] for each in ("instant", "write", "fault")}
        if not sum(left.values()):
            return None
        if damaged and left["write"]:  # kill it while it replaces the damaged checkpoint
            return self._strike(CHECKPOINT, resumed, number=1)
        attack = self._random.choices(list(left), weights=list(left.values()))[0]
        if attack == "instant":
            return Instant(self._random.uniform(0, self.seconds))
        files = {call.file for call in self._calls[resumed]}
        checkpoints = {CHECKPOINT, PREVIOUS}
        groups = [checkpoints, files - checkpoints - self._created, set() if resumed else self._created]
        file = self._random.choice(sorted(self._random.choice([group for group in groups if group])))
        return self._strike(file, resumed, fault=attack == "fault")

    def _strike(self, file: str, resumed: bool, number: int | None = None, fault: bool = False) -> Strike:
        """Choose a call on a file at random, at which the process is struck."""
        calls = self._calls[resumed]
        call = self._random.choice(sorted(call for call in calls if call.file == file))
        if fault:
            how = self._random.choice([how for how in FAULTS if how != LIMIT or call.operation == WRITE])
        else:
            how = self._random.choice([BEFORE, AFTER, *[HALF] * victim.can_be_halved(call.operation)])
        return Strike(call, number or self._random.randint(1, calls[call]), how)

    def _judge(self, status: int, attack: Instant | Strike | None, process: "Process") -> None:
        """Count the event that has ended a process. Raise DifferenceError if the process has ended otherwise."""
        if status == -signal.SIGKILL and isinstance(attack, Instant):
            self._note("instant")
        elif status == -signal.SIGKILL and isinstance(attack, Strike) and attack.how not in FAULTS:
            self._note("write", attack)
        elif status == 2 and isinstance(attack, Strike) and attack.how in FAULTS:
            self._note("fault", attack)
            said = [line for line in process.err.splitlines() if "the previous checkpoint is used" not in line]
            reason = os.strerror(getattr(errno, attack.how))
            if len(said) != 1 or not re.match(rf"train: /.*: {reason}", said[0]):
                raise DifferenceError(f"{attack}: not one line that names the file and {reason!r}: {process.err}")
            self.counts["one line"] += 1
        else:
            raise DifferenceError(f"{attack}: status {status}: {process.err}")

    def _judge_survived(self, attack: Strike) -> None:
        """Check a strike that has not ended the process.

        This is right only if a link failed, since files are then copied.
        """
        if attack.call.operation != LINK or attack.how not in FAULTS:
            raise DifferenceError(f"{attack} has changed nothing")
        self._note("fault", attack)

    def _note(self, attack: str, strike: Strike | None = None) -> None:
        self._left[attack] -= 1
        self.counts[attack] += 1
        if strike is not None:
            self.struck[f"{strike.how} {strike.call.operation} {strike.call.file}"] += 1
        self._report()

    def _damage(self, path: Path) -> bytes:
        """Damage a checkpoint: flip one of its bits, or cut off its end."""
        content = bytearray(path.read_bytes())
        if self._random.random() < 0.5:
            content[self._random.randrange(512, len(content))] ^= 1 << self._random.randrange(8)
        else:
            del content[self._random.randrange(len(content)) :]
        with path.open("r+b") as stream:  # other links to the same file have the damage, too
            stream.truncate(len(content))
            stream.write(content)
        self._left["damage"] -= 1
        self.counts["damaged"] += 1
        return bytes(content)

    def _expect_message(self, process: "Process", folder: Path) -> None:
        checkpoint = re.escape(str(folder / CHECKPOINT))
        pattern = rf"^{checkpoint}: the file is incomplete, or was not written .*; the previous checkpoint is used$"
        if not re.search(pattern, process.err, re.MULTILINE):
            raise DifferenceError(f"no message of the damaged checkpoint: {process.err}")
        self.counts["previous taken"] += 1

    def _refuse_second(self, folder: Path) -> None:
        """Start a second process in the folder while the first one trains. It must be refused."""
        first = self._processes.start(self._beginning(folder), folder)
        first.wait_for_training()
        second = self._processes.start(["--resume", str(folder)], folder)
        status = second.wait()
        refused = f"train: {folder}: another process is training in this folder; choose another --run, or wait\n"
        if (status, second.err) != (2, refused):
            raise DifferenceError(f"a second process ended with status {status}: {second.err}")
        if not first.alive:
            raise DifferenceError("the first process has ended before the second one was refused")
        self.counts["second refused"] += 1
        if status := first.wait():
            raise DifferenceError(f"the first process ended with status {status}: {first.err}")

    # The contents of a folder

    def _examine(self, folder: Path, damaged: bytes | None) -> None:
        """Raise DifferenceError unless the files that an ended process has left can be read and fit the reference."""
        run = self._kind.folders(folder)
        spoiled = damaged is not None and (folder / CHECKPOINT).read_bytes() == damaged
        try:
            if (folder / CHECKPOINT).exists():
                opened = self._kind.folders.open(folder)
                opened.config()
                opened.dataset() if isinstance(opened, GCARun) else (opened.data(), opened.tokenizer())
                for name in [PREVIOUS] if spoiled else [CHECKPOINT, PREVIOUS]:
                    if name == CHECKPOINT or (folder / name).exists():
                        read_arrays(folder / name)
            rows = run.read_log()
            found = contents(folder, without=(CHECKPOINT, "log.csv", "curves.png"))
        except (UserError, OSError) as error:
            raise DifferenceError(f"not readable: {error}") from None
        self.counts["examined"] += 1
        if not equal(timeless(rows), self._files["log.csv"][: len(rows)]):
            raise DifferenceError("log.csv differs from the reference's")
        for name, content in found.items():
            # Before the first checkpoint, the files that are written only once may be incomplete.
            if ".part" not in name and not equal(content, self._files.get(name)):
                raise DifferenceError(f"{name} differs from the reference's")

    def _compare(self, folder: Path) -> None:
        """Raise DifferenceError unless an ended training has left the same files as the reference."""
        found = contents(folder)
        if found.keys() != self._files.keys():
            raise DifferenceError(f"other files than the reference's: {sorted(found.keys() ^ self._files.keys())}")
        for name, content in found.items():
            if not equal(content, self._files[name]):
                raise DifferenceError(f"{name} differs from the reference's")

    # The results

    def row(self) -> list[str]:
        """Return the row of the table."""
        counts = self.counts
        by_call = Counter[str]()
        for strike, count in self.struck.items():
            how, operation, _ = strike.split(" ", 2)
            by_call[how in FAULTS, operation] += count
        calls = [
            ", ".join(f"{operation} {count}" for (fault, operation), count in sorted(by_call.items()) if fault == which)
            for which in (False, True)
        ]
        return [
            self.name,
            str(counts["instant"]),
            f"{counts['write']}: {calls[0]}",
            f"{counts['fault']}: {calls[1]}",
            str(counts["one line"]),
            str(counts["resumed"]),
            str(counts["begun again"]),
            f"{counts['damaged']}, {counts['previous taken']}",
            str(counts["second refused"]),
            f"{counts['equal']} of {counts['trainings']}",
        ]

    def results(self) -> dict[str, Any]:
        """Return the results for the JSON file."""
        return {
            "kind": self.name,
            "seconds of an undisturbed training": self.seconds,
            "counts": dict(self.counts),
            "struck": dict(sorted(self.struck.items())),
            "problems": self.problems,
        }


def prepared(command: Sequence[str], work: Path) -> Path:
    """Prepare token files from a few conversations of the embedded corpus, and return their folder."""
    corpus, folder = work / "corpus.txt", work / "tokens"
    write_conversations(corpus, CONVERSATIONS)
    arguments = [sys.executable, "-m", *command, str(corpus), "--out", str(folder), "--processes", "1"]
    subprocess.run(arguments, check=True, capture_output=True, env=os.environ | QUIET, timeout=TIMEOUT)
    return folder


def contents(folder: Path, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the content of each file of a run by name: arrays, rows of the log without wall-clock times, or bytes.

    TensorBoard's files and the previous checkpoint are left out. They depend on how often the training was resumed.
    """
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name.startswith("tensorboard") or name in (LOCK, PREVIOUS, *without):
            continue
        if name == "log.csv":
            found[name] = timeless(RunFolder(folder).read_log())
        elif name.endswith(".weights.h5") and ".part" not in name:
            with h5py.File(path) as file:
                arrays: dict[str, np.ndarray] = {}
                file.visititems(
                    lambda at, item, to=arrays: to.update({at: item[()]}) if hasattr(item, "dtype") else None
                )
            found[name] = arrays
        elif path.suffix == ".h5" and ".part" not in name:
            facts, arrays = read_arrays(path)
            found[name] = {"facts": facts | {"history": timeless(facts.get("history", []))}, **arrays}
        else:
            found[name] = path.read_bytes()
    return found


def timeless(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a log without its wall-clock times."""
    return [{name: value for name, value in row.items() if name not in WALL_CLOCK} for row in rows]


def equal(found: Any, expected: Any) -> bool:
    """Whether two values are equal to the bit. NaN equals itself."""
    if isinstance(found, np.ndarray):
        return isinstance(expected, np.ndarray) and (found.dtype, found.shape, found.tobytes()) == (
            expected.dtype,
            expected.shape,
            expected.tobytes(),
        )
    if isinstance(found, dict) and isinstance(expected, dict):
        return found.keys() == expected.keys() and all(equal(found[name], expected[name]) for name in found)
    return repr(found) == repr(expected)


# Processes


class Processes:
    """Starts training runs, one after the other or at the same time. All are forked from a process with TensorFlow."""

    def __init__(self, module: str, work: Path):
        self._module, self._work = module, work
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(list(PRELOADED))
        self._started: list[Process] = []

    def start(self, arguments: list[str], folder: Path, strike: Strike | None = None) -> "Process":
        number = len(self._started)
        printed = victim.Printed(*(self._work / f"{number:03d}.{ending}" for ending in ("out", "err", "calls")))
        for path in printed:
            path.touch()
        process = self._context.Process(target=victim.train, args=(self._module, arguments, folder, strike, printed))
        process.start()
        self._started.append(Process(process, printed))
        return self._started[-1]

    def stop(self) -> None:
        for process in self._started:
            process.kill_after(0)


class Process:
    """A training in a process of its own."""

    def __init__(self, process: ForkServerProcess, printed: victim.Printed):
        self._process, self._printed = process, printed

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    @property
    def trains(self) -> bool:
        """Whether the process has printed that it begins or resumes a training run."""
        return BEGINS.search(self._printed.out.read_text(encoding="utf-8")) is not None

    @property
    def err(self) -> str:
        return self._printed.err.read_text(encoding="utf-8")

    @property
    def calls(self) -> list[Call]:
        """The calls of the process' file layer, or an empty list if the process was killed."""
        text = self._printed.calls.read_text()
        return [Call(*each) for each in json.loads(text)] if text else []

    def wait_for_training(self) -> bool:
        """Wait until the process trains. Return whether it does."""
        while not self.trains and self.alive:
            time.sleep(0.02)
        return self.trains

    def kill_after(self, seconds: float) -> bool:
        """Kill the process by SIGKILL after a time. Return whether it was killed, that is, had not ended before."""
        self._process.join(seconds)
        alive = self.alive
        if alive:
            self._process.kill()
            self._process.join()
        return alive

    def wait(self) -> int:
        """Wait until the process ends. Return its exit status, or the negative number of the signal that ended it."""
        self._process.join(TIMEOUT)
        if self.alive:
            raise DifferenceError(f"a process has not ended after {TIMEOUT:.0f} s")
        return self._process.exitcode


def _parser() -> command_line.Parser:
    parser = command_line.Parser(prog="python -m tests.stress.kills", description=__doc__)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS), help="kinds of training runs [all]")
    parser.add_argument(
        "--kills",
        type=command_line.at_least_one,
        default=50,
        metavar="N",
        help="of each kind, half of them in writes [50]",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random [0]")
    parser.add_argument("--output", type=Path, metavar="FILE", help="the figures as JSON too")
    return parser


if __name__ == "__main__":
    sys.exit(command_line.run(main, "kills"))
