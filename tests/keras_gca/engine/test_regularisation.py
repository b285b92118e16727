"""Compares label smoothing, instance noise and spectral normalisation with NumPy. gail_tf's tests use them as well."""

import numpy as np
import pytest
import tensorflow as tf

from keras_gca.engine.random import batch_gumbel, batch_normal, batch_uniform
from keras_gca.engine.regularisation import spectrally_normalised, with_proportional_noise, with_smoothed_labels
from keras_gca.engine.replicas import place
from keras_gca.errors import UserError


def test_smoothed_labels_are_those_of_the_cross_entropy():
    logits = np.array([-3.0, 0.0, 0.4, 5.0])
    p = 1 / (1 + np.exp(-logits))
    expected = -0.9 * np.log(p) - 0.1 * np.log(1 - p)
    np.testing.assert_allclose(with_smoothed_labels(-np.log(p), logits, 0.1), expected)
    with pytest.raises(UserError, match=r"the label smoothing is 0.5; a number from 0 to below 0.5 is expected"):
        with_smoothed_labels(-np.log(p), logits, 0.5)


def test_noise_is_proportional_to_the_deviation_of_what_counts():
    features = np.float32([[1, 10], [3, 30], [5, 20], [90, 90]])
    drawn = np.float32([[1, -1], [0, 2], [0.5, 0], [1, 1]])
    expected = features + 0.5 * features[:3].std(0) * drawn
    mask = np.array([True, True, True, False])
    np.testing.assert_allclose(with_proportional_noise(features, 0.5, drawn, mask), expected, rtol=1e-6)
    everything = features + 0.5 * features.std(0) * drawn
    np.testing.assert_allclose(with_proportional_noise(features, 0.5, drawn), everything, rtol=1e-6)


def test_noise_of_a_single_sample_has_a_finite_gradient():
    features, drawn = tf.Variable([[1.0, 2.0]]), tf.ones((1, 2))
    with tf.GradientTape() as tape:
        noisy = with_proportional_noise(features, 0.5, drawn)
        total = tf.reduce_sum(noisy)
    np.testing.assert_array_equal(noisy, features)
    np.testing.assert_array_equal(tape.gradient(total, features), [[1.0, 1.0]])


@pytest.mark.parametrize("shape", [(5, 9), (30, 12), (7, 1)])
def test_the_largest_singular_value_becomes_1(shape):
    matrix = np.random.default_rng(3).normal(size=shape).astype(np.float32) * 2
    largest = np.linalg.svd(matrix, compute_uv=False)[0]
    assert largest > 1.5
    np.testing.assert_allclose(spectrally_normalised(tf.constant(matrix)), matrix / largest, rtol=0.02)
    small = matrix / (2 * largest)
    np.testing.assert_array_equal(spectrally_normalised(tf.constant(small)), small)


def test_random_numbers_of_a_batch_have_their_distributions():
    seed, rows = tf.constant([1, 2]), place(tf.constant(2000))
    uniform = batch_uniform(seed, rows, [3]).numpy()
    np.testing.assert_allclose(batch_gumbel(seed, rows, [3]), -np.log(-np.log(uniform)), rtol=1e-4, atol=1e-5)
    drawn = batch_normal(seed, rows, [3]).numpy()
    assert abs(drawn.mean()) < 0.05
    assert drawn.std() == pytest.approx(1, abs=0.05)
    assert ((uniform < 0.5) == (drawn < 0)).all()
