"""One training on several devices or machines, by TensorFlow's own strategies; for both papers.

Every replica has all weights and reads its share of each batch's rows, which `compilation.Compiled` gives it. A loss is
divided by what the whole batch counts, and noise is drawn by a row's number in the whole batch: so 1, 2 and 4 replicas
learn the same weights, up to float32's rounding. Gradients are summed over the replicas, then clipped, then applied.

Inside a step a replica has its *part* of a sum or of a mean: the parts of all replicas add up to it. With one replica
the part is the whole, and nothing here adds an operation to a graph.
"""

import contextlib
import functools
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_gca.errors import UserError
from keras_gca.run_folder import CHECKPOINT, lock

GONE = (tf.errors.UnavailableError, tf.errors.DeadlineExceededError, tf.errors.CancelledError, tf.errors.AbortedError)


def make(name: str, replicas: int | None = None) -> tf.distribute.Strategy:
    """The strategy of `--strategy`; to be made before anything else is done with TensorFlow.

    none: one device. mirrored: all GPUs of this machine, or so many of them; without a GPU, so many parts of the CPU.
    multi_worker: the processes that TF_CONFIG names, this one of them. tpu: the TPU of this machine, or the one that
    TPU_NAME names.

    replicas: of mirrored. Raises UserError where there are no such devices.
    """
    if replicas is not None and name != "mirrored":
        raise UserError(f"--replicas: of --strategy mirrored; with {name} leave it out")
    return {"none": tf.distribute.get_strategy, "mirrored": lambda: _mirrored(replicas), "multi_worker": _multi_worker,
            "tpu": _tpu}[name]()  # fmt: skip


def _mirrored(replicas: int | None) -> tf.distribute.Strategy:
    gpus = tf.config.list_logical_devices("GPU") if tf.config.list_physical_devices("GPU") else []
    if gpus and (replicas or 1) > len(gpus):
        raise UserError(f"--replicas: {replicas} where this machine has {len(gpus)} GPUs")
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
            "--strategy multi_worker: TF_CONFIG must name all workers and this one, as in "
            '{"cluster": {"worker": ["host0:port", "host1:port"]}, "task": {"type": "worker", "index": 0}}'
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def _tpu() -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(os.environ.get("TPU_NAME", "local"))
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).partition("\n")[0].partition(".")[0]
        raise UserError(f"--strategy tpu: no TPU is found ({reason.rstrip(':')})") from None
    return tf.distribute.TPUStrategy(resolver)


def workers() -> int:
    """How many processes take part."""
    if not isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    return len(json.loads(os.environ["TF_CONFIG"])["cluster"]["worker"])


def is_chief() -> bool:
    """Whether this process is the one that writes the run and tells the user."""
    return workers() == 1 or tf.distribute.get_strategy().cluster_resolver.task_id == 0


@contextlib.contextmanager
def training_on(strategy: tf.distribute.Strategy, path: Path) -> Iterator[Path]:
    """Networks that are made in this block, and their training, belong to a strategy.

    Gives where this process writes the run that is, or will be, in `path`. Raises UserError where another process of
    the training is gone.
    """
    with strategy.scope(), _run_folder(path) as own, _reporting_loss(path):
        yield own


@contextlib.contextmanager
def _run_folder(path: Path) -> Iterator[Path]:
    """Where this process writes: to the path, if it is the chief; nobody else may train there meanwhile.

    All processes do the same, but of the others nobody needs the files or the words: they get a copy of the folder,
    which goes when the block ends, and say nothing on standard output meanwhile.
    """
    if is_chief():
        with lock(path):
            yield path
        return
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
        if (path / CHECKPOINT).exists():  # a new run has none before all processes have made their networks
            shutil.copytree(path, folder, dirs_exist_ok=True)
        yield Path(folder)


@contextlib.contextmanager
def _reporting_loss(path: Path) -> Iterator[None]:
    try:
        yield
    except GONE:
        if workers() == 1:
            raise
        raise UserError(
            f"another worker of this training is gone; start all of them again with --resume {path}, to go on from the "
            "last checkpoint"
        ) from None


# Inside a step


def replica() -> tf.distribute.ReplicaContext | None:
    """The replica whose step this is; None outside of one, and where there is only one."""
    context = tf.distribute.get_replica_context()
    return None if context is None or context.num_replicas_in_sync == 1 else context


def total(parts):
    """The sums over all replicas of their parts, in any structure of tensors."""
    context = replica()
    return parts if context is None else context.all_reduce(tf.distribute.ReduceOp.SUM, parts)


def part(value: tf.Tensor) -> tf.Tensor:
    """This replica's part of a value that every replica has found whole."""
    context = replica()
    return value if context is None else value / context.num_replicas_in_sync


def mean(values: tf.Tensor) -> tf.Tensor:
    """The part of the mean over the values of all replicas."""
    if replica() is None:
        return tf.reduce_mean(values)
    return tf.reduce_sum(values) / total(tf.cast(tf.size(values), values.dtype))


class Place(NamedTuple):
    """Where a replica's rows stand among those of all: how many are its own, before them, and in all; () int32."""

    own: tf.Tensor
    before: tf.Tensor
    all: tf.Tensor


def place(count: tf.Tensor) -> Place:
    """Of `count` rows of this replica. Not for use inside a loop."""
    context = replica()
    if context is None:
        return Place(count, tf.zeros_like(count), count)
    numbers = tf.range(context.num_replicas_in_sync)
    counts = total(tf.where(numbers == context.replica_id_in_sync_group, count, 0))
    before = tf.where(numbers < context.replica_id_in_sync_group, counts, 0)
    return Place(count, tf.reduce_sum(before), tf.reduce_sum(counts))


def uniform(seed: tf.Tensor, place: Place, shape: Sequence[int | tf.Tensor], minval: float = 0.0) -> tf.Tensor:
    """Numbers in [minval, 1) for a replica's rows, (own, *shape) float32, by a seed (2,) int32 of the whole batch.

    Those of all rows are drawn, so that several replicas have what one has.
    """
    drawn = tf.random.stateless_uniform([place.all, *shape], seed, minval)
    return drawn if replica() is None else drawn[place.before : place.before + place.own]


class _SummedGradients:
    """A Keras optimizer sums gradients over the replicas. These take gradients that are such sums, perhaps clipped."""

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars


class Adam(_SummedGradients, keras.optimizers.Adam):
    """Adam on gradients that `total` has summed."""


class AdamW(_SummedGradients, keras.optimizers.AdamW):
    """AdamW on gradients that `total` has summed."""


# Between steps


@functools.cache
def _any() -> tf.types.experimental.PolymorphicFunction:
    strategy = tf.distribute.get_strategy()

    @tf.function(autograph=False)
    def on_all(flag):
        found = strategy.run(lambda: total(tf.cast(flag, tf.int32)))
        return strategy.experimental_local_results(found)[0] > 0

    return on_all


def any_worker(flag: bool) -> bool:
    """Whether the flag is true in any process; all of them must ask."""
    return flag if workers() == 1 else bool(_any()(tf.constant(flag)))
