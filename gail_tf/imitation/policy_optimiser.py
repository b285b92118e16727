"""The base classes of PPO (`ppo.py`), TRPO (`trpo.py`) and offline learning (`offline.py`), which improve a policy.

Shapes: B responses of at most R tokens; E is the width of the policy's features. An action is a whole response or one
token (`--level`).
"""

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


class Optimiser:
    """Base class of the algorithms that improve the policy in an update.

    Args:
        policy: The policy to improve.
        config: The settings.
        sampling: How the policy's responses are sampled.

    Attributes:
        steps: The maximum number of steps in an update, for the progress bar.
        total_steps: The total number of steps in all updates, over which the learning rate decays; see
            `GAILConfig.total_steps`.
    """

    steps = 1
    total_steps: int | None = None

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling):
        self.policy, self.config, self._sampling = policy, config, sampling

    def end_of_update(self, metrics: Sequence[Metrics]) -> Metrics:
        """Adapt coefficients, for example the weight of the KL penalty, to the metrics of an update.

        Args:
            metrics: The metrics of each step of the update.

        Returns:
            The adapted coefficients, which are logged.
        """
        return {}

    def course(self) -> str | None:
        """Describe how the learning rate changes (`AdamWLearner.course`); None if there is no learning rate."""
        return None

    def values(self, batch: Batch, states: np.ndarray | None = None) -> np.ndarray:
        """Compute the values that the value baseline predicts. Without a baseline they are 0.

        Args:
            batch: B conditions and responses.
            states: The policy's features, or None if they have not been computed yet, shape (B, R, E) and dtype
                float32.

        Returns:
            If each token has its own reward, the values of the states before the tokens, (B, R) float32. Otherwise the
            values of the states before the responses, (B,) float32.
        """
        return np.zeros(batch.response.shape if self.config.token_rewards else len(batch.response), np.float32)

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        """The variables, by name, that a checkpoint stores in addition to the policy's variables."""
        return {}

    def facts(self) -> dict[str, Any]:
        """The coefficients that a checkpoint stores, as JSON values."""
        return {}

    def restore(self, facts: dict[str, Any]) -> None:
        """Restore the coefficients that a checkpoint has stored.

        Args:
            facts: The values that the method `facts` returned.

        Raises:
            KeyError: A coefficient is missing.
        """


class PolicyOptimiser(Optimiser, abc.ABC):
    """Base class of the two algorithms that improve the policy on a buffer of responses, as Algorithm 1 does."""

    @abc.abstractmethod
    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Metrics]:
        """Improve the policy on a buffer.

        Args:
            rollouts: The buffer of B responses.
            advantages: The advantages of responses, (B,) float32, or of tokens, (B, R): how much better each action was
                than the value baseline predicted.
            targets: The targets of the value baseline, of the same shape.
            seed: The seed that determines the minibatches.

        Yields:
            The metrics of each step.

        Raises:
            DivergedError: The gradient is not finite.
        """
