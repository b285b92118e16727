"""Computes the states of a Keras LSTM after every token, with a custom gradient.

When TensorFlow differentiates a recurrence, it adds up the gradients of the weights step by step. Here, the backward
pass propagates only the gradients of the gates through time. The gradient of each weight matrix is then computed as one
matrix product over all steps. Both passes are compiled by XLA. The equations are those of the usual LSTM, with the
gates in Keras' order, where s is the sigmoid or `hard_sigmoid`:

    [i f g o] = [s(z_i) s(z_f) tanh(z_c) s(z_o)],  z = x @ W + h' @ U + b,  c = f * c' + i * g,  h = o * tanh(c)

x is the input of a step, h is its output, and c is its cell; h' and c' are the output and the cell of the previous
step. W, U, and b are the weights of the layer. Several sequences can be joined into one; h' and c' are then 0 at the
beginning of each joined sequence. Shapes: B sequences; T steps; u units; s_e numbers in an input.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("keras_gca")
def hard_sigmoid(z: tf.Tensor) -> tf.Tensor:
    """Compute Keras 2's hard sigmoid, clip(0.2 * z + 0.5, 0, 1); Keras 3's hard sigmoid has a different slope."""
    return tf.clip_by_value(0.2 * z + 0.5, 0.0, 1.0)


class States(NamedTuple):
    """The memory of an LSTM.

    Attributes:
        h: The output, shape (..., u) and dtype float32.
        c: The cell, shape (..., u) and dtype float32.
    """

    h: tf.Tensor
    c: tf.Tensor


def lstm_states(lstm: keras.layers.LSTM, sequences: tf.Tensor, start: States | None = None) -> tf.Tensor:
    """Compute the state h of an LSTM after every step. The result can be differentiated only once.

    No mask is needed, because padding on the right of a sequence does not change the states at the tokens before it. On
    a GPU, Keras' own layer is used instead, which runs the cuDNN kernel if the gates are sigmoids.

    Args:
        lstm: A layer whose gates are sigmoids or `hard_sigmoid`.
        sequences: The inputs, shape (B, T, s_e) and dtype float32.
        start: h and c before the first step, each of shape (B, u), or None for zeros.

    Returns:
        A float32 tensor of shape (B, T, u).
    """
    if tf.config.list_physical_devices("GPU"):
        twin = keras.layers.LSTM.from_config({**lstm.get_config(), "return_sequences": True})
        twin.cell = lstm.cell
        return twin(sequences, initial_state=None if start is None else list(start))
    return lstm_memories(lstm, sequences, start).h


def lstm_memories(
    lstm: keras.layers.LSTM, sequences: tf.Tensor, start: States | None = None, kept: tf.Tensor | None = None
) -> States:
    """Compute h and c of an LSTM after every step, on every device.

    Args:
        lstm: A layer whose gates are sigmoids or `hard_sigmoid`.
        sequences: The inputs, shape (B, T, s_e) and dtype float32.
        start: h and c before the first step, each of shape (B, u), or None for zeros.
        kept: The factor by which the memory is multiplied before each step, shape (B, T) and dtype float32: 0 at the
            beginning of a joined sequence, and 1 elsewhere. None if sequences are not joined.

    Returns:
        h and c, each of shape (B, T, u) and dtype float32.
    """
    cell = lstm.cell
    if start is None:
        zeros = tf.zeros([tf.shape(sequences)[0], lstm.units])
        start = States(zeros, zeros)
    weights = (tf.convert_to_tensor(weight) for weight in (cell.kernel, cell.recurrent_kernel, cell.bias))
    several = () if kept is None else (kept,)
    return States(*_recurrence(_is_hard(lstm))(sequences, *start, *weights, *several))


def lstm_step(lstm: keras.layers.LSTM, x: tf.Tensor, state: States) -> States:
    """Compute one step of an LSTM.

    Args:
        lstm: A layer whose gates are sigmoids or `hard_sigmoid`.
        x: The input, shape (B, s_e) and dtype float32.
        state: h and c before the step, each of shape (B, u), or (B, L, u) for L memories that receive the same x.

    Returns:
        The memory after x, with the same shapes.
    """
    cell = lstm.cell
    z = x @ cell.kernel + cell.bias
    if state.h.shape.rank == 3:
        z = z[:, None] + tf.tensordot(state.h, cell.recurrent_kernel, 1)
    else:
        z += state.h @ cell.recurrent_kernel
    return _step(z, state.c, _is_hard(lstm))[0]


def _is_hard(lstm: keras.layers.LSTM) -> bool:
    return lstm.cell.recurrent_activation is hard_sigmoid


def _step(z: tf.Tensor, c: tf.Tensor, hard: bool) -> tuple[States, tuple[tf.Tensor, ...]]:
    s = hard_sigmoid if hard else tf.sigmoid
    i, f, g, o = tf.split(z, 4, axis=-1)
    i, f, g, o = s(i), s(f), tf.tanh(g), s(o)
    c = f * c + i * g
    return States(o * tf.tanh(c), c), (i, f, g, o)


def _slope(gate: tf.Tensor, hard: bool) -> tf.Tensor:
    """Compute the derivative of a gate from the gate's value."""
    return tf.where((gate > 0) & (gate < 1), 0.2, 0.0) if hard else gate * (1 - gate)


