import json
import math

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.imitation import rewards
from gail_tf.imitation.rewards import RewardStatistics
from keras_gca.errors import UserError
from tests.oracles.textgail import normalised

LOGITS = np.float32([-3.0, -0.5, 0.0, 2.0])
PROBABILITIES = 1 / (1 + np.exp(-LOGITS.astype(float)))  # expert probabilities
MASK = np.array([[1, 1, 1], [1, 0, 0], [1, 1, 0]])


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("gail", -np.log(1 - PROBABILITIES)),
        ("log_expert", np.log(PROBABILITIES)),
        ("logit", np.log(PROBABILITIES) - np.log(1 - PROBABILITIES)),
        ("probability", PROBABILITIES),
    ],
)
def test_each_form_and_that_all_rise_with_the_experts_logit(form, expected):
    found = rewards.reward(LOGITS, form)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.all(np.diff(found) > 0)


def test_gails_reward_is_the_negative_cost_of_equation_6():
    d_of_equation_6 = 1 - PROBABILITIES  # high for the policy's responses
    np.testing.assert_allclose(rewards.reward(LOGITS, "gail"), -np.log(d_of_equation_6), rtol=1e-5)


def test_extreme_and_bfloat16_logits():
    for form in rewards.REWARD_FORMS:
        assert np.isfinite(rewards.reward([-500.0, 500.0], form)).all()
    assert rewards.reward(tf.constant([1.0], tf.bfloat16)).dtype == tf.float32
    assert float(rewards.reward([-500.0], "gail")[0]) == 0
    assert float(rewards.reward([-500.0], "log_expert")[0]) == -500


def test_an_unknown_form():
    with pytest.raises(UserError, match="'wasserstein' is not one of gail, log_expert, logit, probability"):
        rewards.reward(LOGITS, "wasserstein")


def test_textgails_reward_is_a_softmax_over_two():
    generated, human = np.array([0.3, -2.0]), np.array([1.0, 0.5])
    softmax = np.exp(generated) / (np.exp(generated) + np.exp(human))
    found = rewards.reward(rewards.relative_logit(generated, human), "probability")
    np.testing.assert_allclose(found, softmax, rtol=1e-6)


# Normalisation


def test_normalisation_equals_textgails(shared_file):
    golden = json.loads(shared_file("golden/textgail/reference.json").read_text())["reward_normalisation"]
    statistics = RewardStatistics.initial()
    step = tf.function(rewards.normalise, reduce_retracing=True)
    for batch in golden["batches_in_order"]:
        found, statistics = step(tf.constant(batch["rewards"], tf.float32), statistics)
        np.testing.assert_allclose(found, batch["normalized"], atol=2e-5)
        assert float(statistics.mean) == pytest.approx(batch["mean"], rel=1e-5)
        assert math.sqrt(statistics.variance) == pytest.approx(batch["std"], rel=1e-5)


def test_normalisation_with_a_large_mean_loses_no_digits():
    batches = np.random.default_rng(0).normal(300, 0.1, (6, 20))
    statistics = RewardStatistics.initial()
    for batch, (expected, mean, deviation) in zip(batches, normalised(batches, 0.5, 1.5), strict=True):
        found, statistics = rewards.normalise(batch, statistics, momentum=0.5, limit=1.5)
        assert float(statistics.mean) == pytest.approx(mean, rel=1e-6)
        assert math.sqrt(statistics.variance) == pytest.approx(deviation, rel=1e-2)
        np.testing.assert_allclose(found, expected, atol=2e-2)


def test_what_is_masked_does_not_count():
    values = tf.constant([0.5, np.nan, 0.1, 7.0])
    found, statistics = rewards.normalise(
        values, RewardStatistics.initial(), mask=tf.constant([True, False, True, False])
    )
    alone, expected = rewards.normalise([0.5, 0.1], RewardStatistics.initial())
    np.testing.assert_allclose(found, [alone[0], 0, alone[1], 0])
    np.testing.assert_allclose(statistics, expected, rtol=1e-6)


def test_an_empty_batch_leaves_the_statistics():
    before = RewardStatistics(tf.constant(0.4), tf.constant(0.09))
    _, after = rewards.normalise(tf.ones(3), before, mask=tf.zeros(3))
    np.testing.assert_allclose(after, before)


def test_human_demonstrations_bear_a_constant_reward():
    found = rewards.with_demonstrations([0.3, -1.0, 0.1], tf.constant([False, True, False]))
    np.testing.assert_allclose(found, [0.3, 2.0, 0.1])


