"""The base class of what improves a policy on a buffer of rollouts: PPO (`ppo.py`) and TRPO (`trpo.py`)."""

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

Metrics = dict[str, float]


class PolicyOptimiser(abc.ABC):
    """The policy's step of Algorithm 1.

    Args:
        policy: The policy to improve.
        config: The settings.
        sampling: How its responses are drawn.

    Attributes:
        steps: The largest number of steps that `improve` takes, for the progress bar.
        total_steps: The steps of all updates, over which the learning rate falls; see `GAILConfig.total_steps`.
    """

    steps = 1
    total_steps: int | None = None

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling):
        self.policy, self.config, self._sampling = policy, config, sampling

    @abc.abstractmethod
    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Metrics]:
        """Improve the policy on a buffer.

        Args:
            rollouts: The buffer of B responses.
            advantages: (B,) float32, or (B, R) of tokens: how much better each action was than its value.
            targets: The targets of the value baseline, of the same shape.
            seed: The seed of the minibatches.

        Yields:
            The metrics of each step.

        Raises:
            DivergedError: The gradient is not finite.
        """

    def end_of_update(self, metrics: Sequence[Metrics]) -> Metrics:
        """Adapt coefficients to the outcome of an update.

        Args:
            metrics: The metrics of its steps.

        Returns:
            The coefficients to log.
        """
        return {}

    def course(self) -> str | None:
        """See `AdamWLearner.course`; None for an optimiser without a learning rate."""
        return None

    def values(self, batch: Batch, states: np.ndarray | None = None) -> np.ndarray:
        """The value baseline of each state; 0 without a baseline.

        Args:
            batch: B conditions and responses.
            states: (B, R, E) float32, the policy's features if they are known already.

        Returns:
            (B,) float32, the values of history and prompt; where tokens have rewards of their own (B, R), the values
            before each token.
        """
        return np.zeros(batch.response.shape if self.config.token_rewards else len(batch.response), np.float32)

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        """The variables that a checkpoint stores besides the policy, by name."""
        return {}

    def facts(self) -> dict[str, Any]:
        """The coefficients that a checkpoint stores, for JSON."""
        return {}

    def restore(self, facts: dict[str, Any]) -> None:
        """Return to a checkpoint.

        Args:
            facts: What the method `facts` returned.

        Raises:
            KeyError: A coefficient is missing.
        """
