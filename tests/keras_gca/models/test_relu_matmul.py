import numpy as np
import pytest
import tensorflow as tf

from keras_gca.models.relu_matmul import UNROLLED, relu_sparse_matmul, sum_of_rows


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


@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16, tf.int8], ids=lambda dtype: dtype.name)
def test_rows_of_other_types_are_converted(dtype):
    random = np.random.default_rng(0)
    matrix = random.integers(-100, 100, size=(40, 9))  # exact in all types
    active = np.sort(random.choice(40, UNROLLED, replace=False))
    values = random.integers(1, 5, UNROLLED)
    indices, factors = np.pad(active, (0, UNROLLED)), np.pad(values, (0, UNROLLED))
    arguments = tf.constant(indices, tf.int32), tf.constant(factors, tf.float32), tf.constant(UNROLLED)
    np.testing.assert_array_equal(sum_of_rows(*arguments, tf.cast(matrix, dtype)), values @ matrix[active])
