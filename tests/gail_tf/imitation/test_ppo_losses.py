import json
import math

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.imitation import ppo_losses
from keras_gca.errors import UserError

# Three responses of 2, 1 and 3 tokens. The numbers after their ends must never count.
MASK = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 1]])
OLD = np.log([[0.5, 0.4, 0.9], [0.2, 0.9, 0.9], [0.5, 0.5, 0.5]]).astype(np.float32)
NEW = np.log([[0.5, 0.5, np.nan], [0.1, 1e-9, 0.9], [0.6, 0.5, 0.5]]).astype(np.float32)
RATIOS = np.array([1.25, 0.5, 1.2])  # the ratios of whole responses
ADVANTAGES = np.float32([2.0, -1.0, 1.0])


def test_the_ratio_of_responses_and_of_tokens():
    np.testing.assert_allclose(tf.exp(ppo_losses.log_ratio(NEW, OLD, MASK)), RATIOS, rtol=1e-6)
    tokens = tf.exp(ppo_losses.log_ratio(NEW, OLD, MASK > 0, "token"))
    np.testing.assert_allclose(tokens, [[1, 1.25, 1], [0.5, 1, 1], [1.2, 1, 1]], rtol=1e-6)


def test_the_clipped_objective_by_hand():
    # 1.25 * 2 is clipped to 1.2 * 2, and 0.5 * -1 is clipped to 0.8 * -1. 1.2 * 1 is just inside.
    found = ppo_losses.clipped_surrogate(RATIOS, ADVANTAGES.astype(float))
    np.testing.assert_allclose(found, [2.4, -0.8, 1.2])
    # A ratio that moved in the wrong direction is not clipped.
    np.testing.assert_allclose(ppo_losses.clipped_surrogate([0.5, 2.0], [1.0, -1.0]), [0.5, -2.0])
    loss, figures = ppo_losses.policy_loss(NEW, OLD, ADVANTAGES, MASK, epsilon=0.21)
    assert float(loss) == pytest.approx(-(1.21 * 2 - 0.79 + 1.2) / 3)
    assert float(figures["clip_fraction"]) == pytest.approx(2 / 3)
    assert float(figures["mean_ratio"]) == pytest.approx(RATIOS.mean())


def test_the_loss_equals_textgails(shared_file):
    golden = json.loads(shared_file("golden/textgail/reference.json").read_text())["ppo"]
    log_probs, old = (tf.constant(golden[name], tf.float32)[:, None] for name in ("log_probs", "old_log_probs"))
    loss, figures = ppo_losses.policy_loss(
        log_probs, old, tf.constant(golden["advantages"]), tf.ones((8, 1)), epsilon=golden["epsilon"]
    )
    assert float(loss) == pytest.approx(golden["policy_loss"], abs=1e-5)
    assert float(figures["clip_fraction"]) == golden["clip_fraction"]
    k2 = ppo_losses.sampled_kl(old, log_probs, "k2")
    assert 2 * float(tf.reduce_mean(k2)) == pytest.approx(golden["mean_squared_log_ratio"], rel=1e-4)


def k3(ratio):
    return ratio - 1 - np.log(ratio)


def test_equation_7_by_hand():
    loss, figures = ppo_losses.policy_loss(NEW, OLD, ADVANTAGES, MASK, epsilon=None, kl_coefficient=0.5)
    kl = (k3(1.25) + k3(0.5) + k3(1.2)) / 3  # each response differs in one token
    assert float(figures["objective"]) == pytest.approx((1.25 * 2 - 0.5 + 1.2) / 3)
    assert float(figures["kl"]) == pytest.approx(kl, rel=1e-5)
    assert float(loss) == pytest.approx(-(1.25 * 2 - 0.5 + 1.2) / 3 + 0.5 * kl, rel=1e-5)
    assert float(figures["clip_fraction"]) == 0
    both, _ = ppo_losses.policy_loss(NEW, OLD, ADVANTAGES, MASK, epsilon=0.2, kl_coefficient=0.5)
    clipped, _ = ppo_losses.policy_loss(NEW, OLD, ADVANTAGES, MASK, epsilon=0.2)
    assert float(both) == pytest.approx(float(clipped) + 0.5 * kl, rel=1e-5)


