"""The bidirectional score of Li et al. 2016: how well does an answer fit its context in both directions?

    (1 - lambda) * log p(y|x) + lambda * log p(x|y)

The source is "A Diversity-Promoting Objective Function for Neural Conversation Models" (arXiv 1510.03055), Eq. 13. An
answer that would fit any context says little about its own context x, so p(x|y) is low. p(x|y) comes from a second
generator of the same architecture, which is trained to predict contexts from their answers.

B is the number of contexts, K the number of answers to each context, and s_s the maximum number of tokens in an answer.
"""

from collections.abc import Callable

import numpy as np

from keras_gca.data import pairs as transformations
from keras_gca.data.pairs import Pairs


def bidirectional(forward: np.ndarray, backward: np.ndarray, weight: float) -> np.ndarray:
    """Compute the score of each answer.

    Args:
        forward: log p(y|x), an array of any shape.
        backward: log p(x|y), an array of the same shape.
        weight: lambda, from 0 to 1.
    """
    return (1 - weight) * forward + weight * backward


def log_p_of_contexts(
    token_log_probabilities: Callable[[Pairs], np.ndarray],
    contexts: np.ndarray,
    answers: np.ndarray,
    hierarchical: bool = False,
) -> np.ndarray:
    """Compute log p(x|y) for several answers to each context.

    Args:
        token_log_probabilities: The method of this name of an `Evaluator` or an agent whose generator predicts
            contexts.
        contexts: The contexts without speakers, shape (B, s) and dtype int32, padded on the left.
        answers: `BOS ... EOS` padded on the right, shape (B, K, s_s + 1) and dtype int32.
        hierarchical: Whether that generator has a hierarchical encoder.

    Returns:
        A float32 array of shape (B, K).
    """
    count, width, length = answers.shape
    rows = answers.reshape(-1, length)
    pairs = Pairs(np.repeat(contexts, width, axis=0), rows, np.zeros(len(rows), np.int32))
    swapped = transformations.backward(pairs, hierarchical)
    return np.nansum(token_log_probabilities(swapped), axis=-1).reshape(count, width)
