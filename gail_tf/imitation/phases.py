"""Algorithm 1 as a list of stages, and the share of human demonstrations over the updates (Table 1)."""

import math
from dataclasses import dataclass

from gail_tf.config import GAILConfig

PRETRAINING = "pretraining"
MAXIMUM_LIKELIHOOD = "maximum_likelihood"
DISCRIMINATOR = "discriminator"
IMITATION = "imitation"


@dataclass(frozen=True)
class Stage:
    """One epoch of maximum likelihood, one buffer of D's pretraining, or one update; number counts from 1."""

    phase: str
    number: int
    of: int

    @property
    def number_in_phase(self) -> dict[str, int]:
        """See `staged_training`."""
        return {"number": self.number}


def schedule(config: GAILConfig, from_scratch: bool) -> list[Stage]:
    """The stages of a run. from_scratch: GPT-2 is pretrained first."""
    updates = config.rollout.updates
    counts = {
        PRETRAINING: config.likelihood.pretraining_epochs if from_scratch else 0,
        MAXIMUM_LIKELIHOOD: config.likelihood.mle_epochs,
        DISCRIMINATOR: math.ceil(config.judge.discriminator_steps / steps_on_a_buffer(config)) if updates else 0,
        IMITATION: updates,
    }
    return [Stage(phase, number, count) for phase, count in counts.items() for number in range(1, count + 1)]


def steps_on_a_buffer(config: GAILConfig) -> int:
    """D's steps on a buffer without human demonstrations."""
    return math.ceil(config.rollout.rollouts / config.optimizer.batch_size)


def human_ratio(update: int, updates: int, start: float = 0.3) -> float:
    """The share of human demonstrations in update 0, 1, ... of `updates`: from start in a straight line to 0 (Table 1).

    0 after the last update.
    """
    return start * max(0.0, 1 - update / updates)


def human_demonstrations(batch_size: int, ratio: float) -> int:
    """How many of a batch's responses are human demonstrations: the ratio's part, rounded down (TextGAIL)."""
    return int(batch_size * ratio)