def test_the_objective_of_tokens_by_hand():
    loss, figures = ppo_losses.policy_loss(
        NEW, OLD, ADVANTAGES, MASK, level="token", epsilon=None, kl_coefficient=tf.constant(2.0)
    )
    objective = (2 * (1 + 1.25) - 0.5 + (1.2 + 1 + 1)) / 6
    kl = (k3(1.25) + k3(0.5) + k3(1.2)) / 6
    assert float(figures["objective"]) == pytest.approx(objective)
    assert float(loss) == pytest.approx(-objective + 2 * kl, rel=1e-5)
    each = np.repeat(ADVANTAGES[:, None], 3, 1)
    same, _ = ppo_losses.policy_loss(NEW, OLD, each, MASK, level="token", epsilon=None, kl_coefficient=2.0)
    assert float(same) == pytest.approx(float(loss))


def test_an_exact_kl_and_an_entropy_may_be_given():
    kl = np.float32([[0.1, 0.2, 9], [0.3, 9, 9], [0.1, 0.1, 0.1]])
    entropy = np.float32([[1, 2, 9], [3, 9, 9], [2, 2, 2]])
    loss, figures = ppo_losses.policy_loss(
        NEW, OLD, ADVANTAGES, MASK, kl=kl, kl_coefficient=1.0, entropy=entropy, entropy_coefficient=0.01
    )
    assert float(figures["kl"]) == pytest.approx(0.9 / 3)
    assert float(figures["entropy"]) == pytest.approx(12 / 6)
    assert float(loss) == pytest.approx(float(-figures["objective"]) + 0.3 - 0.01 * 2)


def test_the_kl_leaves_out_human_demonstrations():
    generated = tf.constant([True, False, True])
    _, figures = ppo_losses.policy_loss(NEW, OLD, ADVANTAGES, MASK, generated=generated)
    assert float(figures["kl"]) == pytest.approx((k3(1.25) + k3(1.2)) / 2, rel=1e-5)
    _, figures = ppo_losses.policy_loss(NEW, OLD, ADVANTAGES, MASK, generated=generated, level="token")
    assert float(figures["kl"]) == pytest.approx((k3(1.25) + k3(1.2)) / 5, rel=1e-5)


@pytest.mark.parametrize("level", ppo_losses.LEVELS)
def test_rows_that_fill_the_batch_up_count_for_nothing(level):
    def padded(values):
        return np.concatenate([values, np.full((2, *values.shape[1:]), 7, values.dtype)])

    mask = np.concatenate([MASK, np.zeros((2, 3), int)])
    alone = ppo_losses.policy_loss(NEW, OLD, ADVANTAGES, MASK, level=level, kl_coefficient=1.0)
    filled = ppo_losses.policy_loss(padded(NEW), padded(OLD), padded(ADVANTAGES), mask, level=level, kl_coefficient=1.0)
    tf.nest.map_structure(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), alone, filled)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"level": "word"}, UserError, "the level 'word' is not one of response, token"),
        ({"entropy_coefficient": 0.1}, UserError, "an entropy bonus of 0.1 needs the policy's entropy"),
        ({"advantages": np.ones((3, 3), np.float32)}, ValueError, "equal shapes are expected"),
        ({"advantages": np.ones(2, np.float32)}, ValueError, "equal shapes are expected"),
        ({"mask": MASK[:, :1]}, ValueError, "equal shapes are expected"),
    ],
)
def test_what_does_not_fit_is_refused(changes, error, message):
    arguments = {"log_probs": NEW, "old_log_probs": OLD, "advantages": ADVANTAGES, "mask": MASK} | changes
    with pytest.raises(error, match=message):
        ppo_losses.policy_loss(**arguments)


def test_no_response_is_so_unlikely_that_gradients_are_lost():
    log_probs = tf.Variable([[-1.0, -2.0], [-400.0, -300.0], [-0.1, -0.1]])
    old = tf.constant([[-1.0, -2.0], [-1.0, -1.0], [-400.0, -300.0]])
    with tf.GradientTape() as tape:
        loss, _ = ppo_losses.policy_loss(
            log_probs, old, tf.constant([1.0, -1.0, 1.0]), tf.ones((3, 2)), kl_coefficient=1.0
        )
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, log_probs)).all()


