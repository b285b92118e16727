"""TRPO's updates: one natural-gradient step of a policy's head on a whole buffer, as in the original GAIL."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.imitation import ppo_losses, trust_region
from gail_tf.imitation.policy_optimiser import Figures, PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.masked import masked_mean, masked_sum


class TRPO(PolicyOptimiser):
    """Steps of a policy with `--trainable head`; see `trust_region.py`.

    The objective is that of Eq. 7 without its penalty: the KL is bounded instead (`--trust-region`).
    """

    policy: Policy

    def __init__(self, policy: Policy, config: GAILConfig, sampling: Sampling):
        super().__init__(policy, config, sampling)
        # A head on features is small: each process takes the step of the whole buffer.
        self.compiled_ascend = Compiled(self.ascend, distribute=False)

    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Figures]:
        if rollouts.states is None:
            raise ValueError("TRPO takes the step of a head on features that are known; these rollouts have none")
        yield self.step(rollouts.batch, rollouts.states, advantages, rollouts.generated)

    def step(self, batch: Batch, states: np.ndarray, advantages: np.ndarray, generated: np.ndarray) -> dict[str, float]:
        """One step on a whole buffer.

        states: (B, R, E) float32, the policy's features, which do not change. advantages: (B,), or (B, R) of tokens.
        generated: (B,) bool, false for human demonstrations: these count in the objective, not in the KL.
        Returns objective (before the step), kl, improvement, and step_fraction: the part of the natural-gradient step
        that the line search has kept, 0 if it has refused all.
        """
        arrays = (states, batch.response, batch.response_mask, advantages, generated)
        return {name: float(value) for name, value in self.compiled_ascend(*map(tf.convert_to_tensor, arrays)).items()}

    def ascend(
        self, features: tf.Tensor, response: tf.Tensor, mask: tf.Tensor, advantages: tf.Tensor, generated: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Make the natural-gradient step (`trust_region.trust_region_step`). For use in a graph; see `step`."""
        variables, level = self.policy.trainable_variables, self.config.ppo.level
        shapes = [variable.shape for variable in variables]

        def log_probs(parameters: tf.Tensor) -> tf.Tensor:
            logits = self.policy.logits(features, trust_region.unflatten(parameters, shapes))
            return self.policy.scores_of(logits, response, mask, self._sampling).log_probs

        def objective(parameters: tf.Tensor) -> tf.Tensor:
            ratio = tf.exp(ppo_losses.log_ratio(log_probs(parameters), old, mask, level))
            terms = ppo_losses.surrogate(ratio, _as_actions(advantages, mask, level))
            return tf.reduce_mean(terms) if level == "response" else masked_mean(terms, mask)

        def kl(parameters: tf.Tensor) -> tf.Tensor:
            each = ppo_losses.sampled_kl(old, log_probs(parameters))
            if level == "response":
                return masked_mean(masked_sum(each, mask, axis=1), generated)
            return masked_mean(each, mask & generated[:, None])

        parameters = trust_region.flatten([variable.value for variable in variables])
        # Computed anew: what sampling has returned differs in its last digits, and the KL's minimum must lie here.
        old = tf.stop_gradient(log_probs(parameters))
        before = objective(parameters)
        step = trust_region.trust_region_step(parameters, objective, kl, self.config.ppo.trust_region)
        for variable, value in zip(variables, trust_region.unflatten(step.parameters, shapes), strict=True):
            variable.assign(value)
        return {
            "objective": before,
            "kl": step.kl,
            "improvement": step.improvement,
            "step_fraction": step.fraction,
        }


def _as_actions(advantages: tf.Tensor, mask: tf.Tensor, level: str) -> tf.Tensor:
    """Advantages of responses, (B,), for each of their tokens too where tokens are the actions."""
    if level == "token" and advantages.shape.rank == 1:
        return advantages[:, None] * tf.ones(tf.shape(mask))
    return advantages
