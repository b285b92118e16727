"""TRPO as in the original GAIL: each update trains the policy's head by one natural-gradient step on the whole buffer.

Shapes: B responses of at most R tokens, hidden states of width E.
"""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.imitation import ppo_losses, trust_region
from gail_tf.imitation.policy_optimiser import Metrics, PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.masked import masked_mean, masked_sum


class TRPO(PolicyOptimiser):
    """Trust region policy optimisation for a policy with `--trainable head`; see `trust_region.py`.

    The objective is the first term of Eq. 7. Instead of the KL penalty in Eq. 7, the KL of each step has an upper bound
    (`--trust-region`).

    Args:
        policy: The policy to improve.
        config: The settings.
        sampling: How the policy's responses are sampled.
    """

    policy: Policy

    def __init__(self, policy: Policy, config: GAILConfig, sampling: Sampling):
        super().__init__(policy, config, sampling)
        # A head is small. Therefore the step is not distributed: every process takes it on the whole buffer.
        self.compiled_ascend = Compiled(self.ascend, distribute=False)

    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Metrics]:
        if rollouts.states is None:
            raise ValueError(
                "TRPO needs rollouts with states (the inputs of a head on a frozen network); these rollouts "
                "have no states"
            )
        yield self.step(rollouts.batch, rollouts.states, advantages, rollouts.generated)

    def step(self, batch: Batch, states: np.ndarray, advantages: np.ndarray, generated: np.ndarray) -> dict[str, float]:
        """Take one step on the whole buffer.

        Args:
            batch: B conditions and responses.
            states: The frozen GPT-2's features, which are the input of the head, shape (B, R, E) and dtype float32.
            advantages: One float32 advantage per response, shape (B,), or per token, shape (B, R).
            generated: A bool mask of shape (B,), false for human demonstrations, which are included in the objective
                but not in the KL.

        Returns:
            A dictionary of four numbers. `objective` is the mean objective before the step. `improvement` is the amount
            by which the step increased the objective. `kl` is the KL between the policies before and after the step.
            `step_fraction` is the fraction of the full natural-gradient step that the line search accepted, or 0 if it
            accepted none.
        """
        arrays = (states, batch.response, batch.response_mask, advantages, generated)
        return {name: float(value) for name, value in self.compiled_ascend(*map(tf.convert_to_tensor, arrays)).items()}

    def ascend(
        self, features: tf.Tensor, response: tf.Tensor, mask: tf.Tensor, advantages: tf.Tensor, generated: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Take the natural-gradient step (`trust_region.trust_region_step`).

        This method can be called inside a TensorFlow graph.

        Args:
            features: The frozen GPT-2's features, passed to `step` as `states`, shape (B, R, E) and dtype float32.
            response: The tokens of the responses, shape (B, R) and dtype int32.
            mask: The bool mask of the tokens, shape (B, R).
            advantages: One float32 advantage per response, shape (B,), or per token, shape (B, R).
            generated: A bool mask of shape (B,), false for human demonstrations.

        Returns:
            The metrics that `step` returns.
        """
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
            per_token = ppo_losses.sampled_kl(old, log_probs(parameters))
            if level == "response":
                return masked_mean(masked_sum(per_token, mask, axis=1), generated)
            return masked_mean(per_token, mask & generated[:, None])

        parameters = trust_region.flatten([variable.value for variable in variables])
        # The old log-probabilities are computed again. The log-probabilities from sampling differ in the last digits,
        # so the KL at the old parameters would not be exactly 0, as it must be.
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
    """Return the advantage of each action. If the actions are tokens, each token gets its response's advantage."""
    if level == "token" and advantages.shape.rank == 1:
        return advantages[:, None] * tf.ones(tf.shape(mask))
    return advantages
