"""The nucleus (Holtzman et al. 2020): the smallest set of most likely tokens whose total probability reaches top_p.

Sorting a vocabulary takes longer than a step of the network, so the nucleus is found without sorting. The nucleus
consists of all tokens whose probability is at least a certain bound. Bisection over bit patterns finds this bound
exactly, because float32 numbers from 0 to 1 have the same order as their bit patterns.
"""

import tensorflow as tf

FORBIDDEN = -1e9  # the logarithm of the probability of a token that must not be chosen


def nucleus_log_probs(scores: tf.Tensor, top_p: tf.Tensor | float, also: tf.Tensor | None = None) -> tf.Tensor:
    """Compute the log-probabilities within the nucleus of softmax(scores).

    Tokens that are just as likely as the least likely token in the nucleus also belong to the nucleus. Gradients flow
    to the scores as if the nucleus were fixed.

    Args:
        scores: The log-probabilities up to a constant, a float32 array of shape (N, V).
        top_p: The total probability of the nucleus, in (0, 1).
        also: A token to add to the nucleus of each row, an int32 array of shape (N,), or None to add no tokens.

    Returns:
        A float32 array of shape (N, V), with values of about FORBIDDEN for tokens outside the nucleus.
    """
    probabilities = tf.stop_gradient(tf.nn.softmax(scores))
    inside = probabilities >= lowest_in_nucleus(probabilities, top_p)
    if also is not None:
        inside |= tf.range(tf.shape(scores)[1]) == also[:, None]
    return tf.nn.log_softmax(tf.where(inside, scores, FORBIDDEN))


@tf.function(jit_compile=True)  # XLA fuses the three operations of an iteration into one pass over the memory
def lowest_in_nucleus(probabilities: tf.Tensor, top_p: tf.Tensor | float) -> tf.Tensor:
    """Find the lowest probability in the nucleus of each row.

    The probabilities are an array of shape (N, V), and the result is a float32 array of shape (N, 1). A token belongs
    to the nucleus if the sum of all higher probabilities is below top_p. Bisection finds the smallest number for which
    this is true. This number is a token's probability, because the sum changes only at tokens' probabilities.
    """
    count = tf.shape(probabilities)[0]
    low = tf.zeros([count, 1], tf.int32)
    high = tf.fill([count, 1], tf.bitcast(tf.constant(1.0), tf.int32))

    def halve(i: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        middle = (low + high) // 2
        likelier = tf.where(probabilities > tf.bitcast(middle, tf.float32), probabilities, 0.0)
        enough = tf.reduce_sum(likelier, axis=1, keepdims=True) < top_p
        return i + 1, tf.where(enough, low, middle + 1), tf.where(enough, middle, high)

    _, _, high = tf.while_loop(lambda i, *_: i < 30, halve, (0, low, high))  # bits of 1.0 are less than 2^30
    return tf.bitcast(high, tf.float32)
