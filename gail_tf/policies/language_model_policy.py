"""GPT-2 as a policy that trains all weights, low-rank adapters, or a head on the frozen network.

Shapes: B samples; conditions (B, C), padded on the left; responses (B, R), padded on the right; E features, V tokens.
"""

from collections.abc import Callable, Sequence
from functools import partial

import keras
import tensorflow as tf

from gail_tf.models.gpt2 import GPT2, Cache, Kernels
from gail_tf.models.tanh_network import TanhNetwork
from gail_tf.policies.base import DecodingState, LanguagePolicy
from gail_tf.setting_groups import TRAINABLE
from keras_gca.errors import UserError


class Policy(LanguagePolicy):
    """A policy whose network is GPT-2.

    The paper does not say how a network of its shape makes responses. Here the head adds a correction, which is 0 at
    first, to GPT-2's last hidden state before the product with the vocabulary. So every policy starts as GPT-2.

    Args:
        gpt2: The network.
        trainable: What is trained. "full": all weights of GPT-2. "lora": its low-rank adapters. "head": a network of
            the paper's shape on a frozen GPT-2.
        seed: The seed of the head's initial weights.
        jit_compile: See `LanguagePolicy`.

    Raises:
        UserError: `trainable` is unknown.
        ValueError: GPT-2 has adapters and `trainable` is not "lora", or the reverse.
    """

    def __init__(self, gpt2: GPT2, trainable: str = "full", seed: int = 0, jit_compile: bool = False):
        if trainable not in TRAINABLE:
            raise UserError(f"--trainable: {trainable!r} is not one of {', '.join(TRAINABLE)}")
        if (trainable == "lora") != (gpt2.adapters is not None):
            raise ValueError(f"a GPT-2 with adapters, and no other, is trained as lora, not {trainable}")
        super().__init__(gpt2.config.eos_token_id, jit_compile)
        self.gpt2 = gpt2
        self.trainable = trainable
        width = gpt2.config.n_embd
        self._correction = TanhNetwork(width, width, seed, "head") if trainable == "head" else None

    @property
    def variables(self) -> list[keras.Variable]:
        """GPT-2's own weights, then those of the adapters or the head."""
        own = list(self.gpt2.weights.values())
        return own if self.trainable == "full" else [*own, *self.trainable_variables]

    @property
    def trainable_variables(self) -> list[keras.Variable]:
        """The weights of what is trained: GPT-2, the adapters or the head."""
        if self.trainable == "lora":
            return self.gpt2.adapter_weights
        if self._correction is not None:
            return self._correction.trainable_variables
        return list(self.gpt2.weights.values())

    @property
    def frozen_features(self) -> bool:
        """Whether training leaves `features` unchanged; true for "head"."""
        return self.trainable == "head"

    @property
    def feature_size(self) -> int:
        """E, the width of GPT-2's states."""
        return self.gpt2.config.n_embd

    @property
    def positions(self) -> int:
        """How many tokens GPT-2 can read."""
        return self.gpt2.config.n_positions

    def features(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        response: tf.Tensor,
        response_mask: tf.Tensor,
        seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Compute GPT-2's last hidden states before each token of the response; see `LanguagePolicy.features`.

        With "head" no gradient passes and the values never change: compute them once, outside of the tape.
        """
        tokens = tf.concat([condition, response[:, :-1]], axis=1)
        mask = tf.concat([condition_mask, response_mask[:, :-1]], axis=1)
        hidden = self.gpt2.hidden(tokens, mask, seeds)[:, tf.shape(condition)[1] - 1 :]
        return tf.stop_gradient(hidden) if self.trainable == "head" else hidden

    def logits(
        self, features: tf.Tensor, head: Sequence[tf.Tensor] | None = None, kernels: Kernels | None = None
    ) -> tf.Tensor:
        """Compute the logits of the next token.

        Args:
            features: (..., E).
            head: Weights that replace the head's own, for TRPO.
            kernels: See `GPT2.logits`.

        Returns:
            (..., V) float32.
        """
        if self._correction is not None:
            correct = self._correction
            features += correct(features) if head is None else correct.stateless_call(head, [], features)[0]
        return self.gpt2.logits(features, kernels)

    def _begin(
        self,
        condition: tf.Tensor,
        condition_mask: tf.Tensor,
        length: int,
        repeat: Callable[[tf.Tensor], tf.Tensor],
    ) -> DecodingState:
        width = tf.shape(condition)[1]
        hidden, cache = self.gpt2.prefill(condition, condition_mask, width + length - 1)
        lengths = repeat(tf.reduce_sum(tf.cast(condition_mask, tf.int32), axis=1))
        in_condition = repeat(tf.pad(condition_mask, [[0, 0], [0, length - 1]]))  # (B, places in the cache)
        places = tf.range(width + length - 1)
        kernels = self.gpt2.kernels()  # once, before the loop

        def read(t: tf.Tensor, tokens: tf.Tensor, cache: Cache) -> tuple[tf.Tensor, Cache]:
            seen = in_condition | ((places >= width) & (places < width + t))
            return self.gpt2.step(tokens, lengths + t - 1, seen, cache, width + t - 1, kernels)

        cache = tf.nest.map_structure(repeat, cache)
        return DecodingState(repeat(hidden[:, -1]), cache, read, partial(self.logits, kernels=kernels))
