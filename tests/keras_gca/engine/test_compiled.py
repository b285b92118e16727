"""Compiled functions, without XLA. `tests/test_xla.py` compiles the functions of both papers by XLA."""

import gc
import weakref

import numpy as np
import pytest
import tensorflow as tf

from keras_gca.engine.compiled import Compiled


def test_one_graph_for_all_sizes_and_one_each_with_xla():
    for jit_compile, graphs in ((False, 1), (True, 2)):
        doubled = Compiled(lambda rows: 2 * rows, jit_compile)
        for shape in ((2, 3), (4, 5), (2, 3)):
            np.testing.assert_array_equal(doubled(np.ones(shape, np.int32)), 2 * np.ones(shape))
        assert doubled.traces == graphs


def test_one_graph_for_all_widths_of_an_array_with_a_float_for_each_token():
    for per_token, graphs in (((), 2), (("values",), 1)):
        doubled = Compiled(lambda values: 2 * values, per_token=per_token)
        for shape in ((2, 3), (4, 5), (2, 3)):
            np.testing.assert_array_equal(doubled(np.ones(shape, np.float32)), 2 * np.ones(shape))
        assert doubled.traces == graphs


def test_what_is_replicated_must_be_an_argument():
    with pytest.raises(ValueError, match="the function does not have these arguments: seed"):
        Compiled(tf.identity, replicated=("seed",))


@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_graph_with_its_own_gradient_is_freed_with_the_compiled_function(jit_compile):
    @tf.custom_gradient
    def tripled(values):
        return 3 * values, lambda upstream: 5 * upstream

    variable, graphs = tf.Variable([1.0, 2.0]), []

    def slopes(factors):
        graphs.append(weakref.ref(tf.compat.v1.get_default_graph()))
        with tf.GradientTape() as tape:
            result = tf.reduce_sum(factors * tripled(variable))
        return tape.gradient(result, variable)

    compiled = Compiled(slopes, jit_compile, distribute=False)
    np.testing.assert_array_equal(compiled(np.ones((1, 2), np.float32)), [5, 5])
    np.testing.assert_array_equal(compiled(np.full((1, 2), 2, np.float32)), [10, 10])  # still known
    del compiled
    gc.collect()  # frees the function, which forgets the gradients
    gc.collect()  # frees the graph
    assert [graph() for graph in graphs] == [None]
