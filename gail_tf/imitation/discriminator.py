"""Eq. 6 in steps: the discriminator learns to tell the experts' responses from the policy's."""

import keras
import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.imitation.discriminator_losses import binary_loss, contrastive_loss
from gail_tf.imitation.encoders import Encoder
from gail_tf.imitation.evidence import Evidence
from gail_tf.imitation.judge import Judge, Judgement
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
        self.per_token = config.discriminator == "token"
        self._logits = Compiled(encoder.logits)

    @property
    def variables(self) -> list[keras.Variable]:
        return self.encoder.variables

    def expert_logits(self, evidence: Evidence) -> np.ndarray:
        size, count = self.config.batch_size, len(evidence.features)
        if self.encoder.reads_at_once:
            return self._logits(self.encoder.seen(evidence), evidence.sentiments).numpy()
        parts = [evidence.rows(np.arange(start, min(start + size, count)), size) for start in range(0, count, size)]
        logits = [self._logits(self.encoder.seen(part), part.sentiments).numpy() for part in parts]
        return np.concatenate(logits)[:count]

    def judge(self, given: Evidence, expert: Evidence) -> Judgement:
        found = super().judge(given, expert)
        if self.config.discriminator != "contrastive":
            return found
        relative = relative_logit(*found).numpy()
        return Judgement(relative, -relative)

    def begin_as(self, policy: LanguagePolicy) -> None:
        self.encoder.begin_as(policy)


class DiscriminatorTraining(Discriminator):
    """One step at a time, in one compiled function for each combination of widths."""

    def __init__(self, encoder: Encoder, config: GAILConfig):
        super().__init__(encoder, config)
        self.learner = AdamWLearner(self.variables, config.discriminator_learning_rate, config.weight_decay)
        self._step = Compiled(self._descend, whole=("seed",))

    @property
    def optimizer_variables(self) -> list[keras.Variable]:
        return self.learner.optimizer.variables

    def learn(self, rollouts: Rollouts, seed: int, number: int = 0, steps: int | None = None) -> dict[str, float]:
        """See `Judge`. Returns the means of the loss and of the gradient's norm; raises DivergedError on NaN."""
        size = self.config.batch_size
        order = np.random.default_rng([seed, number]).permutation(np.flatnonzero(rollouts.generated))
        found = []
        for start in range(0, len(order), size)[:steps]:
            rows = order[start : start + size]
            evidence = rollouts.expert.rows(rows, size), rollouts.given.rows(rows, size)
            noise = (seed, number * len(rollouts.rows) + start)
            found.append(self.step(*evidence, np.arange(size) < len(rows), noise))
        loss, norm = (float(np.mean([figures[name] for figures in found])) for name in ("loss", "gradient_norm"))
        refuse_nan(loss + norm, DISCRIMINATOR, "discriminator")
        return {"discriminator_loss": loss, "discriminator_gradient_norm": norm}

    def step(
        self, expert: Evidence, generated: Evidence, counted: np.ndarray, seed: tuple[int, int]
    ) -> dict[str, float]:
        """One step on as many responses of experts as of the policy.

        counted: (B,) bool, false for rows that fill the batch up. seed: of the instance noise, and of a RoBERTa's
        dropout. Returns the loss and the gradient's norm.
        """
        both = expert, generated
        seen = tuple(self.encoder.seen(evidence) for evidence in both)
        masks = tuple(counted[:, None] & each.batch.response_mask if self.per_token else counted for each in both)
        sentiments = tuple(evidence.sentiments for evidence in both)
        rows = np.arange(len(counted), dtype=np.int32)
        numbers = rows, rows + len(rows)
        figures = self._step(seen, sentiments, masks, numbers, np.array(seed, np.int32))
        return {name: float(value) for name, value in figures.items()}

    def _descend(self, seen, sentiments, masks, numbers, seed):
        seeds = [sample_seeds(seed, rows) for rows in numbers]

        def loss():
            logits = self.encoder.both_logits(seen, sentiments, masks, seeds)
            if self.config.discriminator == "contrastive":
                return contrastive_loss(*logits, masks[0]), None
            return binary_loss(*logits, *masks, self.config.label_smoothing), None

        descent = self.learner.descend(loss)
        return {"loss": descent.loss, "gradient_norm": descent.gradient_norm}
