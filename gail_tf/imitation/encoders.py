"""Encoders: the networks that compute the discriminator D's expert logits for responses.

    FrozenEncoder       the paper's network, which reads features that the frozen reference computes
    TrainableEncoder    the same network on top of its own language model; all weights of this language model, or
                        only its low-rank adapters, are trained too
    TextEncoder         the RoBERTa of TextGAIL, which reads the text (baselines/textgail.py)

An expert logit is the logit of the probability that an expert wrote the response. Shapes: B responses, R tokens, F
features, S sentiments.
"""

import abc
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.samples import number_of_scores
from gail_tf.imitation.discriminator_losses import with_instance_noise
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.reference import read_responses
from gail_tf.models.language_model import LanguageModel
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.tanh_network import TanhNetwork
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.language_model_policy import Policy
from keras_gca.engine.variables import assign

Arrays = tuple[np.ndarray, ...]  # the arrays of B responses that an encoder reads; inside a graph they are tensors


class Encoder(abc.ABC):
    """Base class of encoders. An encoder selects the arrays that it reads, and computes logits from these arrays."""

    reads_at_once = False  # whether one call can read all responses in an update

    @property
    @abc.abstractmethod
    def variables(self) -> list[keras.Variable]:
        """All weights in a fixed order. Every weight is trained."""

    @abc.abstractmethod
    def seen(self, responses: JudgedResponses) -> Arrays:
        """Select the arrays that this encoder reads.

        Args:
            responses: B responses.

        Returns:
            Arrays whose first dimension is B.
        """

    @abc.abstractmethod
    def logits(self, seen: Arrays, sentiments: tf.Tensor) -> tf.Tensor:
        """Compute expert logits. This method can be called inside a TensorFlow graph.

        Args:
            seen: The arrays that `seen` returned.
            sentiments: The sentiment scores, shape (B, S) and dtype float32.

        Returns:
            A float32 tensor of shape (B,), or (B, R) if D judges tokens.
        """

    @abc.abstractmethod
    def both_logits(
        self, seen: Sequence[Arrays], sentiments: Sequence[tf.Tensor], masks: Sequence[tf.Tensor],
        seeds: Sequence[tf.Tensor],
    ) -> Sequence[tf.Tensor]:  # fmt: skip
        """Compute expert logits for a training step, with noise and dropout.

        This method can be called inside a TensorFlow graph. Each argument is a pair: one value for the experts'
        responses, and one for the policy's responses.

        Args:
            seen: The arrays that `seen` returned.
            sentiments: The sentiment scores, shape (B, S) and dtype float32.
            masks: Bool masks of shape (B,) or (B, R), true at the responses or tokens that count in the loss.
            seeds: The seeds for noise and dropout, shape (B, 2) and dtype int32; see `engine.random.sample_seeds`.

        Returns:
            The logits for the experts' responses and for the policy's responses, dtype float32. The shape of each is
            (B,), or (B, R) if D judges tokens.
        """

    def begin_as(self, policy: LanguagePolicy) -> None:
        """Prepare for imitation, which starts from the given policy.

        Encoders with their own language model copy the policy's weights. Other encoders do nothing.
        """


class DiscriminatorNetwork(TanhNetwork):
    """The paper's discriminator network, whose output is an expert logit.

        features -> normalisation -> 100 tanh -> 100 tanh -> expert_logit

    The input has shape (B, F) or, for one logit per token, (B, R, F). The output has shape (B,) or (B, R) and dtype
    float32. Optional sentiments of shape (B, S), with values in [-1, 1], are appended to the normalised features. If
    the network is trained with `contrastive_loss`, its outputs are scores, and only differences between the scores of
    responses to the same prompt are meaningful.

    Args:
        feature_size: The number of features F.
        sentiment_size: The number of sentiments S, or 0 if the network reads none.
        seed: The seed for the initial weights of the hidden layers. The output of the untrained network is 0.
    """

    def __init__(self, feature_size: int, sentiment_size: int = 0, seed: int = 0):
        super().__init__(feature_size, 1, seed, "discriminator", sentiment_size)

    def call(self, features: tf.Tensor, sentiments: tf.Tensor | None = None) -> tf.Tensor:
        return super().call(features, sentiments)[..., 0]


class FrozenEncoder(Encoder):
    """The paper's network, which reads features from the reference and, with `--sentiment on`, sentiments.

    A discriminator that judges tokens gets no sentiments, because the sentiment of the whole response would reveal
    information about later tokens.

    Args:
        sizes: The config of the reference's language model.
        config: The settings.
    """

    reads_at_once = True

    def __init__(self, sizes: LanguageModelConfig, config: GAILConfig):
        self.per_token = config.judge.discriminator == "token"
        self._with_sentiment = config.data.sentiment == "on" and not self.per_token
        self._noise = config.judge.instance_noise
        size = sizes.width if self.per_token else 2 * sizes.width
        sentiments = number_of_scores(config.data.sentiment_history == "on") + 1  # plus the score of the response
        self.network = DiscriminatorNetwork(size, sentiments if self._with_sentiment else 0, config.seed)

    @property
    def variables(self) -> list[keras.Variable]:
        return self.network.trainable_variables

    def seen(self, responses: JudgedResponses) -> Arrays:
        return (responses.features,)

    def features(self, seen: Arrays) -> tf.Tensor:
        """Return float32 features of shape (B, F) or (B, R, F). This method can be called inside a TensorFlow graph."""
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
    """The paper's network on top of its own language model, which starts as a copy of the reference.

    Args:
        language_model: The language model. If it has adapters, only the adapters are trained. All other weights must
            then be those of the reference, which stay the same during imitation.
        config: The settings.
    """

    reads_at_once = False

    def __init__(self, language_model: LanguageModel, config: GAILConfig):
        super().__init__(language_model.config, config)
        self.language_model = language_model

    @property
    def variables(self) -> list[keras.Variable]:
        read = self.language_model
        return [*super().variables, *(read.weights.values() if read.adapters is None else read.adapter_weights)]

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
        if self.language_model.adapters is None:
            assign(list(self.language_model.weights.values()), list(policy.network.merged().values()))
        elif policy.network.adapters is not None:
            assign(self.language_model.adapter_weights, policy.network.adapter_weights)
        # Otherwise the adapters are new and have no effect yet, so the encoder already equals the reference.
