"""Multiplies the output of a ReLU by a matrix, skipping the matrix rows for units whose output is zero.

Multiplying a single row by a large matrix takes as long as reading the matrix. In a trained generator, about four in
five hidden units are zero for any given token, so most rows of the matrix need not be read. The result is the same,
because the skipped rows would only add zeros.
"""

import tensorflow as tf

UNROLLED = 16  # rows added in one pass over the result


def relu_sparse_matmul(row: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiply a row by a matrix, reading only the matrix rows whose factor is above zero.

    The result cannot be differentiated.

    Args:
        row: The row, with non-negative values, shape (1, n) and dtype float32.
        matrix: The matrix, shape (n, m) and dtype float32.

    Returns:
        A float32 tensor of shape (1, m).
    """
    active = tf.cast(tf.where(row[0] > 0)[:, 0], tf.int32)
    values = tf.gather(row[0], active)
    # The arrays are padded with zeros to a length that does not depend on the number of active units, so that
    # `sum_of_rows` is compiled once. The padding only adds zeros to the sum.
    units = row.shape[1] + -row.shape[1] % UNROLLED
    filling = [[0, units - tf.size(active)]]
    return sum_of_rows(tf.pad(active, filling), tf.pad(values, filling), tf.size(active), matrix)[None]


@tf.function(jit_compile=True)
def sum_of_rows(indices: tf.Tensor, values: tf.Tensor, count: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Sum values[i] * matrix[indices[i]] over the first `count` indices, and over padding whose values are zero.

    Args:
        indices: The indices of rows, shape (k,) and dtype int32, where k is a multiple of UNROLLED.
        values: The factors of the rows, shape (k,) and dtype float32.
        count: The number of indices before the padding, an int32 scalar.
        matrix: The matrix, shape (n, m). Rows of another dtype are converted to float32.

    Returns:
        A float32 tensor of shape (m,).
    """

    def step(start: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        index, value = tf.slice(indices, [start], [UNROLLED]), tf.slice(values, [start], [UNROLLED])
        for i in range(UNROLLED):
            total += value[i] * tf.cast(tf.gather(matrix, index[i]), tf.float32)
        return start + UNROLLED, total

    return tf.while_loop(lambda start, _: start < count, step, (0, tf.zeros(matrix.shape[1])))[1]
