"""PPO, which trains the policy and the value baseline on minibatches from a buffer of responses (Eq. 7, Table 1).

Shapes: B responses of at most R tokens in a minibatch; E is the width of the policy's features. A state consists of a
condition (history and prompt) and the response's tokens so far. C is the weight of the KL penalty in Eq. 7.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, take
from gail_tf.imitation import ppo_losses
from gail_tf.imitation.phases import IMITATION
from gail_tf.imitation.policy_optimiser import Metrics, PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.models.tanh_network import ValueBaseline
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.batching import plan
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learner import AdamWLearner
from keras_gca.errors import refuse_nan


class PPO(PolicyOptimiser):
    """Proximal policy optimisation (PPO) on a buffer of rollouts (Eq. 7).

    Args:
        policy: The policy to improve.
        config: The settings.
        sampling: How the policy's responses are sampled.

    Attributes:
        kl_coefficient: C of Eq. 7. With `--kl-penalty adaptive`, it changes after each update.
    """

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling):
        super().__init__(policy, config, sampling)
        self.steps = config.ppo.ppo_epochs * config.steps_in_a_buffer
        self.total_steps = config.total_steps(self.steps, config.rollout.updates)
        self.kl_coefficient = config.ppo.kl_coefficient
        self.policy_learner = PolicyLearner(policy, config, sampling, self.total_steps)
        self.value_learner = ValueLearner(policy, config) if config.ppo.value_baseline == "on" else None

    def improve(self, rollouts: Rollouts, advantages: np.ndarray, targets: np.ndarray, seed: int) -> Iterator[Metrics]:
        config = self.config.ppo
        for epoch in range(config.ppo_epochs):
            # A minibatch has conditions of similar length, which saves padding. Responses are not grouped by length,
            # because a step on only long responses would bias the length of later responses.
            for rows in plan(rollouts.batch.condition_lengths, config.minibatch_size, seed + epoch):
                batch = take(rollouts.batch, rows, config.minibatch_size)
                width = batch.response.shape[1]  # the length of the longest response in the minibatch, rounded up
                metrics = self.step(
                    batch,
                    rollouts.log_probs[rows, :width],
                    _of_rows(advantages, rows, width),
                    _of_rows(targets, rows, width),
                    rollouts.generated[rows],
                    self.kl_coefficient,
                    rollouts.states_of(rows, width),
                )
                refuse_nan(metrics["gradient_norm"], IMITATION, "generator")
                yield metrics
                if config.kl_stop is not None and metrics["kl"] > config.kl_stop:
                    return

    def end_of_update(self, metrics: Sequence[Metrics]) -> Metrics:
        """Adapt C to the mean KL over the update's minibatches, and return C to be logged."""
        if self.config.ppo.kl_penalty == "adaptive":
            kl = float(np.mean([step["kl"] for step in metrics]))
            adapted = ppo_losses.adapt_kl_coefficient(self.kl_coefficient, kl, self.config.ppo.kl_target)
            self.kl_coefficient = float(adapted)
        return {"kl_coefficient": self.kl_coefficient}

    def course(self) -> str:
        return self.policy_learner.course()

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        stored = {"generator_optimizer": self.policy_learner.optimizer.variables}
        if self.value_learner is not None:
            stored["value"] = self.value_learner.variables
            stored["value_optimizer"] = self.value_learner.optimizer.variables
        return stored

    def facts(self) -> dict[str, Any]:
        return {"kl_coefficient": self.kl_coefficient}

    def restore(self, facts: dict[str, Any]) -> None:
        self.kl_coefficient = facts["kl_coefficient"]

    def values(self, batch: Batch, states: np.ndarray | None = None) -> np.ndarray:
        if self.value_learner is None:
            return super().values(batch, states)
        return self.value_learner.compiled_values(*_tensors(batch, states)).numpy()

    def step(
        self, batch: Batch, log_probs: np.ndarray, advantages: np.ndarray, targets: np.ndarray, generated: np.ndarray,
        kl_coefficient: float, states: np.ndarray | None = None,
    ) -> dict[str, float]:  # fmt: skip
        """Train the policy and, if there is one, the value baseline for one step on a minibatch.

        Args:
            batch: B conditions and responses.
            log_probs: The log-probabilities of the tokens under the policy that collected the buffer, shape (B, R) and
                dtype float32.
            advantages: How much better each action was than the baseline predicted, dtype float32. The shape is (B,)
                for responses, or (B, R) for tokens.
            targets: The targets of the value baseline, with the same shape.
            generated: A bool mask of shape (B,), false for human demonstrations.
            kl_coefficient: C of Eq. 7.
            states: The policy's features, shape (B, R, E) and dtype float32, or None if they have not been computed
                yet.

        Returns:
            The metrics of `ppo_losses.policy_loss`, the policy's gradient norm and, with a value baseline, the
            baseline's explained variance.
        """
        batch, states = _tensors(batch, states)
        given = map(tf.convert_to_tensor, (log_probs, advantages, generated, np.float32(kl_coefficient)))
        result = self.policy_learner.train_step(batch, states, *given)
        metrics = result.sums | {"gradient_norm": result.gradient_norm}
        if self.value_learner is not None:
            given = map(tf.convert_to_tensor, (advantages, targets))
            metrics |= self.value_learner.train_step(batch, states, *given).sums
        return {name: float(value) for name, value in metrics.items()}


