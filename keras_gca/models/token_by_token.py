"""Algorithm 1 as a TensorFlow graph: greedy decoding and sampling, one token at a time.

The loop stops when every answer of the batch has ended.

Shapes: B contexts; s_v tokens in the vocabulary.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.engine.nucleus import FORBIDDEN, lowest_in_nucleus
from keras_gca.engine.random import gumbel, sample_seeds
from keras_gca.models.decoding_steps import DecodingSteps
from keras_gca.models.lstm import States


class TokenByToken:
    """A decoder that chooses one token at a time, greedily or at random, and can be called inside a TensorFlow graph.

    Args:
        steps: The steps of a generator.
    """

    def __init__(self, steps: DecodingSteps):
        self._steps = steps

    def decode_greedily(
        self, contexts: tf.Tensor, forbidden: tf.Tensor, beginnings: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, ...]:
        """Choose the most probable token at every step; see `Decoder.greedy`."""
        return self._loop(contexts, forbidden, lambda log_p, _: tf.argmax(log_p, 1, output_type=tf.int32), beginnings)

    def draw(
        self,
        contexts: tf.Tensor,
        forbidden: tf.Tensor,
        seeds: tf.Tensor,
        numbers: tf.Tensor,
        temperature: tf.Tensor,
        top_k: int | None,
        top_p: tf.Tensor | None,
        beginnings: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, ...]:
        """Sample by the Gumbel-max trick; see `Decoder.sample`.

        `seeds`, of shape (B, 2), and `numbers`, of shape (B,), are the int32 arguments of `sample_seeds`.
        """
        keys = sample_seeds(seeds, numbers)

        def choose(log_p: tf.Tensor, t: tf.Tensor) -> tf.Tensor:
            scores = keep_likeliest(log_p / temperature, top_k, top_p)
            return tf.argmax(scores + gumbel(keys, t, [self._steps.sizes.vocabulary]), 1, output_type=tf.int32)

        return self._loop(contexts, forbidden, choose, beginnings)

    def _loop(
        self,
        contexts: tf.Tensor,
        forbidden: tf.Tensor,
        choose: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        beginnings: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, ...]:
        """Decode with choose(log_probabilities, step), which returns one token per context; shapes (B, s_v) -> (B,).

        The tokens of `beginnings` (see `Decoder`) are not chosen, but taken as they are.
        """
        term, memory = self._steps.start(contexts)
        count = tf.shape(contexts)[0]
        length = self._steps.gca.longest_answer
        first = tf.fill([count], BOS) if beginnings is None else beginnings[:, 0]
        begun = None if beginnings is None else first != BOS

        def step(
            t: tf.Tensor,
            tokens: tf.Tensor,
            running: tf.Tensor,
            memory: States,
            chosen: tf.TensorArray,
            logs: tf.TensorArray,
        ) -> tuple[Any, ...]:
            log_p, memory = self._steps.read(t, term, tokens, memory)
            tokens = choose(log_p + forbidden + self._steps.forbid_end(t, begun), t)
            if beginnings is not None:
                given = self._steps.given(t, beginnings)
                tokens = tf.where(given != PAD, given, tokens)
            tokens = tf.where(running, tokens, PAD)
            log = tf.where(running, tf.gather(log_p, tokens, batch_dims=1), -np.inf)
            running &= tokens != EOS
            return t + 1, tokens, running, memory, chosen.write(t, tokens), logs.write(t, log)

        arrays = (
            tf.TensorArray(tf.int32, length, element_shape=(None,)),
            tf.TensorArray(tf.float32, length, element_shape=(None,)),
        )
        state = (0, first, tf.fill([count], True), memory, *arrays)
        steps, _, _, _, chosen, logs = tf.while_loop(
            lambda t, _, running, *__: (t < length) & tf.reduce_any(running), step, state
        )
        return self._steps.frame(chosen.stack(), logs.stack(), steps)


def keep_likeliest(scores: tf.Tensor, top_k: int | None, top_p: tf.Tensor | None) -> tf.Tensor:
    """Keep only tokens that are among the top_k likeliest and also in the nucleus; see `engine/nucleus.py`.

    Args:
        scores: Log-probabilities up to an additive constant, shape (B, s_v) and dtype float32.
        top_k: The number of tokens to keep, or None to keep all. Tokens that tie with the least likely of them are kept
            too.
        top_p: The probability of the nucleus, a scalar, or None to keep all tokens.

    Returns:
        The scores, with FORBIDDEN for the excluded tokens, shape (B, s_v) and dtype float32.
    """
    kept = scores
    if top_k is not None:
        kept = tf.where(scores >= tf.math.top_k(scores, top_k).values[:, -1:], kept, FORBIDDEN)
    if top_p is not None:
        probabilities = tf.nn.softmax(scores)
        kept = tf.where(probabilities >= lowest_in_nucleus(probabilities, top_p), kept, FORBIDDEN)
    return kept
