"""The part of Figure 2 that the generator and the discriminator share, for all prefixes of answers (see `forward.py`).

Shapes: B answers; T partial answers in the longest answer; R rows (at most B * T); at most s tokens and n utterances in
a context; the other sizes as in `sizes.py`.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.models.lstm import States, lstm_memories, lstm_states
from keras_gca.models.rows import Rows


class Paddings(NamedTuple):
    """The padding that the LSTMs read before each sentence with `--padding original`.

    Attributes:
        token: The index of the token that is read as padding.
        sentence_length: s_s, the padded length. A sentence of n tokens follows s_s - n padding tokens.
    """

    token: int
    sentence_length: int


class PrefixLayer(keras.layers.Layer):
    """The part of Figure 2 that the generator and the discriminator share: Eq. 1, and Eq. 2 or 7.

    This layer uses the layers of Figure 2, and adds no weights.

    Args:
        shared: The embedding, with weights of shape (s_v, s_e).
        encoder_context: The LSTM that reads contexts, with u units (s_se or s_sed).
        encoder_answer: The LSTM that reads partial answers, with u units.
        paddings: The padding that both LSTMs read before a sentence, or None if they skip padding.
        name: The name of the layer.
        encoder_utterance: The LSTM of a hierarchical encoder that reads each utterance of a context, with u units.
            `encoder_context` then reads the encodings of the utterances. None for the paper's encoder.
        speakers: Whether contexts may begin with a speaker token (see `data/pairs.py`).
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
        """Look up word vectors (Eq. 1).

        The tokens have shape (B, T) and dtype int32; the result has shape (B, T, s_e) and dtype float32.
        """
        return tf.gather(self.shared.embeddings, tokens)

    def words_of(self, contexts: tf.Tensor) -> tf.Tensor:
        """Replace the speaker tokens at the beginning of contexts with padding.

        The contexts and the result have shape (B, s) and dtype int32.
        """
        if not self.speakers:
            return contexts
        return tf.where(contexts < self.shared.input_dim, contexts, PAD)

    def inputs_of_contexts(self, E_c: tf.Tensor, tokens: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the inputs of `encoder_context`: word vectors, or utterance encodings for a hierarchical encoder.

        Args:
            E_c: The word vectors of contexts that are padded on the right, shape (B, s, s_e) and dtype float32.
            tokens: The tokens of these contexts, shape (B, s) and dtype int32.
            lengths: The number of tokens in each context, shape (B,) and dtype int32.

        Returns:
            The inputs, padded on the right, of shape (B, s, s_e) or (B, n, u) and dtype float32, and the number of
            inputs for each context, of shape (B,) and dtype int32.
        """
        if self.encoder_utterance is None:
            return E_c, lengths
        ends = tokens == EOS
        begins = tf.pad(ends[:, :-1], [[0, 0], [1, 0]])  # the memory before the first token is 0 in any case
        states = lstm_memories(self.encoder_utterance, E_c, kept=1 - tf.cast(begins, tf.float32)).h  # (B, s, u)
        counts = tf.math.count_nonzero(ends, axis=1, dtype=tf.int32)
        order = tf.argsort(tf.cast(ends, tf.int32), axis=1, direction="DESCENDING", stable=True)
        places = order[:, : tf.maximum(tf.reduce_max(counts), 1)]  # the positions of all EOS come first, in their order
        return tf.gather(states, places, batch_dims=1), counts

    def encode_contexts(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Encode contexts: e_c of Eq. 2, or e_cd of Eq. 7.

        Args:
            inputs: The result of `inputs_of_contexts`, dtype float32, padded on the right: the word vectors of
                contexts, shape (B, s, s_e), or the encodings of utterances for a hierarchical encoder, shape (B, n, u).
            lengths: The number of inputs for each context, shape (B,) and dtype int32.

        Returns:
            A float32 tensor of shape (B, u).
        """
        start = None
        if self.paddings:
            start = self.after_paddings(self.encoder_context, self.paddings.sentence_length - lengths)
        states = lstm_states(self.encoder_context, inputs, start)  # (B, s, u)
        return last_states(states, lengths, 0.0 if start is None else start.h)

    def encode_prefixes(self, E_a: tf.Tensor, rows: Rows, start: States | None = None) -> tf.Tensor:
        """Encode all partial answers: e_a of Eq. 2, or e_ad of Eq. 7.

        Args:
            E_a: The word vectors of answers without their last token, padded on the right, shape (B, T, s_e) and dtype
                float32.
            rows: The R partial answers, each given by the index of its answer and the index of its last token.
            start: The memory to start from as in Eq. 5, h and c, each of shape (B, u). It is used only with masked
                padding.

        Returns:
            The state of the LSTM after each partial answer, shape (R, u) and dtype float32.
        """
        if not self.paddings:
            return tf.gather_nd(lstm_states(self.encoder_answer, E_a, start), rows.positions)
        # Each answer has T memories. Memory t starts after s_s - t - 1 padding tokens; after step t it has read the
        # partial answer of t + 1 tokens.
        count, steps, _ = tf.unstack(tf.shape(E_a))
        counts = self.paddings.sentence_length - 1 - tf.range(steps)
        memories = self.after_paddings(self.encoder_answer, counts)
        start = States(*(tf.tile(memory, [count, 1]) for memory in memories))
        states = lstm_states(self.encoder_answer, tf.repeat(E_a, steps, axis=0), start)  # (B T, T, u)
        states = tf.reshape(states, [count, steps, steps, self.encoder_answer.units])
        return tf.gather_nd(states, tf.concat([rows.positions, rows.positions[:, 1:]], 1))

    def after_paddings(self, lstm: keras.layers.LSTM, counts: tf.Tensor) -> States:
        """Compute the memory of an LSTM that has read only padding tokens; requires `original` padding.

        Args:
            lstm: One of the two encoders.
            counts: For each of n memories, the number of padding tokens (at most s_s) that the LSTM has read, shape
                (n,) and dtype int32.

        Returns:
            The memories, h and c, each of shape (n, u).

        Raises:
            ValueError: The layer skips padding, as with `masked` padding.
        """
        if self.paddings is None:
            raise ValueError(f"{self.name} skips padding, so its LSTMs have no memory of padding tokens")
        token, longest = self.paddings
        memories = lstm_memories(lstm, self.embed(tf.fill([1, longest], token)))  # (1, s_s, u)
        return States(*(tf.gather(tf.pad(memory[0], [[1, 0], [0, 0]]), counts) for memory in memories))


def last_states(states: tf.Tensor, lengths: tf.Tensor, empty: tf.Tensor | float) -> tf.Tensor:
    """Return the state after the last token of each sequence, or `empty` for sequences without tokens.

    The states have shape (B, s, u); the result has shape (B, u) and dtype float32.
    """
    last = tf.gather(states, tf.maximum(lengths - 1, 0), batch_dims=1)
    return tf.where(lengths[:, None] > 0, last, empty)
