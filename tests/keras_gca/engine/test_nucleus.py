import numpy as np
import pytest
import tensorflow as tf

from keras_gca.engine.nucleus import FORBIDDEN, nucleus_log_probs
from tests.oracles.nucleus import by_sorting

TOP_P = (0.05, 0.5, 0.9, 0.999)


@pytest.mark.parametrize("top_p", TOP_P)
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
def test_the_nucleus_is_what_sorting_finds(top_p, spread):
    scores = (spread * np.random.default_rng(3).normal(size=(8, 500))).astype(np.float32)
    found = nucleus_log_probs(tf.constant(scores), top_p).numpy()
    for i in range(8):
        expected = by_sorting(scores[i], top_p)
        assert ((found[i] > FORBIDDEN / 2) == (expected > FORBIDDEN / 2)).all()
        np.testing.assert_allclose(found[i][found[i] > FORBIDDEN / 2], expected[expected > FORBIDDEN / 2], atol=1e-4)


def test_by_hand():
    scores = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], np.float32)) + 7
    for top_p, kept in ((0.4, 1), (0.6, 2), (0.9, 3), (0.97, 4)):
        expected = np.array([0.5, 0.3, 0.15, 0.05])[:kept] / [0.5, 0.8, 0.95, 1.0][kept - 1]
        found = np.exp(nucleus_log_probs(scores, top_p).numpy()[0])
        np.testing.assert_allclose(found, np.pad(expected, (0, 4 - kept)), rtol=1e-5)


def test_extremes():
    certain = np.array([[0.0, -200.0, -300.0]], np.float32)
    np.testing.assert_array_equal(np.exp(nucleus_log_probs(certain, 0.9))[0], [1, 0, 0])
    even = np.zeros((1, 4), np.float32)  # if tokens are equally likely, the nucleus has all of them
    np.testing.assert_allclose(np.exp(nucleus_log_probs(even, 0.1))[0], [0.25] * 4, rtol=1e-6)


def test_a_token_that_counts_as_inside():
    scores = np.random.default_rng(4).normal(size=(5, 50)).astype(np.float32)
    also = np.argmin(scores, axis=1).astype(np.int32)
    found = nucleus_log_probs(scores, 0.5, also).numpy()
    for i in range(5):
        np.testing.assert_allclose(found[i], by_sorting(scores[i], 0.5, int(also[i])), rtol=1e-4)


def test_its_gradient_takes_the_nucleus_as_fixed():
    scores = tf.constant(np.random.default_rng(5).normal(size=(1, 6)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(scores)
        taken = nucleus_log_probs(scores, 0.7)[0, int(np.argmax(scores))]
    p = np.exp(by_sorting(scores.numpy()[0], 0.7))
    np.testing.assert_allclose(tape.gradient(taken, scores)[0], np.eye(6)[int(np.argmax(scores))] - p, atol=1e-5)
