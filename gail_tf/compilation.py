"""How functions of batches are compiled."""

from collections.abc import Callable

import tensorflow as tf


def compiled(function: Callable, jit_compile: bool = False) -> Callable:
    """A graph of a function whose batches differ in width.

    A graph takes seconds to make. So there is one for the first width, and one for all others, whose widths it does not
    know; on CPUs it is as fast. XLA wants static shapes: with jit_compile there is one for each width.
    """
    return tf.function(function, autograph=False, jit_compile=jit_compile, reduce_retracing=not jit_compile)
