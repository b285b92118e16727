"""Eq. 6 in steps: the discriminator learns to tell the experts' responses from the policy's."""

import keras
import numpy as np
import tensorflow as tf

from gail_tf import discriminators
from gail_tf.config import GAILConfig
from gail_tf.gpt2 import GPT2, GPT2Config
from gail_tf.learning import Learner
from gail_tf.rollouts import Evidence, read_responses
from gail_tf.samples import SENTIMENTS


class Discriminator:
    """The paper's network on features of responses, with sentiments by option.

    The features are those of the frozen reference, computed once (see `Evidence`); with `--discriminator-encoder
    trainable`, those of a GPT-2 of D's own, which starts as the reference and learns with D.
    """

    def __init__(self, gpt2: GPT2Config, config: GAILConfig):
        self.config = config
        self._with_sentiment = config.sentiment == "on"
        self.network = discriminators.DiscriminatorNetwork(
            2 * gpt2.n_embd, SENTIMENTS if self._with_sentiment else 0, config.seed
        )
        owns_encoder = config.discriminator_encoder == "trainable"
        self.encoder = GPT2(gpt2, config.seed, precision=config.precision) if owns_encoder else None
        self._logits = tf.function(self._judge, autograph=False)

    @property
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order; all of them learn."""
        encoder = [] if self.encoder is None else self.encoder.weights.values()
        return [*self.network.trainable_variables, *encoder]

    def expert_logits(self, evidence: Evidence) -> np.ndarray:
        """(B,) float32, high where D takes a response for an expert's."""
        size, count = self.config.batch_size, len(evidence.features)
        if self.encoder is None:
            return self._logits(self._seen(evidence), evidence.sentiments).numpy()
        parts = [evidence.rows(np.arange(start, min(start + size, count)), size) for start in range(0, count, size)]
        return np.concatenate([self._logits(self._seen(part), part.sentiments).numpy() for part in parts])[:count]

    def _seen(self, evidence: Evidence) -> tuple[np.ndarray, ...]:
        """What the network, or the encoder before it, reads."""
        return (evidence.features,) if self.encoder is None else tuple(evidence.batch)

    def _features(self, seen) -> tf.Tensor:
        return seen[0] if self.encoder is None else read_responses(self.encoder, *seen)[0]

    def _judge(self, seen, sentiments):
        return self._of_features(self._features(seen), sentiments)

    def _of_features(self, features, sentiments):
        return self.network(features, sentiments if self._with_sentiment else None)


class DiscriminatorTraining(Discriminator):
    """One step at a time, in one compiled function for each combination of widths."""

    def __init__(self, gpt2: GPT2Config, config: GAILConfig):
        super().__init__(gpt2, config)
        self.learner = Learner(self.variables, config.discriminator_learning_rate, config.weight_decay)
        self._step = tf.function(self._descend, autograph=False)

    def step(
        self, expert: Evidence, generated: Evidence, counted: np.ndarray, seed: tuple[int, int]
    ) -> dict[str, float]:
        """One step on as many responses of experts as of the policy.

        counted: (B,) bool, false for rows that fill the batch up. seed: of the instance noise. Returns the loss and the
        gradient's norm.
        """
        seen = self._seen(expert), self._seen(generated)
        figures = self._step(*seen, expert.sentiments, generated.sentiments, counted, np.array(seed, np.int32))
        return {name: float(value) for name, value in figures.items()}

    def _descend(self, expert, generated, expert_sentiments, generated_sentiments, counted, seed):
        sentiments = tf.concat([expert_sentiments, generated_sentiments], 0)
        both = tf.concat([counted, counted], 0)

        def loss():
            features = tf.concat([self._features(expert), self._features(generated)], 0)
            if self.config.instance_noise:
                features = discriminators.with_instance_noise(features, self.config.instance_noise, seed, both)
            logits = tf.split(self._of_features(features, sentiments), 2)
            return discriminators.binary_loss(*logits, counted, counted, self.config.label_smoothing), {}

        scalar, figures = self.learner.descend(loss)
        return {"loss": scalar, **figures}
