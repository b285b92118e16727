"""Measures how fast this machine multiplies matrices, and estimates the time of operations from this rate."""

from collections.abc import Mapping

import tensorflow as tf

from glove.cost import Estimate, median_rate

FEW = 1e12  # a command with fewer operations takes less than a minute on any machine
ROWS = 512


def estimate_of(
    operations: Mapping[str, float], memory: float, shape: tuple[int, int], precision: str, rate: float | None = None
) -> Estimate:
    """Estimate the time of operations.

    Args:
        operations: The operations of each part. Who counts them divides them by the share of the rate of one large
            matrix product that the part reaches.
        memory: The peak of memory, in bytes.
        shape: The shape of the matrix of the product whose rate is measured.
        precision: "bfloat16" or "float32".
        rate: The rate in operations per second. If None, it is measured.

    Returns:
        The estimate; without times if there are so few operations that their time is not worth a line.
    """
    if rate is None and sum(operations.values()) < FEW:
        return Estimate(dict.fromkeys(operations, 0.0), memory, "was not measured")
    rate = rate or matrix_product_rate(*shape, precision)
    seconds = {name: number / rate for name, number in operations.items()}
    return Estimate(seconds, memory, f"multiplies matrices at {rate / 1e9:.0f} GFLOP/s")


def matrix_product_rate(inputs: int, outputs: int, precision: str = "float32") -> float:
    """Measure the rate of the product of a (512, inputs) and an (inputs, outputs) matrix, in operations per second.

    Args:
        inputs: The width of the first matrix.
        outputs: The width of the second matrix.
        precision: "bfloat16" or "float32".
    """
    kind = tf.bfloat16 if precision == "bfloat16" else tf.float32
    a, b = tf.ones([ROWS, inputs], kind), tf.ones([inputs, outputs], kind)
    return median_rate(lambda: tf.matmul(a, b).numpy(), 2 * ROWS * inputs * outputs)
