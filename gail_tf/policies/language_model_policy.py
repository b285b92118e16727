"""`Policy`, a language model used as a policy. Training can change all weights, low-rank adapters or a head.

A policy responds to a condition, which consists of the history and the prompt.

Shapes: B samples, C tokens in a condition (padded on the left), R tokens in a response (padded on the right), hidden
states of width E, V tokens in the vocabulary.
"""

from collections.abc import Callable, Sequence
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.language_model import Cache, Kernels, LanguageModel
from gail_tf.models.tanh_network import TanhNetwork
from gail_tf.policies.base import DecodingState, LanguagePolicy
from gail_tf.setting_groups import TRAINABLE
from keras_gca.errors import UserError

IMPOSSIBLE = -1e9  # added to the logits of excluded tokens; finite, because 0 * -inf would be NaN in an entropy


class Policy(LanguagePolicy):
    """A policy whose network is a language model, such as GPT-2 or Llama.

    The paper's generator network has two hidden layers (Section 4.2), but the paper does not say how this network
    generates responses. Here, these two layers can be used as a head on the language model. The head reads the language
    model's last hidden state and adds a correction to it before the logits are computed. The correction is initially 0,
    so every policy starts out identical to its language model.

    Args:
        network: The language model.
        trainable: The weights to train: "full" for all weights of the network, "lora" for its low-rank adapters, or
            "head" for the paper's two layers on a frozen network.
        seed: The seed of the head's initial weights.
        end: The token that ends a response. Default: the network's eos_token_id.
        jit_compile: See `LanguagePolicy`.
        excluded: Tokens that responses never contain, such as control tokens. Their probability is 0.

    Raises:
        UserError: `trainable` has an unknown value.
        ValueError: `trainable` is "lora" for a network without adapters, or is not "lora" for a network with adapters.
    """

    def __init__(
        self,
        network: LanguageModel,
        trainable: str = "full",
        seed: int = 0,
        end: int | None = None,
        jit_compile: bool = False,
        excluded: Sequence[int] = (),
    ):
        if trainable not in TRAINABLE:
            raise UserError(f"--trainable: {trainable!r} is not one of {', '.join(TRAINABLE)}")
        if (trainable == "lora") != (network.adapters is not None):
            raise ValueError(f"trainable is {trainable}; use lora if, and only if, the network has adapters")
        super().__init__(network.config.eos_token_id if end is None else end, jit_compile)
        self.network = network
        self.trainable = trainable
        width = network.config.width
        self._added_to_logits: np.ndarray | None = None
        if excluded:
            self._added_to_logits = np.zeros(network.config.vocab_size, np.float32)
            self._added_to_logits[list(excluded)] = IMPOSSIBLE
        self._correction = TanhNetwork(width, width, seed, "head") if trainable == "head" else None

    @property
    def variables(self) -> list[keras.Variable]:
        """The weights that a bot stores: the network's weights, followed by the weights of the adapters or the head.

        The weights of a frozen network that was read from files (`LanguageModel.base`) are not included.
        """
        if self.trainable == "full":
            return self.trainable_variables
        own = [] if self.network.base is not None else list(self.network.weights.values())
        return [*own, *self.trainable_variables]

    @property
    def read_variables(self) -> list[keras.Variable]:
        if self.trainable == "full":
            return self.trainable_variables
        return [*self.network.weights.values(), *self.trainable_variables]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The trainable weights, which belong to the network, its adapters or the head."""
        if self.trainable == "lora":
            return self.network.adapter_weights
        if self._correction is not None:
            return self._correction.trainable_variables
        return list(self.network.weights.values())

    @property
    def frozen_features(self) -> bool:
        """Whether `features` stay the same during training, which is true only if `trainable` is "head"."""
        return self.trainable == "head"

    @property
    def feature_size(self) -> int:
        """The width E of the network's hidden states."""
        return self.network.config.width

    @property
    def positions(self) -> int:
        """The maximum number of tokens that the network can read."""
        return self.network.config.positions

    def features(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Compute the hidden state before each token of the response; see `LanguagePolicy.features`.

        If `trainable` is "head", these states stay the same and have no gradient, so they can be computed once, outside
        the gradient tape.
        """
        tokens = tf.concat([condition, response[:, :-1]], axis=1)
        mask = tf.concat([condition_mask, response_mask[:, :-1]], axis=1)
        hidden = self.network.hidden(tokens, mask, seeds)[:, tf.shape(condition)[1] - 1 :]
        return tf.stop_gradient(hidden) if self.trainable == "head" else hidden

    def logits(
        self, features: tf.Tensor, head: Sequence[tf.Tensor] | None = None, kernels: Kernels | None = None
    ) -> tf.Tensor:
        """Compute the logits of the next token. The logits of excluded tokens are about -1e9.

        Args:
            features: An array of shape (..., E).
            head: Weights that replace the head's own weights in this call, as TRPO requires, or None.
            kernels: See `LanguageModel.logits`.

        Returns:
            A float32 array of shape (..., V).
        """
        if self._correction is not None:
            correct = self._correction
            features += correct(features) if head is None else correct.stateless_call(head, [], features)[0]
        logits = self.network.logits(features, kernels)
        return logits if self._added_to_logits is None else logits + self._added_to_logits

    def _begin(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        length: int,
        repeat: Callable[[tf.Tensor], tf.Tensor],
    ) -> DecodingState:
        width = tf.shape(condition)[1]
        hidden, cache = self.network.prefill(condition, condition_mask, width + length - 1)
        lengths = repeat(tf.reduce_sum(tf.cast(condition_mask, tf.int32), axis=1))
        in_condition = repeat(tf.pad(condition_mask, [[0, 0], [0, length - 1]]))  # (B, places in the cache)
        places = tf.range(width + length - 1)
        kernels = self.network.kernels()  # computed once, before the loop

        def read(t: tf.Tensor, tokens: tf.Tensor, cache: Cache) -> tuple[tf.Tensor, Cache]:
            seen = in_condition | ((places >= width) & (places < width + t))
            return self.network.step(tokens, lengths + t - 1, seen, cache, width + t - 1, kernels)

        cache = tf.nest.map_structure(repeat, cache)
        return DecodingState(repeat(hidden[:, -1]), cache, read, partial(self.logits, kernels=kernels))
