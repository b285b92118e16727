"""Training runs of both papers on several devices and in several processes learn the same as on one device."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.several_devices import free_ports
from keras_gca.storage.arrays import read_arrays
from tests.factories.embedded import write_conversations
from tests.places import PROJECT

# Each of these training runs has another kind of noise: dropout, z, or D's instance noise.
GCA = ["keras_gca.train", "--preset", "tiny", "--dropout", "0.2", "--hidden-dropout", "0.3", "--machine-pairs", "32"]
GAIL = [
    "gail_tf.train", "--preset", "tiny", "--max-trajectories", "60", "--pretraining-epochs", "1", "--mle-epochs", "1",
    "--updates", "3", "--rollouts", "16", "--discriminator-steps", "2", "--response-tokens", "8", "--warmup-steps", "0",
    "--dropout", "0.1", "--pretraining-learning-rate", "1e-3", "--mle-learning-rate", "1e-3",
]  # fmt: skip
GAIL_FULL = [*GAIL, "--instance-noise", "0.2", "--value-baseline", "on"]


def start(arguments: list[str], number: int = 0, ports: list[int] | None = None) -> subprocess.Popen:
    """Start a training run in a process of its own. If ports are given, it is one of several workers."""
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    if ports:
        workers = [f"127.0.0.1:{port}" for port in ports]
        described = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": number}}
        environment |= {"TF_CONFIG": json.dumps(described)}
        arguments = [*arguments, "--strategy", "multi_worker"]
    command = [sys.executable, "-m", *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def start_workers(arguments: list[str], count: int) -> list[subprocess.Popen]:
    ports = free_ports(count)
    return [start(arguments, number, ports) for number in range(count)]


def end(*processes: subprocess.Popen) -> list[str]:
    """Wait until all processes have ended, which must be without an error. Return what they have printed."""
    printed = [process.communicate(timeout=600)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), printed[0][-2000:]
    return printed


def same(one: Path, other: Path, relative: float = 1e-3, floor: float = 0.0) -> None:
    """Assert that two runs have the same weights, the same moments of the optimizers and the same metrics.

    Args:
        one: The run folder of the first run.
        other: The run folder of the second run.
        relative: The largest norm of an array's difference, as a share of the array's own norm.
        floor: The difference that is allowed for each number in addition. For the numbers of an optimizer it is a share
            of their largest root mean square.
    """
    (facts, arrays), (other_facts, others) = (read_arrays(path / "checkpoint.h5") for path in (one, other))
    assert arrays.keys() == others.keys()
    for name, values in arrays.items():
        if values.dtype.kind != "f":
            np.testing.assert_array_equal(values, others[name], err_msg=name)
        else:
            # Whole arrays are compared: if a single gradient is nearly 0, Adam's step follows its rounding.
            group, _, _ = name.partition("/")
            free = floor * (largest(arrays, group) if group.endswith("optimizer") else 1)
            difference = np.linalg.norm(values - others[name])
            assert difference <= relative * np.linalg.norm(values) + free * np.sqrt(values.size), name
    for row, other_row in zip(facts["history"], other_facts["history"], strict=True):
        assert row.keys() == other_row.keys()
        assert row["phase"] == other_row["phase"]
        figures = row.keys() - {"phase", "tokens_per_second"}
        expected = {name: pytest.approx(other_row[name], rel=1e-3, abs=1e-3, nan_ok=True) for name in figures}
        assert {name: row[name] for name in figures} == expected


def largest(arrays: dict[str, np.ndarray], group: str) -> float:
    """Return the largest root mean square among the arrays of a group."""
    members = [values for name, values in arrays.items() if name.startswith(f"{group}/") and values.dtype.kind == "f"]
    return max(float(np.sqrt(np.mean(np.square(values)))) for values in members)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A function: alone(arguments) returns the run of a training run on one device."""
    found = {}

    def find(arguments: list[str]) -> Path:
        key = " ".join(arguments)
        if key not in found:
            found[key] = tmp_path_factory.mktemp("alone") / "run"
            end(start([*arguments, "--run", str(found[key])]))
        return found[key]

    return find


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [GCA, GAIL_FULL], ids=["gca", "gail"])
def test_two_processes_learn_what_one_learns(arguments, alone, tmp_path):
    path = tmp_path / "run"
    chief, other = end(*start_workers([*arguments, "--run", str(path)], 2))
    assert f"wrote {path}" in chief
    assert "held-out" not in other  # only the chief prints
    same(alone(arguments), path)
    assert sorted(file.name for file in path.iterdir()) == sorted(file.name for file in alone(arguments).iterdir())


