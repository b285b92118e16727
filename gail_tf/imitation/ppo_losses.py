"""Losses, advantages, KL and entropy of proximal policy optimisation (PPO, Schulman et al. 2017; Eq. 7).

Shapes: B responses, T tokens, V tokens in the vocabulary. `log_probs` are the tokens' log-probabilities in nats under
the policy being trained (the new policy), and `old_log_probs` those under the policy that generated the batch (the old
policy). Masks have shape (B, T) and dtype bool or float, with padding on the right. Rows without tokens only pad the
batch and are ignored. All computations use float32.

PPO's ratio is the new probability of an action divided by its old probability. An action is one token (`level="token"`)
or a whole response (`level="response"`, as in TextGAIL), whose probability is the product of its tokens' probabilities.
A human demonstration is an expert's response that was not sampled from the old policy.
"""

import tensorflow as tf

from gail_tf.imitation.rewards import returns
from keras_gca.engine import replicas
from keras_gca.engine.masked import masked, masked_mean, masked_sum
from keras_gca.errors import UserError

LEVELS = ("response", "token")
LARGEST_LOG_RATIO = 20.0  # limits the argument of exp(); if it is much larger, float32 overflows and gradients are NaN
KL_COEFFICIENT_RANGE = (1e-6, 1e6)  # bounds for C, which could not recover from 0 or from an overflow


# The objective


