"""Makes a copy of Figure 1's model that Keras can load without this project."""

import keras
import numpy as np

from keras_gca.models.networks import GenerativeConversationalAgent

STEEPER = 1.2  # Keras 2's hard sigmoid is clip(0.2 z + 0.5, 0, 1), and Keras 3's is clip(z / 6 + 0.5, 0, 1)


def plain_generator(gca: GenerativeConversationalAgent) -> keras.Model:
    """Make a copy of `gca.generator` that uses only Keras' own layers and activations.

    With `original` padding, the gates are Keras 2's hard sigmoids, which Keras 3 lacks. The copy uses Keras 3's hard
    sigmoids, and multiplies the weights of the gates by STEEPER to obtain the same values.

    Args:
        gca: The networks.

    Returns:
        The functional model of Figure 1, which maps (context, answer) to p.
    """
    if not gca.original_padding:
        return gca.generator

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, keras.layers.LSTM):
            config["recurrent_activation"] = "hard_sigmoid"
        return type(layer).from_config(config)

    copy = keras.models.clone_model(gca.generator, clone_function=copied)
    for layer in copy.layers:
        weights = gca.layer(layer.name).get_weights()
        if isinstance(layer, keras.layers.LSTM):
            steeper = np.repeat([STEEPER, STEEPER, 1, STEEPER], layer.units)  # the gates i, f and o, but not g
            weights = [(weight * steeper).astype(np.float32) for weight in weights]
        layer.set_weights(weights)
    return copy
