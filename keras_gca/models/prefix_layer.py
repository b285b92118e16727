"""The part of Figure 2 that generator and discriminator have in common, for all prefixes of answers (see `forward.py`).

Shapes: B answers, T partial answers in the longest of them, R <= B T rows; at most s tokens and n utterances in a
context; the other sizes are those of `sizes.py`.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.models.lstm import States, lstm_memories, lstm_states
from keras_gca.models.rows import Rows


class Paddings(NamedTuple):
    """The padding token that the LSTMs read before each sentence with `--padding original`, and the padded length.

    Attributes:
        token: the index of the token that is read as padding.
        sentence_length: s_s; n tokens follow s_s - n paddings.
    """

    token: int
    sentence_length: int


class PrefixLayer(keras.layers.Layer):
    """The part of Figure 2 that the generator and the discriminator have in common: Eq. 1, and Eq. 2 or 7.

    It uses the layers of Figure 2, and has no weights of its own.

    Args:
        shared: the embedding, (s_v, s_e).
        encoder_context: the LSTM that reads contexts, of u units: s_se or s_sed.
        encoder_answer: the LSTM that reads partial answers, of u units.
        paddings: the padding that both LSTMs read before a sentence, or None if they skip padding.
        name: the name of the layer.
        encoder_utterance: the LSTM that reads each utterance of a context, of u units, if the encoder is hierarchical.
            `encoder_context` then reads the encodings of the utterances. None for the paper's encoder.
        speakers: whether contexts may begin with the token of a speaker (see `data/pairs.py`).
    """

    def __init__(
        self,
        shared: keras.layers.Embedding,
        encoder_context: keras.layers.LSTM,
        encoder_answer: keras.layers.LSTM,
        paddings: Paddings | None = None,
        name: str | None = None,
        encoder_utterance: keras.layers.LSTM | None = None,
        speakers: bool = False,
    ):
        super().__init__(name=name)
        self.shared = shared
        self.encoder_context = encoder_context
        self.encoder_answer = encoder_answer
        self.paddings = paddings
        self.encoder_utterance = encoder_utterance
        self.speakers = speakers

    def embed(self, tokens: tf.Tensor) -> tf.Tensor:
        """Look up word vectors (Eq. 1): (B, T) int32 -> (B, T, s_e) float32."""
        return tf.gather(self.shared.embeddings, tokens)

    def words_of(self, contexts: tf.Tensor) -> tf.Tensor:
        """Replace the tokens of speakers, which precede the words of contexts, by padding: (B, s) -> (B, s) int32."""
        if not self.speakers:
            return contexts
        return tf.where(contexts < self.shared.input_dim, contexts, PAD)

    def inputs_of_contexts(self, E_c: tf.Tensor, tokens: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute what `encoder_context` reads: word vectors, or the encodings of utterances (hierarchical).

        Args:
            E_c: (B, s, s_e) float32, the word vectors of contexts that are padded on the right.
            tokens: (B, s) int32, the tokens of these contexts.
            lengths: (B,) int32, the contexts' numbers of tokens.

        Returns:
            The inputs, (B, s, s_e) or (B, n, u) float32, padded on the right, and their numbers, (B,) int32.
        """
        if self.encoder_utterance is None:
            return E_c, lengths
        ends = tokens == EOS
        begins = tf.pad(ends[:, :-1], [[0, 0], [1, 0]])  # the memory before the first token is 0 in any case
        states = lstm_memories(self.encoder_utterance, E_c, kept=1 - tf.cast(begins, tf.float32)).h  # (B, s, u)
        counts = tf.math.count_nonzero(ends, axis=1, dtype=tf.int32)
        order = tf.argsort(tf.cast(ends, tf.int32), axis=1, direction="DESCENDING", stable=True)
        places = order[:, : tf.maximum(tf.reduce_max(counts), 1)]  # at first the places of all EOS, in their order
        return tf.gather(states, places, batch_dims=1), counts

    def encode_contexts(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Encode contexts: e_c of Eq. 2, or e_cd of Eq. 7.

        Args:
            inputs: (B, s, s_e) float32, the word vectors of contexts that are padded on the right; for a hierarchical
                encoder (B, n, u), the encodings of utterances. See `inputs_of_contexts`.
            lengths: (B,) int32, the numbers of these inputs of each context.

        Returns:
            (B, u) float32.
        """
        start = None
        if self.paddings:
            start = self.after_paddings(self.encoder_context, self.paddings.sentence_length - lengths)
        states = lstm_states(self.encoder_context, inputs, start)  # (B, s, u)
        return last_states(states, lengths, 0.0 if start is None else start.h)

    def encode_prefixes(self, E_a: tf.Tensor, rows: Rows, start: States | None = None) -> tf.Tensor:
        """Encode all partial answers: e_a of Eq. 2, or e_ad of Eq. 7.

        Args:
            E_a: (B, T, s_e) float32, the word vectors of answers without their last token, padded on the right.
            rows: the R partial answers: for each of them, the number of the answer and the number of the last token.
            start: the two parts of the memory to start from, as in Eq. 5, each (B, u). Used only with masked padding.

        Returns:
            (R, u) float32, the state of the LSTM after each partial answer.
        """
        if not self.paddings:
            return tf.gather_nd(lstm_states(self.encoder_answer, E_a, start), rows.positions)
        # Each answer has T memories. Memory t starts after s_s - t - 1 paddings; after step t it has read the partial
        # answer of t + 1 tokens.
        count, steps, _ = tf.unstack(tf.shape(E_a))
        counts = self.paddings.sentence_length - 1 - tf.range(steps)
        memories = self.after_paddings(self.encoder_answer, counts)
        start = States(*(tf.tile(memory, [count, 1]) for memory in memories))
        states = lstm_states(self.encoder_answer, tf.repeat(E_a, steps, axis=0), start)  # (B T, T, u)
        states = tf.reshape(states, [count, steps, steps, self.encoder_answer.units])
        return tf.gather_nd(states, tf.concat([rows.positions, rows.positions[:, 1:]], 1))

    def after_paddings(self, lstm: keras.layers.LSTM, counts: tf.Tensor) -> States:
        """Compute the memory of an LSTM that has read only paddings; with `original` padding only.

        Args:
            lstm: one of the two encoders.
            counts: (n,) int32, for each of n memories the number of paddings that the LSTM has read, at most s_s.

        Returns:
            The memories, (n, u) each.

        Raises:
            ValueError: The layer skips padding, as with `masked` padding.
        """
        if self.paddings is None:
            raise ValueError(f"{self.name} skips padding, so its LSTMs have no memory after paddings")
        token, longest = self.paddings
        memories = lstm_memories(lstm, self.embed(tf.fill([1, longest], token)))  # (1, s_s, u)
        return States(*(tf.gather(tf.pad(memory[0], [[1, 0], [0, 0]]), counts) for memory in memories))


def last_states(states: tf.Tensor, lengths: tf.Tensor, empty: tf.Tensor | float) -> tf.Tensor:
    """Return the states after the last token, (B, s, u) -> (B, u) float32; `empty` for rows without tokens."""
    last = tf.gather(states, tf.maximum(lengths - 1, 0), batch_dims=1)
    return tf.where(lengths[:, None] > 0, last, empty)