# Tokens and responses


def test_reward_per_response_and_per_token():
    tokens = np.float32([[1, 2, 3], [4, 99, np.nan], [5, 6, 99]])
    np.testing.assert_allclose(rewards.response_reward(tokens, MASK), [6, 4, 11])
    np.testing.assert_allclose(rewards.response_reward(tokens, MASK, per="token"), [2, 4, 5.5])
    with pytest.raises(UserError, match="'word', which is not one of response, token"):
        rewards.response_reward(tokens, MASK, per="word")
    with pytest.raises(ValueError, match="equal shapes"):
        rewards.response_reward(tokens, MASK[:, :1])


def test_the_last_token_bears_the_reward():
    found = rewards.at_last_token([7.0, 8.0, 9.0], MASK > 0)
    np.testing.assert_allclose(found, [[0, 0, 7], [8, 0, 0], [0, 9, 0]])


def test_returns_by_hand():
    tokens = tf.constant([[1.0, 2, 4], [3, 9, 9], [5, 6, 9]])
    np.testing.assert_allclose(rewards.returns(tokens, MASK, gamma=0.5), [[3, 4, 4], [3, 0, 0], [8, 6, 0]])
    np.testing.assert_allclose(rewards.returns(tokens, MASK), [[7, 6, 4], [3, 0, 0], [11, 6, 0]])
    np.testing.assert_allclose(rewards.returns(tokens, MASK, gamma=0.0), tokens * MASK)


def test_unequal_shapes_do_not_broadcast():
    with pytest.raises(ValueError, match="equal shapes are expected"):
        rewards.returns(tf.ones((3, 3)), MASK[:1])


def test_no_drift_no_correction():
    np.testing.assert_allclose(rewards.counter_length_drift([1.0, 2.0], [4, 16], expert_length=10), [1, 2])


def test_drift_is_countered_by_hand():
    # The mean length is 15, and that of experts is 10. Relative lengths are 1 and 2, their mean is 1.5, and the penalty
    # is
    # 2 * 0.5 * (-0.5, 0.5).
    found = rewards.counter_length_drift([1.0, 1.0], [10, 20], expert_length=10, strength=2.0)
    np.testing.assert_allclose(found, [1.5, 0.5])
    short = rewards.counter_length_drift([1.0, 1.0], [2, 8], expert_length=10)
    assert short[1] > short[0]


def test_countering_drift_follows_the_gradient_of_the_squared_drift():
    """A policy draws one of four lengths.

    The score-function gradient of the penalty is the gradient of the squared drift.
    """
    lengths, expert = np.array([1.0, 4, 9, 20]), 6.0
    theta = tf.Variable([0.3, -0.2, 0.5, 0.1])
    with tf.GradientTape() as tape:
        drift = (tf.reduce_sum(tf.nn.softmax(theta) * lengths.astype(np.float32)) - expert) / expert
        loss = 0.5 * drift**2
    gradient = tape.gradient(loss, theta)
    p = tf.nn.softmax(theta).numpy()
    # A batch of 10,000 responses, in which each length occurs in proportion to p.
    counts = np.round(p * 10_000).astype(int)
    batch = np.repeat(np.arange(4), counts)
    cost = -rewards.counter_length_drift(np.zeros(len(batch)), lengths[batch], expert).numpy()
    score = np.eye(4)[batch] - p
    np.testing.assert_allclose((cost[:, None] * score).mean(0), gradient, atol=2e-3)


def test_all_of_it_inside_one_compiled_function():
    @tf.function(jit_compile=True)
    def step(expert_logits, mask, human, statistics):
        tokens = rewards.reward(expert_logits, "logit")
        whole, statistics = rewards.normalise(rewards.response_reward(tokens, mask, "token"), statistics, ~human)
        whole = rewards.counter_length_drift(whole, tf.reduce_sum(mask, 1), 2.0)
        whole = rewards.with_demonstrations(whole, human)
        return rewards.returns(rewards.at_last_token(whole, mask), mask, 0.9), statistics

    logits = tf.constant(np.random.default_rng(0).normal(size=(3, 3)), tf.bfloat16)
    arguments = logits, tf.constant(MASK, tf.float32), tf.constant([False, True, False]), RewardStatistics.initial()
    compiled, eager = step(*arguments), step.python_function(*arguments)
    np.testing.assert_allclose(compiled[0], eager[0], rtol=1e-5)
    np.testing.assert_allclose(compiled[0][1], [2, 0, 0])
    np.testing.assert_allclose(compiled[1], eager[1], rtol=1e-5)