def policy_loss(
    log_probs: tf.Tensor,
    old_log_probs: tf.Tensor,
    advantages: tf.Tensor,
    mask: tf.Tensor,
    *,
    level: str = "response",
    epsilon: float | None = 0.2,
    kl_coefficient: tf.Tensor | float = 0.0,
    kl: tf.Tensor | None = None,
    generated: tf.Tensor | None = None,
    entropy: tf.Tensor | None = None,
    entropy_coefficient: float = 0.0,
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Compute the loss of a PPO step: the negative of Eq. 7, or of its clipped form if epsilon is given.

        loss = -(mean objective - C * mean KL(old || new) + entropy_coefficient * mean entropy)

    The KL is in nats per action (response or token), and the entropy in nats per token.

    Args:
        log_probs: The log-probabilities under the new policy, shape (B, T).
        old_log_probs: The log-probabilities under the old policy, shape (B, T).
        advantages: The advantages, shape (B,) for either level, or (B, T) for level "token".
        mask: The mask of the tokens to include, shape (B, T).
        level: What an action is: "response" or "token".
        epsilon: The ratio is clipped to [1 - epsilon, 1 + epsilon]. If None, it is not clipped, as in Eq. 7.
        kl_coefficient: The scalar C of Eq. 7, or 0 for no penalty. The penalty also applies to the clipped objective.
        kl: The exact KL(old || new) at each token, shape (B, T); see `exact_kl`. If None, the KL is estimated with k3
            of `sampled_kl`.
        generated: A bool mask of the responses sampled from the old policy, shape (B,). The mean KL is taken over these
            responses only, because the KL cannot be estimated from human demonstrations. If None, the mean is taken
            over all responses.
        entropy: The new policy's entropy at each token, shape (B, T), or None for no entropy term.
        entropy_coefficient: The weight of the entropy.

    Returns:
        The loss, and a dictionary of scalars to log. `objective` is the mean objective without KL and entropy. `kl` is
        the mean KL. `clip_fraction` is the share of ratios that differ from 1 by more than epsilon, or 0 without
        epsilon. `mean_ratio` is the mean ratio. `entropy` is the mean entropy, if given.

    Raises:
        UserError: The level is unknown, or `entropy_coefficient` is given without `entropy`.
        ValueError: The shapes do not match.
    """
    counted = _counted(mask, level)
    ratio = tf.exp(log_ratio(log_probs, old_log_probs, mask, level))
    advantages = tf.convert_to_tensor(advantages)
    if level == "token" and advantages.shape.rank == 1:
        advantages = tf.cast(advantages, tf.float32)[:, None] * tf.ones_like(ratio)
    terms = surrogate(ratio, advantages) if epsilon is None else clipped_surrogate(ratio, advantages, epsilon)
    objective = masked_mean(terms, counted)

    if kl is None:
        kl = sampled_kl(masked(old_log_probs, mask), masked(log_probs, mask))
    if level == "response":
        kl = masked_sum(kl, mask, axis=1)
    if generated is not None:
        sampled = generated if level == "response" else generated[:, None]
        mean_kl = masked_mean(kl, tf.cast(counted, tf.bool) & tf.cast(sampled, tf.bool))
    else:
        mean_kl = masked_mean(kl, counted)

    loss = -(objective - kl_coefficient * mean_kl)
    clipped = tf.zeros_like(ratio) if epsilon is None else tf.cast(tf.abs(ratio - 1) > epsilon, tf.float32)
    metrics = {
        "objective": objective,
        "kl": mean_kl,
        "clip_fraction": masked_mean(clipped, counted),
        "mean_ratio": masked_mean(ratio, counted),
    }
    if entropy is not None:
        metrics["entropy"] = masked_mean(entropy, mask)
        if entropy_coefficient:  # with a coefficient of 0, the gradient of the entropy would be computed needlessly
            loss -= entropy_coefficient * metrics["entropy"]
    elif entropy_coefficient:
        raise UserError(f"an entropy bonus of {entropy_coefficient} needs the policy's entropy, which is not given")
    return loss, metrics


def log_ratio(log_probs: tf.Tensor, old_log_probs: tf.Tensor, mask: tf.Tensor, level: str = "response") -> tf.Tensor:
    """Compute log(new probability / old probability) of each action, clipped to +-LARGEST_LOG_RATIO.

    Args:
        log_probs: The log-probabilities under the new policy, shape (B, T).
        old_log_probs: The log-probabilities under the old policy, shape (B, T).
        mask: The mask of the tokens to include, shape (B, T).
        level: What an action is: "response" or "token".

    Returns:
        A float32 tensor of shape (B,) for responses, or (B, T) for tokens. It is 0 for rows and tokens excluded by the
        mask.

    Raises:
        UserError: The level is not one of LEVELS.
    """
    _check(level)
    difference = masked(log_probs, mask) - masked(old_log_probs, mask)
    if level == "response":
        difference = tf.reduce_sum(difference, axis=1)
    return tf.clip_by_value(difference, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)


def surrogate(ratio: tf.Tensor, advantages: tf.Tensor) -> tf.Tensor:
    """Compute ratio * advantage, the first term of Eq. 7, for each action."""
    ratio, advantages = _paired(ratio, advantages)
    return ratio * advantages


def clipped_surrogate(ratio: tf.Tensor, advantages: tf.Tensor, epsilon: float = 0.2) -> tf.Tensor:
    """Compute PPO's clipped objective for each action, given the advantages A (Schulman et al. 2017, Eq. 7).

    min(ratio * A, clip(ratio, 1 - epsilon, 1 + epsilon) * A)
    """
    ratio, advantages = _paired(ratio, advantages)
    return tf.minimum(ratio * advantages, tf.clip_by_value(ratio, 1 - epsilon, 1 + epsilon) * advantages)


# KL divergence and entropy


def sampled_kl(log_probs: tf.Tensor, other_log_probs: tf.Tensor, estimator: str = "k3") -> tf.Tensor:
    """Estimate KL(p || q) from each sample of p (Schulman, "Approximating KL divergence", 2020).

        k1 = d                 unbiased, may be negative
        k2 = d^2 / 2           biased, low variance
        k3 = exp(-d) - 1 + d   unbiased, never negative

    Here d = log p - log q, clipped to +-LARGEST_LOG_RATIO.

    Args:
        log_probs: log p of each sample, any shape.
        other_log_probs: log q of each sample, same shape.
        estimator: "k1", "k2" or "k3".

    Returns:
        The float32 estimates, with the same shape.

    Raises:
        UserError: The estimator is unknown.
        ValueError: The shapes differ.
    """
    log_probs, other_log_probs = _paired(log_probs, other_log_probs)
    d = tf.clip_by_value(log_probs - other_log_probs, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
    estimators = {"k1": lambda: d, "k2": lambda: tf.square(d) / 2, "k3": lambda: tf.math.expm1(-d) + d}
    if estimator not in estimators:
        raise UserError(f"KL estimator {estimator!r} is not one of {', '.join(estimators)}")
    return estimators[estimator]()


def exact_kl(logits: tf.Tensor, other_logits: tf.Tensor) -> tf.Tensor:
    """Compute KL(p || q) in nats at each position, shape (...,), from the logits of p and q, shape (..., V)."""
    log_p, log_q = tf.nn.log_softmax(tf.cast(logits, tf.float32)), tf.nn.log_softmax(tf.cast(other_logits, tf.float32))
    return tf.reduce_sum(_expected(log_p, log_p - log_q), axis=-1)


def entropy(logits: tf.Tensor) -> tf.Tensor:
    """Compute the entropy in nats at each position, shape (...,), from logits of shape (..., V)."""
    log_p = tf.nn.log_softmax(tf.cast(logits, tf.float32))
    return -tf.reduce_sum(_expected(log_p, log_p), axis=-1)


def adapt_kl_coefficient(coefficient: tf.Tensor | float, kl: tf.Tensor | float, target: float) -> tf.Tensor:
    """Compute the KL coefficient C of Eq. 7 for the next update (Schulman et al. 2017, Section 4).

    C is doubled if the update's KL was above 1.5 * target, and halved if it was below target / 1.5.

    Args:
        coefficient: The scalar C of the last update.
        kl: The scalar mean KL of the last update.
        target: The target KL, in the unit of `kl`; see `policy_loss`.

    Returns:
        C, a float32 scalar within KL_COEFFICIENT_RANGE.
    """
    kl, coefficient = tf.cast(kl, tf.float32), tf.cast(coefficient, tf.float32)
    factor = tf.where(kl > 1.5 * target, 2.0, tf.where(kl < target / 1.5, 0.5, 1.0))
    return tf.clip_by_value(coefficient * factor, *KL_COEFFICIENT_RANGE)


# Advantages


def response_advantages(rewards: tf.Tensor, values: tf.Tensor | None = None) -> tf.Tensor:
    """Compute the advantages of whole responses: their rewards minus the values predicted by a baseline.

    Args:
        rewards: The normalised rewards, shape (B,).
        values: The values of the states before the responses, shape (B,), or None without a baseline.

    Returns:
        A float32 tensor of shape (B,), without a gradient.
    """
    if values is None:
        return tf.stop_gradient(tf.cast(rewards, tf.float32))
    rewards, values = _paired(rewards, values)
    return tf.stop_gradient(rewards - values)


def generalised_advantages(
    token_rewards: tf.Tensor, values: tf.Tensor, mask: tf.Tensor, gamma: float = 1.0, lambda_: float = 0.95
) -> tuple[tf.Tensor, tf.Tensor]:
    """Compute the advantages of tokens by generalised advantage estimation (GAE; Schulman et al. 2016, Eq. 16).

        A_t = sum_k (gamma * lambda)^k * (r_{t+k} + gamma * V_{t+k+1} - V_{t+k})

    The value after a response's last token is 0, even if the response was truncated at the length limit, because its
    reward applies to the truncated response.

    Args:
        token_rewards: The reward of each token, shape (B, T).
        values: The value of the state before each token, shape (B, T).
        mask: The mask of the tokens to include, shape (B, T).
        gamma: The discount factor per token.
        lambda_: The lambda of GAE.

    Returns:
        The advantages, and the targets of the value baseline (advantages + values). Both are float32 tensors of shape
        (B, T) without a gradient, and 0 where mask is 0.
    """
    values = masked(values, mask)
    following = tf.pad(values[:, 1:], [[0, 0], [0, 1]])
    errors = masked(token_rewards, mask) + gamma * following - values
    advantages = returns(errors, mask, gamma * lambda_)
    return tf.stop_gradient(advantages), tf.stop_gradient(advantages + values)


def value_loss(values: tf.Tensor, targets: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Compute the loss of the value baseline: mean (values - targets)^2 / 2.

    Args:
        values: The baseline's predictions, shape (B,) or (B, T).
        targets: The values to predict, with the same shape.
        mask: The mask of the values to include, with the same shape.

    Returns:
        The loss, a float32 scalar.
    """
    values, targets = _paired(values, targets)
    return masked_mean(tf.square(values - targets), mask) / 2


def explained_variance(values: tf.Tensor, targets: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Compute the share of the targets' variance that the values explain: 1 for perfect values, 0 for constant values.

        1 - variance(targets - values) / variance(targets)

    Args:
        values: The baseline's predictions, shape (B,) or (B, T).
        targets: The values to predict, with the same shape.
        mask: The mask of the values to include, with the same shape.

    Returns:
        A float32 scalar, or NaN if the targets do not vary.
    """
    values, targets = _paired(values, targets)
    variance = _variance(targets, mask)
    explained = 1 - tf.math.divide_no_nan(_variance(targets - values, mask), variance)
    return replicas.part(tf.where(variance > 0, explained, float("nan")))


# Common parts


def _check(level: str) -> None:
    if level not in LEVELS:
        raise UserError(f"the level {level!r} is not one of {', '.join(LEVELS)}")


def _counted(mask: tf.Tensor, level: str) -> tf.Tensor:
    """Return the mask of actions: the tokens, shape (B, T), or the responses with at least one token, shape (B,)."""
    _check(level)
    return mask if level == "token" else tf.reduce_any(tf.cast(mask, tf.bool), axis=1)


def _paired(first: tf.Tensor, second: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Convert two tensors to float32. Raise ValueError if their shapes differ, instead of broadcasting them."""
    first, second = tf.cast(first, tf.float32), tf.cast(second, tf.float32)
    if not first.shape.is_compatible_with(second.shape):
        raise ValueError(f"shapes {first.shape} and {second.shape} differ; equal shapes are expected")
    return first, second


def _expected(log_p: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Compute p * values, with 0 where p is 0. The plain product would be NaN there if the values are infinite."""
    possible = log_p > -float("inf")
    return tf.where(possible, tf.exp(log_p) * tf.where(possible, values, 0.0), 0.0)


def _variance(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    mean = replicas.total(masked_mean(values, mask))
    return replicas.total(masked_mean(tf.square(values - mean), mask))