@pytest.mark.thorough
def test_two_processes_learn_from_token_files_what_one_learns(alone, tmp_path):
    corpus, folder, path = tmp_path / "corpus.txt", tmp_path / "tokens", tmp_path / "run"
    write_conversations(corpus, 60)
    end(start(["keras_gca.prepare", "--preset", "tiny", str(corpus), "--out", str(folder), "--processes", "1"]))
    arguments = [*GCA, "--data", str(folder)]
    chief, _ = end(*start_workers([*arguments, "--run", str(path)], 2))
    assert f"wrote {path}" in chief
    same(alone(arguments), path)


VARIANTS = {
    "gca": GCA,
    "gca canonical": [*GCA, "--generator", "canonical"],
    "gca reinforce": [*GCA, "--algorithm", "reinforce"],
    "gail": GAIL_FULL,
    "textgail": [*GAIL, "--algorithm", "textgail"],
    "trpo": [*GAIL, "--algorithm", "trpo"],
    "rl_seq2seq": [*GAIL, "--algorithm", "rl_seq2seq", "--discriminator-steps", "0"],
    "lora, tokens": [*GAIL_FULL, "--trainable", "lora", "--discriminator", "token", "--level", "token"],
    "D's own encoder": [*GAIL, "--discriminator-encoder", "trainable"],
}


# RoBERTa's key biases do not change the attention, so that their gradients are only rounding. 1e-6 is a hundredth of
# D's step.
# At the beginning of LoRA the gradients of A are nearly 0, because B is.
TOLERANCES = {"textgail": {"floor": 1e-6}, "lora, tokens": {"relative": 3e-3}}


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [2, 4])
@pytest.mark.parametrize("name", VARIANTS)
def test_replicas_learn_what_one_device_learns(name, replicas, alone, tmp_path):
    path = tmp_path / "run"
    end(start([*VARIANTS[name], "--run", str(path), "--strategy", "mirrored", "--replicas", str(replicas)]))
    same(alone(VARIANTS[name]), path, **TOLERANCES.get(name, {}))


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [GCA, GAIL_FULL], ids=["gca", "gail"])
def test_four_processes_learn_what_one_learns(arguments, alone, tmp_path):
    path = tmp_path / "run"
    end(*start_workers([*arguments, "--run", str(path)], 4))
    same(alone(arguments), path)


LONGER = [*GAIL_FULL, "--updates", "30", "--checkpoint-minutes", "0"]


def wait_for_imitation(process: subprocess.Popen, path: Path) -> None:
    """Wait until the run has made its first update."""
    deadline = time.monotonic() + 300
    while not (path / "log.csv").exists() or "imitation" not in (path / "log.csv").read_text():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("replicas", [(2, 1), (1, 4)])
def test_a_run_goes_on_on_other_devices(replicas, alone, tmp_path):
    path = tmp_path / "run"
    first, second = (["--strategy", "mirrored", "--replicas", str(count)] if count > 1 else [] for count in replicas)
    process = start([*LONGER, "--run", str(path), *first])
    wait_for_imitation(process, path)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    end(start(["gail_tf.train", "--resume", str(path), *second]))
    same(alone(LONGER), path)


@pytest.mark.slow
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_the_loss_of_a_worker_is_reported_within_a_minute_and_the_job_resumes(sign, alone, tmp_path):
    path = tmp_path / "run"
    chief, other = start_workers([*LONGER, "--run", str(path)], 2)
    wait_for_imitation(chief, path)
    other.send_signal(sign)
    began = time.monotonic()
    printed, _ = chief.communicate(timeout=90)
    assert time.monotonic() - began < 75  # one minute, and the time in which the process ends
    other.kill()
    other.communicate()
    assert chief.returncode == 2
    last = printed.strip().splitlines()[-1]
    assert "another worker of this training run ended unexpectedly" in last
    assert f"start all workers again with --resume {path}" in last
    assert "Traceback" not in printed
    end(*start_workers(["gail_tf.train", "--resume", str(path)], 2))
    same(alone(LONGER), path)


@pytest.mark.thorough
@pytest.mark.skipif(bool(tf.config.list_physical_devices("TPU")), reason="this machine has a TPU")
def test_a_tpu_that_is_not_there():
    printed, _ = (process := start(["gail_tf.train", "--preset", "tiny", "--strategy", "tpu"])).communicate(timeout=120)
    assert process.returncode == 2
    assert printed.strip().splitlines()[-1].startswith("train: --strategy tpu: no TPU was found (")
