"""PPO's minibatches: the policy, and with it the value baseline, learn from a buffer (Eq. 7, Table 1)."""

import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.imitation import ppo_losses
from gail_tf.models.tanh_network import ValueBaseline
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learner import Learner


class PolicyTraining:
    """One minibatch at a time, in one compiled function for each combination of widths."""

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling):
        self.policy, self.config, self._sampling = policy, config, sampling
        self.learner = Learner(
            policy.trainable_variables,
            config.generator_learning_rate,
            config.weight_decay,
            config.warmup_steps,
            config.gradient_clip,
            config.total_steps(config.ppo_epochs * config.steps_in_a_buffer, config.updates),
        )
        self.value: ValueBaseline | None = None
        self.value_learner: Learner | None = None
        if config.value_baseline == "on":
            self.value = ValueBaseline(policy.feature_size, config.seed)
            self.value_learner = Learner(self.value.trainable_variables, config.discriminator_learning_rate)
        self._step = Compiled(self._descend)
        self._values = Compiled(self._value_of)

    def values(self, batch: Batch, states: np.ndarray | None = None) -> np.ndarray:
        """The baseline's value of each state, float32; zeros without a baseline. states: see `step`.

        (B,), of history and prompt; where tokens have rewards of their own, (B, R), of the partial responses too.
        """
        if self.value is None:
            return np.zeros(batch.response.shape if self.config.token_rewards else len(batch.response), np.float32)
        return self._values(*map(tf.convert_to_tensor, batch), _tensor(states)).numpy()

    def step(
        self, batch: Batch, log_probs: np.ndarray, advantages: np.ndarray, targets: np.ndarray, generated: np.ndarray,
        kl_coefficient: float, states: np.ndarray | None = None,
    ) -> dict[str, float]:  # fmt: skip
        """One minibatch of a buffer.

        log_probs: (B, R) of the old policy. advantages, targets: (B,), or (B, R) of tokens: how much better each action
        was than its value, and what that value should have been. generated: (B,) bool, false for human demonstrations.
        kl_coefficient: C of Eq. 7. states: (B, R, E) float32, the policy's features where they are known already.
        Returns the figures of `ppo.policy_loss`, the gradient's norm, and the baseline's explained variance.
        """
        arrays = (*batch, log_probs, advantages, targets, generated, np.float32(kl_coefficient))
        found = self._step(*map(tf.convert_to_tensor, arrays), _tensor(states))
        return {name: float(value) for name, value in found.items()}

    def _value_of(self, condition, condition_mask, response, response_mask, states):
        features = self._features(condition, condition_mask, response, response_mask, states)
        return self._of_states(self.value(features))

    def _features(self, condition, condition_mask, response, response_mask, states):
        if states is not None:
            return states
        return self.policy.features(condition, condition_mask, response, response_mask)

    def _of_states(self, per_token: tf.Tensor) -> tf.Tensor:
        """Of (B, R), what the baseline is asked for: all, or the first token's alone."""
        return per_token if self.config.token_rewards else per_token[:, 0]

    def _descend(
        self, condition, condition_mask, response, response_mask, log_probs, advantages, targets, generated,
        kl_coefficient, states,
    ):  # fmt: skip
        config, arrays = self.config, (condition, condition_mask, response, response_mask, states)

        def loss():
            scores = self.policy.scores(self._features(*arrays), response, response_mask, self._sampling)
            return ppo_losses.policy_loss(
                scores.log_probs,
                log_probs,
                advantages,
                response_mask,
                level=config.level,
                epsilon=None if config.objective == "kl" else config.epsilon,
                kl_coefficient=0.0 if config.objective == "clip" else kl_coefficient,
                generated=generated,
                entropy=scores.entropy,
                entropy_coefficient=config.entropy_bonus,
            )

        _, figures = self.learner.descend(loss)
        if self.value is not None:
            features = self._features(*arrays)
            counted = response_mask if config.token_rewards else tf.reduce_any(response_mask, axis=1)

            def error():
                return ppo_losses.value_loss(self._of_states(self.value(features)), targets, counted), {}

            self.value_learner.descend(error)
            figures["explained_variance"] = ppo_losses.explained_variance(targets - advantages, targets, counted)
        return figures


def _tensor(array: np.ndarray | None) -> tf.Tensor | None:
    return None if array is None else tf.convert_to_tensor(array)
