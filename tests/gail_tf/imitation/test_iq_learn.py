"""IQ-Learn by a transcription of its equations in NumPy, and its updates on the experts' responses alone."""

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.config import GAILConfig
from gail_tf.data.batches import take
from gail_tf.imitation.iq_learn import IQLearn, td_errors
from gail_tf.imitation.maximum_likelihood import MaximumLikelihood
from gail_tf.imitation.phases import IMITATION
from gail_tf.imitation.rollouts import draw_rows
from gail_tf.policies.language_model_policy import Policy
from keras_gca.errors import UserError
from tests.factories import small_runs
from tests.factories.small_runs import tokenizer
from tests.oracles.gpt2 import gpt2_in_numpy

ROWS = np.arange(0, 20, 3)


def test_the_errors_by_hand():
    """One response of three tokens with END (3), one of two tokens that is cut, and one of a single END."""
    log_probs = [[-1.0, -2.0, -0.5], [-1.0, -3.0, 9.0], [-4.0, 9.0, 9.0]]
    values = [[5.0, 4.0, 2.0], [1.0, 6.0, 9.0], [7.0, 9.0, 9.0]]
    response, mask = [[8, 7, 3], [8, 7, 3], [3, 3, 3]], np.arange(3) < np.array([[3], [2], [1]])
    found = td_errors(np.float32(log_probs), np.float32(values), np.int32(response), mask, 3, 0.5)
    expected = [
        [-1 + 5 - 0.5 * 4, -2 + 4 - 0.5 * 2, -0.5 + 2],
        [-1 + 1 - 0.5 * 6, 0, 0],  # V after the second token is not known
        [-4 + 7, 0, 0],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def iq_loss_in_numpy(policy, batch, weight, discount):
    """The loss of the module's docstring, one response at a time, from the logits of the NumPy GPT-2."""
    end, terms, likelihoods, squares = tokenizer().end, [], [], []
    for i in range(len(batch.condition)):
        before, after = batch.condition[i][batch.condition_mask[i]], batch.response[i][batch.response_mask[i]]
        q = gpt2_in_numpy(policy.network.weights, policy.network.config, np.concatenate([before, after]))
        q = q[len(before) - 1 : -1].astype(float)  # the logits before each token of the response
        v = np.log(np.exp(q - q.max(1, keepdims=True)).sum(1)) + q.max(1)
        for t, token in enumerate(after):
            likelihood = q[t, token] - v[t]
            following = v[t + 1] if t + 1 < len(after) else 0.0
            is_known = t + 1 < len(after) or token == end
            reward = q[t, token] - discount * following if is_known else 0.0
            likelihoods.append(-likelihood)
            squares.append(reward**2)
            terms.append(-likelihood + weight * reward**2)
    return np.mean(terms), np.sum(likelihoods), np.sum(squares)


@pytest.fixture(scope="module")
def policy():
    return Policy(small_runs.gpt2(small_runs.config(dropout=0.0)), end=tokenizer().end)


def test_the_loss_by_numpy(policy):
    batch = take(small_runs.samples().batch, ROWS)
    assert (batch.response_lengths == 8).all()  # all are cut; some end after 4 tokens in what follows
    batch.response[:3, 3:], batch.response_mask[:3, 4:] = tokenizer().end, False
    learner = IQLearn(policy, 1e-3, tokenizer().end, td_weight=0.3, discount=0.9)
    tensors = type(batch)(*map(tf.convert_to_tensor, batch))
    loss, (likelihoods, tokens, squares) = learner.loss(tensors, tf.range(len(ROWS)), tf.constant([0, 0]))
    expected = iq_loss_in_numpy(policy, batch, 0.3, 0.9)
    np.testing.assert_allclose([loss, likelihoods, squares], expected, rtol=1e-3)
    assert int(tokens) == batch.response_mask.sum()
    assert float(squares) > 1


def test_without_the_regulariser_it_is_maximum_likelihood(policy):
    batch = take(small_runs.samples().batch, ROWS)
    tensors = type(batch)(*map(tf.convert_to_tensor, batch))
    given = tensors, tf.range(len(ROWS)), tf.constant([0, 0])
    found, _ = IQLearn(policy, 1e-3, tokenizer().end, td_weight=0.0, discount=0.9).loss(*given)
    expected, _ = MaximumLikelihood(policy, 1e-3).loss(*given)
    assert float(found) == pytest.approx(float(expected), rel=1e-6)


def made(algorithm, **changes):
    head = {"trainable": "head", "dropout": 0.0, "mle_epochs": 0, "generator_learning_rate": 1e-2}
    settings = small_runs.config(algorithm=algorithm, discriminator_steps=0, **head | changes)
    return small_runs.training(settings)


@pytest.mark.thorough
@pytest.mark.parametrize("algorithm", ["extra_likelihood", "iqlearn"])
def test_updates_learn_the_experts_responses_and_draw_none(algorithm, monkeypatch):
    training = made(algorithm)
    monkeypatch.setattr(training.collector, "collect", None)  # no buffer is collected
    monkeypatch.setattr(training.held_out.collector, "collect", None)
    learned, step = [], training.optimiser.learner.train_step
    monkeypatch.setattr(training.optimiser.learner, "train_step", lambda *batch: learned.append(batch) or step(*batch))
    before = [variable.numpy() for variable in training.policy.trainable_variables]
    rows, stored = [], None
    for event in training:
        if event.row is not None:
            rows.append(event.row)
            stored = stored or training.state()
    assert [row["phase"] for row in rows] == [IMITATION] * 3
    assert {"td_error" in row for row in rows} == {algorithm == "iqlearn"}
    assert ["val_perplexity" in row for row in rows] == [False, True, True]
    assert not any(name.startswith(("reward", "accuracy", "kl")) for row in rows for name in row)
    after = [variable.numpy() for variable in training.policy.trainable_variables]
    assert all(not np.array_equal(old, now) for old, now in zip(before, after, strict=True))

    # In each update, 16 responses in minibatches of 8: the experts' responses to the prompts that PPO would answer.
    assert [len(batch.condition) for batch, *_ in learned] == [8] * 6
    first = np.concatenate([batch.response[:, 0] for batch, *_ in learned[:2]])
    prompts = draw_rows(len(training.training), 16, 0, training.config.seed)
    np.testing.assert_array_equal(np.sort(first), np.sort(training.training.batch.response[prompts, 0]))

    training.restore(*stored)  # after the first update
    for _ in training:
        pass
    for old, variable in zip(after, training.policy.trainable_variables, strict=True):
        np.testing.assert_array_equal(old, variable)


def test_the_settings_of_offline_algorithms():
    iqlearn = GAILConfig.preset("tiny", algorithm="iqlearn")
    assert (iqlearn.ppo.discount, iqlearn.likelihood.td_weight, iqlearn.offline) == (1.0, 0.1, True)
    assert not GAILConfig.preset("tiny").offline
    with pytest.raises(UserError, match=r"--algorithm iqlearn has no discriminator; set --discriminator-steps"):
        GAILConfig.preset("tiny", algorithm="iqlearn", discriminator_steps=3)
    with pytest.raises(
        UserError,
        match=r"--value-baseline: only PPO has a value baseline; use --value-baseline off with extra_likelihood",
    ):
        GAILConfig.preset("tiny", algorithm="extra_likelihood", value_baseline="on")
    with pytest.raises(UserError, match=r"--td-weight: -1.0 is out of range"):
        GAILConfig.preset("tiny", td_weight=-1.0)
    with pytest.raises(UserError, match=r"--algorithm selection: D chooses among complete responses"):
        GAILConfig.preset("tiny", algorithm="selection", updates=3)
