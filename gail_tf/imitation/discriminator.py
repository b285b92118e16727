"""Eq. 6 in steps: the discriminator learns to tell the experts' responses from the policy's."""

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
    """D: an encoder that reads responses (`encoders`), and what its logits are taken for.

    A contrastive discriminator gives scores, of which only the differences at one prompt have a meaning.
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
        found = super().judge(given, expert)
        if self.config.judge.discriminator != "contrastive":
            return found
        relative = relative_logit(*found).numpy()
        return Judgement(relative, -relative)

    def begin_as(self, policy: LanguagePolicy) -> None:
        self.encoder.begin_as(policy)


class DiscriminatorLearner(AdamWLearner):
    """Eq. 6 by gradient descent: all weights of an encoder learn, and what its logits are taken for is a setting."""

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
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Eq. 6 of responses of the experts and of the policy, in this order, or its contrastive form.

        Args:
            seen: What the encoder reads of each side; see `Encoder.seen`.
            sentiments: (B, S) float32 of each side.
            masks: (B,) or (B, R) bool of each side, what counts.
            numbers: (B,) int32 of each side, numbers of the responses, by which noise is drawn.
            seed: (2,) int32, of the instance noise, and of a RoBERTa's dropout.

        Returns:
            The loss, which is also all that is reported.
        """
        seeds = [sample_seeds(seed, rows) for rows in numbers]
        expert, generated = self.encoder.both_logits(seen, sentiments, masks, seeds)
        if self.config.judge.discriminator == "contrastive":
            loss = contrastive_loss(expert, generated, masks[0])
        else:
            loss = binary_loss(expert, generated, masks[0], masks[1], self.config.judge.label_smoothing)
        return loss, {"loss": loss}


class DiscriminatorTraining(Discriminator):
    """One step at a time, in one compiled function for each combination of widths."""

    def __init__(self, encoder: Encoder, config: GAILConfig):
        super().__init__(encoder, config)
        self.learner = DiscriminatorLearner(encoder, config)

    @property
    def optimizer_variables(self) -> list[keras.Variable]:
        return self.learner.optimizer.variables

    def learn(self, rollouts: Rollouts, seed: int, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """See `Judge`. Returns the means of the loss and of the gradient's norm; raises DivergedError on NaN."""
        size = self.config.optimizer.batch_size
        order = np.random.default_rng([seed, number]).permutation(np.flatnonzero(rollouts.generated))
        found = []
        for start in range(0, len(order), size)[:steps]:
            rows = order[start : start + size]
            both = rollouts.expert.rows(rows, size), rollouts.given.rows(rows, size)
            noise = (seed, number * len(rollouts.rows) + start)
            found.append(self.step(*both, np.arange(size) < len(rows), noise))
        loss, norm = (float(np.mean([figures[name] for figures in found])) for name in ("loss", "gradient_norm"))
        refuse_nan(loss + norm, DISCRIMINATOR, "discriminator")
        return {"discriminator_loss": loss, "discriminator_gradient_norm": norm}

    def step(
        self, expert: JudgedResponses, generated: JudgedResponses, counted: np.ndarray, seed: tuple[int, int]
    ) -> dict[str, float]:
        """One step on as many responses of experts as of the policy.

        counted: (B,) bool, false for rows that fill the batch up. seed: of the instance noise, and of a RoBERTa's
        dropout. Returns the loss and the gradient's norm.
        """
        both = expert, generated
        seen = tuple(self.encoder.seen(side) for side in both)
        masks = tuple(counted[:, None] & side.batch.response_mask if self.per_token else counted for side in both)
        sentiments = tuple(side.sentiments for side in both)
        rows = np.arange(len(counted), dtype=np.int32)
        numbers = rows, rows + len(rows)
        result = self.learner.train_step(seen, sentiments, masks, numbers, np.array(seed, np.int32))
        return {"loss": float(result.loss), "gradient_norm": float(result.gradient_norm)}
