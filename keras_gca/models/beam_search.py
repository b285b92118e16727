"""Beam search as a TensorFlow graph. At every step, the search keeps the best partial answers to each context.

Shapes: B contexts; s_v tokens in the vocabulary; K partial answers to each context (the width of the beam).
"""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.engine.nucleus import FORBIDDEN
from keras_gca.models.decoding_steps import DecodingSteps
from keras_gca.models.lstm import States


class BeamSearch:
    """A beam search that can be called inside a TensorFlow graph.

    Args:
        steps: The steps of a generator.
    """

    def __init__(self, steps: DecodingSteps):
        self._steps = steps

    def search_beam(
        self,
        contexts: tf.Tensor,
        forbidden: tf.Tensor,
        width: tf.Tensor,
        length_penalty: tf.Tensor,
        repeating: tf.Tensor,
        beginnings: tf.Tensor | None = None,
    ) -> list[tf.Tensor]:
        """Run a beam search; see `Decoder.n_best`.

        The model processes B * K partial answers at a time, where K is `width`. The scalar `repeating` is added to the
        log-probabilities of the tokens that `_repeating` finds. Answers that have ended are continued with PAD, which
        does not change their scores. The tokens of `beginnings` (see `Decoder`) are not chosen, but taken as they are.
        """
        term, memory = self._steps.start(contexts)
        count, size, length = tf.shape(contexts)[0], self._steps.sizes.vocabulary, self._steps.gca.longest_answer
        term, memory = tf.nest.map_structure(lambda part: tf.repeat(part, width, 0), (term, memory))
        only_pad = tf.one_hot([PAD], size, on_value=0.0, off_value=FORBIDDEN)  # (1, s_v)
        begun = None
        if beginnings is not None:
            beginnings = tf.repeat(beginnings, width, 0)
            begun = beginnings[:, 0] != BOS

        def step(
            t: tf.Tensor,
            scores: tf.Tensor,
            answers: tf.Tensor,
            logs: tf.Tensor,
            running: tf.Tensor,
            memory: States,
        ) -> tuple[Any, ...]:
            log_p, memory = self._steps.read(t, term, answers[:, t], memory)
            again = repeating * tf.cast(_repeating(answers, size), log_p.dtype)
            steps = log_p + forbidden + again + self._steps.forbid_end(t, begun)
            if beginnings is not None:
                given = self._steps.given(t, beginnings)
                only_given = log_p + tf.one_hot(given, size, on_value=0.0, off_value=FORBIDDEN)
                steps = tf.where(given[:, None] != PAD, only_given, steps)
            steps = tf.where(running[:, None], steps, only_pad)
            totals = tf.reshape(tf.reshape(scores, [-1, 1]) + steps, [count, -1])  # (B, K s_v)
            scores, best = tf.math.top_k(totals, width)
            parent = tf.reshape(best // size + tf.range(count)[:, None] * width, [-1])
            tokens = tf.reshape(best % size, [-1])
            was_running = tf.gather(running, parent)
            token_log = tf.where(was_running, tf.gather(tf.gather(log_p, parent), tokens, batch_dims=1), -np.inf)
            answers = tf.concat([tf.gather(answers, parent)[:, : t + 1], tokens[:, None]], 1)
            logs = tf.concat([tf.gather(logs, parent)[:, :t], token_log[:, None]], 1)
            return (
                t + 1,
                scores,
                answers,
                logs,
                was_running & (tokens != EOS),
                States(*(tf.gather(part, parent) for part in memory)),
            )

        # All partial answers of a context are equal at first, so the first step continues only one of them.
        scores = tf.tile(tf.where(tf.range(width) == 0, 0.0, FORBIDDEN)[None], [count, 1])
        answers = tf.fill([count * width, 1], BOS) if beginnings is None else beginnings[:, :1]
        state = (0, scores, answers, tf.zeros([count * width, 0]), tf.fill([count * width], True), memory)
        shapes = ((), (None, None), (None, None), (None, None), (None,))
        shapes = (*map(tf.TensorShape, shapes), States(*(tf.TensorShape([None, *part.shape[1:]]) for part in memory)))
        steps, scores, answers, logs, _, _ = tf.while_loop(
            lambda t, _, __, ___, running, *____: (t < length) & tf.reduce_any(running),
            step,
            state,
            shape_invariants=shapes,
        )
        tokens = tf.math.count_nonzero(answers[:, 1:], axis=1, dtype=tf.float32)
        ranked = scores / tf.reshape(tokens, tf.shape(scores)) ** length_penalty
        best = tf.argsort(ranked, 1, "DESCENDING", stable=True) + tf.range(count)[:, None] * width
        best = tf.reshape(best, [-1])
        tokens, logs = tf.gather(answers, best)[:, 1:], tf.gather(logs, best)
        frame = self._steps.frame(tf.transpose(tokens), tf.transpose(logs), steps)
        return [tf.reshape(array, tf.concat([[count, width], tf.shape(array)[1:]], 0)) for array in frame]


def _repeating(answers: tf.Tensor, size: int) -> tf.Tensor:
    """Find the tokens that would repeat a partial answer's last token or any pair of its neighbouring tokens.

    Args:
        answers: The T tokens so far of each of N partial answers, without padding, shape (N, T) and dtype int32.
        size: s_v, the number of tokens in the vocabulary.

    Returns:
        A bool tensor of shape (N, s_v).
    """
    last = answers[:, -1:]
    followers = tf.concat([answers[:, 1:], last], 1)  # the token after each token; the last token is paired with itself
    rows = tf.repeat(tf.range(tf.shape(answers)[0])[:, None], tf.shape(answers)[1], 1)
    counts = tf.scatter_nd(
        tf.stack([rows, followers], 2), tf.cast(answers == last, tf.int32), [tf.shape(answers)[0], size]
    )
    return counts > 0
