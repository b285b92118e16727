"""Rewards from the discriminator's logits, and their normalisation by a running mean and standard deviation.

The code uses a single sign convention: `expert_logit` is high for responses that the discriminator attributes to an
expert. The expert probability is sigmoid(expert_logit). Eq. 6 uses the opposite convention, in which D is high for the
policy's responses:

    D of Eq. 6 = 1 - expert probability = sigmoid(-expert_logit),  the cost c(s, a) = log D,  the reward -c(s, a).

Shapes: B responses, T tokens. Masks have shape (B, T) and dtype bool or float, with padding on the right. A human
demonstration is an expert's response that replaces one of the policy's responses.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from gail_tf.setting_groups import REWARD_CONTROLS
from keras_gca.engine.masked import masked, masked_mean, masked_sum
from keras_gca.errors import UserError

HUMAN_REWARD = 2.0  # the reward of a human demonstration, which is not normalised (TextGAIL)
NORMALISATION_EPSILON = 1e-5  # added to the standard deviation (TextGAIL)

# The functions that convert an expert logit to a reward. If each token has its own reward, the sign matters: a reward
# that is always positive favours long responses, and a reward that is always negative favours short ones.
REWARD_FORMS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gail": tf.math.softplus,  # -log(1 - expert probability) = -log D of Eq. 6: from 0 to infinity
    "log_expert": tf.math.log_sigmoid,  # log(expert probability): from minus infinity to 0
    "logit": tf.identity,  # the sum of the two rewards above, as in AIRL (Fu et al. 2018): positive or negative
    "probability": tf.sigmoid,  # the expert probability: from 0 to 1; TextGAIL's form, see `relative_logit`
}


def reward(expert_logit: tf.Tensor, form: str = "gail") -> tf.Tensor:
    """Compute the reward of each response or token from its expert logit. By default, the reward is -log D of Eq. 6.

    Args:
        expert_logit: The expert logits, any shape.
        form: A key of REWARD_FORMS.

    Returns:
        The float32 rewards, with the same shape.

    Raises:
        UserError: The form is unknown.
    """
    if form not in REWARD_FORMS:
        raise UserError(f"reward form {form!r} is not one of {', '.join(REWARD_FORMS)}")
    return REWARD_FORMS[form](tf.cast(expert_logit, tf.float32))


def relative_logit(generated_scores: tf.Tensor, human_scores: tf.Tensor) -> tf.Tensor:
    """Compute a contrastive discriminator's expert logits for generated responses, relative to human responses.

    A contrastive discriminator scores both responses to a prompt and applies a softmax to the two scores. This softmax
    equals the sigmoid of the difference between the scores. Therefore `reward(relative_logit(g, h), "probability")` is
    TextGAIL's reward, the softmax probability of the generated response.

    Args:
        generated_scores: The scores of the generated responses, shape (B,).
        human_scores: The scores of the human responses, shape (B,).

    Returns:
        A float32 tensor of shape (B,) with generated_scores - human_scores.
    """
    return tf.cast(generated_scores, tf.float32) - tf.cast(human_scores, tf.float32)


def controlled(rewards: np.ndarray, counted: np.ndarray, control: str, seed: int) -> np.ndarray:
    """Remove the discriminator's information from the rewards for a control experiment.

    Args:
        rewards: The float32 rewards, shape (B,) for responses, or (B, T) for tokens.
        counted: A bool mask of the policy's responses or their tokens, with the same shape. No other rewards are
            changed.
        control: "permuted" permutes the rewards, so that only their distribution is preserved. "zero" sets them to 0.
            "none" leaves them unchanged.
        seed: The seed for the permutation.

    Returns:
        The float32 rewards, with the same shape.

    Raises:
        UserError: The control is unknown.
    """
    if control not in REWARD_CONTROLS:
        raise UserError(f"--reward-control: {control!r} is not one of {', '.join(REWARD_CONTROLS)}")
    changed = rewards.copy()
    if control == "permuted":
        changed[counted] = np.random.default_rng(seed).permutation(rewards[counted])
    elif control == "zero":
        changed[counted] = 0.0
    return changed


def with_reference_kl(
    rewards: np.ndarray, log_probs: np.ndarray, reference: np.ndarray, mask: np.ndarray, coefficient: float
) -> np.ndarray:
    """Subtract a penalty for the KL to the reference from the rewards (Ziegler et al. 2019, Eq. 2).

        reward - coefficient * (log p - log q)

    Here p is the policy that sampled the response, and q is the reference. The log-ratio log p - log q of a response is
    the sum over its tokens, and its expectation over the policy's responses is the KL to the reference.

    Args:
        rewards: The float32 rewards, shape (B,) for responses, or (B, T) for tokens.
        log_probs: log p of each token, shape (B, T) and dtype float32.
        reference: log q of each token, shape (B, T) and dtype float32.
        mask: The bool mask of the tokens to include, shape (B, T).
        coefficient: The weight of the KL.

    Returns:
        The float32 rewards, with the same shape.
    """
    ratios = np.where(mask, log_probs - reference, np.float32(0))
    return rewards - np.float32(coefficient) * (ratios.sum(1) if rewards.ndim == 1 else ratios)


# Running normalisation


class RewardStatistics(NamedTuple):
    """The running mean and variance of rewards, which are stored in checkpoints.

    Attributes:
        mean: The mean, a float32 scalar.
        variance: The variance, a float32 scalar.
    """

    mean: tf.Tensor
    variance: tf.Tensor

    @classmethod
    def initial(cls) -> "RewardStatistics":
        """Return the initial statistics: a mean and a variance of 0, as in TextGAIL, without bias correction."""
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

    The statistics are updated with the new rewards before the rewards are normalised. With n new rewards, the old
    statistics have the weight k = momentum^n. TextGAIL stores the mean of squares, which loses precision if the mean is
    large. This function stores the equivalent variance:

        variance <- k * variance + (1 - k) * batch variance + k * (1 - k) * (mean - batch mean)^2

    Args:
        rewards: The rewards, any shape.
        statistics: The current statistics.
        mask: The mask of the rewards to include, with the same shape. Other rewards become 0. If None, all are
            included.
        momentum: The weight of the old statistics after a single new reward.
        limit: The maximum absolute value of a normalised reward.

    Returns:
        The float32 normalised rewards, with the same shape, and the new statistics.
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
    """Replace the rewards of human demonstrations with a constant.

    Args:
        rewards: The rewards, shape (B,) for responses, or (B, T) for tokens.
        human: A bool mask of the human demonstrations, with the same shape.
        human_reward: The constant.

    Returns:
        The float32 rewards, with the same shape.
    """
    return tf.where(human, human_reward, tf.cast(rewards, tf.float32))


# Tokens and responses


def response_reward(token_rewards: tf.Tensor, mask: tf.Tensor, per: str = "response") -> tf.Tensor:
    """Combine the rewards of each response's tokens into a single reward.

    Args:
        token_rewards: The reward of each token, shape (B, T).
        mask: The mask of the tokens to include, shape (B, T).
        per: "response" returns the sum of the tokens' rewards. "token" returns their mean, which does not grow with the
            length of the response.

    Returns:
        A float32 tensor of shape (B,).

    Raises:
        UserError: The value of `per` is unknown.
    """
    if per not in ("response", "token"):
        raise UserError(f"per is {per!r}, which is not one of response, token")
    return (masked_sum if per == "response" else masked_mean)(token_rewards, mask, axis=-1)


def at_last_token(rewards: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Convert rewards of responses to rewards of tokens: the last token gets the whole reward, all others get 0.

    Args:
        rewards: The rewards of responses, shape (B,).
        mask: The mask of the tokens to include, shape (B, T).

    Returns:
        A float32 tensor of shape (B, T).
    """
    mask = tf.cast(mask, tf.float32)
    last = mask - tf.pad(mask[:, 1:], [[0, 0], [0, 1]])
    return tf.cast(rewards, tf.float32)[:, None] * last


