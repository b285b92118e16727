import math

import numpy as np
import pytest

from gail_tf.data.batches import take
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood, Perplexity
from gail_tf.policies.language_model_policy import Policy
from tests.factories import small_runs
from tests.oracles.gpt2 import gpt2_in_numpy


@pytest.fixture(scope="module")
def policy():
    return Policy(small_runs.gpt2(small_runs.config(dropout=0.0)))


def step(likelihood, batch, seed):
    """Make a training step, and return its sums."""
    return likelihood.train_step(batch, np.arange(len(batch.response), dtype=np.int32), np.int32(seed)).sums


def losses(policy, batch):
    """Compute -log p of each row's tokens by NumPy."""
    found = []
    for condition, seen, response, said in zip(*batch, strict=True):
        before, after = condition[seen], response[said]
        if len(after):
            logits = gpt2_in_numpy(policy.network.weights, policy.network.config, np.concatenate([before, after]))
            logits = logits[len(before) - 1 : -1]
            found.append(np.log(np.exp(logits).sum(1)) - logits[np.arange(len(after)), after])
    return found


def test_the_sums_of_a_step_are_numpys_and_padding_counts_for_nothing(policy):
    batch = small_runs.samples().batch
    rows = np.arange(5)
    likelihood = MaximumLikelihood(policy, 1e-9)  # the rate is so small that the weights do not move
    expected = np.concatenate(losses(policy, take(batch, rows)))
    for size in (5, 8):
        total, number = step(likelihood, take(batch, rows, size), (1, 2))
        assert int(number) == len(expected)
        assert float(total) == pytest.approx(expected.sum(), rel=1e-4)


def test_perplexity_by_hand(policy):
    batch = small_runs.samples(1).batch
    expected = np.concatenate(losses(policy, batch))
    perplexity = Perplexity(policy)
    assert perplexity(batch, size=4) == pytest.approx(math.exp(expected.mean()), rel=1e-4)  # 6 rows: two are padding
    by_row = np.exp([row.mean() for row in losses(policy, batch)]).mean()
    assert abs(by_row - math.exp(expected.mean())) > 1  # TextGAIL's mean over rows is biased, and gives another number


@pytest.mark.thorough
def test_a_policy_learns_by_heart_and_dropout_is_by_seed():
    settings = small_runs.config(dropout=0.2)
    policy = Policy(small_runs.gpt2(settings))
    batch = take(small_runs.samples().batch, np.arange(4))
    likelihood = MaximumLikelihood(policy, 1e-9)
    first, same, other = (float(step(likelihood, batch, (1, seed))[0]) for seed in (1, 1, 2))
    assert first == pytest.approx(same, rel=1e-6)
    assert first != pytest.approx(other, rel=1e-4)

    likelihood = MaximumLikelihood(policy, 3e-3)
    before = Perplexity(policy)(batch)
    for number in range(60):
        step(likelihood, batch, (1, number))
    assert Perplexity(policy)(batch) < before / 5
