"""Chooses the devices and processes of a training run with TensorFlow's strategies (`tf.distribute`).

`replicas.py` has the operations that replicas need inside a step.
"""

import contextlib
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import tensorflow as tf

from keras_gca.engine.replicas import total
from keras_gca.errors import UserError
from keras_gca.storage.run_folder import CHECKPOINT, lock

GONE = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.CancelledError, tf.errors.AbortedError)


def make(name: str, replicas: int | None = None) -> tf.distribute.Strategy:
    """Create the strategy for `--strategy`. This must be the first use of TensorFlow in the process.

    Args:
        name: The name of the strategy.

            - "none" uses one device.
            - "mirrored" uses `replicas` GPUs of this machine. Without a GPU, it divides the CPU into `replicas` parts.
            - "multi_worker" uses the processes that TF_CONFIG names, including this one.
            - "tpu" uses the TPU of this machine, or the TPU that TPU_NAME names.
        replicas: The number of replicas for "mirrored". If None, there is one replica for each GPU, or one replica if
            there is no GPU.

    Raises:
        UserError: This machine does not have the devices that were requested.
    """
    if replicas is not None and name != "mirrored":
        raise UserError(f"--replicas applies only to --strategy mirrored; leave it out with --strategy {name}")
    return {"none": tf.distribute.get_strategy, "mirrored": lambda: _mirrored(replicas), "multi_worker": _multi_worker,
            "tpu": _tpu}[name]()  # fmt: skip


def _mirrored(replicas: int | None) -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU") if tf.config.list_physical_devices("GPU") else []
    if gpus and (replicas or 1) > len(gpus):
        raise UserError(f"--replicas: {replicas} is too many; this machine has {len(gpus)} GPUs")
    if gpus:
        return tf.distribute.MirroredStrategy([gpu.name for gpu in gpus[:replicas]])
    parts = replicas or 1
    (cpu, *_) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * parts)
    return tf.distribute.MirroredStrategy([f"CPU:{number}" for number in range(parts)])


def _multi_worker() -> tf.distribute.Strategy:
    try:
        described = json.loads(os.environ["TF_CONFIG"])
        workers, task = described["cluster"]["worker"], described["task"]
        known = task["type"] == "worker" and 0 <= task["index"] < len(workers)
    except (KeyError, TypeError, ValueError):
        known = False
    if not known:
        raise UserError(
            "--strategy multi_worker: TF_CONFIG must name all workers and the index of this one, for example "
            '{"cluster": {"worker": ["host0:port", "host1:port"]}, "task": {"type": "worker", "index": 0}}'
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(os.environ.get("TPU_NAME", "local"))
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0].partition(".")[0]
        raise UserError(f"--strategy tpu: no TPU was found ({reason.rstrip(':')})") from None
    return tf.distribute.TPUStrategy(resolver)


def workers() -> int:
    """Return the number of processes that take part in training."""
    if not isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    return len(json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"])


def is_chief() -> bool:
    """Return whether this process is the chief, whose files and output are kept."""
    return workers() == 1 or tf.distribute.get_strategy().cluster_resolver.task_id == 0


@contextlib.contextmanager
def training_on(strategy: tf.distribute.Strategy | None, path: Path) -> Iterator[Path]:
    """A context manager that applies a strategy. A training run builds and trains its networks in the `with` block.

    Args:
        strategy: The strategy, or None for one device.
        path: The run folder.

    Yields:
        The folder to which this process writes the files of the run.

    Raises:
        UserError: Another process of this training run ended unexpectedly, or another training run uses the folder.
    """
    strategy = strategy or tf.distribute.get_strategy()
    with strategy.scope(), _run_folder(path) as own, _reporting_loss(path):
        yield own


@contextlib.contextmanager
def _run_folder(path: Path) -> Iterator[Path]:
    """Yield the folder to which this process writes. The chief also locks the run folder.

    Only the chief's files and output are kept. Each other process gets a temporary copy of the folder, and its standard
    output is discarded.
    """
    if is_chief():
        with lock(path):
            yield path
        return
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w", encoding="utf-8", errors="backslashreplace") as nothing,
        contextlib.redirect_stdout(nothing),
    ):
        if (path / CHECKPOINT).exists():  # a new run has no checkpoint before all processes have made their networks
            shutil.copytree(path, folder, dirs_exist_ok=True)
        yield Path(folder)


@contextlib.contextmanager
def _reporting_loss(path: Path) -> Iterator[None]:
    """A context manager that turns TensorFlow's error about a lost process into a UserError that says how to resume."""
    try:
        yield
    except GONE:
        if workers() == 1:
            raise
        raise UserError(
            "another worker of this training run ended unexpectedly; start all workers again with --resume "
            f"{path} to continue from the last checkpoint"
        ) from None


# Between steps


@functools.cache
def _any() -> tf.types.experimental.PolymorphicFunction:
    strategy = tf.distribute.get_strategy()

    @tf.function(autograph=False)
    def on_all(flag: tf.Tensor) -> tf.Tensor:
        count = strategy.run(lambda: total(tf.cast(flag, tf.int32)))
        return strategy.experimental_local_results(count)[0] > 0

    return on_all


def any_worker(flag: bool) -> bool:
    """Return whether the flag is true in any process. All processes must call this function."""
    return flag if workers() == 1 else bool(_any()(tf.constant(flag)))
