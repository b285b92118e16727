"""The benchmark's product of screened rows equals NumPy's, for weights of each type."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.memory_bound import TYPES, UNROLLED, screened


@pytest.mark.parametrize("dtype", TYPES.values(), ids=TYPES)
def test_the_sum_of_active_rows_is_the_product(dtype):
    random = np.random.default_rng(0)
    matrix = random.integers(-100, 100, size=(40, 9))  # exact in all types
    indices, values = np.zeros((2, 48))
    active = np.sort(random.choice(40, UNROLLED, replace=False))
    indices[:UNROLLED], values[:UNROLLED] = active, random.integers(1, 5, UNROLLED)
    row = np.zeros(40)
    row[active] = values[:UNROLLED]
    result = screened(
        tf.constant(indices, tf.int32), tf.constant(values, tf.float32), tf.constant(UNROLLED), tf.cast(matrix, dtype)
    )
    np.testing.assert_array_equal(result.numpy(), row @ matrix)
