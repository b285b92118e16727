"""PPO's updates: the policy, and with it the value baseline, learn from a buffer in minibatches (Eq. 7, Table 1)."""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, take
from gail_tf.imitation import ppo_losses
from gail_tf.imitation.phases import IMITATION
from gail_tf.imitation.policy_optimiser import Figures, PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.models.tanh_network import ValueBaseline
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.batching import plan
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learner import AdamWLearner
from keras_gca.errors import refuse_nan


class PPO(PolicyOptimiser):
    """One minibatch at a time, in one compiled function for each combination of widths.

    kl_coefficient: C of Eq. 7, which changes from update to update where `--kl-penalty` is adaptive.
    """

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling):
        super().__init__(policy, config, sampling)
        self.steps = config.ppo_epochs * config.steps_in_a_buffer
        self.kl_coefficient = config.kl_coefficient
        self.learner = AdamWLearner(
            policy.trainable_variables,
            config.generator_learning_rate,
            config.weight_decay,
            config.warmup_steps,
            config.gradient_clip,
            config.total_steps(config.ppo_epochs * config.steps_in_a_buffer, config.updates),
        )
        self.value: ValueBaseline | None = None
        self.value_learner: AdamWLearner | None = None
        if config.value_baseline == "on":
            self.value = ValueBaseline(policy.feature_size, config.seed)
            self.value_learner = AdamWLearner(self.value.trainable_variables, config.discriminator_learning_rate)
        self._step = Compiled(self._descend)
        self._values = Compiled(self._value_of)

    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Figures]:
        config = self.config
        for epoch in range(config.ppo_epochs):
            # Conditions of like lengths go together, never responses: a minibatch of nothing but long responses would
            # pull at their length.
            for rows in plan(rollouts.batch.condition_lengths, config.minibatch_size, seed + epoch):
                batch = take(rollouts.batch, rows, config.minibatch_size)
                width = batch.response.shape[1]  # of the longest response among them
                of_tokens = [each[rows, :width] if each.ndim > 1 else each[rows] for each in (advantages, targets)]
                figures = self.step(
                    batch,
                    rollouts.log_probs[rows, :width],
                    *of_tokens,
                    rollouts.generated[rows],
                    self.kl_coefficient,
                    rollouts.states_of(rows, width),
                )
                refuse_nan(figures["gradient_norm"], IMITATION, "generator")
                yield figures
                if config.kl_stop is not None and figures["kl"] > config.kl_stop:
                    return

    def end_of_update(self, figures: Sequence[Figures]) -> Figures:
        """Adapt C to the mean KL of the minibatches; returns C."""
        if self.config.kl_penalty == "adaptive":
            kl = float(np.mean([each["kl"] for each in figures]))
            self.kl_coefficient = float(ppo_losses.adapt_kl_coefficient(self.kl_coefficient, kl, self.config.kl_target))
        return {"kl_coefficient": self.kl_coefficient}

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        stored = {"generator_optimizer": self.learner.optimizer.variables}
        if self.value is not None:
            stored["value"] = self.value.trainable_variables
            stored["value_optimizer"] = self.value_learner.optimizer.variables
        return stored

    def facts(self) -> dict[str, Any]:
        return {"kl_coefficient": self.kl_coefficient}

    def restore(self, facts: dict[str, Any]) -> None:
        self.kl_coefficient = facts["kl_coefficient"]

    def values(self, batch: Batch, states: np.ndarray | None = None) -> np.ndarray:
        if self.value is None:
            return super().values(batch, states)
        return self._values(*map(tf.convert_to_tensor, batch), _tensor(states)).numpy()

    def step(
        self, batch: Batch, log_probs: np.ndarray, advantages: np.ndarray, targets: np.ndarray, generated: np.ndarray,
        kl_coefficient: float, states: np.ndarray | None = None,
    ) -> dict[str, float]:  # fmt: skip
        """One minibatch of a buffer.

        log_probs: (B, R) of the old policy. advantages, targets: (B,), or (B, R) of tokens: how much better each action
        was than its value, and what that value should have been. generated: (B,) bool, false for human demonstrations.
        kl_coefficient: C of Eq. 7. states: (B, R, E) float32, the policy's features where they are known already.
        Returns the figures of `ppo_losses.policy_loss`, the gradient's norm, and the baseline's explained variance.
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
        """What the baseline is asked for, of (B, R): all, or the first token's alone."""
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

        descent = self.learner.descend(loss)
        figures = descent.reported | {"gradient_norm": descent.gradient_norm}
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
