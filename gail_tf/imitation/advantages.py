"""From D's logits to the advantages that the policy learns from: rewards, their running normalisation, advantages."""

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import take
from gail_tf.imitation import ppo_losses, rewards
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts


class AdvantageEstimator:
    """Credits responses, or their tokens, for what D says of them.

    optimiser: whose value baseline is subtracted. statistics: the running mean and variance of the rewards, which
    belong in a checkpoint.
    """

    def __init__(self, config: GAILConfig, optimiser: PolicyOptimiser):
        self.config, self._optimiser = config, optimiser
        self.statistics = rewards.RewardStatistics.initial()

    def estimate(self, rollouts: Rollouts, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Advantages, and what the value baseline should have said, of responses, (B,), or of tokens, (B, R).

        logits: D's of the responses given.
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
        # Without a baseline nothing but the rewards themselves is known: lambda is 1.
        lambda_ = config.ppo.gae_lambda if config.ppo.value_baseline == "on" else 1.0
        mask = rollouts.batch.response_mask
        advantages, targets = ppo_losses.generalised_advantages(normalised, values, mask, config.ppo.discount, lambda_)
        return advantages.numpy(), targets.numpy()

    def _rewards(self, rollouts: Rollouts, logits: np.ndarray) -> np.ndarray:
        """Normalised rewards of responses, (B,), or of their tokens, (B, R); the running statistics move on.

        Demonstrations, and all their tokens, get a reward of their own.
        """
        config, mask = self.config, rollouts.batch.response_mask
        generated, lengths = rollouts.generated, rollouts.batch.response_lengths
        found = rewards.reward(logits, config.reward.reward_form).numpy()
        if config.token_rewards:
            normalised, self.statistics = rewards.normalise(found, self.statistics, mask & generated[:, None])
            human = mask & rollouts.human[:, None]
            return rewards.with_demonstrations(normalised, human, config.reward.human_reward).numpy()
        if config.judge.discriminator == "token":
            found = rewards.response_reward(found, mask, per="token").numpy()
        if config.reward.length_drift_strength:
            found[generated] = rewards.counter_length_drift(
                found[generated], lengths[generated], rollouts.expert_length, config.reward.length_drift_strength
            )
        normalised, self.statistics = rewards.normalise(found, self.statistics, generated)
        return rewards.with_demonstrations(normalised, rollouts.human, config.reward.human_reward).numpy()
