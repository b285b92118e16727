import numpy as np
import pytest
import tensorflow as tf

from keras_gca.models.relu_matmul import UNROLLED, relu_sparse_matmul


@pytest.mark.parametrize("units", [1, 5, UNROLLED, 3 * UNROLLED + 7])
@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_the_product_is_that_of_all_units(units, share):
    random = np.random.default_rng(units)
    row = np.abs(random.normal(size=(1, units))).astype(np.float32) * (random.random(units) < share)
    matrix = random.normal(size=(units, 11)).astype(np.float32)
    found = relu_sparse_matmul(tf.constant(row, tf.float32), tf.constant(matrix))
    np.testing.assert_allclose(found, row @ matrix, rtol=1e-5, atol=1e-5)


def test_rows_of_zero_are_not_read():
    """The unread rows are infinite: if they were read, 0 * inf would give NaN."""
    matrix = tf.constant([[1.0, 2.0], [np.inf, np.inf], [3.0, 4.0]])
    np.testing.assert_array_equal(relu_sparse_matmul(tf.constant([[0.5, 0, 2]]), matrix), [[6.5, 9.0]])
