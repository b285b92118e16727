import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gca.recurrence import lstm_states, lstm_step


@pytest.fixture
def lstm():
    lstm = keras.layers.LSTM(6)
    lstm.build((None, None, 4))
    lstm.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(lstm.get_weights())])
    return lstm


def of_keras(lstm, sequences):
    twin = keras.layers.LSTM(6, return_sequences=True)
    twin.cell = lstm.cell
    return twin(sequences)


@pytest.mark.parametrize("devices", [[], ["GPU:0"]])
@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (3, 5), (4, 50)])
def test_states_and_gradients_equal_those_of_keras(lstm, batch, steps, devices, monkeypatch):
    """Our own gradient, and the way that is taken on a GPU (here Keras' layer without one)."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(batch, steps, 4)), tf.float32)
    upstream = tf.constant(random.normal(size=(batch, steps, 6)), tf.float32)
    results = []
    for states_of in (lstm_states, of_keras):
        with tf.GradientTape() as tape:
            tape.watch(x)
            states = states_of(lstm, x)
            loss = tf.reduce_sum(states * upstream)
        gradients = tape.gradient(loss, [x, *(weight.value for weight in lstm.weights)])
        results.append([states, *gradients])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_steps_make_the_same_states(lstm):
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 5, 4)), tf.float32)
    h = c = tf.zeros((3, 6))
    states = []
    for t in range(5):
        h, c = lstm_step(lstm, x[:, t], h, c)
        states.append(h)
    np.testing.assert_allclose(tf.stack(states, 1), lstm_states(lstm, x), atol=1e-6)


def test_what_comes_later_does_not_change_a_state(lstm):
    x = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    changed = x.copy()
    changed[:, 4:] = 9
    np.testing.assert_array_equal(lstm_states(lstm, x)[:, :4], lstm_states(lstm, changed)[:, :4])
