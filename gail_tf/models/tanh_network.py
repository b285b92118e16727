"""The paper's generator and discriminator network: "two hidden layers of 100 units each, with tanh" (Section 4.2).

The paper does not specify this network's inputs and outputs. Here the inputs are the hidden states of a language model.
These states are large enough to saturate every tanh unit, so a layer norm with Table 1's epsilon precedes the first
layer. The output is zero before training.
"""

import keras
import numpy as np
import tensorflow as tf

HIDDEN_UNITS = 100
EPSILON = 1e-5  # Table 1, "Layer Normalization Epsilon"


class TanhNetwork(keras.layers.Layer):
    """The paper's network, which maps float32 arrays of shape (..., inputs) to float32 arrays of shape (..., outputs).

    Before training, all outputs are zero.

    Args:
        inputs: The number of inputs.
        outputs: The number of outputs.
        seed: The seed of the hidden layers' initial weights.
        name: The name of the layer.
        beside: The number of additional inputs, which are appended after the layer norm and so are not normalised.
    """

    def __init__(self, inputs: int, outputs: int, seed: int, name: str, beside: int = 0):
        super().__init__(dtype="float32", name=name)
        draw = np.random.default_rng(seed)

        def hidden(number: int) -> keras.layers.Layer:
            initial = keras.initializers.GlorotUniform(int(draw.integers(2**31)))
            return keras.layers.Dense(
                HIDDEN_UNITS, activation="tanh", kernel_initializer=initial, dtype="float32", name=f"hidden_{number}"
            )

        self.norm = keras.layers.LayerNormalization(epsilon=EPSILON, dtype="float32", name="norm")
        self.hidden_1 = hidden(1)
        self.hidden_2 = hidden(2)
        self.output_layer = keras.layers.Dense(outputs, kernel_initializer="zeros", dtype="float32", name="output")
        sizes = (inputs, beside) if beside else (inputs,)
        self(*(np.zeros((1, size), np.float32) for size in sizes))  # creates the weights

    def call(self, x: tf.Tensor, beside: tf.Tensor | None = None) -> tf.Tensor:
        h = self.norm(x)
        if beside is not None:
            h = tf.concat([h, beside], axis=-1)
        return self.output_layer(self.hidden_2(self.hidden_1(h)))


class ValueBaseline(TanhNetwork):
    """A tanh network that predicts rewards from the policy's features. PPO can subtract the predictions from rewards.

    The inputs are the `LanguagePolicy.features` of B responses of R tokens, a float32 array of shape (B, R, E). The
    outputs are the predictions before each token, a float32 array of shape (B, R). The prediction before the first
    token is the value of the whole response. No gradient flows into the features, so training this network does not
    change the policy.

    Args:
        features: E, the width of the features.
        seed: The seed of the hidden layers' initial weights.
    """

    def __init__(self, features: int, seed: int = 0):
        super().__init__(features, 1, seed, "value")

    def call(self, x: tf.Tensor, beside: tf.Tensor | None = None) -> tf.Tensor:
        return super().call(tf.stop_gradient(x), beside)[..., 0]
