"""Compares REINFORCE with a baseline with the equations in NumPy and with the per-token models of the figures."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.data.batches import take_batch
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import PAD
from keras_gca.engine.learner import add_up
from keras_gca.models.decoding import Decoder
from keras_gca.models.networks import YELLOW
from keras_gca.models.rows import last_rows
from keras_gca.training.discriminator import DiscriminatorTraining
from keras_gca.training.reinforce import BASELINE_RATE, ReinforceTraining
from tests.factories.gca import random_pairs
from tests.oracles.equations import whole_answer_judgements


def test_last_rows_are_the_ends_of_the_answers():
    rows = last_rows(tf.constant([[1, 9, 8, 2, 0], [0, 0, 0, 0, 0], [1, 2, 0, 0, 0], [1, 5, 6, 7, 8]]))
    assert rows.positions.numpy().tolist() == [[0, 2], [2, 0], [3, 3]]
    assert rows.targets.numpy().tolist() == [2, 2, 8]


def test_a_discriminator_of_whole_answers_judges_each_once(gca, pairs):
    judged = whole_answer_judgements(gca, pairs)
    labels = np.float32(np.arange(len(pairs)) % 2)
    learner = DiscriminatorTraining(gca, 1e-3, whole_answers=True)
    sums = learner.test_step(pairs.contexts, pairs.answers, labels)
    losses = -np.where(labels == 1, np.log(judged), np.log(1 - judged))
    correct = (judged >= 0.5) == (labels == 1)
    expected = [losses.sum(), labels.sum(), correct[labels == 1].sum(), (1 - labels).sum(), correct[labels == 0].sum()]
    np.testing.assert_allclose([float(value) for value in sums], expected, rtol=1e-5)


@pytest.mark.thorough
def test_the_gradient_is_that_of_reward_less_baseline_times_log_p(any_gca):
    gca, pairs = any_gca, random_pairs(20, seed=5)
    learner = ReinforceTraining(gca, 1e-3)
    learner.baseline.kernel.assign(np.random.default_rng(0).normal(0, 0.1, learner.baseline.kernel.shape))
    learner.baseline.bias.assign([0.3])
    W_b, b_b = (np.asarray(value) for value in learner.baseline.get_weights())
    found = []
    learner.apply_gradients = found.extend  # take the gradients instead of making a step of Adam
    learner.descend(tf.constant(pairs.contexts), tf.constant(pairs.answers))

    # The per-token model, with Keras' own forward and backward pass.
    contexts, partial, targets, owner = per_token_samples(pairs, gca.padding)
    rewards = whole_answer_judgements(gca, pairs)[owner]
    hidden = gca.generator.get_layer("bot").output
    figure = tf.keras.Model(gca.generator.inputs, [hidden, gca.generator.output])
    variables = [variable.value for variable in gca.variables(*YELLOW)]
    with tf.GradientTape() as tape:
        y_h, p = figure([contexts, partial])
        advantage = rewards - (y_h.numpy() @ W_b + b_b)[:, 0]
        log_p = tf.math.log(tf.gather(p, targets, batch_dims=1))
        loss = -tf.reduce_mean(tf.constant(advantage, tf.float32) * log_p)
    for ours, theirs in zip(found, tape.gradient(loss, variables), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
        assert np.abs(theirs).max() > 1e-4


def test_the_sums_and_metrics(gca, pairs):
    learner = ReinforceTraining(gca, 1e-3)
    learner.baseline.bias.assign([0.25])
    rewards = whole_answer_judgements(gca, pairs)
    errors = np.concatenate(
        [(rewards[i] - 0.25) ** 2 * np.ones((a != PAD).sum() - 1) for i, a in enumerate(pairs.answers)]
    )
    padded = take_batch(pairs, np.arange(len(pairs)), len(pairs) + 5)  # rows of padding do not count
    for contexts, answers in ((pairs.contexts, pairs.answers), padded):
        sums = add_up([learner.test_step(contexts, answers)])
        np.testing.assert_allclose(sums, [rewards.sum(), len(pairs), errors.sum(), pairs.tokens], rtol=1e-5)
    found = learner.metrics(sums)
    assert found["judged_human"] == pytest.approx(rewards.mean(), rel=1e-5)
    assert found["baseline_error"] == pytest.approx(errors.mean(), rel=1e-5)


@pytest.mark.thorough
def test_the_baselines_step_is_adam_on_the_gradient_of_its_squared_error(gca, pairs):
    learner = ReinforceTraining(gca, 1e-9)
    rewards = whole_answer_judgements(gca, pairs)
    _, _, _, owner = per_token_samples(pairs, gca.padding)
    learner.train_step(pairs.contexts, pairs.answers)
    sign = np.sign(rewards[owner].mean())  # the baseline starts at zero; its bias moves towards the rewards by the rate
    assert learner.baseline.bias.numpy() == pytest.approx([sign * BASELINE_RATE], rel=1e-3)
    for _ in range(400):
        sums = learner.train_step(pairs.contexts, pairs.answers).sums
    assert learner.metrics(add_up([sums]))["baseline_error"] < 0.1 * np.mean(rewards[owner] ** 2)


@pytest.mark.thorough
def test_rewards_rise_when_answers_are_drawn_by_the_policy_itself(gca):
    contexts = np.repeat(random_pairs(6, seed=3).contexts[3:6], 40, axis=0)
    decoder, learner = Decoder(gca), ReinforceTraining(gca, 0.01)
    rewards = []
    for number in range(40):
        answers = decoder.sample(contexts, number).answers
        pairs = Pairs(contexts, answers, np.zeros(len(contexts), np.int32))
        sums = learner.train_step(*take_batch(pairs, np.arange(len(pairs)), len(pairs))).sums
        rewards.append(learner.metrics(add_up([sums]))["judged_human"])
    assert np.mean(rewards[-5:]) > np.mean(rewards[:5]) + 0.1
