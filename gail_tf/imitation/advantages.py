"""Computes rewards from D's logits, normalises them, and estimates the advantages that the policy learns from."""

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import take
from gail_tf.imitation import ppo_losses, rewards
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts


class AdvantageEstimator:
    """Estimates the advantages of responses, or of their tokens, from D's logits.

    Args:
        config: The settings.
        optimiser: The optimiser whose value baseline is subtracted.

    Attributes:
        statistics: The running mean and variance of the rewards, which a checkpoint stores.
    """

    def __init__(self, config: GAILConfig, optimiser: PolicyOptimiser):
        self.config, self._optimiser = config, optimiser
        self.statistics = rewards.RewardStatistics.initial()

    def estimate(self, rollouts: Rollouts, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate advantages, and the targets of the value baseline.

        Args:
            rollouts: The buffer.
            logits: D's expert logits of the responses, (B,) float32, or (B, R) from a token discriminator.

        Returns:
            Advantages and targets, float32: (B,) of responses, or (B, R) where tokens have rewards of their own.
        """
        normalised = self._rewards(rollouts, logits)
        config, size, width = self.config, self.config.ppo.minibatch_size, rollouts.batch.response.shape[1]
        values = np.concatenate(
            [
                self._optimiser.values(take(rollouts.batch, rows, size, width), rollouts.states_of(rows))
                for rows in np.split(np.arange(config.rollout.rollouts), config.rollout.rollouts // size)
            ]
        )
        if not config.token_rewards:
            return ppo_losses.response_advantages(normalised, values).numpy(), normalised
        # Without a baseline only the rewards themselves are known, so lambda is 1.
        lambda_ = config.ppo.gae_lambda if config.ppo.value_baseline == "on" else 1.0
        mask = rollouts.batch.response_mask
        advantages, targets = ppo_losses.generalised_advantages(normalised, values, mask, config.ppo.discount, lambda_)
        return advantages.numpy(), targets.numpy()

    def _rewards(self, rollouts: Rollouts, logits: np.ndarray) -> np.ndarray:
        """Normalised rewards of responses, (B,), or of their tokens, (B, R); updates the running statistics.

        Demonstrations, and all of their tokens, get the constant `--human-reward`.
        """
        config, mask = self.config, rollouts.batch.response_mask
        generated, lengths = rollouts.generated, rollouts.batch.response_lengths
        raw = rewards.reward(logits, config.reward.reward_form).numpy()
        if config.token_rewards:
            normalised, self.statistics = rewards.normalise(raw, self.statistics, mask & generated[:, None])
            human = mask & rollouts.human[:, None]
            return rewards.with_demonstrations(normalised, human, config.reward.human_reward).numpy()
        if config.judge.discriminator == "token":
            raw = rewards.response_reward(raw, mask, per="token").numpy()
        if config.reward.length_drift_strength:
            raw[generated] = rewards.counter_length_drift(
                raw[generated], lengths[generated], rollouts.expert_length, config.reward.length_drift_strength
            )
        normalised, self.statistics = rewards.normalise(raw, self.statistics, generated)
        return rewards.with_demonstrations(normalised, rollouts.human, config.reward.human_reward).numpy()
