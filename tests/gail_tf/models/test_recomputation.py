"""Norms, activations and attention weights, compared with Keras' and TensorFlow's operations and their gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from gail_tf.models.recomputation import LayerNorm, RMSNorm, attention_weights, gelu, swiglu

DRAW = np.random.default_rng(0)
ROWS = DRAW.normal(0.3, 2, (3, 5, 8)).astype(np.float32)
VISIBLE = DRAW.random((3, 1, 5, 4)) < 0.6
VISIBLE[0, 0, 1] = False  # this token can attend to no token


def norms(kind, peer):
    """Return a norm and its peer with the same weights, none of which has its initial value."""
    layers = [one(epsilon=1e-5) for one in (kind, peer)]
    weights = DRAW.normal(1, 0.5, (2, 8)).astype(np.float32)
    for layer in layers:
        layer.build(ROWS.shape)
        for variable, value in zip(layer.trainable_variables, weights, strict=False):
            variable.assign(value)
    return layers


def masked_softmax(scores):
    return tf.nn.softmax(tf.where(VISIBLE, scores, -1e9))


def gated(gate_up):
    gate, up = tf.split(gate_up, 2, axis=-1)
    return tf.nn.silu(gate) * up


FUNCTIONS = {
    "layer norm": (*norms(LayerNorm, keras.layers.LayerNormalization), ROWS),
    "RMS norm": (*norms(RMSNorm, keras.layers.RMSNormalization), ROWS),
    "gelu": (gelu, lambda x: tf.nn.gelu(x, approximate=True), ROWS),
    "SwiGLU": (swiglu, gated, ROWS),
    "attention": (
        lambda scores: attention_weights(scores, tf.constant(VISIBLE)),
        masked_softmax,
        DRAW.normal(0, 2, (3, 2, 5, 4)).astype(np.float32),
    ),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_are_those_of_the_peer(name):
    function, peer, x = FUNCTIONS[name]
    found, expected = (values_and_gradients(one, tf.constant(x)) for one in (function, peer))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)
    compiled = tf.function(lambda x: values_and_gradients(function, x))(tf.constant(x))
    for one, other in zip(compiled, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_in_bfloat16_they_are_rounded(name):
    function, peer, x = FUNCTIONS[name]
    rounded = tf.cast(x, tf.bfloat16)
    if name in ("layer norm", "RMS norm"):  # Keras' layers convert their inputs to their own precision
        made = type(function)(epsilon=1e-5, dtype="mixed_bfloat16")
        made.build(x.shape)
        for variable, own in zip(made.trainable_variables, function.trainable_variables, strict=True):
            variable.assign(own.value)
        function = made
    found = values_and_gradients(function, rounded)[:2]
    for one, other in zip(found, values_and_gradients(peer, tf.cast(rounded, tf.float32)), strict=False):
        assert one.dtype == tf.bfloat16
        np.testing.assert_allclose(tf.cast(one, tf.float32), other, rtol=0.05, atol=0.08)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_gradient_keeps_one_tensor_of_the_forward_pass(name):
    function, _, x = FUNCTIONS[name]
    kept = arrays_kept(function, x)
    assert len(kept) == 1
    assert name == "attention" or kept == {"x"}  # attention keeps its result instead


@pytest.mark.parametrize("name", ["layer norm", "gelu"])
def test_without_recomputation_gradients_keep_more(name):
    _, peer, x = FUNCTIONS[name]
    assert len(arrays_kept(peer, x)) > 1


def values_and_gradients(function, x):
    """Return the result, the gradient at `x`, and the gradients at the weights of a layer."""
    weights = [variable.value for variable in getattr(function, "trainable_variables", ())]
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    return [y, *tape.gradient(y, [x, *weights], upstream(y))]


def upstream(y):
    return tf.cast(np.cos(np.arange(np.prod(y.shape), dtype=np.float32)).reshape(y.shape), y.dtype)


def arrays_kept(function, x):
    """Return the names of the operations whose results, as large as `x`, the gradient reads after the forward pass."""
    forward = set()

    @tf.function(autograph=False)
    def gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        forward.update(op.name for op in x.graph.get_operations())
        return tape.gradient(y, x, upstream(y))

    graph = gradient.get_concrete_function(tf.TensorSpec(x.shape, tf.float32, name="x")).graph
    later = [op for op in graph.get_operations() if op.name not in forward and op.type != "Shape"]
    read = [tensor for op in later for tensor in op.inputs if np.prod(tensor.shape) == x.size]
    return {origin(tensor).op.name for tensor in read} & forward


def origin(tensor):
    """Return the tensor of which `tensor` is a copy."""
    while tensor.op.type in ("Identity", "IdentityN", "Reshape", "Cast"):
        tensor = tensor.op.inputs[tensor.op.outputs.index(tensor)]
    return tensor
