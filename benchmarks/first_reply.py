"""`python -m benchmarks.first_reply`: measure where the time goes between a chat command and the first reply.

Each measurement runs the command itself, for example `python -m keras_gca.chat --shipped --say "Hello! How are you?"`,
in a new process. The time ends when the reply arrives on the command's standard output. A module that Python imports at
startup (`sitecustomize`) notes when each part begins. At the end of the process, the same message is answered once
more; this time, nothing has to be compiled. The parts are:

    interpreter   Python's own startup
    imports       up to the call of the agent's method `load`
    loading       reading the bot, and making its networks
    compiling     the first reply, without the time of the second answer to the same message
    decoding      the second answer to the same message
    printing      from the first reply to its arrival on the standard output

With `--page`, the chat page is measured instead: the command is run with `--web`, the page is requested as soon as its
address is printed, and the message is sent as soon as the page arrives. The parts are:

    page          up to the arrival of the page
    reply         from then to the arrival of the reply

If checkouts of other versions are given, the measurements of all versions alternate. The times of a version are only
comparable with those of another version from the same run of this benchmark.
"""

import argparse
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

PARTS = ("interpreter", "imports", "loading", "compiling", "decoding", "printing")
PAGE_PARTS = ("page", "reply")
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")
MESSAGE = "Hello! How are you?"
FILE = "FIRST_REPLY_FILE"  # the environment variable with the path of the file for the measured process's times
AT_STARTUP = f'''
import importlib.machinery, sys, time
notes = [("interpreter", time.monotonic(), time.process_time())]

def note(name):
    notes.append((name, time.monotonic(), time.process_time()))

class Watch:
    """Lets the class of the agent note when it is loaded, and when it answers."""
    watched = {{"keras_gca.agent": "Agent", "gail_tf.agent": "GAILAgent"}}

    def find_spec(self, name, path, target=None):
        if name not in self.watched:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        execute = spec.loader.exec_module
        def execute_and_watch(module):
            execute(module)
            watch(getattr(module, self.watched[name]))
        spec.loader.exec_module = execute_and_watch
        return spec

def watch(agent):
    load, answer = agent.load.__func__, agent.answers_to_all
    def load_and_note(cls, *arguments, **named):
        note("imports")
        made = load(cls, *arguments, **named)
        note("loading")
        return made
    def answer_and_note(self, *arguments, **named):
        answers = answer(self, *arguments, **named)
        if all(name != "first reply" for name, *_ in notes):
            note("first reply")
            import atexit
            memory = [line for line in open("/proc/self/status") if line.startswith(("VmHWM", "RssAnon"))]
            memory = [int(line.split()[1]) / 2**20 for line in memory]
            atexit.register(finish, memory, self, *arguments, **named)
        return answers
    def finish(memory, self, *arguments, **named):
        import json, os
        began = time.monotonic(), time.process_time()
        answer(self, *arguments, **named)
        again = [after - before for before, after in zip(began, (time.monotonic(), time.process_time()))]
        with open(os.environ["{FILE}"], "w") as stream:
            json.dump({{"notes": notes, "again": again, "memory": memory}}, stream)
    agent.load, agent.answers_to_all = classmethod(load_and_note), answer_and_note

sys.meta_path.insert(0, Watch())
'''


def first_reply(checkout: Path, package: str, bot: list[str], folder: Path) -> dict[str, Any]:
    """Measure one chat command in a new process.

    Args:
        checkout: The folder with the version of this project to measure.
        package: The package whose chat is measured.
        bot: The arguments that choose the bot.
        folder: An empty folder for the files of the measurement.

    Returns:
        The seconds and processor seconds of each part, in the order of PARTS; the peak memory and the anonymous memory
        at the first reply, in GB; and the command's output.
    """
    (folder / "sitecustomize.py").write_text(AT_STARTUP, encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(folder), FILE: str(folder / "times.json")}
    command = [sys.executable, "-m", f"{package}.chat", *bot, "--say", MESSAGE, "--json"]
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=checkout, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        reply = process.stdout.readline()
        ended = time.monotonic()
        process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: status {process.returncode}")
    result = json.loads((folder / "times.json").read_text(encoding="utf-8"))
    clocks = [(began, 0.0), *(tuple(clock) for _, *clock in result["notes"])]
    walls, processor = ([later[i] - earlier[i] for earlier, later in itertools.pairwise(clocks)] for i in (0, 1))
    for times, again in zip((walls, processor), result["again"], strict=True):
        times[3:] = [times[3] - again, again]
    return {
        "seconds": [*walls, ended - clocks[-1][0]],
        "processor seconds": [*processor, 0.0],
        "memory": result["memory"],
        "reply": reply,
    }


