"""Eq. 6 in steps: the discriminator learns to tell the experts' responses from the policy's."""

import keras
import numpy as np
import tensorflow as tf

from gail_tf.baselines.textgail import TextReader
from gail_tf.config import GAILConfig
from gail_tf.data.samples import SENTIMENTS
from gail_tf.imitation import discriminator_losses
from gail_tf.imitation.judge import Judge, Judgement
from gail_tf.imitation.reference import read_responses
from gail_tf.imitation.rewards import relative_logit
from gail_tf.imitation.rollouts import Evidence
from gail_tf.models.gpt2 import GPT2, GPT2Config
from gail_tf.models.tanh_network import TanhNetwork
from keras_gca.engine.compiled import Compiled
from keras_gca.engine.learner import Learner
from keras_gca.engine.random import sample_seeds


class DiscriminatorNetwork(TanhNetwork):
    """The paper's network: features -> normalised -> 100 tanh -> 100 tanh -> expert_logit, (B,) float32; 0 at first.

    Its input is features, (B, F), or (B, T, F) for one logit a token, and with sentiments a second one, (B, S): numbers
    in [-1, 1] that join the features after their normalisation. Features of a frozen model are computed once for each
    sample; those of a trainable encoder let the gradient through to it. Trained by `contrastive_loss`, the output is a
    score, and only differences between responses to one prompt have a meaning.
    """

    def __init__(self, feature_size: int, sentiment_size: int = 0, seed: int = 0):
        super().__init__(feature_size, 1, seed, "discriminator", sentiment_size)

    def call(self, features, sentiments=None):
        return super().call(features, sentiments)[..., 0]


class Discriminator(Judge):
    """The paper's network on features of responses, with sentiments by option.

    The features are those of the frozen reference, computed once (see `Evidence`); with `--discriminator-encoder
    trainable`, those of a GPT-2 of D's own, which starts as the reference and learns with D; with `roberta` D is that
    network, which reads the text alone.

    reader: the RoBERTa; None with another encoder.
    """

    def __init__(self, gpt2: GPT2Config, config: GAILConfig, reader: TextReader | None = None):
        self.config = config
        self.reader = reader
        self.per_token = config.discriminator == "token"
        # Those of a whole response would tell each token what comes after it.
        self._with_sentiment = config.sentiment == "on" and not self.per_token and reader is None
        self.network: DiscriminatorNetwork | None = None
        self.encoder: GPT2 | None = None
        if reader is None:
            size = gpt2.n_embd if self.per_token else 2 * gpt2.n_embd
            sentiments = SENTIMENTS if self._with_sentiment else 0
            self.network = DiscriminatorNetwork(size, sentiments, config.seed)
        if config.discriminator_encoder == "trainable":
            self.encoder = GPT2(gpt2, config.seed, precision=config.precision)
        self._logits = Compiled(self._judge)

    @property
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order; all of them learn."""
        if self.reader is not None:
            return self.reader.network.trainable_variables
        encoder = [] if self.encoder is None else self.encoder.weights.values()
        return [*self.network.trainable_variables, *encoder]

    def expert_logits(self, evidence: Evidence) -> np.ndarray:
        """See `Judge`.

        Of a contrastive discriminator these are scores, of which only the differences at one prompt have a meaning.
        """
        size, count = self.config.batch_size, len(evidence.features)
        if self._reads_features:
            return self._logits(self._seen(evidence), evidence.sentiments).numpy()
        parts = [evidence.rows(np.arange(start, min(start + size, count)), size) for start in range(0, count, size)]
        return np.concatenate([self._logits(self._seen(part), part.sentiments).numpy() for part in parts])[:count]

    def judge(self, given: Evidence, expert: Evidence) -> Judgement:
        found = super().judge(given, expert)
        if self.config.discriminator != "contrastive":
            return found
        relative = relative_logit(*found).numpy()
        return Judgement(relative, -relative)

    @property
    def _reads_features(self) -> bool:
        return self.encoder is None and self.reader is None

    def _seen(self, evidence: Evidence) -> tuple[np.ndarray, ...]:
        """What the network, or the encoder before it, reads."""
        if self.reader is not None:
            return self.reader.encode(evidence.exchanges)
        return (evidence.features,) if self.encoder is None else tuple(evidence.batch)

    def _features(self, seen) -> tf.Tensor:
        if self.encoder is None:
            return seen[0]
        condition, condition_mask, *response = seen
        [(features, _)] = read_responses(self.encoder, condition, condition_mask, [response], self.per_token)
        return features

    def _judge(self, seen, sentiments):
        if self.reader is not None:
            return self.reader.network.scores(*seen)
        return self._of_features(self._features(seen), sentiments)

    def _of_features(self, features, sentiments):
        return self.network(features, sentiments if self._with_sentiment else None)


class DiscriminatorTraining(Discriminator):
    """One step at a time, in one compiled function for each combination of widths."""

    def __init__(self, gpt2: GPT2Config, config: GAILConfig, reader: TextReader | None = None):
        super().__init__(gpt2, config, reader)
        self.learner = Learner(self.variables, config.discriminator_learning_rate, config.weight_decay)
        self._step = Compiled(self._descend, whole=("seed",))

    def step(
        self, expert: Evidence, generated: Evidence, counted: np.ndarray, seed: tuple[int, int]
    ) -> dict[str, float]:
        """One step on as many responses of experts as of the policy.

        counted: (B,) bool, false for rows that fill the batch up. seed: of the instance noise, and of a RoBERTa's
        dropout. Returns the loss and the gradient's norm.
        """
        both = expert, generated
        seen = tuple(self._seen(each) for each in both)
        masks = tuple(counted[:, None] & each.batch.response_mask if self.per_token else counted for each in both)
        sentiments = tuple(each.sentiments for each in both)
        rows = np.arange(len(counted), dtype=np.int32)
        numbers = rows, rows + len(rows)
        figures = self._step(seen, sentiments, masks, numbers, np.array(seed, np.int32))
        return {name: float(value) for name, value in figures.items()}

    def _descend(self, seen, sentiments, masks, numbers, seed):
        seeds = [sample_seeds(seed, each) for each in numbers]

        def loss():
            logits = self._both_logits(seen, sentiments, masks, seeds)
            if self.config.discriminator == "contrastive":
                return discriminator_losses.contrastive_loss(*logits, masks[0]), {}
            return discriminator_losses.binary_loss(*logits, *masks, self.config.label_smoothing), {}

        scalar, figures = self.learner.descend(loss)
        return {"loss": scalar, **figures}

    def _both_logits(self, seen, sentiments, masks, seeds):
        if self.reader is not None:
            return [self.reader.network.scores(*each, noise) for each, noise in zip(seen, seeds, strict=True)]
        features = tf.concat([self._features(each) for each in seen], 0)
        if self.config.instance_noise:
            mask = tf.concat(masks, 0)
            noise = self.config.instance_noise, tf.concat(seeds, 0)
            features = discriminator_losses.with_instance_noise(features, *noise, mask)
        return tf.split(self._of_features(features, tf.concat(sentiments, 0)), 2)
