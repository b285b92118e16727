"""Norms, activations and attention weights whose gradients recompute what is cheap to compute.

TensorFlow would otherwise keep the result of each elementwise operation until the gradient has been computed. Each
function here keeps only its input or, if that suffices, its output. Norms and softmax are computed in float32, whatever
the dtype of the input.
"""

import math
from collections.abc import Callable

import keras
import tensorflow as tf

MASKED = -1e9  # the attention score of a token that must not be attended to
_GELU_FACTOR, _GELU_CUBIC = math.sqrt(2 / math.pi), 0.044715  # Hendrycks and Gimpel 2016, Section 2


class LayerNorm(keras.layers.LayerNormalization):
    """Keras' layer normalization over the last axis (Ba et al. 2016), with the gradient of `layer_norm`."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return layer_norm(x, tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta), self.epsilon)


class RMSNorm(keras.layers.RMSNormalization):
    """Keras' RMS normalization over the last axis (Zhang and Sennrich 2019), with the gradient of `rms_norm`."""

    def call(self, x: tf.Tensor) -> tf.Tensor:
        return rms_norm(x, tf.convert_to_tensor(self.scale), self.epsilon)


def layer_norm(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Compute (x - mean) / sqrt(variance + epsilon) * gamma + beta over the last axis.

    Args:
        x: An array of shape (..., E).
        gamma: An array of shape (E,).
        beta: An array of shape (E,).
        epsilon: A small constant that is added to the variance.

    Returns:
        An array with the shape and the dtype of `x`.
    """

    def standardised(x: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        centred = _float32(x) - _mean(_float32(x))
        scale = tf.math.rsqrt(_mean(tf.square(centred)) + epsilon)
        return centred * scale, scale

    @tf.custom_gradient
    def normalise(x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            normal, scale = standardised(_again(x, upstream))
            upstream = _float32(upstream)
            scaled = upstream * _float32(gamma)
            of_x = scale * (scaled - _mean(scaled) - normal * _mean(scaled * normal))
            of_gamma, of_beta = _over_rows(upstream * normal), _over_rows(upstream)
            return tf.cast(of_x, x.dtype), tf.cast(of_gamma, gamma.dtype), tf.cast(of_beta, beta.dtype)

        return tf.cast(standardised(x)[0] * _float32(gamma) + _float32(beta), x.dtype), gradient

    return normalise(x, gamma, beta)


def rms_norm(x: tf.Tensor, scale: tf.Tensor, epsilon: float) -> tf.Tensor:
    """Compute x / sqrt(mean(x^2) + epsilon) * scale over the last axis.

    Args:
        x: An array of shape (..., E).
        scale: An array of shape (E,).
        epsilon: A small constant that is added to the mean of the squares.

    Returns:
        An array with the shape and the dtype of `x`.
    """

    def inverse_root(x: tf.Tensor) -> tf.Tensor:
        return tf.math.rsqrt(_mean(tf.square(x)) + epsilon)

    @tf.custom_gradient
    def normalise(x: tf.Tensor, scale: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            wide, upstream = _float32(_again(x, upstream)), _float32(upstream)
            root = inverse_root(wide)
            normal, scaled = wide * root, upstream * _float32(scale)
            of_x = root * (scaled - normal * _mean(scaled * normal))
            return tf.cast(of_x, x.dtype), tf.cast(_over_rows(upstream * normal), scale.dtype)

        wide = _float32(x)
        return tf.cast(wide * inverse_root(wide) * _float32(scale), x.dtype), gradient

    return normalise(x, scale)


@tf.custom_gradient
def gelu(x: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Compute the tanh approximation of GELU, x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))).

    Args:
        x: An array of any shape.

    Returns:
        An array with the shape and the dtype of `x`.
    """

    def tanh(x: tf.Tensor, square: tf.Tensor) -> tf.Tensor:
        return tf.tanh(x * (_GELU_FACTOR + _GELU_FACTOR * _GELU_CUBIC * square))

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        z = _again(x, upstream)
        square = z * z
        t = tanh(z, square)
        inner = _GELU_FACTOR + 3 * _GELU_FACTOR * _GELU_CUBIC * square
        return upstream * 0.5 * (1 + t) * (1 + z * (1 - t) * inner)

    return 0.5 * x * (1 + tanh(x, x * x)), gradient


@tf.custom_gradient
def swiglu(gate_up: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    """Compute silu(gate) * up, the gated activation of Llama (Shazeer 2020, Section 2).

    Args:
        gate_up: Both halves of the hidden layer, an array of shape (..., 2 * H): the gate, then the values to be gated.

    Returns:
        An array of shape (..., H) with the dtype of `gate_up`.
    """

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        gate, up = tf.split(_again(gate_up, upstream), 2, axis=-1)
        s = tf.sigmoid(gate)
        return tf.concat([upstream * up * s * (1 + gate * (1 - s)), upstream * gate * s], axis=-1)

    gate, up = tf.split(gate_up, 2, axis=-1)
    return gate * tf.sigmoid(gate) * up, gradient


def attention_weights(scores: tf.Tensor, visible: tf.Tensor) -> tf.Tensor:
    """Compute the softmax of attention scores over the visible tokens.

    The gradient is computed from the returned weights, so with bfloat16 it is rounded as they are.

    Args:
        scores: An array of shape (B, H, T, S).
        visible: A bool array, broadcastable to (B, H, T, S), true at the tokens that each token can attend to.

    Returns:
        An array with the shape and the dtype of `scores`. Where a token can attend to no token, all weights are equal.
    """

    @tf.custom_gradient
    def normalise(scores: tf.Tensor) -> tuple[tf.Tensor, Callable]:
        weights = tf.cast(tf.nn.softmax(tf.where(visible, _float32(scores), MASKED)), scores.dtype)

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            weighted = _float32(upstream) * _float32(weights)
            of_scores = weighted - _float32(weights) * tf.reduce_sum(weighted, axis=-1, keepdims=True)
            return tf.cast(tf.where(visible, of_scores, 0.0), scores.dtype)

        return weights, gradient

    return normalise(scores)


def _again(x: tf.Tensor, upstream: tf.Tensor) -> tf.Tensor:
    """Return `x` for a gradient that recomputes what the forward pass computed from `x`.

    TensorFlow merges equal operations of a graph. It would therefore keep the results of the forward pass after all,
    unless the operations of the gradient start only when `upstream` is known.
    """
    with tf.control_dependencies([upstream]):
        return tf.identity(x)


def _float32(x: tf.Tensor) -> tf.Tensor:
    return tf.cast(x, tf.float32)


def _mean(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(x, axis=-1, keepdims=True)


def _over_rows(x: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.reshape(x, [-1, x.shape[-1]]), axis=0)
