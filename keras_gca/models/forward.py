"""All prefixes of an answer in one pass: the fast equal of the per-token figures.

The figures take one partial answer and give one row. An answer of n tokens has n partial answers, and with masked
padding the answer LSTM's state after k tokens *is* the encoding of the k-token partial answer; the context's encoding
is the same for all of them. So one pass over the answer and one over the context give every row (Eq. 2 and 7).

With `original` padding the LSTM has read s_s - k paddings before k tokens. Its memory after j paddings is the same for
every sample: one pass over s_s paddings gives them all. From there each partial answer needs k steps of its own, in
place of s_s, and they run side by side; a context needs as many steps as it has tokens.

A "row" is one pair of partial answer and next token. Rows of padding are never computed beyond the LSTMs.
Shapes: B answers, T partial answers in the longest of them, R <= B T rows.
"""

from functools import partial
from typing import NamedTuple

import keras
import tensorflow as tf

from keras_gca.data.vocabulary import PAD
from keras_gca.models.lstm import States, lstm_memories, lstm_states
from keras_gca.models.networks import GenerativeConversationalAgent


class Rows(NamedTuple):
    """Where the rows of a batch of answers lie, and the token that follows each.

    positions: (R, 2) int64: the answer, and the number of tokens of the partial answer less one.
    targets:   (R,) int32: the next token.
    """

    positions: tf.Tensor
    targets: tf.Tensor

    @property
    def answer(self) -> tf.Tensor:
        """(R,) int64: which answer of the batch each row belongs to."""
        return self.positions[:, 0]


def rows_of(answers: tf.Tensor) -> Rows:
    """The rows of (B, T + 1) int32 answers, `BOS ... EOS` padded on the right, in the order of reading."""
    targets = answers[:, 1:]
    positions = tf.where(tf.not_equal(targets, PAD))
    return Rows(positions, tf.gather_nd(targets, positions))


def last_rows(answers: tf.Tensor) -> Rows:
    """The row of the last token of each answer: the partial answer there is the whole sentence."""
    targets = answers[:, 1:]
    lengths = tf.math.count_nonzero(tf.not_equal(targets, PAD), axis=1)
    answer = tf.where(lengths > 0)
    positions = tf.concat([answer, tf.gather_nd(lengths, answer)[:, None] - 1], 1)
    return Rows(positions, tf.gather_nd(targets, positions))


SITES = ("E_c", "E_a", "e_c", "e_a", "y_h")  # where values may be dropped in training


def keep_all(site: str, values: tf.Tensor) -> tf.Tensor:
    return values


