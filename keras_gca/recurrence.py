"""The states of a Keras LSTM after every token, with a gradient of its own.

A recurrence differentiated by the framework adds its weights' gradients up step by step. Here the backward pass only
carries the gates' gradients through time; the weights' gradients are then one matrix product each over all steps. Both
passes are XLA programs. The equations are those of the usual LSTM, the gates in Keras' order:

    [i f g o] = [s(z_i) s(z_f) tanh(z_c) s(z_o)],  z = x W + h' U + b,  c = f c' + i g,  h = o tanh(c)

Shapes: B sequences, T steps, u units.
"""

import keras
import tensorflow as tf


def lstm_states(lstm: keras.layers.LSTM, sequences: tf.Tensor) -> tf.Tensor:
    """The state h of `lstm` after every step: (B, T, s_e) float32 -> (B, T, u), differentiable once.

    There is no mask: with padding on the right, the states at the tokens do not depend on it. On a GPU Keras' own layer
    runs instead, which reaches the cuDNN kernel.
    """
    if tf.config.list_physical_devices("GPU"):
        twin = keras.layers.LSTM.from_config({**lstm.get_config(), "return_sequences": True})
        twin.cell = lstm.cell
        return twin(sequences)
    cell = lstm.cell
    return _lstm_states(sequences, *(tf.convert_to_tensor(w) for w in (cell.kernel, cell.recurrent_kernel, cell.bias)))


def lstm_step(lstm: keras.layers.LSTM, x: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of `lstm`: x (B, s_e), h and c (B, u) -> the next h and c."""
    cell = lstm.cell
    h, c, _ = _step(x @ cell.kernel + h @ cell.recurrent_kernel + cell.bias, c)
    return h, c


def _step(z: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tuple[tf.Tensor, ...]]:
    i, f, g, o = tf.split(z, 4, axis=1)
    i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
    c = f * c + i * g
    return o * tf.tanh(c), c, (i, f, g, o)


@tf.custom_gradient
def _lstm_states(x, W, U, b):
    # stop_gradient: outside a graph, the tape would otherwise try to differentiate the XLA program itself.
    states, cells, gates = _forward(*map(tf.stop_gradient, (x, W, U, b)))

    def gradient(upstream):
        return _backward(upstream, x, W, U, states, cells, gates)

    return tf.transpose(states, [1, 0, 2]), gradient


@tf.function(jit_compile=True)
def _forward(x, W, U, b):
    """States and cells (T, B, u), and the gates after their activations (T, B, 4u), in the order i, f, c, o."""
    inputs = tf.transpose(x, [1, 0, 2])
    z = tf.tensordot(inputs, W, 1) + b  # (T, B, 4u)
    steps = z.shape[0] or tf.shape(z)[0]
    zeros = tf.zeros([tf.shape(x)[0], U.shape[0]])
    arrays = [
        tf.TensorArray(tf.float32, size=steps, element_shape=(None, n)) for n in (U.shape[0], U.shape[0], U.shape[1])
    ]

    def step(t, h, c, states, cells, gates):
        h, c, activated = _step(z[t] + h @ U, c)
        return t + 1, h, c, states.write(t, h), cells.write(t, c), gates.write(t, tf.concat(activated, 1))

    _, _, _, *arrays = tf.while_loop(
        lambda t, *_: t < steps, step, (0, zeros, zeros, *arrays), maximum_iterations=steps
    )
    return tuple(array.stack() for array in arrays)


@tf.function(jit_compile=True)
def _backward(upstream, x, W, U, states, cells, gates):
    """The gradients of x, W, U and b, given that of the states (B, T, u)."""
    upstream = tf.transpose(upstream, [1, 0, 2])
    steps = upstream.shape[0] or tf.shape(upstream)[0]
    first = tf.zeros_like(states[:1])
    before_h, before_c = tf.concat([first, states[:-1]], 0), tf.concat([first, cells[:-1]], 0)
    zeros = tf.zeros_like(states[0])
    U_transposed = tf.transpose(U)
    collected = tf.TensorArray(tf.float32, size=steps, element_shape=(None, U.shape[1]))

    def step(t, dh, dc, collected):
        i, f, g, o = tf.split(gates[t], 4, axis=1)
        dh += upstream[t]
        squashed = tf.tanh(cells[t])
        dc += dh * o * (1 - squashed**2)
        dz = tf.concat(
            [dc * g * i * (1 - i), dc * before_c[t] * f * (1 - f), dc * i * (1 - g**2), dh * squashed * o * (1 - o)], 1
        )
        return t - 1, dz @ U_transposed, dc * f, collected.write(t, dz)

    _, _, _, collected = tf.while_loop(
        lambda t, *_: t >= 0, step, (steps - 1, zeros, zeros, collected), maximum_iterations=steps
    )
    dz = collected.stack()  # (T, B, 4u)
    dx = tf.transpose(tf.tensordot(dz, W, [[2], [1]]), [1, 0, 2])
    flat = tf.reshape(dz, [-1, U.shape[1]])
    dW = tf.matmul(tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, W.shape[0]]), flat, transpose_a=True)
    dU = tf.matmul(tf.reshape(before_h, [-1, U.shape[0]]), flat, transpose_a=True)
    return dx, dW, dU, tf.reduce_sum(flat, 0)
