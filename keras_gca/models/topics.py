"""Attends to the words of a context's topic, and adds their bonus, for all partial answers in one pass.

`topic_layers.py` has the equations, and Figure 1 with topics as it is drawn. Here the logits are the logarithm of the
numerator of p, so that their softmax is p. The parts of matrix products that belong to the context, and not to a
partial answer, are computed once for each context.

Shapes: B contexts, T partial answers in the longest answer, R rows (`rows.py`); Z topics with n words; u units in the
attention.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_gca.models.topic_layers import TopicLayers


class TopicTerms(NamedTuple):
    """What all partial answers to a context share.

    Attributes:
        hidden: (B, hidden) float32, the part of W_1 [e_c o e_a] + b_1 that belongs to the context.
        query: (B, u) float32, the part of W_q e + b_q that belongs to the context.
        bonus: (B, s_e) float32, the part of W_t [e_c o e_a] + b_t that belongs to the context.
        words: (B, n) int32, w_1 ... w_n.
        vectors: (B, n, s_e) float32, k_1 ... k_n.
        keys: (B, n, u) float32, W_k k_1 ... W_k k_n.
    """

    hidden: tf.Tensor
    query: tf.Tensor
    bonus: tf.Tensor
    words: tf.Tensor
    vectors: tf.Tensor
    keys: tf.Tensor


class TopicAttention:
    """The equations for all partial answers in one pass, and for one step of decoding.

    Args:
        shared: The word vectors, (s_v, s_e).
        layers: The layers of topics.
    """

    def __init__(self, shared: keras.layers.Embedding, layers: TopicLayers):
        self.shared, self.layers = shared, layers

    def words_of(self, contexts: tf.Tensor) -> tf.Tensor:
        """Return the words of the topic of each context: (B, s) int32, without speaker tokens -> (B, n) int32."""
        topic = self.layers.topic
        scores = tf.reduce_sum(tf.gather(tf.convert_to_tensor(topic.kernel), contexts), 1) + topic.bias
        return tf.cast(tf.gather(self.layers.topic_words.embeddings, tf.argmax(scores, 1)), tf.int32)

    def terms(self, contexts: tf.Tensor, encoded: tf.Tensor | None, hidden: tf.Tensor) -> TopicTerms:
        """Compute what all partial answers to a context share.

        Args:
            contexts: (B, s) int32, without speaker tokens.
            encoded: (B, ...) float32, the parts of e before e_a, or None if there are none.
            hidden: (B, hidden) float32, the part of W_1 [e_c o e_a] + b_1 that belongs to the context.
        """
        words = self.words_of(contexts)
        vectors = tf.gather(self.shared.embeddings, words)

        def part(layer: keras.layers.Dense) -> tf.Tensor:
            bias = tf.tile(tf.convert_to_tensor(layer.bias)[None], [tf.shape(words)[0], 1])
            return bias if encoded is None else encoded @ layer.kernel[: encoded.shape[1]] + bias

        query, bonus = part(self.layers.topic_query_bot), part(self.layers.topic_bonus_bot)
        keys = tf.tensordot(vectors, tf.convert_to_tensor(self.layers.topic_key_bot.kernel), 1)
        return TopicTerms(hidden, query, bonus, words, vectors, keys)

    def attend(self, terms: TopicTerms, e_a: tf.Tensor, positions: tf.Tensor | None = None) -> tf.Tensor:
        """Compute [o e_a] for each partial answer.

        Args:
            terms: The terms of B contexts.
            e_a: (R, s_se) float32, the encodings of partial answers.
            positions: (R, 2) int64, the context and the place of each partial answer, or None if each context has one
                partial answer.

        Returns:
            (R, s_e + s_se) float32.
        """
        own = e_a @ self.layers.topic_query_bot.kernel[-e_a.shape[1] :]
        query = _by_context(own, terms, positions) + terms.query[:, None]  # (B, T, u)
        hidden = tf.tanh(query[:, :, None] + terms.keys[:, None])  # (B, T, n, u)
        # Not tf.linalg.matvec: TensorFlow 2.21's product of many matrices with one vector writes beyond its memory.
        a = tf.convert_to_tensor(self.layers.topic_attention_bot.scale)[:, None]
        eta = tf.reshape(tf.reshape(hidden, [-1, a.shape[0]]) @ a, tf.shape(hidden)[:3])  # (B, T, n)
        o = tf.nn.softmax(eta) @ terms.vectors  # (B, T, s_e)
        return tf.concat([_by_row(o, positions), e_a], 1)

    def with_bonus(
        self, psi_V: tf.Tensor, terms: TopicTerms, read: tf.Tensor, positions: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Add the bonus: the result is log(exp psi_V + exp psi_K) for the words of the topic, and psi_V for all others.

        Args:
            psi_V: (R, s_v) float32.
            terms: The terms of B contexts.
            read: (R, s_e + s_se) float32, the result of `attend`.
            positions: As for `attend`.

        Returns:
            (R, s_v) float32, whose softmax is p.
        """
        own = read @ self.layers.topic_bonus_bot.kernel[-read.shape[1] :]
        direction = _by_context(own, terms, positions) + terms.bonus[:, None]  # (B, T, s_e)
        psi_K = _by_row(tf.matmul(direction, terms.vectors, transpose_b=True), positions)  # (R, n)
        words = terms.words if positions is None else tf.gather(terms.words, positions[:, 0])
        rows = tf.broadcast_to(tf.range(tf.shape(words)[0])[:, None], tf.shape(words))
        return _log_of_both(psi_V, psi_K, tf.stack([rows, words], 2))


@tf.custom_gradient
def _log_of_both(psi_V: tf.Tensor, psi_K: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Compute log(exp psi_V + exp psi_K) at some places of psi_V, and psi_V elsewhere.

    TensorFlow's own gradient would make two more passes over all values.

    Args:
        psi_V: (R, s_v) float32.
        psi_K: (R, n) float32.
        places: (R, n, 2) int32, the row and the token of each value of psi_K; all of them differ.
    """
    difference = psi_K - tf.gather_nd(psi_V, places)

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, None]:
        of_bonus = tf.gather_nd(upstream, places) * tf.sigmoid(difference)
        return tf.tensor_scatter_nd_sub(upstream, places, of_bonus), of_bonus, None

    return tf.tensor_scatter_nd_add(psi_V, places, tf.math.softplus(difference)), gradient


def _by_context(rows: tf.Tensor, terms: TopicTerms, positions: tf.Tensor | None) -> tf.Tensor:
    """Arrange rows by context: (R, u) -> (B, T, u), with zeros where a context has fewer partial answers."""
    if positions is None:
        return rows[:, None]
    steps = tf.reduce_max(tf.concat([positions[:, 1], [-1]], 0)) + 1
    shape = tf.stack([tf.shape(terms.words, tf.int64)[0], steps, rows.shape[1]])
    return tf.ensure_shape(tf.scatter_nd(positions, rows, shape), [None, None, rows.shape[1]])


def _by_row(values: tf.Tensor, positions: tf.Tensor | None) -> tf.Tensor:
    """Undo `_by_context`: (B, T, u) -> (R, u)."""
    return values[:, 0] if positions is None else tf.gather_nd(values, positions)
