import numpy as np
import pytest

from gail_tf.data.batches import take
from gail_tf.imitation.trpo import TRPO
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from tests.factories import small_runs

SAMPLING = Sampling(8)
BATCH = take(small_runs.samples().batch, np.arange(16), response_width=8)
GENERATED = np.arange(16) % 4 > 0
ADVANTAGES = np.random.default_rng(0).normal(0, 1, 16).astype(np.float32)


def make(**changes):
    settings = small_runs.config(algorithm="trpo", trainable="head", **changes)
    policy = Policy(small_runs.gpt2(settings), "head")
    draw = np.random.default_rng(2)
    for variable in policy.trainable_variables:
        variable.assign(variable.numpy() + draw.normal(0, 0.05, variable.shape))
    return TRPO(policy, settings, SAMPLING)


def step(training, advantages):
    return training.step(BATCH, training.policy.features(*BATCH), advantages, GENERATED)


def log_probs(training):
    return training.policy.log_probs(*BATCH, SAMPLING).log_probs.numpy().astype(float)


@pytest.mark.parametrize("level", ["response", pytest.param("token", marks=pytest.mark.thorough)])
def test_a_step_raises_the_objective_within_the_trust_region(level):
    """NumPy computes the metrics of the step again from the probabilities before and after it."""
    training = make(level=level, trust_region=0.02)
    frozen = [variable.numpy() for variable in training.policy.network.weights.values()]
    mask = BATCH.response_mask
    advantages = ADVANTAGES if level == "response" else ADVANTAGES[:, None] * np.linspace(1, 2, 8, dtype=np.float32)
    before = log_probs(training)
    figures = step(training, advantages)
    difference = (log_probs(training) - before) * mask
    k3 = np.expm1(difference) - difference  # the estimate of KL(old || new) at each token
    if level == "response":
        ratio = np.exp(difference.sum(1))
        objective, old = (ratio * advantages).mean(), advantages.mean()
        kl = k3.sum(1)[GENERATED].mean()
    else:
        objective, old = (np.exp(difference) * advantages)[mask].mean(), advantages[mask].mean()
        kl = k3[mask & GENERATED[:, None]].mean()
    assert figures["objective"] == pytest.approx(old, abs=1e-4)
    assert figures["improvement"] == pytest.approx(objective - old, rel=0.05, abs=1e-4)
    assert figures["improvement"] > 0.01
    assert figures["kl"] == pytest.approx(kl, rel=0.05)
    assert 0.004 < kl <= 0.02 * 1.01
    assert 0 < figures["step_fraction"] <= 1
    for variable, value in zip(training.policy.network.weights.values(), frozen, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.thorough
def test_advantages_of_responses_hold_for_each_of_their_tokens():
    found = [make(level="token") for _ in range(2)]
    first = step(found[0], ADVANTAGES)
    second = step(found[1], np.repeat(ADVANTAGES[:, None], 8, 1))
    assert first == pytest.approx(second, rel=1e-5)


@pytest.mark.thorough
def test_without_advantage_nothing_moves():
    training = make()
    before = [variable.numpy() for variable in training.policy.variables]
    figures = step(training, np.zeros(16, np.float32))
    assert (figures["kl"], figures["improvement"]) == (0, 0)
    for variable, value in zip(training.policy.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_head_weights_can_be_given_to_a_policy():
    training = make()
    policy, features = training.policy, np.random.default_rng(1).normal(size=(3, 8, 16)).astype(np.float32)
    given = [variable.numpy() * 1.1 for variable in policy.trainable_variables]
    found = policy.logits(features, given).numpy()
    assert np.abs(found - policy.logits(features).numpy()).max() > 1e-3
    for variable, value in zip(policy.trainable_variables, given, strict=True):
        variable.assign(value)
    np.testing.assert_allclose(policy.logits(features), found, rtol=1e-5, atol=1e-5)
