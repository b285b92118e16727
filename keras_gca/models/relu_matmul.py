"""A product with what a relu has left: a matrix-vector product that reads only the rows of the units that are not zero.

For a single row, the product with a large matrix takes as long as it takes to read the matrix. In a trained generator
four of five units of the hidden layer are zero for any one token, so most of the matrix need not be read. The result is
that of the whole product: what is left out would have added zeros.
"""

import tensorflow as tf

UNROLLED = 16  # rows added in one pass over the result


def relu_sparse_matmul(row: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """Multiply a row with a matrix, reading only the matrix's rows of what is above zero. Not differentiable.

    Args:
        row: (1, n) float32, not negative.
        matrix: (n, m) float32.

    Returns:
        (1, m) float32.
    """
    active = tf.cast(tf.where(row[0] > 0)[:, 0], tf.int32)
    values = tf.gather(row[0], active)
    # Of one shape whatever their number, so that the program below is compiled once; the filling counts for nothing.
    units = row.shape[1] + -row.shape[1] % UNROLLED
    filling = [[0, units - tf.size(active)]]
    return _sum_of_rows(tf.pad(active, filling), tf.pad(values, filling), tf.size(active), matrix)[None]


@tf.function(jit_compile=True)
def _sum_of_rows(indices: tf.Tensor, values: tf.Tensor, count: tf.Tensor, matrix: tf.Tensor) -> tf.Tensor:
    """The sum of values[i] * matrix[indices[i]] over the first `count`, and over some of the filling."""

    def step(start: tf.Tensor, total: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        index, value = tf.slice(indices, [start], [UNROLLED]), tf.slice(values, [start], [UNROLLED])
        for i in range(UNROLLED):
            total += value[i] * tf.gather(matrix, index[i])
        return start + UNROLLED, total

    return tf.while_loop(lambda start, _: start < count, step, (0, tf.zeros(matrix.shape[1])))[1]
