"""The controls of the rewards, and the KL to the reference in the reward, in the advantages of a buffer."""

import numpy as np
import pytest

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.imitation.advantages import AdvantageEstimator
from gail_tf.imitation.judged_responses import JudgedResponses
from gail_tf.imitation.policy_optimiser import PolicyOptimiser
from gail_tf.imitation.rollouts import Rollouts
from keras_gca.errors import UserError

HUMAN = np.array([True, False, False, False, False, False, False, False])
LOGITS = np.linspace(-2, 2, 8).astype(np.float32)
MASK = np.arange(3) < np.array([3, 2, 3, 1, 2, 3, 3, 2])[:, None]
OWN_LOG_PROBS = np.where(MASK, np.linspace(-1, -2, 24).reshape(8, 3), 0).astype(np.float32)
OF_REFERENCE = np.where(MASK, np.linspace(-1.5, -1, 24).reshape(8, 3), 0).astype(np.float32)


class WithoutValues(PolicyOptimiser):
    """An optimiser without a value baseline."""

    def improve(self, rollouts, advantages, targets, seed):
        raise NotImplementedError


def estimator(**changes):
    small = {"rollouts": 8, "sample_batch_size": 8, "minibatch_size": 8}
    config = GAILConfig.preset("tiny", **small | changes)
    return AdvantageEstimator(config, WithoutValues(None, config, None))


def buffer():
    tokens = np.zeros(MASK.shape, np.int32)
    batch = Batch(tokens, np.ones(MASK.shape, bool), tokens, MASK)
    responses = JudgedResponses(batch, np.zeros((8, 0), np.float32), np.zeros((8, 3), np.float32), [])
    return Rollouts(np.arange(8), HUMAN, OWN_LOG_PROBS, OF_REFERENCE, None, responses, responses, [""] * 8)


def normalised(raw):
    """TextGAIL's normalisation of the first buffer, in NumPy."""
    old = 0.9 ** len(raw)
    mean, gap = (1 - old) * raw.mean(), raw.mean()
    variance = (1 - old) * raw.var() + old * (1 - old) * gap**2
    return np.clip((raw - mean) / (np.sqrt(variance) + 1e-5), -2, 2)


RAW = np.log1p(np.exp(LOGITS.astype(float)))[~HUMAN]  # -log D of Eq. 6


def test_without_a_control_the_rewards_are_ds():
    advantages, targets = estimator().estimate(buffer(), LOGITS, seed=3)
    np.testing.assert_allclose(advantages, [2, *normalised(RAW)], rtol=1e-4)
    np.testing.assert_array_equal(advantages, targets)


def test_permuted_rewards_are_ds_in_another_order_and_demonstrations_keep_theirs():
    found, _ = estimator(reward_control="permuted").estimate(buffer(), LOGITS, seed=3)
    assert found[0] == 2
    np.testing.assert_allclose(np.sort(found[1:]), np.sort(normalised(RAW)), rtol=1e-4)
    assert np.abs(found[1:] - normalised(RAW)).max() > 0.1
    again, other = (estimator(reward_control="permuted").estimate(buffer(), LOGITS, seed)[0] for seed in (3, 4))
    np.testing.assert_array_equal(found, again)
    assert not np.array_equal(found, other)


def test_permuted_rewards_of_tokens_stay_at_the_policys_tokens():
    settings = {"discriminator": "token", "level": "token", "discount": 0.0, "reward_control": "permuted"}
    logits = np.linspace(-2, 2, 24).reshape(8, 3).astype(np.float32)
    found, _ = estimator(**settings).estimate(buffer(), logits, seed=3)
    own = MASK & ~HUMAN[:, None]
    expected = normalised(np.log1p(np.exp(logits[own].astype(float))))
    np.testing.assert_allclose(np.sort(found[own]), np.sort(expected), rtol=1e-3)
    assert np.abs(found[own] - expected).max() > 0.1
    np.testing.assert_array_equal(found[0], 2)
    assert not found[~MASK].any()


def test_zero_rewards_are_zero_and_only_the_kl_remains():
    found, _ = estimator(reward_control="zero").estimate(buffer(), LOGITS)
    np.testing.assert_array_equal(found, np.where(HUMAN, 2, 0))
    found, _ = estimator(reward_control="zero", reference_kl_coefficient=0.5).estimate(buffer(), LOGITS)
    ratios = (OWN_LOG_PROBS - OF_REFERENCE).astype(float).sum(1)[~HUMAN]
    np.testing.assert_allclose(found[1:], normalised(-0.5 * ratios), rtol=1e-3)


def test_the_kl_to_the_reference_is_subtracted_before_rewards_are_normalised():
    found, _ = estimator(reference_kl_coefficient=0.1).estimate(buffer(), LOGITS)
    ratios = (OWN_LOG_PROBS - OF_REFERENCE).astype(float).sum(1)[~HUMAN]
    np.testing.assert_allclose(found, [2, *normalised(RAW - 0.1 * ratios)], rtol=1e-3)


def test_each_token_bears_its_own_share_of_the_kl():
    settings = {"discriminator": "token", "level": "token", "discount": 0.0, "reference_kl_coefficient": 0.1}
    logits = np.linspace(-2, 2, 24).reshape(8, 3).astype(np.float32)
    found, _ = estimator(**settings).estimate(buffer(), logits)
    own = MASK & ~HUMAN[:, None]
    raw = np.log1p(np.exp(logits.astype(float))) - 0.1 * (OWN_LOG_PROBS - OF_REFERENCE)
    np.testing.assert_allclose(found[own], normalised(raw[own]), rtol=1e-3)


def test_the_weight_of_the_kl_adapts_to_its_target_and_is_stored():
    made = estimator(reference_kl="adaptive", reference_kl_coefficient=0.2, reference_kl_target=0.1)
    assert made.end_of_update(0.16) == {"reference_kl_coefficient": pytest.approx(0.4)}
    assert made.end_of_update(0.1) == {"reference_kl_coefficient": pytest.approx(0.4)}
    assert made.end_of_update(0.06) == {"reference_kl_coefficient": pytest.approx(0.2)}
    made.end_of_update(0.06)
    other = estimator(reference_kl="adaptive", reference_kl_coefficient=0.2)
    other.restore(made.facts())
    assert other.reference_kl_coefficient == pytest.approx(0.1)
    constant = estimator(reference_kl_coefficient=0.2)
    assert constant.end_of_update(5.0) == {"reference_kl_coefficient": 0.2}
    assert constant.facts() == {}
    assert estimator().end_of_update(5.0) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reward_control": "shuffled"}, r"--reward-control: 'shuffled' is not one of none, permuted, zero"),
        ({"reference_kl_coefficient": -1.0}, r"--reference-kl-coefficient: -1.0 is out of range"),
        ({"reference_kl": "adaptive"}, r"--reference-kl adaptive: .* --reference-kl-coefficient to a number above 0"),
    ],
)
def test_impossible_settings_are_named(changes, message):
    with pytest.raises(UserError, match=message):
        GAILConfig.preset("tiny", **changes)
