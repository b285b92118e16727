"""`python -m benchmarks.first_reply`: measure where the time goes between the start of a chat and the first reply.

Each measurement runs in a new process, which loads a bot and answers the same message twice. The time is split into the
interpreter's startup, the imports, loading the bot, the first reply, and the second reply. Only the first reply builds
the graph, so the difference between the times of the two replies is the time for building the graph. If checkouts of
other versions are given, the measurements of all versions alternate.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import measure

PARTS = ("interpreter", "imports", "loading", "first reply", "same reply again")
MESSAGE = "Hello! How are you?"
BEGIN = """
import json, sys, time
clocks = [(time.time(), time.process_time())]
def mark():
    clocks.append((time.time(), time.process_time()))
"""
END = """
agent.answers([message], None, how, 0)
mark()
agent.answers([message], None, how, 0)
mark()
peak = [line for line in open("/proc/self/status") if line.startswith(("VmHWM", "RssAnon"))]
print(json.dumps({"clocks": clocks, "memory": [int(line.split()[1]) / 2**20 for line in peak]}))
"""
PROGRAMS = {
    "keras_gca": """
from keras_gca.engine import loading
from keras_gca.chat import SHIPPED
with loading.quiet_imports():
    from keras_gca.agent import Agent
    from keras_gca.models.decoding_settings import CHAT
    from keras_gca.original import agent
mark()
agent, how = Agent.load(path or SHIPPED), CHAT
mark()
""",
    "gail_tf": """
from keras_gca.engine import loading
from gail_tf import chat
with loading.quiet_imports():
    from gail_tf.agent import GAILAgent, Replying
mark()
agent, how = GAILAgent.load(path or chat.SHIPPED), Replying()
mark()
""",
}


def first_reply(checkout: Path, package: str, bot: str | None) -> dict[str, list[float]]:
    """Measure one chat in a new process: the seconds and processor seconds of each part, and the memory in GB."""
    program = f"{BEGIN}\npath, message = {bot!r}, {MESSAGE!r}\n{PROGRAMS[package]}\n{END}"
    environment = os.environ | {"PYTHONPATH": str(checkout), "TF_CPP_MIN_LOG_LEVEL": "3"}
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=checkout, env=environment, capture_output=True, text=True, check=True
    )
    result = json.loads(done.stdout.splitlines()[-1])
    clocks = [(began, 0.0), *result["clocks"]]
    walls, processors = ([later[i] - earlier[i] for earlier, later in itertools.pairwise(clocks)] for i in (0, 1))
    return {"seconds": walls, "processor": processors, "memory": result["memory"]}


def main() -> None:
    """Measure the requested chats and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_reply", description=__doc__)
    parser.add_argument("--package", choices=PROGRAMS, default="keras_gca", help="the bot's package [keras_gca]")
    parser.add_argument("--bot", help="a run folder or a bot file [the shipped bot]")
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
    checkouts = [*(path.resolve() for path in options.checkout), Path(__file__).parents[1]]
    results: dict[Path, list[dict[str, list[float]]]] = {path: [] for path in checkouts}
    for number in range(options.rounds):
        for path in checkouts:
            measure.progress(f"round {number + 1}: {path.name}")
            results[path].append(first_reply(path, options.package, options.bot))
    rows = []
    for path, measured in results.items():
        for kind in ("seconds", "processor"):
            columns = list(zip(*(one[kind] for one in measured), strict=True))
            to_first = [sum(one[kind][:-1]) for one in measured]
            medians = [statistics.median(values) for values in (*columns, to_first)]
            rows.append([path.name, kind, *(f"{value:.2f}" for value in medians)])
        peak = statistics.median(one["memory"][0] for one in measured)
        rows.append([path.name, "peak memory, GB", *[""] * len(PARTS), f"{peak:.2f}"])
    print(measure.table(("version", "clock", *PARTS, "up to the first reply"), rows))


if __name__ == "__main__":
    main()
