"""The original code's method: a sample for each token, and the figures' models, which Keras differentiates."""

import numpy as np
import tensorflow as tf

from benchmarks.original_method import per_token_samples


def losses(gca, pairs, labels):
    """The losses of lines 3, 6 and 9 by name: functions without arguments, each of which computes a scalar.

    labels: of D, 1 for answers that are human, (pairs,).
    """
    x, y, targets, owner = per_token_samples(pairs, gca.padding)

    def teacher_forcing():
        return tf.reduce_mean(-tf.math.log(tf.gather(gca.generator([x, y]), targets, batch_dims=1)))

    def discriminator():
        judged = gca.discriminator([x, y, np.eye(gca.sizes.vocabulary, dtype=np.float32)[targets]])[:, 0]
        label = labels[owner].astype(np.float32)
        return tf.reduce_mean(-label * tf.math.log(judged) - (1 - label) * tf.math.log(1 - judged))

    def generator():
        return tf.reduce_mean((1 - gca.adversarial([x, y])) ** 2)

    return {"teacher forcing": teacher_forcing, "discriminator": discriminator, "generator": generator}
