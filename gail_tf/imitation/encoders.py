"""How D reads responses: encoders, each of which gives the expert logits of what it has read.

    FrozenEncoder       the paper's network on features that the frozen reference has computed once
    TrainableEncoder    the same network on the features of a GPT-2 of D's own, which learns with it
    TextEncoder         a RoBERTa that reads the text (TextGAIL's; in baselines/textgail.py)

Shapes: B responses, R tokens, F = feature_size, S = sentiment_size.
"""

import abc
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.samples import SENTIMENTS
from gail_tf.imitation.discriminator_losses import with_instance_noise
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.reference import read_responses
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.tanh_network import TanhNetwork
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from keras_gca.engine.variables import assign

Arrays = tuple[np.ndarray, ...]  # what an encoder reads of B responses; in a graph, tensors


class Encoder(abc.ABC):
    """What a discriminator is made of."""

    reads_at_once = False  # whether a whole buffer fits into one call

    @property
    @abc.abstractmethod
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order; all of them learn."""

    @abc.abstractmethod
    def seen(self, responses: JudgedResponses) -> Arrays:
        """The arrays of the responses that this encoder reads."""

    @abc.abstractmethod
    def logits(self, seen: Arrays, sentiments: tf.Tensor) -> tf.Tensor:
        """Expert logits, (B,), or (B, R) where every token is judged. For use in a graph."""

    @abc.abstractmethod
    def both_logits(
        self, seen: Sequence[Arrays], sentiments: Sequence[tf.Tensor], masks: Sequence[tf.Tensor],
        seeds: Sequence[tf.Tensor],
    ) -> Sequence[tf.Tensor]:  # fmt: skip
        """The same in a training step, of the experts' responses and of the policy's, with noise and dropout.

        masks: (B,) or (B, R) bool, what counts. seeds: (B, 2) int32, see `random.sample_seeds`.
        """

    def begin_as(self, policy: LanguagePolicy) -> None:
        """Imitation begins with this policy. An encoder of D's own takes its weights."""


class DiscriminatorNetwork(TanhNetwork):
    """The paper's network: features -> normalised -> 100 tanh -> 100 tanh -> expert_logit, (B,) float32; 0 at first.

    Its input is features, (B, F), or (B, T, F) for one logit a token, and with sentiments a second one, (B, S): numbers
    in [-1, 1] that join the features after their normalisation. Features of a frozen model are computed once for each
    sample; those of a trainable encoder let the gradient through to it. Trained by `contrastive_loss`, the output is a
    score, and only differences between responses to one prompt have a meaning.
    """

    def __init__(self, feature_size: int, sentiment_size: int = 0, seed: int = 0):
        super().__init__(feature_size, 1, seed, "discriminator", sentiment_size)

    def call(self, features: tf.Tensor, sentiments: tf.Tensor | None = None) -> tf.Tensor:
        return super().call(features, sentiments)[..., 0]


class FrozenEncoder(Encoder):
    """The paper's network on the reference's features, with sentiments by option.

    A token discriminator gets no sentiments: those of a whole response would tell each token what comes after it.
    """

    reads_at_once = True

    def __init__(self, gpt2: GPT2Config, config: GAILConfig):
        self.per_token = config.judge.discriminator == "token"
        self._with_sentiment = config.data.sentiment == "on" and not self.per_token
        self._noise = config.judge.instance_noise
        size = gpt2.n_embd if self.per_token else 2 * gpt2.n_embd
        self.network = DiscriminatorNetwork(size, SENTIMENTS if self._with_sentiment else 0, config.seed)

    @property
    def variables(self) -> list[keras.Variable]:
        return self.network.trainable_variables

    def seen(self, responses: JudgedResponses) -> Arrays:
        return (responses.features,)

    def features(self, seen: Arrays) -> tf.Tensor:
        """(B, F), or (B, R, F) of tokens. For use in a graph."""
        return seen[0]

    def logits(self, seen: Arrays, sentiments: tf.Tensor) -> tf.Tensor:
        return self._judge(self.features(seen), sentiments)

    def both_logits(
        self, seen: Sequence[Arrays], sentiments: Sequence[tf.Tensor], masks: Sequence[tf.Tensor],
        seeds: Sequence[tf.Tensor],
    ) -> Sequence[tf.Tensor]:  # fmt: skip
        features = tf.concat([self.features(arrays) for arrays in seen], 0)
        if self._noise:
            features = with_instance_noise(features, self._noise, tf.concat(seeds, 0), tf.concat(masks, 0))
        return tf.split(self._judge(features, tf.concat(sentiments, 0)), 2)

    def _judge(self, features: tf.Tensor, sentiments: tf.Tensor) -> tf.Tensor:
        return self.network(features, sentiments if self._with_sentiment else None)


class TrainableEncoder(FrozenEncoder):
    """The same network on the features of a GPT-2 of D's own, which starts as the reference and learns with D."""

    reads_at_once = False

    def __init__(self, gpt2: GPT2Config, config: GAILConfig):
        super().__init__(gpt2, config)
        self.gpt2 = GPT2(gpt2, config.seed, precision=config.run.precision)

    @property
    def variables(self) -> list[keras.Variable]:
        return [*super().variables, *self.gpt2.weights.values()]

    def seen(self, responses: JudgedResponses) -> Arrays:
        return tuple(responses.batch)

    def features(self, seen: Arrays) -> tf.Tensor:
        condition, condition_mask, response, response_mask = seen
        responses = [(response, response_mask)]
        [(features, _)] = read_responses(self.gpt2, condition, condition_mask, responses, self.per_token)
        return features

    def begin_as(self, policy: LanguagePolicy) -> None:
        if not isinstance(policy, Policy):
            raise TypeError(f"an encoder that is a GPT-2 cannot begin as a {type(policy).__name__}")
        assign(list(self.gpt2.weights.values()), list(policy.gpt2.merged().values()))