class PrefixEncoder:
    """Encodes contexts, and all prefixes of answers, with the layers of a GenerativeConversationalAgent.

    precision: "bfloat16" multiplies the matrices of `bot` and `decision_bot` in that format.
    """

    def __init__(self, gca: GenerativeConversationalAgent, precision: str = "float32"):
        self.gca = gca
        self._precision = precision

    def embed(self, tokens: tf.Tensor) -> tf.Tensor:
        """(B, T) int32 -> (B, T, s_e), Eq. 1."""
        return tf.gather(self.gca.layer("shared").embeddings, tokens)

    def contexts(self, block: str, contexts: tf.Tensor, keep=tf.identity) -> tf.Tensor:
        """The encodings e_c (block "bot") or e_cd (block "discriminator") of contexts.

        contexts: (B, s) int32, padded on the left. keep: applied to the word vectors (dropout in training).
        Returns (B, units).
        """
        lengths, moved = _moved_right(contexts)
        lstm = self.gca.layer(f"encoder_context_{block}")
        start = self.after_paddings(lstm, self.gca.sizes.sentence_length - lengths)
        states = lstm_states(lstm, keep(self.embed(moved)), start)  # (B, s, units)
        return _last(states, lengths, 0.0 if start is None else start.h)

    def thought(self, contexts: tf.Tensor, keep=tf.identity) -> States:
        """The memory with which a canonical decoder starts, g(x) of Eq. 5: (B, s) -> (B, s_se) each."""
        lengths, moved = _moved_right(contexts)
        memories = lstm_memories(self.gca.layer("encoder_context_bot"), keep(self.embed(moved)))  # (B, s, s_se)
        return States(*(_last(memory, lengths, 0.0) for memory in memories))

    def after_paddings(self, lstm: keras.layers.LSTM, counts: tf.Tensor) -> States | None:
        """The memory of `lstm` after so many paddings, (n,) int32 -> (n, units) each; None where they are skipped."""
        if not self.gca.original_padding:
            return None
        paddings = self.embed(tf.fill([1, self.gca.sizes.sentence_length], self.gca.padding))
        memories = lstm_memories(lstm, paddings)  # (1, s_s, units)
        return States(*(tf.gather(tf.pad(memory[0], [[1, 0], [0, 0]]), counts) for memory in memories))

    def prefixes(
        self, block: str, answers: tf.Tensor, rows: Rows, keep=tf.identity, start: States | None = None
    ) -> tf.Tensor:
        """The encodings e_a or e_ad of all partial answers: (B, T + 1) int32, padded on the right -> (R, units).

        start: (B, units) each, a memory to start from, with masked padding only.
        """
        lstm = self.gca.layer(f"encoder_answer_{block}")
        vectors = keep(self.embed(answers[:, :-1]))  # (B, T, s_e)
        if not self.gca.original_padding:
            return tf.gather_nd(lstm_states(lstm, vectors, start), rows.positions)
        # T memories for each answer: the one at t has started after s_s - t - 1 paddings, and is complete at t.
        count, steps, _ = tf.unstack(tf.shape(vectors))
        start = self.after_paddings(lstm, self.gca.sizes.sentence_length - 1 - tf.range(steps))
        start = States(*(tf.tile(memory, [count, 1]) for memory in start))
        states = lstm_states(lstm, tf.repeat(vectors, steps, axis=0), start)  # (B T, T, units)
        states = tf.reshape(states, [count, steps, steps, lstm.units])
        return tf.gather_nd(states, tf.concat([rows.positions, rows.positions[:, 1:]], 1))

    def context_term(self, e_c: tf.Tensor) -> tf.Tensor:
        """The part of W_1 [e_c e_a] + b_1 that is the same for all prefixes of an answer: (B, s_se) -> (B, hidden)."""
        layer = self.gca.layer("bot")
        return self._product(e_c, layer.kernel[: self.gca.sizes.sentence_embedding]) + layer.bias

    def hidden(self, context_term: tf.Tensor, e_a: tf.Tensor) -> tf.Tensor:
        """y_h of Eq. 3: (R, hidden) and (R, s_se) -> (R, hidden). Of a canonical generator, the term is b_1 alone."""
        kernel = self.gca.layer("bot").kernel[-self.gca.sizes.sentence_embedding :]
        return tf.nn.relu(context_term + self._product(e_a, kernel))

    def token_logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """The argument of Eq. 3's softmax: (R, hidden) -> (R, s_v)."""
        layer = self.gca.layer("decision_bot")
        return self._product(hidden, layer.kernel) + layer.bias

    def _product(self, rows: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if self._precision == "float32":
            return rows @ kernel
        return tf.cast(tf.cast(rows, self._precision) @ tf.cast(kernel, self._precision), tf.float32)

    def generator_hidden(self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows, keep=keep_all) -> tf.Tensor:
        """y_h of Eq. 3 for every prefix: (R, hidden). keep(site, values) may drop values of each of SITES."""
        inputs = partial(keep, "E_c"), partial(keep, "E_a")
        if self.gca.canonical:
            start = States(*(keep("e_c", memory) for memory in self.thought(contexts, inputs[0])))
            e_a = keep("e_a", self.prefixes("bot", answers, rows, inputs[1], start))
            return keep("y_h", self.hidden(self.gca.layer("bot").bias, e_a))
        e_c = keep("e_c", self.contexts("bot", contexts, inputs[0]))
        e_a = keep("e_a", self.prefixes("bot", answers, rows, inputs[1]))
        return keep("y_h", self.hidden(tf.gather(self.context_term(e_c), rows.answer), e_a))

    def generator_logits(self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows, keep=keep_all) -> tf.Tensor:
        """Figure 1 for every prefix, before the softmax: (R, s_v)."""
        return self.token_logits(self.generator_hidden(contexts, answers, rows, keep))

    def discriminator_logits(
        self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows, probabilities: tf.Tensor | None = None
    ) -> tf.Tensor:
        """The argument of Eq. 8's sigmoid for every prefix: (R,).

        probabilities: (R, s_v), the generator's p as in Figure 2; None judges the answers' own tokens, for which the
        product of W_d with a one-hot vector is one look-up.
        """
        sizes, output = self.gca.sizes, self.gca.layer("discriminator_output")
        first = self.gca.layer("discriminator_hidden") if sizes.discriminator_hidden else output
        units = sizes.discriminator_sentence_embedding
        W_p, W_c, W_a = tf.split(tf.convert_to_tensor(first.kernel), [sizes.vocabulary, units, units])
        e_cd = self.contexts("discriminator", contexts)
        e_ad = self.prefixes("discriminator", answers, rows)
        token = tf.gather(W_p, rows.targets) if probabilities is None else probabilities @ W_p
        total = token + tf.gather(e_cd @ W_c, rows.answer) + e_ad @ W_a + first.bias
        return (total if first is output else tf.nn.relu(total) @ output.kernel + output.bias)[:, 0]


def _moved_right(contexts: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The numbers of tokens, (B,), and the same tokens padded on the right."""
    lengths = tf.math.count_nonzero(contexts, axis=1, dtype=tf.int32)
    return lengths, tf.reverse_sequence(contexts[:, ::-1], lengths, seq_axis=1)


def _last(states: tf.Tensor, lengths: tf.Tensor, empty: tf.Tensor | float) -> tf.Tensor:
    """The states (B, s, u) after the last token, (B, u); `empty` where there is none."""
    last = tf.gather(states, tf.maximum(lengths - 1, 0), batch_dims=1)
    return tf.where(lengths[:, None] > 0, last, empty)
