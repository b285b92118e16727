"""Computes the discriminator's output for every token of an answer (Eq. 8)."""

import numpy as np
import tensorflow as tf

from keras_gca.data.batches import cut_contexts
from keras_gca.data.vocabulary import PAD
from keras_gca.models.forward import PrefixDiscriminator
from keras_gca.models.rows import last_rows, rows_of


def log_outputs(
    discriminator: PrefixDiscriminator, contexts: np.ndarray, answers: np.ndarray, whole_answers: bool
) -> np.ndarray:
    """Compute log l_i, the logarithm of the discriminator's output (Eq. 8), for each token after BOS.

    Args:
        discriminator: The discriminator.
        contexts: B contexts of at most s tokens, shape (B, s) and dtype int32, padded on the left.
        answers: Answers in the format of `frame_answers` (BOS, tokens, EOS, padding), shape (B, s_s + 1) and dtype
            int32.
        whole_answers: Whether the discriminator was trained on complete answers (`reinforce`).

    Returns:
        A float32 array of shape (B, s_s), with NaN after the end of each answer. With `whole_answers`, all values
        before the last token are NaN too.
    """
    log_l = np.full((len(answers), answers.shape[1] - 1), np.nan, np.float32)
    longest = int(np.count_nonzero(answers != PAD, axis=1).max(initial=2))
    contexts, answers = tf.convert_to_tensor(cut_contexts(contexts)), tf.convert_to_tensor(answers[:, :longest])
    rows = last_rows(answers) if whole_answers else rows_of(answers)
    logits = discriminator(contexts, answers, rows)
    log_l[tuple(rows.positions.numpy().T)] = -np.logaddexp(0, -logits.numpy())
    return log_l
