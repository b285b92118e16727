"""Measures one PPO update of `gail_tf`, distributed over several devices or processes on this machine.

The devices share the machine's cores, so the benchmark measures the overhead of distributing an update, not the gain.
"""

import itertools
import json
import multiprocessing
import os
import socket
import statistics
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.exercise import Exercise
from benchmarks.measure import interleave
from benchmarks.our_update import OurUpdate
from keras_gca.engine import devices

TRAFFIC = Path("/proc/net/dev")  # exists only on Linux


@dataclass(frozen=True)
class Devices:
    """A way to distribute an update: several replicas in one process, or several processes with one replica each.

    Attributes:
        strategy: The value of `--strategy`.
        count: The number of replicas.
    """

    strategy: str = "none"
    count: int = 1

    @property
    def title(self) -> str:
        if self.strategy == "none":
            return "one device"
        return f"{self.count} {'parts of the CPU' if self.strategy == 'mirrored' else 'processes'}"

    def measure(self, exercise: Exercise, rounds: int) -> dict[str, float]:
        """Run updates in new processes, and measure the seconds per update and the bytes sent between processes.

        The bytes that pass through the loopback device are counted, which is possible only on Linux.
        """
        if self.strategy != "multi_worker":
            environments = [{}]
        else:
            threads = str(max((os.cpu_count() or 1) // self.count, 1))
            workers = [f"127.0.0.1:{port}" for port in free_ports(self.count)]
            environments = [
                {
                    "TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": i}}),
                    "TF_NUM_INTRAOP_THREADS": threads,
                }
                for i in range(self.count)
            ]
        pools = [ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) for _ in environments]
        try:
            asked = [
                pool.submit(_timed, self, environment, exercise, rounds)
                for pool, environment in zip(pools, environments, strict=True)
            ]
            return asked[0].result()
        finally:
            for pool in pools:
                pool.shutdown()


def _timed(on: Devices, environment: dict[str, str], exercise: Exercise, rounds: int) -> dict[str, float]:
    os.environ.update(environment)
    made = devices.make(on.strategy, on.count if on.strategy == "mirrored" else None)
    sent: list[int] = []
    with made.scope():
        update = OurUpdate(exercise)

        def work() -> int:
            sent.append(loopback_bytes())
            return update()

        [rates] = interleave({"update": work}, rounds).values()
        sent.append(loopback_bytes())
    by_update = [after - before for before, after in itertools.pairwise(sent[1:])]  # the first update is a warm-up
    return {"seconds": exercise.tokens / statistics.median(rates), "bytes": statistics.median(by_update)}


def loopback_bytes() -> int:
    """Return how many bytes this machine has sent over the loopback device, or 0 if the count is unavailable."""
    lines = TRAFFIC.read_text().splitlines() if TRAFFIC.exists() else []
    return next((int(line.partition(":")[2].split()[8]) for line in lines if line.strip().startswith("lo:")), 0)


def free_ports(count: int) -> list[int]:
    """Find TCP ports that no program on this machine listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
