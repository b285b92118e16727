import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gca.models.lstm import States, hard_sigmoid, lstm_memories, lstm_states, lstm_step


@pytest.fixture(params=["sigmoid", hard_sigmoid])
def lstm(request):
    lstm = keras.layers.LSTM(6, recurrent_activation=request.param)
    lstm.build((None, None, 4))
    lstm.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(lstm.get_weights())])
    return lstm


def of_keras(lstm, sequences, start):
    twin = keras.layers.LSTM(6, return_sequences=True)
    twin.cell = lstm.cell
    return twin(sequences, initial_state=list(start))


@pytest.mark.parametrize("devices", [[], ["GPU:0"]])
@pytest.mark.parametrize(("batch", "steps"), [(1, 1), (3, 5), (4, 50)])
def test_states_and_gradients_equal_those_of_keras(lstm, batch, steps, devices, monkeypatch):
    """Tests this project's gradient, and Keras' layer, which is for GPUs but runs on a CPU in this test."""
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: devices)
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(batch, steps, 4)), tf.float32)
    upstream = tf.constant(random.normal(size=(batch, steps, 6)), tf.float32)
    start = States(*(tf.constant(random.normal(size=(batch, 6)), tf.float32) for _ in range(2)))
    results = []
    for states_of in (lstm_states, of_keras):
        with tf.GradientTape() as tape:
            tape.watch([x, *start])
            states = states_of(lstm, x, start)
            loss = tf.reduce_sum(states * upstream)
        gradients = tape.gradient(loss, [x, *start, *(weight.value for weight in lstm.weights)])
        results.append([states, *gradients])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_steps_make_the_same_states(lstm):
    x = tf.constant(np.random.default_rng(0).normal(size=(3, 5, 4)), tf.float32)
    memory = States(tf.zeros((3, 6)), tf.zeros((3, 6)))
    states = []
    for t in range(5):
        memory = lstm_step(lstm, x[:, t], memory)
        states.append(memory.h)
    np.testing.assert_allclose(tf.stack(states, 1), lstm_states(lstm, x), atol=1e-6)


def test_memories_are_states_and_cells_with_their_gradients(lstm):
    """The expected gradient comes from single steps through the same sequence."""
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(3, 5, 4)), tf.float32)
    upstream = tf.constant(random.normal(size=(2, 3, 5, 6)), tf.float32)

    def stepped():
        memory, memories = States(tf.zeros((3, 6)), tf.zeros((3, 6))), []
        for t in range(5):
            memory = lstm_step(lstm, x[:, t], memory)
            memories.append(memory)
        return States(*(tf.stack(parts, 1) for parts in zip(*memories, strict=True)))

    results = []
    for memories_of in (lambda: lstm_memories(lstm, x), stepped):
        with tf.GradientTape() as tape:
            tape.watch(x)
            memories = memories_of()
            loss = tf.reduce_sum(tf.stack(memories) * upstream)
        results.append([*memories, *tape.gradient(loss, [x, *(weight.value for weight in lstm.weights)])])
    for ours, expected in zip(*results, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)


def test_several_memories_may_read_the_same_input(lstm):
    random = np.random.default_rng(0)
    x = tf.constant(random.normal(size=(3, 4)), tf.float32)
    many = States(*(tf.constant(random.normal(size=(3, 5, 6)), tf.float32) for _ in range(2)))
    together = lstm_step(lstm, x, many)
    for lane in range(5):
        alone = lstm_step(lstm, x, States(many.h[:, lane], many.c[:, lane]))
        np.testing.assert_allclose(together.h[:, lane], alone.h, atol=1e-6)
        np.testing.assert_allclose(together.c[:, lane], alone.c, atol=1e-6)


def test_keras_2s_hard_sigmoid():
    np.testing.assert_allclose(hard_sigmoid(tf.constant([-3.0, -2.5, -1, 0, 1, 2.5, 3])), [0, 0, 0.3, 0.5, 0.7, 1, 1])


def test_what_comes_later_does_not_change_a_state(lstm):
    x = np.random.default_rng(0).normal(size=(2, 6, 4)).astype(np.float32)
    changed = x.copy()
    changed[:, 4:] = 9
    np.testing.assert_array_equal(lstm_states(lstm, x)[:, :4], lstm_states(lstm, changed)[:, :4])
