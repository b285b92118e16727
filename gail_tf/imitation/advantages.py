"""Estimates the advantages that the policy learns from: from D's logits to rewards, and from rewards to advantages.

D is the discriminator. Shapes: B responses in the buffer, of at most R tokens.
"""

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import take
from gail_tf.imitation import ppo_losses, rewards
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts


class AdvantageEstimator:
    """Estimates the advantage of each response, or of each token if tokens have rewards of their own.

    The reward form, the normalisation and the reward of human demonstrations are those of the settings.

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
            The advantages and the targets, both float32. They are (B,), or (B, R) if tokens have rewards of their own.
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
        # Without a value baseline all values are 0. With lambda = 1 the advantage is then the plain return.
        lambda_ = config.ppo.gae_lambda if config.ppo.value_baseline == "on" else 1.0
        mask = rollouts.batch.response_mask
        advantages, targets = ppo_losses.generalised_advantages(normalised, values, mask, config.ppo.discount, lambda_)
        return advantages.numpy(), targets.numpy()

    def _rewards(self, rollouts: Rollouts, logits: np.ndarray) -> np.ndarray:
        """Compute normalised rewards of responses, (B,), or of their tokens, (B, R), and update the statistics.

        A human demonstration gets the constant reward `--human-reward`; so does each of its tokens.
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
