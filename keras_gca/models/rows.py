"""Splits answers into rows, and moves the padding of contexts from the left to the right.

A row is a pair of a partial answer and the token that follows it. Shapes: B answers; T partial answers in the longest
answer; R rows (at most B * T); contexts with at most s tokens.
"""

from typing import NamedTuple

import tensorflow as tf

from keras_gca.data.vocabulary import PAD


class Rows(NamedTuple):
    """The rows of a batch of answers: the position of each partial answer, and the token that follows it.

    Attributes:
        positions: The index of the answer, and the number of tokens in the partial answer minus one, shape (R, 2) and
            dtype int64.
        targets: The token that follows the partial answer, shape (R,) and dtype int32.
    """

    positions: tf.Tensor
    targets: tf.Tensor

    @property
    def answer(self) -> tf.Tensor:
        """The index of the answer that each row belongs to, shape (R,) and dtype int64."""
        return self.positions[:, 0]


def rows_of(answers: tf.Tensor) -> Rows:
    """Return the rows of answers in reading order.

    Args:
        answers: `BOS ... EOS` padded on the right with PAD, shape (B, T + 1) and dtype int32.

    Returns:
        One row for each token after BOS.
    """
    targets = answers[:, 1:]
    positions = tf.where(tf.not_equal(targets, PAD))
    return Rows(positions, tf.gather_nd(targets, positions))


def last_rows(answers: tf.Tensor) -> Rows:
    """Return the last row of each answer, the only row that a discriminator of complete answers judges.

    Args:
        answers: `BOS ... EOS` padded on the right with PAD, shape (B, T + 1) and dtype int32.

    Returns:
        One row for each answer that has a token after BOS.
    """
    targets = answers[:, 1:]
    lengths = tf.math.count_nonzero(tf.not_equal(targets, PAD), axis=1)
    answer = tf.where(lengths > 0)
    positions = tf.concat([answer, tf.gather_nd(lengths, answer)[:, None] - 1], 1)
    return Rows(positions, tf.gather_nd(targets, positions))


def moved_right(contexts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Move the padding of contexts from the left to the right.

    Args:
        contexts: The contexts, shape (B, s) and dtype int32, padded on the left with PAD.

    Returns:
        The number of tokens in each context, shape (B,), and the tokens padded on the right, shape (B, s), both int32.
    """
    lengths = tf.math.count_nonzero(contexts, axis=1, dtype=tf.int32)
    return lengths, tf.reverse_sequence(contexts[:, ::-1], lengths, seq_axis=1)
