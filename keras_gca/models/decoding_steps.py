"""The steps shared by greedy decoding, sampling, and beam search: starting, reading a token, and framing the answers.

The context is encoded once, and each token costs one LSTM step.

An answer has at least one word, and does not contain PAD or BOS. PAD and BOS are therefore never chosen, and EOS is
never chosen as the first token, although the softmax gives these tokens a probability. Algorithm 1 has no such rule,
because its arg-max does not pick these tokens. With `original` padding, no token is excluded, as in the author's
program.

Shapes: B contexts; s_v tokens in the vocabulary; s_s as in `sizes.py`; s_se units in the generator's LSTMs.
"""

from typing import TypeAlias

import numpy as np
import tensorflow as tf

from keras_gca.data.vocabulary import BOS, EOS, PAD, UNK
from keras_gca.engine.nucleus import FORBIDDEN
from keras_gca.models.forward import PrefixGenerator
from keras_gca.models.lstm import States, lstm_step
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.relu_matmul import relu_sparse_matmul
from keras_gca.models.rows import moved_right
from keras_gca.models.topics import TopicTerms

# The context's term in the hidden layer, shape (B, hidden), or, with topics, all values that the context determines
Term: TypeAlias = tf.Tensor | TopicTerms


class DecodingSteps:
    """Steps that run a GenerativeConversationalAgent's generator token by token, eagerly or inside a TensorFlow graph.

    Args:
        gca: The networks. The steps follow later changes to their weights.
        xla: Whether to use `relu_sparse_matmul`, which is fast only if XLA compiles it.
    """

    def __init__(self, gca: GenerativeConversationalAgent, xla: bool = True):
        self.gca = gca
        self.sizes = gca.sizes
        self._generator = PrefixGenerator.of(gca)
        self._xla = xla

    def forbidden(self, allow_unknown: bool) -> tf.Tensor:
        """Return a float32 tensor of shape (s_v,) to add to log-probabilities, which rules out forbidden tokens."""
        excluded = [] if self.gca.original_padding else [PAD, BOS]
        if not allow_unknown:
            excluded.append(UNK)
        return tf.constant([FORBIDDEN if i in excluded else 0.0 for i in range(self.sizes.vocabulary)])

    def start(self, contexts: tf.Tensor) -> tuple[Term, States]:
        """Compute the context's term in the hidden layer, and the memory of the answer's LSTM before the first token.

        The memory consists of h and c, each of shape (B, s_se). With `original` padding, there is one memory for each
        step, and the shape is (B, steps, s_se): memory t has read the padding tokens before a partial answer of t + 1
        tokens.
        """
        generator, count = self._generator, tf.shape(contexts)[0]
        words = generator.words_of(contexts)
        lengths, moved = moved_right(words)
        personas = [] if generator.persona_bot is None else [generator.personas(contexts)]
        inputs, lengths = generator.inputs_of_contexts(generator.embed(moved), moved, lengths)
        W_c, _ = generator.hidden_kernels()
        if self.gca.canonical:
            memory = generator.context_memory(inputs, lengths)
            if generator.topics is not None:
                return generator.topic_terms(generator.topics, words, personas, W_c), memory
            bias = tf.convert_to_tensor(generator.bot.bias)
            return generator.context_term(personas[0], W_c) if personas else tf.tile(bias[None], [count, 1]), memory
        encoded = [generator.encode_contexts(inputs, lengths), *personas]
        if generator.topics is None:
            term = generator.context_term(tf.concat(encoded, 1), W_c)
        else:
            term = generator.topic_terms(generator.topics, words, encoded, W_c)
        if not self.gca.original_padding:
            zeros = tf.zeros([count, self.sizes.sentence_embedding])
            return term, States(zeros, zeros)
        counts = self.sizes.sentence_length - 1 - tf.range(self.gca.longest_answer)
        start = generator.after_paddings(generator.encoder_answer, counts)
        return term, States(*(tf.tile(memory[None], [count, 1, 1]) for memory in start))

    def read(self, t: tf.Tensor, term: Term, tokens: tf.Tensor, memory: States) -> tuple[tf.Tensor, States]:
        """Read one more token. Return log p (Eq. 3), shape (B, s_v), and the LSTM's memory after this token."""
        generator = self._generator
        memory = lstm_step(generator.encoder_answer, generator.embed(tokens), memory)
        h = memory.h[:, t] if self.gca.original_padding else memory.h
        _, W_a = generator.hidden_kernels()
        if generator.topics is None or not isinstance(term, TopicTerms):
            return tf.nn.log_softmax(self._token_logits(generator.hidden_layer(term, h, W_a))), memory
        read = generator.topics.attend(term, h)
        logits = self._token_logits(generator.hidden_layer(term.hidden, read, W_a))
        return tf.nn.log_softmax(generator.topics.with_bonus(logits, term, read)), memory

    def _token_logits(self, y_h: tf.Tensor) -> tf.Tensor:
        """Compute the argument of the softmax in Eq. 3; shapes (B, hidden) -> (B, s_v).

        For a single row, `relu_sparse_matmul` skips the hidden units that are zero.
        """
        if not self._xla or tf.config.list_physical_devices("GPU"):
            return self._generator.token_logits(y_h)
        layer = self._generator.decision_bot
        return tf.cond(
            tf.equal(tf.shape(y_h)[0], 1),
            lambda: relu_sparse_matmul(y_h, tf.convert_to_tensor(layer.kernel)) + layer.bias,
            lambda: self._generator.token_logits(y_h),
        )

    def forbid_end(self, t: tf.Tensor, begun: tf.Tensor | None = None) -> tf.Tensor:
        """Return what to add to log-probabilities to rule out EOS at step 0.

        Args:
            t: The step.
            begun: Whether each answer already has a word before step 0, shape (B,), or None if none has. An answer that
                has a word may end at step 0.

        Returns:
            A float32 tensor of shape (s_v,), or (B, s_v) if `begun` is given.
        """
        if self.gca.original_padding:
            return tf.zeros(self.sizes.vocabulary)
        ruled_out = tf.where(t == 0, tf.one_hot(EOS, self.sizes.vocabulary, on_value=FORBIDDEN, off_value=0.0), 0.0)
        return ruled_out if begun is None else tf.where(begun[:, None], 0.0, ruled_out)

    @staticmethod
    def given(t: tf.Tensor, beginnings: tf.Tensor) -> tf.Tensor:
        """Return the token that each beginning gives for step t, or PAD after its end.

        Args:
            t: The step, from 0.
            beginnings: The beginnings of answers; see `Decoder`. The shape is (B, L), and the dtype is int32.

        Returns:
            An int32 tensor of shape (B,).
        """
        inside = t + 1 < tf.shape(beginnings)[1]
        return tf.where(inside, beginnings[:, tf.where(inside, t + 1, 0)], PAD)

    def frame(self, chosen: tf.Tensor, logs: tf.Tensor, steps: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Convert the first `steps` tokens and log-probabilities, each of shape (T, B), to fields of `Decoded`."""
        made = tf.range(tf.shape(chosen)[0])[:, None] < steps
        tokens = tf.transpose(tf.where(made, chosen, PAD))
        logs = tf.transpose(tf.where(made, logs, -np.inf))
        padding = [[0, 0], [0, self.sizes.sentence_length - tf.shape(tokens)[1]]]
        tokens, probabilities = tf.pad(tokens, padding), tf.pad(tf.exp(logs), padding)
        total = tf.reduce_sum(tf.where(tf.math.is_inf(logs), 0.0, logs), 1)
        return tf.pad(tokens, [[0, 0], [1, 0]], constant_values=BOS), total, probabilities
