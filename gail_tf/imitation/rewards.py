"""Rewards from the discriminator, and their running normalisation.

One sign convention holds throughout: `expert_logit` is high where the discriminator takes a response for an expert's,
and the expert probability is its sigmoid. Eq. 6 has it the other way round, its D is high for the policy's samples:

    D of Eq. 6 = 1 - expert probability = sigmoid(-expert_logit),  the cost c(s, a) = log D,  the reward -c(s, a).

Shapes: B responses, T tokens. Masks are (B, T), bool or float, with a response's tokens first (padding on the right).
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_gca.engine.masked import masked, masked_mean, masked_sum
from keras_gca.errors import UserError

HUMAN_REWARD = 2.0  # of a human demonstration, not normalised (TextGAIL)
NORMALISATION_EPSILON = 1e-5  # TextGAIL's, added to the standard deviation

# From the expert logit to the reward. The sign matters where a reward is given per token: what is always positive pays
# for long responses, what is always negative for short ones.
REWARD_FORMS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gail": tf.math.softplus,  # -log(1 - expert probability) = -log D of Eq. 6: from 0 to infinity
    "log_expert": tf.math.log_sigmoid,  # log(expert probability): from minus infinity to 0
    "logit": tf.identity,  # the sum of these two, as in AIRL (Fu et al. 2018): of both signs
    "probability": tf.sigmoid,  # the expert probability: from 0 to 1; TextGAIL's, see `relative_logit`
}


def reward(expert_logit: tf.Tensor, form: str = "gail") -> tf.Tensor:
    """The reward of each response or token, in a form of REWARD_FORMS; float32, of the shape of expert_logit.

    Raises UserError for an unknown form.
    """
    if form not in REWARD_FORMS:
        raise UserError(f"reward form {form!r} is not one of {', '.join(REWARD_FORMS)}")
    return REWARD_FORMS[form](tf.cast(expert_logit, tf.float32))


def relative_logit(generated_scores: tf.Tensor, human_scores: tf.Tensor) -> tf.Tensor:
    """The expert logit, (B,) float32, of a response by a contrastive discriminator, which scores two side by side.

    A softmax over two scores is the sigmoid of their difference, so `reward(relative_logit(g, h), "probability")` is
    TextGAIL's reward: the softmax probability of the generated response beside the human one.
    """
    return tf.cast(generated_scores, tf.float32) - tf.cast(human_scores, tf.float32)


# Running normalisation


class RewardStatistics(NamedTuple):
    """The running mean and variance of rewards, scalars of float32; they belong in a checkpoint."""

    mean: tf.Tensor
    variance: tf.Tensor

    @classmethod
    def initial(cls) -> "RewardStatistics":
        """TextGAIL's start: zero, and no correction for it."""
        return cls(tf.constant(0.0), tf.constant(0.0))


def normalise(
    rewards: tf.Tensor,
    statistics: RewardStatistics,
    mask: tf.Tensor | None = None,
    momentum: float = 0.9,
    limit: float = 2.0,
) -> tuple[tf.Tensor, RewardStatistics]:
    """Rewards minus their running mean, over their running standard deviation, cut at +-limit (TextGAIL).

    rewards: float, any shape. mask: the same shape, which of them count; the others come out as 0. The statistics take
    the batch in first. momentum is per reward: the old statistics keep a weight of momentum^n after n new rewards.

    TextGAIL keeps the mean of squares, q; here the variance q - mean^2 is carried, by the update that follows from its
    own (k = momentum^n): variance <- k variance + (1 - k) batch variance + k (1 - k) (mean - batch mean)^2. So no
    digits are lost where the mean is large.

    Returns the normalised rewards, float32, and the new statistics.
    """
    rewards = tf.cast(rewards, tf.float32)
    mask = tf.ones_like(rewards) if mask is None else mask
    number = tf.reduce_sum(tf.cast(mask, tf.float32))
    batch_mean = masked_mean(rewards, mask)
    batch_variance = masked_mean(tf.square(rewards - batch_mean), mask)
    old = tf.pow(momentum, number)
    new = 1 - old
    mean = old * statistics.mean + new * batch_mean
    gap = statistics.mean - batch_mean
    variance = old * statistics.variance + new * batch_variance + old * new * tf.square(gap)
    normalised = (rewards - mean) / (tf.sqrt(variance) + NORMALISATION_EPSILON)
    return masked(tf.clip_by_value(normalised, -limit, limit), mask), RewardStatistics(mean, variance)


def with_demonstrations(rewards: tf.Tensor, human: tf.Tensor, human_reward: float = HUMAN_REWARD) -> tf.Tensor:
    """rewards (B,), with the constant reward of human demonstrations where `human`, (B,) bool, says so; float32."""
    return tf.where(human, human_reward, tf.cast(rewards, tf.float32))


# Tokens and responses


def response_reward(token_rewards: tf.Tensor, mask: tf.Tensor, per: str = "response") -> tf.Tensor:
    """One reward per response, (B,) float32, from those of its tokens, (B, T).

    per: "response", their sum; "token", their mean, which a longer response does not raise by its length alone.
    Raises UserError for another value.
    """
    if per not in ("response", "token"):
        raise UserError(f"reward per {per!r} is not one of response, token")
    return (masked_sum if per == "response" else masked_mean)(token_rewards, mask, axis=-1)


def at_last_token(rewards: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Rewards of responses, (B,), as rewards of tokens, (B, T) float32: all of it at the last token, 0 elsewhere."""
    mask = tf.cast(mask, tf.float32)
    last = mask - tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    return tf.cast(rewards, tf.float32)[:, None] * last


def returns(token_rewards: tf.Tensor, mask: tf.Tensor, gamma: float = 1.0) -> tf.Tensor:
    """The discounted sum of a token's reward and the later ones: sum over k >= t of gamma^(k - t) r_k.

    token_rewards: (B, T). Returns (B, T) float32, 0 where mask is 0.
    """
    time = tf.range(tf.shape(token_rewards)[1])
    ahead = time[:, None] - time[None, :]  # (T, T): the reward's place minus the return's
    discount = tf.where(ahead >= 0, tf.pow(tf.cast(gamma, tf.float32), tf.cast(tf.maximum(ahead, 0), tf.float32)), 0.0)
    return masked(masked(token_rewards, mask) @ discount, mask)


def counter_length_drift(
    rewards: tf.Tensor, lengths: tf.Tensor, expert_length: float, strength: float = 1.0
) -> tf.Tensor:
    """Rewards, (B,) float32, less what draws the mean length of responses away from the experts'.

    lengths: (B,), tokens in each response; expert_length: the mean over expert responses, in tokens, above 0.

    The policy gradient of strength/2 ((mean length - expert_length) / expert_length)^2 is that of the cost
    strength (mean length - expert_length) length / expert_length^2; here its part above the batch's mean is subtracted.
    So the mean reward stays, nothing happens without drift, and single responses may be short or long.
    """
    relative = tf.cast(lengths, tf.float32) / expert_length
    mean = tf.reduce_mean(relative)
    return tf.cast(rewards, tf.float32) - strength * (mean - 1) * (relative - mean)