@functools.cache
def _recurrence(hard: bool) -> Callable[..., tuple[tf.Tensor, tf.Tensor]]:
    """Return a function that takes (x, h, c, W, U, b) and returns h and c after every step, for one kind of gate.

    The function's optional seventh argument is `kept` (see `lstm_memories`), which has no gradient.
    """

    @tf.custom_gradient
    def recurrence(*arguments: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable]:
        # Without stop_gradient, the tape would try to differentiate the XLA-compiled function itself outside a graph.
        x, h, c, W, U, b, *several = map(tf.stop_gradient, arguments)
        kept = several[0] if several else None
        states, cells, gates = _forward(x, h, c, W, U, b, hard, kept)

        def gradient(upstream_h: tf.Tensor, upstream_c: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
            learned = _backward(upstream_h, upstream_c, *arguments[:5], states, cells, gates, hard, kept)
            return *learned, *(None for _ in several)

        return (tf.transpose(states, [1, 0, 2]), tf.transpose(cells, [1, 0, 2])), gradient

    return recurrence


@tf.function(jit_compile=True)
def _forward(
    x: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor,
    W: tf.Tensor,
    U: tf.Tensor,
    b: tf.Tensor,
    hard: bool,
    kept: tf.Tensor | None,
) -> tuple[tf.Tensor, ...]:
    """Compute the states and cells, shape (T, B, u), and the activated gates i, f, g, o, shape (T, B, 4u)."""
    inputs = tf.transpose(x, [1, 0, 2])
    z = tf.tensordot(inputs, W, 1) + b  # (T, B, 4u)
    steps = z.shape[0] or tf.shape(z)[0]
    arrays = [
        tf.TensorArray(tf.float32, size=steps, element_shape=(None, n)) for n in (U.shape[0], U.shape[0], U.shape[1])
    ]

    def step(
        t: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        states: tf.TensorArray,
        cells: tf.TensorArray,
        gates: tf.TensorArray,
    ) -> tuple[Any, ...]:
        if kept is not None:
            h, c = (memory * kept[:, t, None] for memory in (h, c))
        (h, c), activated = _step(z[t] + h @ U, c, hard)
        return t + 1, h, c, states.write(t, h), cells.write(t, c), gates.write(t, tf.concat(activated, 1))

    _, _, _, *arrays = tf.while_loop(lambda t, *_: t < steps, step, (0, h, c, *arrays), maximum_iterations=steps)
    return tuple(array.stack() for array in arrays)


@tf.function(jit_compile=True)
def _backward(
    upstream_h: tf.Tensor,
    upstream_c: tf.Tensor,
    x: tf.Tensor,
    h: tf.Tensor,
    c: tf.Tensor,
    W: tf.Tensor,
    U: tf.Tensor,
    states: tf.Tensor,
    cells: tf.Tensor,
    gates: tf.Tensor,
    hard: bool,
    kept: tf.Tensor | None,
) -> tuple[tf.Tensor, ...]:
    """Compute the gradients of x, h, c, W, U, and b from those of the states and cells, shape (B, T, u)."""
    upstream_h, upstream_c = (tf.transpose(upstream, [1, 0, 2]) for upstream in (upstream_h, upstream_c))
    steps = upstream_h.shape[0] or tf.shape(upstream_h)[0]
    before_h, before_c = tf.concat([h[None], states[:-1]], 0), tf.concat([c[None], cells[:-1]], 0)
    if kept is not None:
        before_h, before_c = (memory * tf.transpose(kept)[:, :, None] for memory in (before_h, before_c))
    zeros = tf.zeros_like(h)
    U_transposed = tf.transpose(U)
    collected = tf.TensorArray(tf.float32, size=steps, element_shape=(None, U.shape[1]))

    def step(t: tf.Tensor, dh: tf.Tensor, dc: tf.Tensor, collected: tf.TensorArray) -> tuple[Any, ...]:
        i, f, g, o = tf.split(gates[t], 4, axis=1)
        dh += upstream_h[t]
        squashed = tf.tanh(cells[t])
        dc += upstream_c[t] + dh * o * (1 - squashed**2)
        dz = tf.concat(
            [
                dc * g * _slope(i, hard),
                dc * before_c[t] * _slope(f, hard),
                dc * i * (1 - g**2),
                dh * squashed * _slope(o, hard),
            ],
            1,
        )
        dh, dc = dz @ U_transposed, dc * f
        if kept is not None:
            dh, dc = (slope * kept[:, t, None] for slope in (dh, dc))
        return t - 1, dh, dc, collected.write(t, dz)

    _, dh, dc, collected = tf.while_loop(
        lambda t, *_: t >= 0, step, (steps - 1, zeros, zeros, collected), maximum_iterations=steps
    )
    dz = collected.stack()  # (T, B, 4u)
    dx = tf.transpose(tf.tensordot(dz, W, [[2], [1]]), [1, 0, 2])
    flat = tf.reshape(dz, [-1, U.shape[1]])
    dW = tf.matmul(tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, W.shape[0]]), flat, transpose_a=True)
    dU = tf.matmul(tf.reshape(before_h, [-1, U.shape[0]]), flat, transpose_a=True)
    return dx, dh, dc, dW, dU, tf.reduce_sum(flat, 0)
