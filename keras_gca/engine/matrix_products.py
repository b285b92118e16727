"""Measures the speed of matrix multiplication on this machine to estimate how long operations take."""

from collections.abc import Mapping

import tensorflow as tf

from glove.cost import Estimate, median_rate

FEW = 1e12  # a command with fewer operations takes less than a minute on any machine
ROWS = 512


def estimate_of(
    operations: Mapping[str, float], memory: float, shape: tuple[int, int], precision: str, rate: float | None = None
) -> Estimate:
    """Estimate the time that operations take.

    Args:
        operations: The number of operations in each part of the work. If a part runs k times slower than one large
            matrix multiplication, the caller must multiply its number of operations by k.
        memory: The peak memory, in bytes.
        shape: The shape of the matrix used to measure the speed.
        precision: "bfloat16" or "float32".
        rate: The speed of matrix multiplication, in operations per second. If None, it is measured.

    Returns:
        The estimate. It has no times if `rate` is None and the operations take less than a minute on any machine.
    """
    if rate is None and sum(operations.values()) < FEW:
        return Estimate(dict.fromkeys(operations, 0.0), memory, "was not measured")
    rate = rate or matrix_product_rate(*shape, precision)
    seconds = {name: number / rate for name, number in operations.items()}
    return Estimate(seconds, memory, f"multiplies matrices at {rate / 1e9:.0f} GFLOP/s")


def matrix_product_rate(inputs: int, outputs: int, precision: str = "float32") -> float:
    """Measure the operations per second when a (512, inputs) matrix is multiplied by an (inputs, outputs) matrix.

    Args:
        inputs: The width of the first matrix.
        outputs: The width of the second matrix.
        precision: "bfloat16" or "float32".
    """
    kind = tf.bfloat16 if precision == "bfloat16" else tf.float32
    a, b = tf.ones([ROWS, inputs], kind), tf.ones([inputs, outputs], kind)
    return median_rate(lambda: tf.matmul(a, b).numpy(), 2 * ROWS * inputs * outputs)