def test_the_first_gradient_is_the_policy_gradient():
    """At the old policy, the gradient of the clipped objective equals the gradient of the mean of A log p."""
    old = tf.constant(np.where(MASK, OLD, 0), tf.float32)
    log_probs = tf.Variable(old)
    with tf.GradientTape() as tape:
        loss, _ = ppo_losses.policy_loss(log_probs, old, ADVANTAGES, MASK)
    np.testing.assert_allclose(tape.gradient(loss, log_probs), -MASK * ADVANTAGES[:, None] / 3, rtol=1e-6)


@pytest.mark.parametrize("level", ppo_losses.LEVELS)
def test_the_loss_compiles_and_takes_bfloat16(level):
    compiled = tf.function(ppo_losses.policy_loss, jit_compile=True)
    arguments = tf.constant(np.where(MASK, NEW, 0)), tf.constant(OLD), tf.constant(ADVANTAGES), tf.constant(MASK > 0)
    options = {"level": level, "epsilon": 0.21, "kl_coefficient": tf.constant(0.3)}
    expected = ppo_losses.policy_loss(*arguments, **options)
    tf.nest.map_structure(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), compiled(*arguments, **options), expected
    )
    half = [tf.cast(each, tf.bfloat16) for each in arguments[:3]]
    loss, figures = ppo_losses.policy_loss(*half, arguments[3], **options)
    assert {value.dtype for value in (loss, *figures.values())} == {tf.float32}
    assert float(loss) == pytest.approx(float(expected[0]), abs=0.02)


# KL and entropy


def test_estimators_by_hand():
    p, q = 0.5, 0.2
    d = math.log(p / q)
    found = [float(ppo_losses.sampled_kl(math.log(p), math.log(q), name)) for name in ("k1", "k2", "k3")]
    assert found == pytest.approx([d, d * d / 2, q / p - 1 + d])
    with pytest.raises(UserError, match="'k4' is not one of k1, k2, k3"):
        ppo_losses.sampled_kl(0.0, 0.0, "k4")


def test_k1_and_k3_have_the_exact_kl_as_their_mean():
    p, q = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.2, 0.6])
    kl = np.sum(p * np.log(p / q))
    for name in ("k1", "k3"):
        assert np.sum(p * ppo_losses.sampled_kl(np.log(p), np.log(q), name)) == pytest.approx(kl, rel=1e-5)
    found = ppo_losses.exact_kl(np.log(p) + 5, np.log(q) - 3)  # a constant may be added to logits
    assert float(found) == pytest.approx(kl, rel=1e-5)


