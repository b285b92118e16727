"""Detects context changes between utterances, and limits the context to the utterances after the last change.

Ludwig 2017, Section 5: "An algorithm able to process the conversation and detect changes in the context would be useful
to set the best value of Nu before generating an answer." The paper does not describe such an algorithm. The algorithm
used here is a small network that compares two successive utterances a and b:

    p(change | a, b) = sigmoid(w_2 @ relu(W_1 @ [m_a m_b |m_a - m_b| m_a * m_b] + b_1) + b_2)

m is the mean word vector of an utterance. The detector has its own word vectors. Shapes: B pairs of utterances with at
most T tokens each; s_v tokens in the vocabulary; s_e numbers in a word vector; h units in the hidden layer.
"""

import dataclasses
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs, joined, pad_contexts, utterances_of, with_speakers, without_speakers
from keras_gca.data.vocabulary import PAD
from keras_gca.engine.variables import assign

HIDDEN = 64  # h
# A context begins after a change that is more probable than this. Half of the detector's training pairs are changes.
THRESHOLD = 0.5
BATCH = 1024  # the number of utterance pairs that are compared at a time


class ChangeDetector:
    """A network that estimates the probability that the context changes between two utterances.

    Args:
        vocabulary: s_v, the number of tokens in the vocabulary.
        word_embedding: s_e, the number of values in a word vector.
        seed: The seed for the initial weights.

    Attributes:
        words: The embedding layer, with weights of shape (s_v, s_e).
        hidden: The hidden layer, W_1 and b_1.
        change: The output layer, w_2 and b_2.
    """

    def __init__(self, vocabulary: int, word_embedding: int, seed: int = 0):
        draw = [keras.initializers.GlorotUniform(seed + i) for i in range(3)]
        self.words = keras.layers.Embedding(vocabulary, word_embedding, draw[0], name="words")
        self.hidden = keras.layers.Dense(HIDDEN, "relu", kernel_initializer=draw[1], name="hidden")
        self.change = keras.layers.Dense(1, kernel_initializer=draw[2], name="change")
        for layer, inputs in ((self.words, 1), (self.hidden, 4 * word_embedding), (self.change, HIDDEN)):
            layer.build((None, inputs))

    @classmethod
    def of_weights(cls, weights: Sequence[np.ndarray]) -> "ChangeDetector":
        """Make a detector from its stored weights.

        Raises:
            ValueError: The weights do not belong to a detector.
        """
        if not weights or weights[0].ndim != 2:
            raise ValueError("the weights of the context-change detector lack the word vectors")
        detector = cls(*weights[0].shape)
        assign(detector.variables, list(weights))
        return detector

    @property
    def variables(self) -> list[keras.Variable]:
        """The weights in the order word vectors, W_1, b_1, w_2, b_2."""
        return [*self.words.weights, *self.hidden.weights, *self.change.weights]

    @property
    def weights(self) -> list[np.ndarray]:
        """The weights as float32 arrays, for storage."""
        return [variable.numpy() for variable in self.variables]

    def logits(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """Compute the argument of the sigmoid for pairs of successive utterances, eagerly or in a graph.

        Args:
            first: The tokens of the first utterances, shape (B, T) and dtype int32, padded with PAD on the left or on
                the right.
            second: The tokens of the second utterances, in the same format.

        Returns:
            A float32 tensor of shape (B,).
        """
        a, b = self._means(first), self._means(second)
        return self.change(self.hidden(tf.concat([a, b, tf.abs(a - b), a * b], 1)))[:, 0]

    def _means(self, tokens: tf.Tensor) -> tf.Tensor:
        """Compute the mean word vector of each utterance (zeros if it is empty), shape (B, s_e) and dtype float32."""
        read = tf.cast(tf.not_equal(tokens, PAD), tf.float32)[..., None]
        total = tf.reduce_sum(tf.gather(self.words.embeddings, tokens) * read, 1)
        return total / tf.maximum(tf.reduce_sum(read, 1), 1)

    def probabilities(
        self, first: Sequence[np.ndarray], second: Sequence[np.ndarray], sentence_length: int
    ) -> np.ndarray:
        """Compute p(change | a, b) for n pairs of successive utterances.

        Args:
            first: The tokens of the first utterances.
            second: The tokens of the second utterances.
            sentence_length: s_s, the maximum number of tokens. Longer utterances are truncated at the beginning.

        Returns:
            A float32 array of shape (n,).
        """
        a, b = (pad_contexts(utterances, sentence_length) for utterances in (first, second))
        parts = [tf.sigmoid(self.logits(a[i : i + BATCH], b[i : i + BATCH])) for i in range(0, len(a), BATCH)]
        return np.concatenate([np.zeros(0, np.float32), *(part.numpy() for part in parts)])

    def without_earlier_contexts(
        self, contexts: Sequence[Sequence[np.ndarray]], sentence_length: int
    ) -> list[list[np.ndarray]]:
        """Remove the utterances before the last change in each context. The last utterance is always kept.

        Args:
            contexts: The tokens of the utterances of each context.
            sentence_length: s_s; see `probabilities`.

        Returns:
            The remaining utterances of each context.
        """
        first = [utterance for utterances in contexts for utterance in utterances[:-1]]
        second = [utterance for utterances in contexts for utterance in utterances[1:]]
        changes = self.probabilities(first, second, sentence_length) > THRESHOLD
        kept, start = [], 0
        for utterances in contexts:
            own = np.flatnonzero(changes[start : start + max(len(utterances) - 1, 0)])
            start += max(len(utterances) - 1, 0)
            kept.append(list(utterances[own[-1] + 1 :]) if len(own) else list(utterances))
        return kept

    def shorten(self, pairs: Pairs, config: Config) -> Pairs:
        """Remove the utterances before the last change from the context of each pair.

        Args:
            pairs: The pairs. Each utterance in their contexts ends with EOS.
            config: The settings, which determine the format of the new contexts.

        Returns:
            The pairs, with shortened contexts in the format of the configured encoder.
        """
        of_words, speakers = pairs.contexts, np.zeros(len(pairs), np.int32)
        if config.names_speakers:
            of_words = without_speakers(pairs.contexts, self.words.input_dim)
            tokens = np.max(pairs.contexts, axis=1)
            speakers = np.where(tokens >= self.words.input_dim, tokens, PAD)
        read = [utterances_of(context) for context in of_words]
        kept = self.without_earlier_contexts(read, config.sentence_length)
        contexts = [joined(utterances, config.sentence_length, config.hierarchical) for utterances in kept]
        made = pad_contexts(contexts, config.context_length)
        return dataclasses.replace(pairs, contexts=with_speakers(made, speakers) if config.names_speakers else made)
