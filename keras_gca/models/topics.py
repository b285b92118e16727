"""Attends to the words of the context's topic and adds their bonus, for all partial answers in one pass.

`topic_layers.py` contains the equations, and Figure 1 with topics as a Keras model. Here the logits are the logarithm
of the numerator of p, so their softmax is p. The parts of matrix products that depend on the context alone are computed
once for each context.

Shapes: B contexts, T partial answers in the longest answer, R rows (`rows.py`); Z topics with n words; u units in the
attention.
"""

from typing import Any, NamedTuple

import keras
import tensorflow as tf

from keras_gca.models.topic_layers import TopicLayers


class TopicTerms(NamedTuple):
    """The values that all partial answers to a context share.

    Attributes:
        hidden: The part of W_1 [e_c o e_a] + b_1 that depends on the context alone, shape (B, hidden) and dtype
            float32.
        query: The part of W_q e + b_q that depends on the context alone, shape (B, u) and dtype float32.
        bonus: The part of W_t [e_c o e_a] + b_t that depends on the context alone, shape (B, s_e) and dtype float32.
        words: w_1 ... w_n, shape (B, n) and dtype int32.
        vectors: k_1 ... k_n, shape (B, n, s_e) and dtype float32.
        keys: W_k k_1 ... W_k k_n, shape (B, n, u) and dtype float32.
    """

    hidden: tf.Tensor
    query: tf.Tensor
    bonus: tf.Tensor
    words: tf.Tensor
    vectors: tf.Tensor
    keys: tf.Tensor


class TopicAttention:
    """Computes the equations for all partial answers in one pass, or for one step of decoding.

    Args:
        shared: The embedding that holds the word vectors, with weights of shape (s_v, s_e).
        layers: The layers of topics.
    """

    def __init__(self, shared: keras.layers.Embedding, layers: TopicLayers):
        self.shared, self.layers = shared, layers

    def words_of(self, contexts: tf.Tensor) -> tf.Tensor:
        """Return the words of each context's topic; shapes (B, s), without speaker tokens, -> (B, n), both int32."""
        topic = self.layers.topic
        scores = tf.reduce_sum(tf.gather(tf.convert_to_tensor(topic.kernel), contexts), 1) + topic.bias
        return tf.cast(tf.gather(self.layers.topic_words.embeddings, tf.argmax(scores, 1)), tf.int32)

    def terms(self, contexts: tf.Tensor, encoded: tf.Tensor | None, hidden: tf.Tensor) -> TopicTerms:
        """Compute the values that all partial answers to a context share.

        Args:
            contexts: The contexts without speaker tokens, shape (B, s) and dtype int32.
            encoded: The parts of e before e_a, shape (B, ...) and dtype float32, or None if there are none.
            hidden: The part of W_1 [e_c o e_a] + b_1 that depends on the context alone, shape (B, hidden) and dtype
                float32.
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
            e_a: The encodings of the partial answers, shape (R, s_se) and dtype float32.
            positions: The context of each partial answer and its number among the partial answers of this context,
                shape (R, 2) and dtype int64, or None if each context has one partial answer.

        Returns:
            A float32 tensor of shape (R, s_e + s_se).
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
            psi_V: The logits without the bonus, shape (R, s_v) and dtype float32.
            terms: The terms of B contexts.
            read: The result of `attend`, shape (R, s_e + s_se) and dtype float32.
            positions: As for `attend`.

        Returns:
            A float32 tensor of shape (R, s_v), whose softmax is p.
        """
        own = read @ self.layers.topic_bonus_bot.kernel[-read.shape[1] :]
        direction = _by_context(own, terms, positions) + terms.bonus[:, None]  # (B, T, s_e)
        psi_K = _by_row(tf.matmul(direction, terms.vectors, transpose_b=True), positions)  # (R, n)
        words = terms.words if positions is None else tf.gather(terms.words, positions[:, 0])
        rows = tf.broadcast_to(tf.range(tf.shape(words)[0])[:, None], tf.shape(words))
        return _log_of_both(psi_V, psi_K, tf.stack([rows, words], 2))


@tf.custom_gradient
def _log_of_both(psi_V: tf.Tensor, psi_K: tf.Tensor, places: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Compute log(exp psi_V + exp psi_K) at the given indices of psi_V, and psi_V elsewhere.

    TensorFlow's automatic gradient would need two more passes over all values.

    Args:
        psi_V: A float32 tensor of shape (R, s_v).
        psi_K: A float32 tensor of shape (R, n).
        places: The row and the token of each value of psi_K, shape (R, n, 2) and dtype int32. No index occurs twice.
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
