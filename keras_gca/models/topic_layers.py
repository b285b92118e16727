"""The layers that topics add to Figure 1 (Xing et al. 2017, "Topic Aware Neural Response Generation").

k_1 ... k_n are the word vectors of the n words w_1 ... w_n of the context's topic (`data/topics.py`). For a partial
answer with the encoding e = [e_c e_a] of Eq. 2 (e = e_a for a canonical generator; the embedding v of a speaker comes
before e_a), the generator computes

    eta_j = a . tanh(W_q e + b_q + W_k k_j)          topic_query_bot, topic_key_bot, topic_attention_bot
    o     = sum over j of softmax(eta)_j k_j
    y_h   = relu(W_1 [e_c o e_a] + b_1)              bot, Eq. 3
    psi_V = W_2 y_h + b_2                            decision_bot, (s_v,)
    psi_K = k_j . (W_t [e_c o e_a] + b_t)            topic_bonus_bot, (n,)

    p(y_t = w) = (exp psi_V(w) + sum over j with w_j = w of exp psi_K(j)) / Z

Z normalises p, so the sum over the vocabulary is 1. The second term is the bonus for topic words. `topics.py` computes
the same values for all partial answers in one pass.

Shapes: B samples; Z topics with n words; u units in the attention; the other sizes are those of `sizes.py`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_gca.data.topics import TopicModel
from keras_gca.models.sizes import TOPIC_UNITS, Sizes

TOPIC_BLOCKS = ("topic_query_bot", "topic_key_bot", "topic_attention_bot", "topic_bonus_bot")  # the trained layers


@dataclass(frozen=True)
class TopicLayers:
    """The layers of Figure 1 that exist only with topics. The first two hold the topic model and are not trained.

    Attributes:
        topic: A layer with log p(w|z) as its kernel, shape (s_v, Z), and log p(z) as its bias, shape (Z,).
        topic_words: The token ids of each topic's words, shape (Z, n) and dtype float32, so that Keras can
            store the layer.
        topic_query_bot: W_q and b_q.
        topic_key_bot: W_k.
        topic_attention_bot: a, shape (u,).
        topic_bonus_bot: W_t and b_t.
    """

    topic: keras.layers.Dense
    topic_words: keras.layers.Embedding
    topic_query_bot: keras.layers.Dense
    topic_key_bot: keras.layers.Dense
    topic_attention_bot: keras.layers.AdditiveAttention
    topic_bonus_bot: keras.layers.Dense

    @classmethod
    def make(cls, model: TopicModel, sizes: Sizes, seeds: Iterator[int]) -> "TopicLayers":
        """Make the layers.

        Args:
            model: The topic model.
            sizes: The sizes of the layers.
            seeds: The seeds for the initial weights.

        Raises:
            ValueError: The topic model was fitted with a vocabulary of another size.
        """
        if len(model.log_words) != sizes.vocabulary:
            raise ValueError(f"the topic model knows {len(model.log_words):,} tokens")
        words = model.topic_words(sizes.topic_words or 0).astype(np.float32)
        topic = keras.layers.Dense(len(words), name="topic", trainable=False)
        topic.build((None, sizes.vocabulary))
        topic.set_weights(model.weights)
        topic_words = keras.layers.Embedding(*words.shape, name="topic_words", trainable=False)
        topic_words.build((None,))
        topic_words.set_weights([words])

        def dense(units: int, name: str, use_bias: bool = True) -> keras.layers.Dense:
            initial = keras.initializers.GlorotUniform(next(seeds))
            return keras.layers.Dense(units, kernel_initializer=initial, use_bias=use_bias, name=name)

        query, key = dense(TOPIC_UNITS, TOPIC_BLOCKS[0]), dense(TOPIC_UNITS, TOPIC_BLOCKS[1], use_bias=False)
        attention, count, size = keras.layers.AdditiveAttention(name=TOPIC_BLOCKS[2]), words.shape[1], sizes
        attention.build([(None, 1, TOPIC_UNITS), (None, count, size.word_embedding), (None, count, TOPIC_UNITS)])
        attention.scale.assign(keras.initializers.GlorotUniform(next(seeds))((TOPIC_UNITS, 1))[:, 0])
        return cls(topic, topic_words, query, key, attention, dense(size.word_embedding, TOPIC_BLOCKS[3]))

    def figure(
        self,
        context: keras.KerasTensor,
        parts: Sequence[keras.KerasTensor],
        shared: keras.layers.Embedding,
        psi_of: Callable[[keras.KerasTensor], keras.KerasTensor],
    ) -> keras.KerasTensor:
        """Build the part of Figure 1 that computes p with topics.

        Args:
            context: The input of Figure 1, shape (B, s_s) or (B, N_u, s_s) and dtype int32.
            parts: The parts of e, each of shape (B, ...) and dtype float32. The last part is e_a.
            shared: The embedding that holds the word vectors.
            psi_of: A function that computes psi_V, shape (B, s_v) and dtype float32, from [e_c o e_a].

        Returns:
            p, a float32 tensor of shape (B, s_v).
        """
        size = shared.input_dim
        tokens = ops.reshape(context, (-1, int(np.prod(context.shape[1:]))))
        counts = ops.sum(ops.one_hot(tokens, size), 1)  # (B, s_v)
        z = ops.argmax(self.topic(counts), 1)
        words = ops.cast(self.topic_words(z), "int32")  # (B, n)
        k = shared(words)  # (B, n, s_e)
        e = keras.layers.Concatenate(name="concatenation_topic")(parts) if len(parts) > 1 else parts[0]
        query = ops.expand_dims(self.topic_query_bot(e), 1)  # (B, 1, u)
        o = ops.squeeze(self.topic_attention_bot([query, k, self.topic_key_bot(k)]), 1)  # (B, s_e)
        everything = keras.layers.Concatenate(name="concatenation_bot")([*parts[:-1], o, parts[-1]])
        psi_V = psi_of(everything)  # (B, s_v)
        psi_K = ops.sum(k * ops.expand_dims(self.topic_bonus_bot(everything), 1), 2)  # (B, n)
        largest = ops.maximum(ops.max(psi_V, 1, keepdims=True), ops.max(psi_K, 1, keepdims=True))
        bonus = ops.expand_dims(ops.exp(psi_K - largest), 2) * ops.one_hot(words, size)  # (B, n, s_v)
        total = ops.exp(psi_V - largest) + ops.sum(bonus, 1)
        return total / ops.sum(total, 1, keepdims=True)
