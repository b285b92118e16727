"""The stages of a training run, and the number of human demonstrations in each update (Table 1).

A human demonstration is an expert's response that replaces one of the policy's responses in a buffer. D is the
discriminator.
"""

import math
from dataclasses import dataclass

from gail_tf.config import GAILConfig

PRETRAINING = "pretraining"
MAXIMUM_LIKELIHOOD = "maximum_likelihood"
DISCRIMINATOR = "discriminator"
IMITATION = "imitation"


@dataclass(frozen=True)
class Stage:
    """One stage of a training run: an epoch of maximum likelihood, the pretraining of D on one buffer, or an update.

    Attributes:
        phase: The name of the phase.
        number: The number of the stage within its phase, starting from 1.
        of: The total number of stages in the phase.
    """

    phase: str
    number: int
    of: int

    @property
    def number_in_phase(self) -> dict[str, int]:
        """The number of the stage within its phase, as stored in the log; see `engine/staged_training.py`."""
        return {"number": self.number}


def schedule(config: GAILConfig, from_scratch: bool) -> list[Stage]:
    """List the stages of a run.

    Args:
        config: The settings.
        from_scratch: Whether the policy's network has random weights and must be pretrained first.

    Returns:
        The stages in order.
    """
    updates = config.rollout.updates
    judged = updates or config.algorithm == "selection"
    counts = {
        PRETRAINING: config.likelihood.pretraining_epochs if from_scratch else 0,
        MAXIMUM_LIKELIHOOD: config.likelihood.mle_epochs,
        DISCRIMINATOR: math.ceil(config.judge.discriminator_steps / steps_on_a_buffer(config)) if judged else 0,
        IMITATION: updates,
    }
    return [Stage(phase, number, count) for phase, count in counts.items() for number in range(1, count + 1)]


def steps_on_a_buffer(config: GAILConfig) -> int:
    """Return the number of steps that D takes in one pass over a buffer without human demonstrations."""
    return math.ceil(config.rollout.rollouts / config.optimizer.batch_size)


def human_ratio(update: int, updates: int, start: float = 0.3) -> float:
    """Compute the share of human demonstrations in the buffer of an update (Table 1). The share falls linearly to 0.

        ratio = start * max(0, 1 - update / updates)

    Args:
        update: The index of the update, starting from 0.
        updates: The total number of updates.
        start: The share in the first update.

    Returns:
        The share. It is 0 after the last update.
    """
    return start * max(0.0, 1 - update / updates)


def human_demonstrations(batch_size: int, ratio: float) -> int:
    """Return the number of human demonstrations in a batch: batch_size * ratio, rounded down as in TextGAIL."""
    return int(batch_size * ratio)
