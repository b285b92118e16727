"""The method of the first paper's own program: one sample for each token, read by the models of Figures 1 and 2."""

import numpy as np
import tensorflow as tf

from benchmarks.original_method import per_token_samples


def losses(gca, pairs, labels):
    """Return the losses of lines 3, 6 and 9 by name, as functions without arguments. Each computes a scalar.

    `labels` are the targets of D, (pairs,): 1 for human answers and 0 for others.
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
