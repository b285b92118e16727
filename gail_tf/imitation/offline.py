"""Training of the policy on the experts' responses alone, for as many steps as PPO takes on the policy's responses.

`--algorithm extra_likelihood` continues maximum likelihood training with the same number of steps and prompts. Its
prompts are the first ones of the order from which PPO takes those after D's pretraining. It is a control for imitation,
because its improvements cannot be due to a discriminator. `--algorithm iqlearn` adds a regulariser to maximum
likelihood (`iq_learn.py`).
"""

from collections.abc import Iterator

import keras
import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch, take
from gail_tf.imitation.iq_learn import IQLearn
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood
from gail_tf.imitation.phases import IMITATION
from gail_tf.imitation.policy_optimiser import Metrics, Optimiser
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling
from keras_gca.engine.batching import plan
from keras_gca.errors import refuse_nan


class OfflineOptimiser(Optimiser):
    """An optimiser that trains the policy on the experts' responses to as many prompts as PPO would use.

    The numbers of steps and prompts, the minibatch size and the learning rate are the same as for PPO. Dropout is the
    same as for maximum likelihood.

    Args:
        policy: The policy to improve.
        config: The settings.
        sampling: How the policy's responses are sampled.
        end: The token that ends a response.
    """

    def __init__(self, policy: LanguagePolicy, config: GAILConfig, sampling: Sampling, end: int):
        super().__init__(policy, config, sampling)
        self.steps = config.ppo.ppo_epochs * config.steps_in_a_buffer
        self.total_steps = config.total_steps(self.steps, config.rollout.updates)
        rate = config.ppo.generator_learning_rate
        settings = {
            "weight_decay": config.optimizer.weight_decay,
            "warmup_steps": config.warm_up(self.total_steps),
            "gradient_clip": config.optimizer.gradient_clip,
            "total_steps": self.total_steps,
        }
        self.learner = (
            IQLearn(policy, rate, end, config.likelihood.td_weight, config.ppo.discount, **settings)
            if config.algorithm == "iqlearn"
            else MaximumLikelihood(policy, rate, **settings)
        )

    def learn(self, experts: Batch, seed: int) -> Iterator[Metrics]:
        """Train the policy on the experts' responses to the prompts of an update.

        Args:
            experts: The prompts and responses.
            seed: The seed for minibatches and dropout.

        Yields:
            The metrics of each step.

        Raises:
            DivergedError: The loss is NaN.
        """
        size = self.config.ppo.minibatch_size
        for epoch in range(self.config.ppo.ppo_epochs):
            for number, rows in enumerate(plan(experts.condition_lengths, size, seed + epoch)):
                dropout = np.array([seed, epoch * self.config.steps_in_a_buffer + number], np.int32)
                result = self.learner.train_step(take(experts, rows, size), np.arange(size, dtype=np.int32), dropout)
                loss, tokens, *errors = (float(value) for value in result.sums)
                refuse_nan(float(result.loss), IMITATION, "generator")
                means = [loss / tokens, *(error / tokens for error in errors)]
                yield dict(zip(("loss", "td_error"), means, strict=False))

    def course(self) -> str:
        return self.learner.course()

    @property
    def variables(self) -> dict[str, list[keras.Variable]]:
        return {"generator_optimizer": self.learner.optimizer.variables}