def test_exact_kl_and_entropy_of_many_places_against_numpy():
    random = np.random.default_rng(0)
    a, b = random.normal(size=(2, 4, 3, 7))
    p, q = (np.exp(x) / np.exp(x).sum(-1, keepdims=True) for x in (a, b))
    np.testing.assert_allclose(ppo_losses.exact_kl(a, b), (p * np.log(p / q)).sum(-1), rtol=1e-4)
    np.testing.assert_allclose(ppo_losses.entropy(a), -(p * np.log(p)).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(ppo_losses.exact_kl(a, a), np.zeros((4, 3)), atol=1e-6)
    assert ppo_losses.entropy(tf.cast(a, tf.bfloat16)).dtype == tf.float32


def test_filtered_tokens_have_finite_kl_entropy_and_gradients():
    logits = tf.Variable([[0.0, 0.0, -np.inf]])
    with tf.GradientTape() as tape:
        total = ppo_losses.exact_kl(logits, [[1.0, 0.0, -np.inf]]) + ppo_losses.entropy(logits)
    assert float(ppo_losses.entropy(logits)[0]) == pytest.approx(math.log(2))
    assert np.isfinite(tape.gradient(total, logits)).all()
    assert float(ppo_losses.exact_kl([[0.0, 0.0]], [[0.0, -np.inf]])[0]) == np.inf


@pytest.mark.parametrize(
    ("kl", "expected"), [(0.031, 2.0), (0.029, 1.0), (0.02, 1.0), (0.0135, 1.0), (0.0132, 0.5), (0.0, 0.5)]
)
def test_the_adaptive_coefficient(kl, expected):
    assert float(ppo_losses.adapt_kl_coefficient(1.0, kl, target=0.02)) == expected


def test_the_adaptive_coefficient_stays_within_its_range():
    low, high = ppo_losses.KL_COEFFICIENT_RANGE
    assert float(ppo_losses.adapt_kl_coefficient(low, 0.0, 0.02)) == pytest.approx(low)
    assert float(ppo_losses.adapt_kl_coefficient(high, 1.0, 0.02)) == pytest.approx(high)


def test_the_adaptive_penalty_holds_a_policy_near_its_target():
    """A policy with three replies, one of which is far better, learns by Eq. 7.

    The KL of an update settles near the target.
    """
    target, coefficient, kls = 0.05, tf.constant(1.0), []
    theta = tf.Variable([0.0, 0.0, 0.0])
    advantages = tf.constant([1.0, 0.0, -1.0])
    for _ in range(60):
        theta.assign([0.3, -0.1, 0.0])  # the old policy is always the same, so that the result is known
        old = tf.nn.softmax(theta)
        for _ in range(60):
            with tf.GradientTape() as tape:
                p = tf.nn.softmax(theta)
                kl = ppo_losses.exact_kl(tf.math.log(old), theta)
                loss = -(tf.reduce_sum(p * advantages) - coefficient * kl)
            theta.assign_sub(0.5 * tape.gradient(loss, theta))
        kls.append(float(ppo_losses.exact_kl(tf.math.log(old), theta)))
        coefficient = ppo_losses.adapt_kl_coefficient(coefficient, kls[-1], target)
        if target / 1.5 <= kls[-1] <= 1.5 * target:
            break
    assert target / 1.5 <= kls[-1] <= 1.5 * target, kls


# Advantages


def test_advantages_of_responses():
    np.testing.assert_allclose(ppo_losses.response_advantages([1.0, 2.0]), [1, 2])
    values = tf.Variable([0.5, -1.0])
    with tf.GradientTape() as tape:
        advantages = ppo_losses.response_advantages([1.0, 2.0], values)
    np.testing.assert_allclose(advantages, [0.5, 3])
    assert tape.gradient(advantages, values) is None
    with pytest.raises(ValueError, match="equal shapes are expected"):
        ppo_losses.response_advantages([1.0, 2.0], [[1.0], [2.0]])


def test_generalised_advantages_against_a_loop():
    random = np.random.default_rng(3)
    rewards, values = random.normal(size=(2, 3, 5)).astype(np.float32)
    lengths, gamma, lambda_ = [5, 1, 3], 0.9, 0.8
    expected = np.zeros((3, 5))
    for row, length in enumerate(lengths):
        following = 0.0
        for t in reversed(range(length)):
            next_value = values[row, t + 1] if t + 1 < length else 0.0
            error = rewards[row, t] + gamma * next_value - values[row, t]
            following = expected[row, t] = error + gamma * lambda_ * following
    mask = np.arange(5) < np.array(lengths)[:, None]
    values[~mask] = np.nan
    advantages, targets = ppo_losses.generalised_advantages(rewards, values, mask, gamma, lambda_)
    np.testing.assert_allclose(advantages, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(targets, np.where(mask, expected + values, 0), rtol=1e-5, atol=1e-6)


def test_with_lambda_1_the_targets_are_the_returns():
    rewards = tf.constant([[1.0, 2.0, 4.0]])
    advantages, targets = ppo_losses.generalised_advantages(rewards, [[5.0, 6.0, 7.0]], tf.ones((1, 3)), 1.0, 1.0)
    np.testing.assert_allclose(targets, [[7, 6, 4]])
    np.testing.assert_allclose(advantages, [[2, 0, -3]])


def test_the_baselines_loss_and_explained_variance():
    targets, mask = np.float32([1, 3, 5, 99]), np.array([1, 1, 1, 0])
    assert float(ppo_losses.value_loss(np.float32([1, 2, 7, 0]), targets, mask)) == pytest.approx(5 / 3 / 2)
    assert float(ppo_losses.explained_variance(targets, targets, mask)) == pytest.approx(1)
    assert float(ppo_losses.explained_variance(np.float32([3, 3, 3, 0]), targets, mask)) == pytest.approx(0)
    # Residuals 0, 1, -2: variance 14 / 9 of 24 / 9.
    assert float(ppo_losses.explained_variance(np.float32([1, 2, 7, 0]), targets, mask)) == pytest.approx(1 - 14 / 24)
    assert np.isnan(ppo_losses.explained_variance(targets, np.float32([2, 2, 2, 0]), mask))
