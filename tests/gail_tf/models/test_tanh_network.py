import numpy as np
import tensorflow as tf

from gail_tf.models.tanh_network import TanhNetwork, ValueBaseline


def test_the_network_in_numpy():
    network = TanhNetwork(12, 3, seed=0, name="network")
    draw = np.random.default_rng(1)
    for variable in network.trainable_variables:
        variable.assign(draw.normal(0, 0.3, variable.shape))
    gamma, beta, W_1, b_1, W_2, b_2, W_3, b_3 = (variable.numpy() for variable in network.trainable_variables)
    assert (W_1.shape, W_2.shape, W_3.shape) == ((12, 100), (100, 100), (100, 3))
    x = draw.normal(5, 40, (2, 4, 12)).astype(np.float32)
    h = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) * gamma + beta
    expected = np.tanh(np.tanh(h @ W_1 + b_1) @ W_2 + b_2) @ W_3 + b_3
    np.testing.assert_allclose(network(x), expected, atol=1e-4)


def test_the_baseline_starts_at_zero_and_learns_without_touching_the_features():
    features = tf.constant(np.random.default_rng(2).normal(size=(16, 5, 12)).astype(np.float32))
    targets = tf.sin(features[..., 0])
    baseline = ValueBaseline(12)
    np.testing.assert_array_equal(baseline(features), np.zeros((16, 5)))
    variables = baseline.trainable_variables

    @tf.function
    def learn():
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = tf.reduce_mean((baseline(features) - targets) ** 2)
        *gradients, to_features = tape.gradient(loss, [*(variable.value for variable in variables), features])
        assert to_features is None
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(0.1 * gradient)
        return loss

    losses = [float(learn()) for _ in range(300)]
    assert losses[-1] < 0.3 * losses[0]
