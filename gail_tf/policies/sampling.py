"""Draws tokens from logits, and computes the tokens' log-probabilities (Algorithm 2).

Shapes: B responses of at most R tokens; N rows of logits; V tokens in the vocabulary.
"""

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
    """How responses are drawn, and how their probabilities are computed. The defaults are the values of TextGAIL.

    Args:
        max_new_tokens: The maximum number of tokens in a response.
        top_p: The nucleus consists of the likeliest tokens that together have this probability. Tokens outside the
            nucleus are never drawn. 1 keeps all tokens.
        temperature: The logits are divided by the temperature before a token is drawn. With 0, the likeliest token is
            chosen.
        counting: The distribution under which the probability of a token is computed. "plain" is the policy itself, as
            for the perplexity. "filtered" is the distribution from which tokens are drawn, with temperature and
            nucleus. A human response, or a response that was drawn before an update, may contain a token outside the
            nucleus. Such a token is added to the nucleus, so that its probability is not 0.

    Raises:
        UserError: A value is out of range, or "filtered" is combined with a temperature of 0.
    """

    max_new_tokens: int = 50
    top_p: float = 0.9
    temperature: float = 0.9
    counting: str = "plain"

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise UserError(f"--max-new-tokens is {self.max_new_tokens}; 1 or more is expected")
        check_sampling(self.temperature, self.top_p, greedy=True)
        if self.counting not in COUNTING:
            raise UserError(f"--counting: {self.counting!r} is not one of {', '.join(COUNTING)}")
        if self.counting == "filtered" and self.temperature == 0:
            raise UserError("--counting filtered: nothing is drawn at temperature 0; use --counting plain")


DEFAULT = Sampling()


class Responses(NamedTuple):
    """Responses that were drawn.

    Attributes:
        tokens: (B, max_new_tokens) int32. A response ends with END, unless it reached `max_new_tokens` before END was
            drawn. The padding also consists of END.
        mask: (B, max_new_tokens) bool, true at tokens, false at padding.
        log_probs: The log-probability of each token, computed according to `Sampling.counting`, (B, max_new_tokens)
            float32; 0 at padding.
    """

    tokens: tf.Tensor
    mask: tf.Tensor
    log_probs: tf.Tensor

    @property
    def lengths(self) -> tf.Tensor:
        """The number of tokens in each response, (B,) int32."""
        return tf.reduce_sum(tf.cast(self.mask, tf.int32), axis=1)


class TokenScores(NamedTuple):
    """Scores of the tokens of given responses.

    Attributes:
        log_probs: The log-probability of each token, (B, R) float32; 0 at padding.
        entropy: The entropy of the distribution at each token, in nats, (B, R) float32; 0 at padding.
    """

    log_probs: tf.Tensor
    entropy: tf.Tensor


def choose(logits: tf.Tensor, seeds: tf.Tensor, t: tf.Tensor | int, sampling: Sampling) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw one token for each row of logits: argmax(log p + z), where z is Gumbel noise.

    Args:
        logits: (B, V) float32.
        seeds: (B, 2) int32, one for each row.
        t: The position of the token in the response, from 0.
        sampling: How tokens are drawn.

    Returns:
        The tokens, (B,) int32, and their log-probabilities according to `Sampling.counting`, (B,) float32.
    """
    if sampling.temperature == 0:
        scores = logits
    else:
        drawn_from = _filtered(logits, sampling)
        scores = drawn_from + gumbel(seeds, t, [logits.shape[1]])
    tokens = tf.argmax(scores, axis=1, output_type=tf.int32)
    counted = tf.nn.log_softmax(logits) if sampling.counting == "plain" else drawn_from
    return tokens, tf.gather(counted, tokens, batch_dims=1)


def counted_log_probs(logits: tf.Tensor, sampling: Sampling, tokens: tf.Tensor) -> tf.Tensor:
    """Compute the log-probabilities of all tokens in the vocabulary, according to `Sampling.counting`.

    Args:
        logits: (N, V) float32.
        sampling: How the probabilities are computed.
        tokens: The next token for each row, (N,) int32. With "filtered", it is added to the nucleus.

    Returns:
        (N, V) float32.
    """
    return tf.nn.log_softmax(logits) if sampling.counting == "plain" else _filtered(logits, sampling, tokens)


def _filtered(logits: tf.Tensor, sampling: Sampling, also: tf.Tensor | None = None) -> tf.Tensor:
    scores = logits / sampling.temperature
    return tf.nn.log_softmax(scores) if sampling.top_p == 1 else nucleus_log_probs(scores, sampling.top_p, also)
