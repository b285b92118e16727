"""Rewards from the discriminator, and their running normalisation.

The sign convention is the same throughout: `expert_logit` is high where the discriminator takes a response for an
expert's, and the expert probability is its sigmoid. Eq. 6 uses the opposite convention; its D is high for the policy's
samples:

    D of Eq. 6 = 1 - expert probability = sigmoid(-expert_logit),  the cost c(s, a) = log D,  the reward -c(s, a).

Shapes: B responses, T tokens. Masks are (B, T), bool or float, with a response's tokens first (padding on the right).
"""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from keras_gca.engine.masked import masked, masked_mean, masked_sum
from keras_gca.errors import UserError

HUMAN_REWARD = 2.0  # the reward of a human demonstration, which is not normalised (TextGAIL)
NORMALISATION_EPSILON = 1e-5  # added to the standard deviation (TextGAIL)

# From the expert logit to the reward. The sign matters where a reward is given per token: one that is always positive
# favours long responses, one that is always negative short ones.
REWARD_FORMS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gail": tf.math.softplus,  # -log(1 - expert probability) = -log D of Eq. 6: from 0 to infinity
    "log_expert": tf.math.log_sigmoid,  # log(expert probability): from minus infinity to 0
    "logit": tf.identity,  # the sum of these two, as in AIRL (Fu et al. 2018): of both signs
    "probability": tf.sigmoid,  # the expert probability: from 0 to 1; TextGAIL's, see `relative_logit`
}


def reward(expert_logit: tf.Tensor, form: str = "gail") -> tf.Tensor:
    """The reward of each response or token, from the expert logit; by default -log D of Eq. 6.

    Args:
        expert_logit: Of any shape.
        form: A key of REWARD_FORMS.

    Returns:
        The rewards, float32, of the same shape.

    Raises:
        UserError: The form is unknown.
    """
    if form not in REWARD_FORMS:
        raise UserError(f"reward form {form!r} is not one of {', '.join(REWARD_FORMS)}")
    return REWARD_FORMS[form](tf.cast(expert_logit, tf.float32))


def relative_logit(generated_scores: tf.Tensor, human_scores: tf.Tensor) -> tf.Tensor:
    """The expert logit of a response by a contrastive discriminator, which scores two responses to one prompt.

    A softmax over two scores is the sigmoid of their difference, so `reward(relative_logit(g, h), "probability")` is
    TextGAIL's reward: the softmax probability of the generated response compared with the human one.

    Args:
        generated_scores: (B,).
        human_scores: (B,).

    Returns:
        generated_scores - human_scores, (B,) float32.
    """
    return tf.cast(generated_scores, tf.float32) - tf.cast(human_scores, tf.float32)


# Running normalisation


class RewardStatistics(NamedTuple):
    """The running mean and variance of rewards, which a checkpoint stores.

    Attributes:
        mean: A float32 scalar.
        variance: A float32 scalar.
    """

    mean: tf.Tensor
    variance: tf.Tensor

    @classmethod
    def initial(cls) -> "RewardStatistics":
        """The initial statistics, which are 0 as in TextGAIL, without a bias correction."""
        return cls(tf.constant(0.0), tf.constant(0.0))


def normalise(
    rewards: tf.Tensor,
    statistics: RewardStatistics,
    mask: tf.Tensor | None = None,
    momentum: float = 0.9,
    limit: float = 2.0,
) -> tuple[tf.Tensor, RewardStatistics]:
    """Normalise rewards by their running mean and standard deviation (TextGAIL).

        clip((reward - mean) / (sqrt(variance) + 1e-5), -limit, limit)

    The statistics are updated by the batch before they are used. After n new rewards, the old statistics have the
    weight k = momentum^n. TextGAIL stores the mean of squares; here the equivalent variance is stored, so that no
    digits are lost where the mean is large:

        variance <- k variance + (1 - k) batch variance + k (1 - k) (mean - batch mean)^2

    Args:
        rewards: Of any shape.
        statistics: The statistics so far.
        mask: Which rewards count, of the same shape; None counts all. The others become 0.
        momentum: The weight of the old statistics after one new reward.
        limit: The largest magnitude of a normalised reward.

    Returns:
        The normalised rewards, float32, of the same shape; and the new statistics.
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
    """Replace the rewards of human demonstrations by a constant.

    Args:
        rewards: (B,), or (B, T) of tokens.
        human: bool of the same shape, true for human demonstrations.
        human_reward: The constant.

    Returns:
        The rewards, float32, of the same shape.
    """
    return tf.where(human, human_reward, tf.cast(rewards, tf.float32))


# Tokens and responses


def response_reward(token_rewards: tf.Tensor, mask: tf.Tensor, per: str = "response") -> tf.Tensor:
    """One reward per response, from those of its tokens.

    Args:
        token_rewards: (B, T).
        mask: (B, T), which tokens count.
        per: "response" for their sum; "token" for their mean, which does not grow with the length alone.

    Returns:
        (B,) float32.

    Raises:
        UserError: The value of `per` is unknown.
    """
    if per not in ("response", "token"):
        raise UserError(f"reward per {per!r} is not one of response, token")
    return (masked_sum if per == "response" else masked_mean)(token_rewards, mask, axis=-1)


def at_last_token(rewards: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Rewards of responses as rewards of tokens: all of it at the last token, 0 elsewhere.

    Args:
        rewards: (B,).
        mask: (B, T), which tokens count.

    Returns:
        (B, T) float32.
    """
    mask = tf.cast(mask, tf.float32)
    last = mask - tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    return tf.cast(rewards, tf.float32)[:, None] * last


def returns(token_rewards: tf.Tensor, mask: tf.Tensor, gamma: float = 1.0) -> tf.Tensor:
    """The discounted sum of each token's reward and the later ones.

        R_t = sum_{k >= t} gamma^(k - t) r_k

    Args:
        token_rewards: (B, T).
        mask: (B, T), which tokens count.
        gamma: The discount per token.

    Returns:
        (B, T) float32; 0 where mask is 0.
    """
    time = tf.range(tf.shape(token_rewards)[1])
    ahead = time[:, None] - time[None, :]  # (T, T): the reward's position minus the return's
    discount = tf.where(ahead >= 0, tf.pow(tf.cast(gamma, tf.float32), tf.cast(tf.maximum(ahead, 0), tf.float32)), 0.0)
    return masked(masked(token_rewards, mask) @ discount, mask)


def counter_length_drift(
    rewards: tf.Tensor, lengths: tf.Tensor, expert_length: float, strength: float = 1.0
) -> tf.Tensor:
    """Subtract a penalty from the rewards that counters a drift of the mean length away from the experts'.

        penalty = strength (mean length - expert_length) (length - mean length) / expert_length^2

    Its policy gradient is that of strength / 2 ((mean length - expert_length) / expert_length)^2. The mean reward does
    not change, the penalty is 0 without a drift, and single responses may be short or long.

    Args:
        rewards: (B,).
        lengths: (B,), the number of tokens in each response.
        expert_length: The mean length of expert responses in tokens, above 0.
        strength: The weight of the penalty.

    Returns:
        (B,) float32.
    """
    relative = tf.cast(lengths, tf.float32) / expert_length
    mean = tf.reduce_mean(relative)
    return tf.cast(rewards, tf.float32) - strength * (mean - 1) * (relative - mean)
