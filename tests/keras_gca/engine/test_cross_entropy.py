"""The cross-entropy and its gradient equal TensorFlow's own function and a calculation in float64."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.special import log_softmax

from keras_gca.engine.cross_entropy import cross_entropies


def values_and_gradients(function, logits, targets, weights):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = function(logits, tf.constant(targets))
        total = tf.reduce_sum(losses * weights)
    return losses.numpy(), tape.gradient(total, logits).numpy()


@pytest.mark.parametrize("scale", [1.0, 80.0])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_values_and_gradients_are_those_of_tensorflow_and_of_numpy(scale, dtype):
    random = np.random.default_rng(0)
    logits = (scale * random.normal(size=(7, 30))).astype(np.float32)
    targets, weights = random.integers(0, 30, 7).astype(dtype), random.normal(size=7).astype(np.float32)
    losses, gradients = values_and_gradients(cross_entropies, logits, targets, weights)

    def peer(logits, targets):
        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits)

    for ours, theirs in zip((losses, gradients), values_and_gradients(peer, logits, targets, weights), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)

    log_p = log_softmax(logits.astype(np.float64), axis=1)
    np.testing.assert_allclose(losses, -log_p[np.arange(7), targets], rtol=1e-5, atol=1e-5)
    expected = weights[:, None] * (np.exp(log_p) - np.eye(30)[targets])
    np.testing.assert_allclose(gradients, expected, rtol=1e-4, atol=1e-6)


def test_no_rows_and_graphs():
    empty = values_and_gradients(cross_entropies, np.zeros((0, 5), np.float32), np.zeros(0, np.int32), 1.0)
    assert [array.shape for array in empty] == [(0,), (0, 5)]

    @tf.function(input_signature=[tf.TensorSpec((None, 4)), tf.TensorSpec((None,), tf.int32)])
    def in_graph(logits, targets):
        return tf.gradients(tf.reduce_mean(cross_entropies(logits, targets)), logits)[0]

    for rows in (1, 3):
        gradient = in_graph(tf.zeros((rows, 4)), tf.zeros(rows, tf.int32)).numpy()
        np.testing.assert_allclose(gradient, np.tile([[-0.75, 0.25, 0.25, 0.25]], (rows, 1)) / rows, rtol=1e-6)
