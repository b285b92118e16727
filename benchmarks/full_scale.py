"""The cost of the paper's Table 1 at full scale, calculated: the work of each phase, and hours at given rates."""

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
    """A phase of the training. kind: SAMPLING, REFERENCE or LEARNING, which run at different rates."""

    phase: str
    kind: str
    flops: float


def plan(sizes: GPT2Config, table: GAILConfig, prompt: int = 64, response: int = 32) -> list[Work]:
    """The work of all phases of Algorithm 1 with the settings of Table 1, without validation.

    table: the settings with the epochs, updates, rollouts and steps of D. prompt, response: tokens of every trajectory.
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
    """The hours of each phase. rates: FLOP/s of each kind of work."""
    return [each.flops / rates[each.kind] / 3600 for each in work]


@dataclass(frozen=True)
class Device:
    """An accelerator that has not been measured here: `peak` is its manufacturer's value for dense bfloat16, in FLOP/s.

    The shares of the peak are assumptions. Sampling 64 responses token by token waits for the memory and for the starts
    of programs; the other kinds of work are products of large matrices. For several devices, the network is assumed to
    cost no time.
    """

    name: str
    peak: float

    @property
    def rates(self) -> dict[str, float]:
        """FLOP/s of each kind of work."""
        return {kind: share * self.peak for kind, share in UTILISATION.items()}


UTILISATION = {SAMPLING: 0.01, REFERENCE: 0.3, LEARNING: 0.3}
DEVICES = (
    Device("A100", 312e12),
    Device("8 A100", 8 * 312e12),
    Device("H100 SXM", 989e12),
    Device("TPU v5e-8", 8 * 197e12),
)