def returns(token_rewards: tf.Tensor, mask: tf.Tensor, gamma: float = 1.0) -> tf.Tensor:
    """Compute the return of each token: the discounted sum of its reward and the rewards of all later tokens.

        R_t = sum_{k >= t} gamma^(k - t) * r_k

    Args:
        token_rewards: The reward of each token, shape (B, T).
        mask: The mask of the tokens to include, shape (B, T).
        gamma: The discount factor per token.

    Returns:
        A float32 tensor of shape (B, T), 0 where mask is 0.
    """
    time = tf.range(tf.shape(token_rewards)[1])
    ahead = time[:, None] - time[None, :]  # (T, T): the reward's position minus the return's position
    discount = tf.where(ahead >= 0, tf.pow(tf.cast(gamma, tf.float32), tf.cast(tf.maximum(ahead, 0), tf.float32)), 0.0)
    return masked(masked(token_rewards, mask) @ discount, mask)


def counter_length_drift(
    rewards: tf.Tensor, lengths: tf.Tensor, expert_length: float, strength: float = 1.0
) -> tf.Tensor:
    """Subtract from the rewards a penalty that keeps the mean response length close to the experts' mean length.

        penalty = strength * (mean length - expert_length) * (length - mean length) / expert_length^2

    The mean length is taken over the given responses. The policy gradient of the penalty equals the gradient of
    strength / 2 * ((mean length - expert_length) / expert_length)^2. The penalty does not change the mean reward. It is
    0 for all responses if the mean length equals the experts' mean length, so individual responses may be short or
    long.

    Args:
        rewards: The rewards, shape (B,).
        lengths: The number of tokens in each response, shape (B,).
        expert_length: The mean length of the experts' responses in tokens, greater than 0.
        strength: The weight of the penalty.

    Returns:
        A float32 tensor of shape (B,).
    """
    relative = tf.cast(lengths, tf.float32) / expert_length
    mean = tf.reduce_mean(relative)
    return tf.cast(rewards, tf.float32) - strength * (mean - 1) * (relative - mean)
