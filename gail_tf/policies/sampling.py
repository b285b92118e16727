"""Samples tokens from logits and computes the tokens' log-probabilities (Algorithm 2).

Shapes: B responses of at most R tokens, N rows of logits, V tokens in the vocabulary.
"""

from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from gail_tf.setting_groups import COUNTING
from keras_gca.engine.cross_entropy import cross_entropies
from keras_gca.engine.nucleus import nucleus_log_probs
from keras_gca.engine.random import gumbel
from keras_gca.errors import UserError
from keras_gca.settings import check_sampling


@dataclass(frozen=True)
class Sampling:
    """The settings for drawing responses and computing their probabilities. The defaults are TextGAIL's values.

    Args:
        max_new_tokens: The maximum number of tokens in a response.
        top_p: Tokens are drawn only from the nucleus, the smallest set of most likely tokens whose total probability
            reaches this value. With 1, tokens are drawn from the whole vocabulary.
        temperature: The logits are divided by the temperature before a token is drawn. With 0, the most likely token is
            always taken.
        counting: The distribution under which the probability of a token is computed. "plain" is the policy itself,
            which is also used for the perplexity. "filtered" is the distribution from which tokens are drawn, after
            temperature and nucleus are applied. Human responses, and responses drawn before an update, may contain
            tokens outside the nucleus. These tokens are added to the nucleus to keep their probability above 0.

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
            raise UserError(
                "--counting filtered: at temperature 0, tokens are not drawn at random; use --counting plain"
            )

    @property
    def compiles(self) -> bool:
        """Whether probabilities are computed by an XLA program, which is compiled for each number of rows."""
        return self.counting == "filtered" and self.top_p < 1


DEFAULT = Sampling()


class Responses(NamedTuple):
    """A batch of sampled responses.

    Attributes:
        tokens: An int32 array of shape (B, max_new_tokens). A response ends with END unless it reaches `max_new_tokens`
            first. Padding also consists of END.
        mask: A bool array of shape (B, max_new_tokens), true at tokens and false at padding.
        log_probs: The log-probability of each token, computed according to `Sampling.counting`, a float32 array of
            shape (B, max_new_tokens); 0 at padding.
    """

    tokens: tf.Tensor
    mask: tf.Tensor
    log_probs: tf.Tensor

    @property
    def lengths(self) -> tf.Tensor:
        """The number of tokens in each response, an int32 array of shape (B,)."""
        return tf.reduce_sum(tf.cast(self.mask, tf.int32), axis=1)


class TokenScores(NamedTuple):
    """The log-probability and entropy at each token of given responses.

    Attributes:
        log_probs: The log-probability of each token, a float32 array of shape (B, R); 0 at padding.
        entropy: The entropy of the distribution at each token, in nats, a float32 array of shape (B, R); 0 at padding.
    """

    log_probs: tf.Tensor
    entropy: tf.Tensor


def choose(logits: tf.Tensor, seeds: tf.Tensor, t: tf.Tensor | int, sampling: Sampling) -> tuple[tf.Tensor, tf.Tensor]:
    """Draw one token for each row of logits as argmax(log p + z), where z is Gumbel noise.

    Args:
        logits: A float32 array of shape (B, V).
        seeds: An int32 array of shape (B, 2), one seed per row.
        t: The position of the token in the response, counted from 0.
        sampling: How to draw tokens.

    Returns:
        The tokens, an int32 array of shape (B,), and their log-probabilities according to `Sampling.counting`, a
        float32 array of shape (B,).
    """
    if sampling.temperature == 0:
        scores = logits
    else:
        drawn_from = _filtered(logits, sampling)
        scores = drawn_from + gumbel(seeds, t, [logits.shape[1]])
    tokens = tf.argmax(scores, axis=1, output_type=tf.int32)
    counted = tf.nn.log_softmax(logits) if sampling.counting == "plain" else drawn_from
    return tokens, tf.gather(counted, tokens, batch_dims=1)


def token_scores(logits: tf.Tensor, tokens: tf.Tensor, sampling: Sampling) -> TokenScores:
    """Compute the log-probabilities of given tokens, and the entropies of the distributions that they belong to.

    Args:
        logits: A float32 array of shape (N, V).
        tokens: The token of each row, an int32 array of shape (N,).
        sampling: How to compute the probabilities.

    Returns:
        Log-probabilities and entropies, two float32 arrays of shape (N,).
    """
    all_log_probs = counted_log_probs(logits, sampling, tokens)
    entropy = -tf.reduce_sum(tf.exp(all_log_probs) * all_log_probs, axis=1)
    if sampling.counting == "plain":
        return TokenScores(-cross_entropies(logits, tokens), entropy)
    return TokenScores(tf.gather(all_log_probs, tokens, batch_dims=1), entropy)


def counted_log_probs(logits: tf.Tensor, sampling: Sampling, tokens: tf.Tensor) -> tf.Tensor:
    """Compute the log-probabilities of all tokens in the vocabulary according to `Sampling.counting`.

    Args:
        logits: A float32 array of shape (N, V).
        sampling: How to compute the probabilities.
        tokens: The next token of each row, an int32 array of shape (N,). With "filtered", these tokens are added to the
            nucleus.

    Returns:
        A float32 array of shape (N, V).
    """
    return tf.nn.log_softmax(logits) if sampling.counting == "plain" else _filtered(logits, sampling, tokens)


def _filtered(logits: tf.Tensor, sampling: Sampling, also: tf.Tensor | None = None) -> tf.Tensor:
    scores = logits / sampling.temperature
    return tf.nn.log_softmax(scores) if sampling.top_p == 1 else nucleus_log_probs(scores, sampling.top_p, also)