def page(checkout: Path, package: str, bot: list[str], folder: Path) -> dict[str, Any]:
    """Measure one chat page in a new process; see `first_reply`. The parts are those of PAGE_PARTS."""
    command = [sys.executable, "-u", "-m", f"{package}.chat", *bot, "--web", "--port", "0"]
    began = time.monotonic()
    with subprocess.Popen(
        command, cwd=checkout, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        try:
            address = next(found[0] for line in process.stdout if (found := ADDRESS.search(line)))
            cookies = urllib.request.HTTPCookieProcessor()
            browser = urllib.request.build_opener(cookies)
            browser.open(address).read()
            served = time.monotonic()
            content = json.dumps({"history": [MESSAGE]}).encode()
            asked = urllib.request.Request(f"{address}answers", content, {"Content-Type": "application/json"})
            reply = browser.open(asked).read().decode()
            ended = time.monotonic()
            status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        finally:
            process.terminate()
    fields = dict(line.split(":", 1) for line in status.splitlines())
    memory = [int(fields[name].split()[0]) / 2**20 for name in ("VmHWM", "RssAnon")]
    return {"seconds": [served - began, ended - served], "memory": memory, "reply": reply}


def main() -> None:
    """Measure the requested chats and print a table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.first_reply",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--package", choices=("keras_gca", "gail_tf"), default="keras_gca", help="[keras_gca]")
    parser.add_argument("--bot", type=Path, help="a run folder or a bot file [the shipped bot]")
    parser.add_argument("--page", action="store_true", help="measure the chat page instead of the terminal")
    parser.add_argument("--rounds", type=int, default=10, metavar="N", help="number of measurements per version [10]")
    parser.add_argument(
        "--checkout",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="a checkout of another version to compare with",
    )
    options = parser.parse_args()
    bot = [str(options.bot.resolve())] if options.bot else ["--shipped"]
    checkouts = [*(path.resolve() for path in options.checkout), Path(__file__).parents[1]]
    measure, parts = (page, PAGE_PARTS) if options.page else (first_reply, PARTS)
    results: dict[Path, list[dict[str, Any]]] = {path: [] for path in checkouts}
    for number in range(options.rounds):
        for path in checkouts:
            print(f"round {number + 1}: {path.name} ...", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as folder:
                results[path].append(measure(path, options.package, bot, Path(folder)))
    print(" | ".join(("| version", "clock", *parts, "up to the first reply", "peak memory, GB", "of it anonymous |")))
    print("|" + " --- |" * (len(parts) + 5))
    for path, measured in results.items():
        memory = [f"{statistics.median(one['memory'][i] for one in measured):.2f}" for i in (0, 1)]
        for kind in ("seconds",) if options.page else ("seconds", "processor seconds"):
            times = [statistics.median(values) for values in zip(*(one[kind] for one in measured), strict=True)]
            whole = statistics.median(sum(one[kind]) for one in measured)
            cells = [path.name, kind, *(f"{value:.2f}" for value in (*times, whole)), *memory]
            print("| " + " | ".join(cells) + " |")
    replies = {one["reply"] for measured in results.values() for one in measured}
    print(f"\nreplies with all scores: {'equal in all measurements' if len(replies) == 1 else 'DIFFERENT'}")


if __name__ == "__main__":
    main()
