"""Conversion of D's logits to rewards, and of rewards to the advantages that the policy learns from.

D is the discriminator. Shapes: B responses of at most R tokens in the buffer.
"""

from typing import Any

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import take
from gail_tf.imitation import ppo_losses, rewards
from gail_tf.imitation.policy_optimiser import Metrics, Optimiser
from gail_tf.imitation.rollouts import Rollouts


class AdvantageEstimator:
    """An estimator of the advantage of each response, or of each token if tokens have their own rewards.

    The settings determine the reward form and the reward for human demonstrations.

    Args:
        config: The settings.
        optimiser: The optimiser that computes the value baseline, which is subtracted from the rewards.

    Attributes:
        statistics: The running mean and variance of the rewards, which are stored in checkpoints.
        reference_kl_coefficient: The weight of the penalty for the KL to the reference, which is subtracted from the
            rewards. With `--reference-kl adaptive`, the weight changes after each update.
    """

    def __init__(self, config: GAILConfig, optimiser: Optimiser):
        self.config, self._optimiser = config, optimiser
        self.statistics = rewards.RewardStatistics.initial()
        self.reference_kl_coefficient = config.reward.reference_kl_coefficient

    def estimate(self, rollouts: Rollouts, logits: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
        """Estimate the advantages and the targets of the value baseline.

        Args:
            rollouts: The buffer.
            logits: D's expert logits for the responses, dtype float32. The shape is (B,), or (B, R) for a token
                discriminator.
            seed: The seed for the permutation with `--reward-control permuted`.

        Returns:
            The advantages and the targets, two float32 arrays of shape (B,), or (B, R) if tokens have their own
            rewards.
        """
        normalised = self._rewards(rollouts, logits, seed)
        config, size, width = self.config, self.config.ppo.minibatch_size, rollouts.batch.response.shape[1]
        values = np.concatenate(
            [
                self._optimiser.values(take(rollouts.batch, rows, size, width), rollouts.states_of(rows))
                for rows in np.split(np.arange(config.rollout.rollouts), config.rollout.rollouts // size)
            ]
        )
        if not config.token_rewards:
            return ppo_losses.response_advantages(normalised, values).numpy(), normalised
        # Without a value baseline all values are 0. With lambda = 1 the advantage is then the plain return.
        lambda_ = config.ppo.gae_lambda if config.ppo.value_baseline == "on" else 1.0
        mask = rollouts.batch.response_mask
        advantages, targets = ppo_losses.generalised_advantages(normalised, values, mask, config.ppo.discount, lambda_)
        return advantages.numpy(), targets.numpy()

    def end_of_update(self, kl_per_token: float) -> Metrics:
        """Adapt the weight of the KL to the reference at the end of an update.

        Args:
            kl_per_token: The KL to the reference in this update, in nats per generated token.

        Returns:
            A dictionary with the weight, to be logged, or an empty dictionary if the reward does not include the KL to
            the reference.
        """
        settings = self.config.reward
        if not settings.reference_kl_coefficient:
            return {}
        if settings.reference_kl == "adaptive":
            adapted = ppo_losses.adapt_kl_coefficient(
                self.reference_kl_coefficient, kl_per_token, settings.reference_kl_target
            )
            self.reference_kl_coefficient = float(adapted)
        return {"reference_kl_coefficient": self.reference_kl_coefficient}

    def facts(self) -> dict[str, Any]:
        """Return the adaptive weight of the KL to the reference as JSON values, or {} if the weight is fixed."""
        adaptive = self.config.reward.reference_kl == "adaptive"
        return {"reference_kl_coefficient": self.reference_kl_coefficient} if adaptive else {}

    def restore(self, facts: dict[str, Any]) -> None:
        """Restore the values returned by `facts`.

        Raises:
            KeyError: The weight is missing.
        """
        if self.config.reward.reference_kl == "adaptive":
            self.reference_kl_coefficient = facts["reference_kl_coefficient"]

    def _rewards(self, rollouts: Rollouts, logits: np.ndarray, seed: int) -> np.ndarray:
        """Compute normalised rewards of shape (B,) for responses, or (B, R) for tokens, and update the statistics.

        Human demonstrations get the constant reward `--human-reward`. If tokens have their own rewards, each token of a
        human demonstration gets this reward. `--reward-control` changes only D's rewards, not the terms that are added
        to them.
        """
        config, mask = self.config, rollouts.batch.response_mask
        generated, lengths = rollouts.generated, rollouts.batch.response_lengths
        raw = rewards.reward(logits, config.reward.reward_form).numpy()
        if config.token_rewards:
            own = mask & generated[:, None]
            raw = self._with_reference_kl(rewards.controlled(raw, own, config.reward.reward_control, seed), rollouts)
            normalised, self.statistics = rewards.normalise(raw, self.statistics, own)
            human = mask & rollouts.human[:, None]
            return rewards.with_demonstrations(normalised, human, config.reward.human_reward).numpy()
        if config.judge.discriminator == "token":
            raw = rewards.response_reward(raw, mask, per="token").numpy()
        raw = self._with_reference_kl(rewards.controlled(raw, generated, config.reward.reward_control, seed), rollouts)
        if config.reward.length_drift_strength:
            raw[generated] = rewards.counter_length_drift(
                raw[generated], lengths[generated], rollouts.expert_length, config.reward.length_drift_strength
            )
        normalised, self.statistics = rewards.normalise(raw, self.statistics, generated)
        return rewards.with_demonstrations(normalised, rollouts.human, config.reward.human_reward).numpy()

    def _with_reference_kl(self, raw: np.ndarray, rollouts: Rollouts) -> np.ndarray:
        if not self.config.reward.reference_kl_coefficient:
            return raw
        tokens = rollouts.log_probs, rollouts.reference, rollouts.batch.response_mask
        return rewards.with_reference_kl(raw, *tokens, self.reference_kl_coefficient)
