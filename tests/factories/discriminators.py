"""A discriminator for tests that reads given features."""

import tensorflow as tf

from gail_tf.imitation import discriminator_losses
from gail_tf.imitation.encoders import DiscriminatorNetwork
from keras_gca.engine.learner import AdamWLearner


class NetworkLearner(AdamWLearner):
    """Trains the paper's network by Eq. 6 on features, without an encoder that computes them."""

    def __init__(self, network: DiscriminatorNetwork, learning_rate: float, weight_decay: float = 0.0):
        super().__init__(network.trainable_variables, learning_rate, weight_decay)
        self.network = network

    def loss(self, expert: tf.Tensor, generated: tf.Tensor) -> tuple[tf.Tensor, dict]:
        return discriminator_losses.binary_loss(self.network(expert), self.network(generated)), {}