class PolicyLearner(AdamWLearner):
    """A learner that trains a policy on minibatches to minimise `ppo_losses.policy_loss`.

    Args:
        policy: The policy to train.
        config: The settings.
        sampling: How the policy's responses are sampled.
        total_steps: The number of steps over which the learning rate decays to 0, or None for a constant learning rate.
    """

    reports_norm = True
    per_token = ("log_probs", "advantages")

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling, total_steps: int | None):
        super().__init__(
            policy.trainable_variables,
            config.ppo.generator_learning_rate,
            config.optimizer.weight_decay,
            config.warm_up(total_steps),
            config.optimizer.gradient_clip,
            total_steps,
        )
        self.policy, self.config, self.sampling = policy, config, sampling

    def loss(
        self,
        batch: Batch,
        states: tf.Tensor | None,
        log_probs: tf.Tensor,
        advantages: tf.Tensor,
        generated: tf.Tensor,
        kl_coefficient: tf.Tensor,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Compute `ppo_losses.policy_loss` for the responses, and its metrics. `PPO.step` explains the arguments."""
        config = self.config.ppo
        scores = self.policy.scores(
            _features(self.policy, batch, states), batch.response, batch.response_mask, self.sampling
        )
        return ppo_losses.policy_loss(
            scores.log_probs,
            log_probs,
            advantages,
            batch.response_mask,
            level=config.level,
            epsilon=None if config.objective == "kl" else config.epsilon,
            kl_coefficient=0.0 if config.objective == "clip" else kl_coefficient,
            generated=generated,
            entropy=scores.entropy,
            entropy_coefficient=config.entropy_bonus,
        )


class ValueLearner(AdamWLearner):
    """A learner that trains the value baseline, which predicts the return that the policy will get from a state.

    The learning rate is the same as the discriminator's.

    Args:
        policy: The policy, whose features are the input of the baseline.
        config: The settings.
    """

    per_token = ("advantages", "targets")

    def __init__(self, policy: LanguagePolicy, config: GAILConfig):
        self.policy, self.config = policy, config
        self.network = ValueBaseline(policy.feature_size, config.seed)
        super().__init__(self.network.trainable_variables, config.judge.discriminator_learning_rate)
        self.compiled_values = Compiled(self.values)

    def values(self, batch: Batch, states: tf.Tensor | None) -> tf.Tensor:
        """Compute the value of each state. This method can be called inside a TensorFlow graph.

        Args:
            batch: B conditions and responses.
            states: The policy's features, shape (B, R, E) and dtype float32, or None if they have not been computed
                yet.

        Returns:
            A float32 tensor with the values of the states before the responses, shape (B,). If tokens have their own
            rewards, it contains the values of the states before the tokens, shape (B, R).
        """
        per_token = self.network(_features(self.policy, batch, states))
        return per_token if self.config.token_rewards else per_token[:, 0]

    def loss(
        self,
        batch: Batch,
        states: tf.Tensor | None,
        advantages: tf.Tensor,
        targets: tf.Tensor,
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Compute `ppo_losses.value_loss` and the explained variance. `PPO.step` explains the arguments."""
        values = self.values(batch, states)
        counted = batch.response_mask if self.config.token_rewards else tf.reduce_any(batch.response_mask, axis=1)
        explained = ppo_losses.explained_variance(targets - advantages, targets, counted)
        return ppo_losses.value_loss(values, targets, counted), {"explained_variance": explained}


def _features(policy: LanguagePolicy, batch: Batch, states: tf.Tensor | None) -> tf.Tensor:
    """Return `states` if they are given. Otherwise compute the policy's features."""
    return policy.features(*batch) if states is None else states


def _of_rows(of_actions: np.ndarray, rows: np.ndarray, width: int) -> np.ndarray:
    """Select rows of an array of shape (B,), or the first `width` columns of these rows if the shape is (B, R)."""
    return of_actions[rows, :width] if of_actions.ndim > 1 else of_actions[rows]


def _tensors(batch: Batch, states: np.ndarray | None) -> tuple[Batch, tf.Tensor | None]:
    return Batch(*map(tf.convert_to_tensor, batch)), None if states is None else tf.convert_to_tensor(states)
