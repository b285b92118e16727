"""Eq. 6 in steps: the discriminator learns to tell the experts' responses from the policy's."""

import keras
import numpy as np
import tensorflow as tf

from gail_tf import discriminators
from gail_tf.config import GAILConfig
from gail_tf.learning import Learner
from gail_tf.samples import SENTIMENTS


class DiscriminatorTraining:
    """The paper's network on features of the frozen reference (see `Rollouts`), with sentiments by option."""

    def __init__(self, feature_size: int, config: GAILConfig):
        self.config = config
        self._with_sentiment = config.sentiment == "on"
        self.network: keras.Model = discriminators.build_discriminator(
            feature_size, SENTIMENTS if self._with_sentiment else 0, config.seed
        )
        self.learner = Learner(
            self.network.trainable_variables, config.discriminator_learning_rate, config.weight_decay
        )
        self._step = tf.function(self._descend, autograph=False)
        self._logits = tf.function(self._judge, autograph=False)

    def expert_logits(self, features: np.ndarray, sentiments: np.ndarray) -> np.ndarray:
        """(B, F) and (B, SENTIMENTS) -> (B,) float32, high where D takes a response for an expert's."""
        return self._logits(tf.convert_to_tensor(features), tf.convert_to_tensor(sentiments)).numpy()

    def step(
        self,
        expert: tuple[np.ndarray, np.ndarray],
        generated: tuple[np.ndarray, np.ndarray],
        counted: np.ndarray,
        seed: tuple[int, int],
    ) -> dict[str, float]:
        """One step on as many responses of experts as of the policy.

        expert, generated: features (B, F) and sentiments (B, SENTIMENTS). counted: (B,) bool, false for rows that fill
        the batch up. seed: of the instance noise.
        """
        arrays = (*expert, *generated, counted, np.array(seed, np.int32))
        return {name: float(value) for name, value in self._step(*map(tf.convert_to_tensor, arrays)).items()}

    def _judge(self, features, sentiments):
        return self.network([features, sentiments] if self._with_sentiment else features)

    def _descend(self, expert, expert_sentiments, generated, generated_sentiments, counted, seed):
        features = tf.concat([expert, generated], 0)
        if self.config.instance_noise:
            features = discriminators.with_instance_noise(features, self.config.instance_noise, seed)
        sentiments = tf.concat([expert_sentiments, generated_sentiments], 0)

        def loss():
            logits = tf.split(self._judge(features, sentiments), 2)
            return discriminators.binary_loss(*logits, counted, counted, self.config.label_smoothing), {}

        scalar, figures = self.learner.descend(loss)
        return {"loss": scalar, **figures}
