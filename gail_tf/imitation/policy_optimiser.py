"""Base classes of the algorithms that improve a policy: PPO (`ppo.py`), TRPO (`trpo.py`) and offline learning.

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
    """Base class of all algorithms that improve the policy during an update.

    Args:
        policy: The policy to improve.
        config: The settings.
        sampling: How the policy's responses are sampled.

    Attributes:
        steps: The maximum number of steps per update, for the progress bar.
        total_steps: The number of steps in all updates, over which the learning rate decays; see
            `GAILConfig.total_steps`.
    """

    steps = 1
    total_steps: int | None = None

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling):
        self.policy, self.config, self._sampling = policy, config, sampling

    def end_of_update(self, metrics: Sequence[Metrics]) -> Metrics:
        """Adapt coefficients, such as the weight of the KL penalty, at the end of an update.

        Args:
            metrics: The metrics of each step of the update.

        Returns:
            The adapted coefficients, to be logged.
        """
        return {}

    def course(self) -> str | None:
        """Describe the learning rate schedule (`AdamWLearner.course`). Return None if there is no learning rate."""
        return None

    def values(self, batch: Batch, states: np.ndarray | None = None) -> np.ndarray:
        """Compute the predictions of the value baseline. Without a baseline, they are 0.

        Args:
            batch: B conditions and responses.
            states: The policy's features, shape (B, R, E) and dtype float32, or None if they have not been computed
                yet.

        Returns:
            A float32 array with the values of the states before the responses, shape (B,). If tokens have their own
            rewards, it contains the values of the states before the tokens, shape (B, R).
        """
        return np.zeros(batch.response.shape if self.config.token_rewards else len(batch.response), np.float32)

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        """A dictionary of the variables, other than the policy's, that a checkpoint stores."""
        return {}

    def facts(self) -> dict[str, Any]:
        """Return the coefficients to store in a checkpoint, as JSON values."""
        return {}

    def restore(self, facts: dict[str, Any]) -> None:
        """Restore the coefficients stored in a checkpoint.

        Args:
            facts: The values returned by `facts`.

        Raises:
            KeyError: A coefficient is missing.
        """


class PolicyOptimiser(Optimiser, abc.ABC):
    """Base class of PPO and TRPO, which improve the policy on buffers of responses as in Algorithm 1."""

    @abc.abstractmethod
    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Metrics]:
        """Improve the policy on a buffer.

        Args:
            rollouts: The buffer of B responses.
            advantages: How much better each action was than the value baseline predicted, dtype float32. The shape is
                (B,) for responses, or (B, R) for tokens.
            targets: The targets of the value baseline, with the same shape.
            seed: The seed for the minibatches.

        Yields:
            The metrics of each step.

        Raises:
            DivergedError: The gradient is not finite.
        """
