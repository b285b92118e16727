"""How tokens are drawn from logits, and how their probabilities are counted (Algorithm 2)."""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from gail_tf.setting_groups import COUNTING
from keras_gca.engine.nucleus import nucleus_log_probs
from keras_gca.engine.random import gumbel
from keras_gca.errors import UserError
from keras_gca.settings import check_sampling


@dataclass(frozen=True)
class Sampling:
    """How responses are drawn, and how their probabilities are counted. TextGAIL's numbers.

    temperature: 0 takes the likeliest token. top_p: of the nucleus; 1 leaves nothing out.
    counting: "plain" counts a token's probability under the policy itself, as perplexity does. "filtered" counts it
        under what it was drawn from: at that temperature, within that nucleus. A token that is outside (of a human's
        response, or after an update) is then counted as if it were one of the nucleus, so that none has probability 0.
    """

    max_new_tokens: int = 50
    top_p: float = 0.9
    temperature: float = 0.9
    counting: str = "plain"

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise UserError(f"--max-new-tokens: {self.max_new_tokens}; 1 or more is expected")
        check_sampling(self.temperature, self.top_p, greedy=True)
        if self.counting not in COUNTING:
            raise UserError(f"--counting: {self.counting!r} is not one of {', '.join(COUNTING)}")
        if self.counting == "filtered" and self.temperature == 0:
            raise UserError("--counting filtered: with a temperature of 0 nothing is drawn; plain is expected")


DEFAULT = Sampling()


class Responses(NamedTuple):
    """What was drawn.

    tokens:    (B, max_new_tokens) int32, END included where one was drawn in time; END as padding.
    mask:      (B, max_new_tokens) bool, true at tokens, false at padding.
    log_probs: (B, max_new_tokens) float32, of each token as `Sampling.counting` says; 0 at padding.
    """

    tokens: tf.Tensor
    mask: tf.Tensor
    log_probs: tf.Tensor

    @property
    def lengths(self) -> tf.Tensor:
        """(B,) int32, tokens in each response."""
        return tf.reduce_sum(tf.cast(self.mask, tf.int32), axis=1)


class TokenScores(NamedTuple):
    """log_probs, entropy: (B, R) float32, of each token and of the distribution that it is from; 0 at padding."""

    log_probs: tf.Tensor
    entropy: tf.Tensor


def choose(logits: tf.Tensor, seeds: tf.Tensor, t: tf.Tensor | int, sampling: Sampling) -> tuple[tf.Tensor, tf.Tensor]:
    """One token for each row of (B, V), and its log-probability as it is counted."""
    if sampling.temperature == 0:
        scores = logits
    else:
        drawn_from = _filtered(logits, sampling)
        scores = drawn_from + gumbel(seeds, t, [logits.shape[1]])
    tokens = tf.argmax(scores, axis=1, output_type=tf.int32)
    counted = tf.nn.log_softmax(logits) if sampling.counting == "plain" else drawn_from
    return tokens, tf.gather(counted, tokens, batch_dims=1)


def counted_log_probs(logits: tf.Tensor, sampling: Sampling, tokens: tf.Tensor) -> tf.Tensor:
    """The log-probabilities, (N, V), that tokens (N,) are counted by."""
    return tf.nn.log_softmax(logits) if sampling.counting == "plain" else _filtered(logits, sampling, tokens)


def _filtered(logits: tf.Tensor, sampling: Sampling, also: tf.Tensor | None = None) -> tf.Tensor:
    scores = logits / sampling.temperature
    return tf.nn.log_softmax(scores) if sampling.top_p == 1 else nucleus_log_probs(scores, sampling.top_p, also)
