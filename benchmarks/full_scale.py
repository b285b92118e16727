"""Calculates what a training run with the paper's Table 1 at full scale costs: operations, and hours at given rates."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.costs import learning_flops
from benchmarks.exercise import LEARNING, REFERENCE, SAMPLING, Exercise
from benchmarks.our_update import update_flops
from gail_tf.config import GAILConfig
from gail_tf.data.trajectories import FRACTIONS
from gail_tf.models.gpt2_config import GPT2Config

TRAJECTORIES = 208_600  # Section 4.1


class Work(NamedTuple):
    """The work of a phase of the training.

    Attributes:
        phase: The name of the phase.
        kind: SAMPLING, REFERENCE or LEARNING. Work of different kinds runs at different rates.
        flops: The number of floating-point operations.
    """

    phase: str
    kind: str
    flops: float


def plan(sizes: GPT2Config, table: GAILConfig, prompt: int = 64, response: int = 32) -> list[Work]:
    """Calculate the work of all phases of Algorithm 1 with the settings of Table 1. Validation is not included.

    Args:
        sizes: The sizes of the GPT-2.
        table: The settings, with the numbers of epochs, updates, rollouts and steps of the discriminator D.
        prompt: The number of tokens of every prompt.
        response: The number of tokens of every response.
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
    """The hours of each phase, where `rates` has the floating-point operations per second of each kind of work."""
    return [each.flops / rates[each.kind] / 3600 for each in work]


@dataclass(frozen=True)
class Device:
    """An accelerator that has not been measured here, so that its rates are assumptions.

    Each kind of work is assumed to reach a share of the peak (UTILISATION). The share of sampling is small, because 64
    responses are drawn token by token: most of the time goes into reading weights from memory and into starting
    programs on the device. The other kinds of work are products of large matrices. For several devices, communication
    is assumed to cost no time.

    Attributes:
        name: The name of the device, or of the devices.
        peak: The manufacturer's value for dense bfloat16, in FLOP/s.
    """

    name: str
    peak: float

    @property
    def rates(self) -> dict[str, float]:
        """The floating-point operations per second of each kind of work."""
        return {kind: share * self.peak for kind, share in UTILISATION.items()}


UTILISATION = {SAMPLING: 0.01, REFERENCE: 0.3, LEARNING: 0.3}
DEVICES = (
    Device("A100", 312e12),
    Device("8 A100", 8 * 312e12),
    Device("H100 SXM", 989e12),
    Device("TPU v5e-8", 8 * 197e12),
)
