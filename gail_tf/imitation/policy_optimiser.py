"""What improves a policy on a buffer of rollouts: PPO (`ppo.py`), or TRPO (`trpo.py`)."""

import abc
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling

Figures = dict[str, float]


class PolicyOptimiser(abc.ABC):
    """The policy step of Algorithm 1.

    steps: how many figures `improve` yields at most, for the progress bar. total_steps: of all updates, where the
    learning rate falls over them; see `GAILConfig.total_steps`.
    """

    steps = 1
    total_steps: int | None = None

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling):
        self.policy, self.config, self._sampling = policy, config, sampling

    @abc.abstractmethod
    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Figures]:
        """Improve the policy on a buffer; yields the figures of each step.

        advantages, targets: (B,), or (B, R) of tokens: how much better each action was than its value, and what that
        value should have been. seed: of the minibatches. Raises DivergedError on NaN.
        """

    def end_of_update(self, figures: Sequence[Figures]) -> Figures:
        """Adapt to what an update came to; returns what is to be logged of it."""
        return {}

    def course(self) -> str | None:
        """See `AdamWLearner.course`; None where there is no learning rate."""
        return None

    def values(self, batch: Batch, states: np.ndarray | None = None) -> np.ndarray:
        """The value baseline of each state, float32; zeros where there is none.

        (B,), of history and prompt; where tokens have rewards of their own, (B, R), of the partial responses too.
        states: (B, R, E) float32, the policy's features where they are known already.
        """
        return np.zeros(batch.response.shape if self.config.token_rewards else len(batch.response), np.float32)

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        """What is to be stored besides the policy, by name."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Numbers to be stored, for JSON."""
        return {}

    def restore(self, facts: dict[str, Any]) -> None:
        """Take back what `facts` gave. Raises KeyError where it is missing."""
