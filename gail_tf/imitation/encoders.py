"""Encoders, with which D reads responses; each of them gives expert logits.

    FrozenEncoder       the paper's network on features that the frozen reference computes once
    TrainableEncoder    the same network on the features of a separate language model, which learns with it
    TextEncoder         the RoBERTa of TextGAIL, which reads the text (baselines/textgail.py)

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
from gail_tf.models.architectures import make_network
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.tanh_network import TanhNetwork
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from keras_gca.engine.variables import assign

Arrays = tuple[np.ndarray, ...]  # the arrays of B responses that an encoder reads; tensors in a graph


class Encoder(abc.ABC):
    """The network of a discriminator, and the selection of its input."""

    reads_at_once = False  # whether one call can read a whole buffer

    @property
    @abc.abstractmethod
    def variables(self) -> list[keras.Variable]:
        """All weights, in a fixed order; all of them are trained."""

    @abc.abstractmethod
    def seen(self, responses: JudgedResponses) -> Arrays:
        """Select the arrays of the responses that this encoder reads.

        Args:
            responses: B responses.

        Returns:
            Arrays whose first dimension is B.
        """

    @abc.abstractmethod
    def logits(self, seen: Arrays, sentiments: tf.Tensor) -> tf.Tensor:
        """Compute expert logits, in a graph.

        Args:
            seen: The arrays that `seen` returned.
            sentiments: (B, S) float32.

        Returns:
            (B,) float32, or (B, R) where every token is judged.
        """

    @abc.abstractmethod
    def both_logits(
        self, seen: Sequence[Arrays], sentiments: Sequence[tf.Tensor], masks: Sequence[tf.Tensor],
        seeds: Sequence[tf.Tensor],
    ) -> Sequence[tf.Tensor]:  # fmt: skip
        """Compute the expert logits of a training step, with noise and dropout, in a graph.

        Each argument has two members: the experts' responses, and the policy's.

        Args:
            seen: The arrays that `seen` returned.
            sentiments: (B, S) float32.
            masks: (B,) or (B, R) bool, the responses or tokens that count.
            seeds: (B, 2) int32; see `random.sample_seeds`.

        Returns:
            The logits of both sides, (B,) float32, or (B, R) where every token is judged.
        """

    def begin_as(self, policy: LanguagePolicy) -> None:
        """Prepare for imitation, which begins with this policy; an encoder with a language model copies its weights."""


class DiscriminatorNetwork(TanhNetwork):
    """The paper's discriminator network, whose output is an expert logit.

        features -> normalisation -> 100 tanh -> 100 tanh -> expert_logit

    It is called with features, (B, F), or (B, T, F) for one logit per token, and optionally with sentiments, (B, S):
    numbers in [-1, 1] that are appended to the normalised features. It returns (B,) or (B, T) float32. Trained by
    `contrastive_loss`, the output is a score; only differences between responses to one prompt have a meaning.

    Args:
        feature_size: F.
        sentiment_size: S; 0 without sentiments.
        seed: The seed of the initial weights, with which the output is 0.
    """

    def __init__(self, feature_size: int, sentiment_size: int = 0, seed: int = 0):
        super().__init__(feature_size, 1, seed, "discriminator", sentiment_size)

    def call(self, features: tf.Tensor, sentiments: tf.Tensor | None = None) -> tf.Tensor:
        return super().call(features, sentiments)[..., 0]


class FrozenEncoder(Encoder):
    """The paper's network on the reference's features, with sentiments if `--sentiment` is on.

    A token discriminator gets no sentiments: those of a whole response would reveal to each token what follows it.

    Args:
        sizes: The sizes of the reference's language model.
        config: The settings.
    """

    reads_at_once = True

    def __init__(self, sizes: LanguageModelConfig, config: GAILConfig):
        self.per_token = config.judge.discriminator == "token"
        self._with_sentiment = config.data.sentiment == "on" and not self.per_token
        self._noise = config.judge.instance_noise
        size = sizes.width if self.per_token else 2 * sizes.width
        self.network = DiscriminatorNetwork(size, SENTIMENTS if self._with_sentiment else 0, config.seed)

    @property
    def variables(self) -> list[keras.Variable]:
        return self.network.trainable_variables

    def seen(self, responses: JudgedResponses) -> Arrays:
        return (responses.features,)

    def features(self, seen: Arrays) -> tf.Tensor:
        """The features, (B, F) float32, or (B, R, F) of tokens, in a graph."""
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
    """The paper's network on the features of a language model of its own, which starts as the reference.

    Args:
        sizes: The sizes of the reference's language model.
        config: The settings.
    """

    reads_at_once = False

    def __init__(self, sizes: LanguageModelConfig, config: GAILConfig):
        super().__init__(sizes, config)
        self.language_model = make_network(sizes, config.seed, precision=config.run.precision)

    @property
    def variables(self) -> list[keras.Variable]:
        return [*super().variables, *self.language_model.weights.values()]

    def seen(self, responses: JudgedResponses) -> Arrays:
        return tuple(responses.batch)

    def features(self, seen: Arrays) -> tf.Tensor:
        condition, condition_mask, response, response_mask = seen
        responses = [(response, response_mask)]
        [(features, _)] = read_responses(self.language_model, condition, condition_mask, responses, self.per_token)
        return features

    def begin_as(self, policy: LanguagePolicy) -> None:
        if not isinstance(policy, Policy):
            raise TypeError(f"the encoder is a language model and cannot copy the weights of a {type(policy).__name__}")
        assign(list(self.language_model.weights.values()), list(policy.network.merged().values()))
