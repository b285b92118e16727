"""The discriminator D and its training (Eq. 6). D learns to distinguish experts' responses from the policy's.

Shapes: B responses of at most R tokens; S sentiment scores per response.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.imitation.discriminator_losses import binary_loss, contrastive_loss
from gail_tf.imitation.encoders import Arrays, Encoder
from gail_tf.imitation.judge import Judge, Judgement
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.phases import DISCRIMINATOR
from gail_tf.imitation.rewards import relative_logit
from gail_tf.imitation.rollouts import Rollouts
from gail_tf.policies.base import LanguagePolicy
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learner import AdamWLearner
from keras_gca.engine.random import sample_seeds
from keras_gca.errors import refuse_nan


class Discriminator(Judge):
    """The discriminator D, which judges responses by the logits of an encoder (see `encoders.py`).

    With `--discriminator contrastive`, the encoder's outputs are scores, which have no meaning in isolation. The expert
    logit is the difference between the scores of two responses to the same prompt.

    Args:
        encoder: The network that computes logits from responses.
        config: The settings. `--discriminator` determines the meaning of the logits.
    """

    discriminates = True

    def __init__(self, encoder: Encoder, config: GAILConfig):
        self.encoder, self.config = encoder, config
        self.per_token = config.judge.discriminator == "token"
        self.compiled_logits = Compiled(encoder.logits)

    @property
    def variables(self) -> list[keras.Variable]:
        return self.encoder.variables

    def expert_logits(self, responses: JudgedResponses) -> np.ndarray:
        size, count = self.config.optimizer.batch_size, len(responses.features)
        if self.encoder.reads_at_once:
            return self.compiled_logits(self.encoder.seen(responses), responses.sentiments).numpy()
        parts = [responses.rows(np.arange(start, min(start + size, count)), size) for start in range(0, count, size)]
        logits = [self.compiled_logits(self.encoder.seen(part), part.sentiments).numpy() for part in parts]
        return np.concatenate(logits)[:count]

    def judge(self, given: JudgedResponses, expert: JudgedResponses) -> Judgement:
        judgement = super().judge(given, expert)
        if self.config.judge.discriminator != "contrastive":
            return judgement
        relative = relative_logit(*judgement).numpy()
        return Judgement(relative, -relative)

    def begin_as(self, policy: LanguagePolicy) -> None:
        self.encoder.begin_as(policy)


class DiscriminatorLearner(AdamWLearner):
    """A learner that trains all weights of an encoder to minimise the negative of Eq. 6 or the contrastive loss.

    Args:
        encoder: The encoder to train.
        config: The settings. `--discriminator` determines the loss.
    """

    replicated = ("seed",)
    reports_norm = True

    def __init__(self, encoder: Encoder, config: GAILConfig):
        super().__init__(encoder.variables, config.judge.discriminator_learning_rate, config.optimizer.weight_decay)
        self.encoder, self.config = encoder, config

    def loss(
        self,
        seen: Sequence[Arrays],
        sentiments: Sequence[tf.Tensor],
        masks: Sequence[tf.Tensor],
        numbers: Sequence[tf.Tensor],
        seed: tf.Tensor,
    ) -> tuple[tf.Tensor, tuple[()]]:
        """Compute the negative of Eq. 6, or the contrastive loss.

        Each argument except `seed` is a pair: one value for the experts' responses, and one for the policy's responses.

        Args:
            seen: The arrays that the encoder reads; see `Encoder.seen`.
            sentiments: The sentiment scores, shape (B, S) and dtype float32.
            masks: Bool masks of shape (B,) or (B, R), true at the responses or tokens that count in the loss.
            numbers: The number of each response, which determines its noise, shape (B,) and dtype int32.
            seed: The seed for instance noise and for dropout in a RoBERTa encoder, shape (2,) and dtype int32.

        Returns:
            The scalar loss, and an empty tuple in place of metrics.
        """
        seeds = [sample_seeds(seed, rows) for rows in numbers]
        expert, generated = self.encoder.both_logits(seen, sentiments, masks, seeds)
        if self.config.judge.discriminator == "contrastive":
            loss = contrastive_loss(expert, generated, masks[0])
        else:
            loss = binary_loss(expert, generated, masks[0], masks[1], self.config.judge.label_smoothing)
        return loss, ()


class DiscriminatorTraining(Discriminator):
    """A discriminator that can also be trained on buffers of rollouts.

    Args:
        encoder: The encoder to train.
        config: The settings.
    """

    def __init__(self, encoder: Encoder, config: GAILConfig):
        super().__init__(encoder, config)
        self.learner = DiscriminatorLearner(encoder, config)

    @property
    def optimizer_variables(self) -> list[keras.Variable]:
        return self.learner.optimizer.variables

    def learn(self, rollouts: Rollouts, seed: int, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """Make one pass over a buffer. `Judge.learn` explains the arguments.

        Returns:
            The loss and the gradient norm, averaged over the steps.

        Raises:
            DivergedError: The loss or the gradient is not finite.
        """
        size = self.config.optimizer.batch_size
        order = np.random.default_rng([seed, number]).permutation(np.flatnonzero(rollouts.generated))
        log = []
        for start in range(0, len(order), size)[:steps]:
            rows = order[start : start + size]
            both = rollouts.expert.rows(rows, size), rollouts.given.rows(rows, size)
            noise = (seed, number * len(rollouts.rows) + start)
            log.append(self.step(*both, np.arange(size) < len(rows), noise))
        loss, norm = (float(np.mean([metrics[name] for metrics in log])) for name in ("loss", "gradient_norm"))
        refuse_nan(loss + norm, DISCRIMINATOR, "discriminator")
        return {"discriminator_loss": loss, "discriminator_gradient_norm": norm}

    def step(
        self, expert: JudgedResponses, generated: JudgedResponses, counted: np.ndarray, seed: tuple[int, int]
    ) -> dict[str, float]:
        """Take one training step on equal numbers of responses from the experts and the policy.

        Args:
            expert: B responses from the experts.
            generated: B responses from the policy to the same prompts.
            counted: A bool mask of shape (B,), false for empty rows that pad the batch.
            seed: The seed for instance noise and for dropout in a RoBERTa encoder.

        Returns:
            The loss and the gradient norm.
        """
        both = expert, generated
        seen = tuple(self.encoder.seen(side) for side in both)
        masks = tuple(counted[:, None] & side.batch.response_mask if self.per_token else counted for side in both)
        sentiments = tuple(side.sentiments for side in both)
        rows = np.arange(len(counted), dtype=np.int32)
        numbers = rows, rows + len(rows)
        result = self.learner.train_step(seen, sentiments, masks, numbers, np.array(seed, np.int32))
        return {"loss": float(result.loss), "gradient_norm": float(result.gradient_norm)}
