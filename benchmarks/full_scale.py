"""Calculates the cost of training at the full scale of Table 1: the operations, and the hours at given speeds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.costs import Sizes, learning_flops
from benchmarks.exercise import LEARNING, REFERENCE, SAMPLING, Exercise
from benchmarks.our_update import update_flops
from gail_tf.config import GAILConfig
from gail_tf.data.trajectories import FRACTIONS

TRAJECTORIES = 208_600  # Section 4.1


class Work(NamedTuple):
    """One kind of work in a training phase.

    Attributes:
        phase: The name of the phase.
        kind: SAMPLING, REFERENCE or LEARNING. Each kind of work runs at its own speed.
        flops: The number of floating-point operations.
    """

    phase: str
    kind: str
    flops: float


def plan(sizes: Sizes, table: GAILConfig, prompt: int = 64, response: int = 32) -> list[Work]:
    """Calculate the work of all phases of Algorithm 1 with the settings of Table 1, without validation.

    Args:
        sizes: The config of the network.
        table: The settings, including the numbers of epochs, updates, rollouts and training steps of the discriminator
            D.
        prompt: The number of tokens in every prompt.
        response: The number of tokens in every response.
    """
    trained = round(FRACTIONS[0] * TRAJECTORIES)
    passes = trained * table.likelihood.mle_epochs
    likelihood = learning_flops(sizes, passes * (prompt + response - 1), passes * response)
    update = update_flops(Exercise(sizes, table.rollout.rollouts, prompt, response))
    buffers = table.judge.discriminator_steps * table.optimizer.batch_size / table.rollout.rollouts
    return [
        Work("maximum likelihood", LEARNING, likelihood),
        *(Work("D's first steps", kind, buffers * update[kind]) for kind in (SAMPLING, REFERENCE)),
        *(Work("updates", kind, table.rollout.updates * update[kind]) for kind in (SAMPLING, REFERENCE, LEARNING)),
    ]


def hours(work: list[Work], rates: Mapping[str, float]) -> list[float]:
    """Return the hours that each item of work takes, given the speed (operations per second) of each kind of work."""
    return [each.flops / rates[each.kind] / 3600 for each in work]


@dataclass(frozen=True)
class Device:
    """An accelerator that has not been measured here, so its speeds are assumptions.

    Each kind of work is assumed to reach a fraction of the peak speed (UTILISATION). This fraction is small for
    sampling: 64 responses are sampled token by token, so reading weights from memory and launching kernels take most of
    the time. The other kinds of work are products of large matrices. Communication between several devices is assumed
    to take no time.

    Attributes:
        name: The name of the device or devices.
        peak: The manufacturer's peak speed for dense bfloat16, in FLOP/s.
    """

    name: str
    peak: float

    @property
    def rates(self) -> dict[str, float]:
        """The floating-point operations per second for each kind of work."""
        return {kind: share * self.peak for kind, share in UTILISATION.items()}


UTILISATION = {SAMPLING: 0.01, REFERENCE: 0.3, LEARNING: 0.3}
DEVICES = (
    Device("A100", 312e12),
    Device("8 A100", 8 * 312e12),
    Device("H100 SXM", 989e12),
    Device("TPU v5e-8", 8 * 197e12),
)
