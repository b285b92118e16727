"""Computes Figure 2 for all prefixes of an answer in one pass; training, decoding and scoring use this file.

A prefix is a partial answer: the first tokens of an answer. `networks.py` contains Figure 2 as the paper draws it, with
the same layers. This file must compute the same values.

A model of `networks.py` reads one partial answer at a time, and an answer of n tokens has n partial answers. With
masked padding, the state of the LSTM after k tokens of the answer *is* the encoding of the partial answer of k tokens.
All partial answers share the encoding of the context. Therefore one pass over the answer and one pass over the context
are enough (Eq. 2 and 7).

With `original` padding, the LSTM reads s_s - k padding tokens before a partial answer of k tokens. Its memory after j
padding tokens is the same for every sample, so one pass over s_s padding tokens gives the memories for all j. Starting
from such a memory, each partial answer needs k steps instead of s_s, and all partial answers are computed in parallel.
A context needs as many steps as it has tokens.

With a hierarchical encoder, the utterances of a context are joined into one sequence of tokens, in which each utterance
ends with EOS. One pass over this sequence encodes all utterances: the LSTM's memory is set to 0 where an utterance
begins, and its state at EOS is the encoding of the utterance.

A row is a pair of a partial answer and the token that follows it (`rows.py`). The layers after the LSTMs process only
rows, and not the padding of a batch. Shapes: B answers, T partial answers in the longest of them, R <= B T rows; at
most n utterances in a context; the other sizes are those of `sizes.py`.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from keras_gca.models.lstm import States, lstm_memories
from keras_gca.models.networks import GenerativeConversationalAgent
from keras_gca.models.prefix_layer import Paddings, PrefixLayer, last_states
from keras_gca.models.rows import Rows, moved_right
from keras_gca.models.topic_layers import TopicLayers
from keras_gca.models.topics import TopicAttention, TopicTerms

SITES = ("E_c", "E_a", "e_c", "e_a", "y_h")  # the places where a training run may apply dropout
Dropout = Callable[[str, tf.Tensor], tf.Tensor]  # (one of SITES, values) -> values after dropout


def no_dropout(site: str, values: tf.Tensor) -> tf.Tensor:
    """The `Dropout` that drops nothing."""
    return values


class PrefixGenerator(PrefixLayer):
    """Computes Figure 1 for all prefixes of answers in one pass.

    The equations are Eq. 1 to 3; for a canonical generator they are Eq. 1, 4, 5 and 3.

    Args:
        shared: the embedding of Figure 1, (s_v, s_e).
        encoder_context_bot: the LSTM that reads contexts, with s_se units.
        encoder_answer_bot: the LSTM that reads partial answers, with s_se units.
        bot: the hidden layer, W_1 and b_1 of Eq. 3.
        decision_bot: the output layer, whose softmax is Eq. 3.
        paddings: see `PrefixLayer`.
        canonical: whether encoder_answer_bot starts from the memory of encoder_context_bot (Eq. 5). The encoding e is
            then only the answer's encoding.
        precision: the number format of the matrix products of `bot` and `decision_bot`, "float32" or "bfloat16".
        encoder_utterance_bot: the LSTM that reads each utterance of a context, with s_se units; see `PrefixLayer`.
        persona_bot: the speaker embeddings, (speakers + 1, s_p), or None if the network does not have them.
        topics: the layers of topics, or None if the network does not have them.
    """

    def __init__(
        self,
        shared: keras.layers.Embedding,
        encoder_context_bot: keras.layers.LSTM,
        encoder_answer_bot: keras.layers.LSTM,
        bot: keras.layers.Dense,
        decision_bot: keras.layers.Dense,
        paddings: Paddings | None = None,
        canonical: bool = False,
        precision: str = "float32",
        encoder_utterance_bot: keras.layers.LSTM | None = None,
        persona_bot: keras.layers.Embedding | None = None,
        topics: TopicLayers | None = None,
    ):
        encoders, speakers = (encoder_context_bot, encoder_answer_bot), persona_bot is not None
        super().__init__(shared, *encoders, paddings, "prefix_generator", encoder_utterance_bot, speakers)
        self.persona_bot = persona_bot
        self.topics = None if topics is None else TopicAttention(shared, topics)
        self.bot = bot
        self.decision_bot = decision_bot
        self.canonical = canonical
        self.precision = precision

    @classmethod
    def of(cls, gca: GenerativeConversationalAgent, precision: str = "float32") -> "PrefixGenerator":
        """Make the fast equivalent of `gca.generator` from its layers."""
        layers = gca.layers
        return cls(
            layers.shared,
            layers.encoder_context_bot,
            layers.encoder_answer_bot,
            layers.bot,
            layers.decision_bot,
            _paddings(gca),
            gca.canonical,
            precision,
            layers.encoder_utterance_bot,
            layers.persona_bot,
            layers.topics,
        )

    def call(self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows, dropout: Dropout = no_dropout) -> tf.Tensor:
        """Compute Figure 1 for every row, up to the softmax.

        Args:
            contexts: (B, s) int32, padded on the left with PAD.
            answers: (B, T + 1) int32, `BOS ... EOS` padded on the right with PAD.
            rows: the rows of the answers to compute.
            dropout: applies dropout at each of SITES.

        Returns:
            (R, s_v) float32, the argument of Eq. 3's softmax.
        """
        return self.outputs(contexts, answers, rows, dropout)[0]

    def outputs(
        self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows, dropout: Dropout = no_dropout
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the result of `call`, and y_h of Eq. 3 for every row, (R, hidden) float32."""
        words = self.words_of(contexts)
        lengths, moved = moved_right(words)
        E_c = dropout("E_c", self.embed(moved))  # (B, s, s_e), Eq. 1
        E_a = dropout("E_a", self.embed(answers[:, :-1]))  # (B, T, s_e)
        inputs, lengths = self.inputs_of_contexts(E_c, moved, lengths)
        encoded = [] if self.persona_bot is None else [self.personas(contexts)]  # (B, s_p)
        if self.canonical:
            start = States(*(dropout("e_c", memory) for memory in self.context_memory(inputs, lengths)))  # Eq. 4
            e_a = dropout("e_a", self.encode_prefixes(E_a, rows, start))  # (R, s_se), Eq. 5
        else:
            encoded = [dropout("e_c", self.encode_contexts(inputs, lengths)), *encoded]  # (B, s_se), Eq. 2
            e_a = dropout("e_a", self.encode_prefixes(E_a, rows))  # (R, s_se)
        if self.topics is not None:
            return self._outputs_with_topics(self.topics, words, encoded, e_a, rows, dropout)
        context_term = self.bot.bias  # (hidden,)
        if encoded:
            context_term = tf.gather(self.context_term(_joined(encoded)), rows.answer)  # (R, hidden)
        y_h = dropout("y_h", self.hidden_layer(context_term, e_a))  # (R, hidden), Eq. 3
        return self.token_logits(y_h), y_h

    def _outputs_with_topics(
        self,
        topics: TopicAttention,
        words: tf.Tensor,
        encoded: list[tf.Tensor],
        e_a: tf.Tensor,
        rows: Rows,
        dropout: Dropout,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        terms = self.topic_terms(topics, words, encoded)
        read = topics.attend(terms, e_a, rows.positions)  # (R, s_e + s_se)
        y_h = dropout("y_h", self.hidden_layer(tf.gather(terms.hidden, rows.answer), read))  # (R, hidden)
        return topics.with_bonus(self.token_logits(y_h), terms, read, rows.positions), y_h

    def topic_terms(self, topics: TopicAttention, words: tf.Tensor, encoded: list[tf.Tensor]) -> TopicTerms:
        """Compute what all partial answers to a context share, in a network with topics.

        Args:
            topics: the layers of topics.
            words: (B, s) int32, contexts without speaker tokens.
            encoded: the parts of e before e_a, (B, ...) float32 each.
        """
        if not encoded:
            bias = tf.convert_to_tensor(self.bot.bias)
            return topics.terms(words, None, tf.tile(bias[None], [tf.shape(words)[0], 1]))
        return topics.terms(words, _joined(encoded), self.context_term(_joined(encoded)))

    def encodings(self, contexts: tf.Tensor) -> tf.Tensor:
        """Encode contexts without dropout: e_c of Eq. 2, or h of g(x) of Eq. 4, (B, s) int32 -> (B, s_se) float32."""
        lengths, moved = moved_right(self.words_of(contexts))
        return self.encode_contexts(*self.inputs_of_contexts(self.embed(moved), moved, lengths))

    def context_memory(self, inputs: tf.Tensor, lengths: tf.Tensor) -> States:
        """Compute the memory from which a canonical decoder starts, g(x) of Eq. 4 and 5.

        Args:
            inputs: the inputs of the LSTM that reads contexts, as for `encode_contexts`.
            lengths: (B,) int32, the number of inputs for each context.

        Returns:
            h and c, (B, s_se) float32 each.
        """
        memories = lstm_memories(self.encoder_context, inputs)  # (B, s, s_se)
        return States(*(last_states(memory, lengths, 0.0) for memory in memories))

    def personas(self, contexts: tf.Tensor) -> tf.Tensor:
        """Look up the embedding v of the speaker whose token precedes the words of a context: (B, s) -> (B, s_p)."""
        if self.persona_bot is None:
            raise ValueError("the generator has no speaker embeddings")
        numbers = tf.reduce_max(tf.where(contexts < self.shared.input_dim, 0, contexts - self.shared.input_dim), 1)
        return tf.gather(self.persona_bot.embeddings, numbers)

    def context_term(self, e_c: tf.Tensor) -> tf.Tensor:
        """Compute the part of Eq. 3's W_1 [e_c e_a] + b_1 that all prefixes share: (B, s_se) -> (B, hidden).

        With speaker embeddings, the argument is [e_c v], or v in a canonical generator.
        """
        return self._product(e_c, self.bot.kernel[: -self._of_prefix]) + self.bot.bias

    def hidden_layer(self, context_term: tf.Tensor, e_a: tf.Tensor) -> tf.Tensor:
        """Compute y_h of Eq. 3 from its two parts.

        Args:
            context_term: (R, hidden) float32, the result of `context_term`; only b_1 for a canonical generator without
                speaker embeddings.
            e_a: (R, s_se) float32; with topics [o e_a], (R, s_e + s_se).

        Returns:
            (R, hidden) float32.
        """
        return tf.nn.relu(context_term + self._product(e_a, self.bot.kernel[-self._of_prefix :]))

    def token_logits(self, y_h: tf.Tensor) -> tf.Tensor:
        """Compute the argument of Eq. 3's softmax: (R, hidden) -> (R, s_v)."""
        return self._product(y_h, self.decision_bot.kernel) + self.decision_bot.bias

    @property
    def _of_prefix(self) -> int:
        """The number of values of e that belong to a partial answer: those of e_a, and with topics those of o."""
        return self.encoder_answer.units + (0 if self.topics is None else self.shared.output_dim)

    def _product(self, rows: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if self.precision == "float32":
            return rows @ kernel
        return tf.cast(tf.cast(rows, self.precision) @ tf.cast(kernel, self.precision), tf.float32)


class PrefixDiscriminator(PrefixLayer):
    """Computes the discriminator of Figure 2 for all prefixes of answers in one pass: Eq. 1, 7 and 8.

    Args:
        shared: the embedding of Figure 2, (s_v, s_e).
        encoder_context_discriminator: the LSTM that reads contexts, with s_sed units.
        encoder_answer_discriminator: the LSTM that reads partial answers, with s_sed units.
        discriminator_output: the output layer, whose sigmoid is Eq. 8.
        discriminator_hidden: a hidden layer before the output layer, or None, as in the paper, if the network does not
            have such a layer.
        paddings: see `PrefixLayer`.
        encoder_utterance_discriminator: the LSTM that reads each utterance of a context, with s_sed units; see
            `PrefixLayer`.
        speakers: see `PrefixLayer`.
    """

    def __init__(
        self,
        shared: keras.layers.Embedding,
        encoder_context_discriminator: keras.layers.LSTM,
        encoder_answer_discriminator: keras.layers.LSTM,
        discriminator_output: keras.layers.Dense,
        discriminator_hidden: keras.layers.Dense | None = None,
        paddings: Paddings | None = None,
        encoder_utterance_discriminator: keras.layers.LSTM | None = None,
        speakers: bool = False,
    ):
        encoders = encoder_context_discriminator, encoder_answer_discriminator
        super().__init__(shared, *encoders, paddings, "prefix_discriminator", encoder_utterance_discriminator, speakers)
        self.discriminator_output = discriminator_output
        self.discriminator_hidden = discriminator_hidden

    @classmethod
    def of(cls, gca: GenerativeConversationalAgent) -> "PrefixDiscriminator":
        """Make the fast equivalent of `gca.discriminator`, the upper half of `gca.adversarial`, from its layers."""
        layers = gca.layers
        return cls(
            layers.shared,
            layers.encoder_context_discriminator,
            layers.encoder_answer_discriminator,
            layers.discriminator_output,
            layers.discriminator_hidden,
            _paddings(gca),
            layers.encoder_utterance_discriminator,
            layers.persona_bot is not None,
        )

    def call(
        self,
        contexts: tf.Tensor,
        answers: tf.Tensor,
        rows: Rows,
        probabilities: tf.Tensor | None = None,
        noise: Dropout = no_dropout,
    ) -> tf.Tensor:
        """Judge the token of every row.

        Args:
            contexts: (B, s) int32, padded on the left with PAD.
            answers: (B, T + 1) int32, `BOS ... EOS` padded on the right with PAD.
            rows: the rows of the answers to judge.
            probabilities: (R, s_v) float32, the generator's p as in Figure 2. If None, the answers' own tokens are
                judged; the product of W_d with a one-hot vector is then computed as a look-up.
            noise: changes the encodings. It is called with ("e_cd", (B, s_sed)) and with ("e_ad", (R, s_sed)).

        Returns:
            (R,) float32, the argument of Eq. 8's sigmoid.
        """
        token, context, answer = self.terms(contexts, answers, rows, probabilities, noise)
        return self.logits(token + context + answer)

    def terms(
        self,
        contexts: tf.Tensor,
        answers: tf.Tensor,
        rows: Rows,
        probabilities: tf.Tensor | None = None,
        noise: Dropout = no_dropout,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute the three terms of Eq. 8's W_d [token e_cd e_ad] for every row; the arguments are those of `call`.

        Returns:
            The terms of the current token, the context and the partial answer, (R, 1) float32 each, or (R, units) if
            the discriminator has a hidden layer.
        """
        lengths, moved = moved_right(self.words_of(contexts))
        E_c, E_a = self.embed(moved), self.embed(answers[:, :-1])  # (B, s, s_e) and (B, T, s_e), Eq. 1
        e_cd = noise("e_cd", self.encode_contexts(*self.inputs_of_contexts(E_c, moved, lengths)))  # (B, s_sed), Eq. 7
        e_ad = noise("e_ad", self.encode_prefixes(E_a, rows))  # (R, s_sed)
        parts = [self.shared.input_dim, self.encoder_context.units, self.encoder_answer.units]
        W_p, W_c, W_a = tf.split(tf.convert_to_tensor(self._first.kernel), parts)  # W_d of Eq. 8, [token e_cd e_ad]
        token = tf.gather(W_p, rows.targets) if probabilities is None else probabilities @ W_p
        return token, tf.gather(e_cd @ W_c, rows.answer), e_ad @ W_a

    def logits(self, total: tf.Tensor) -> tf.Tensor:
        """Compute the argument of Eq. 8's sigmoid, (R,) float32, from the sum of the three terms."""
        total = total + self._first.bias
        if self.discriminator_hidden:
            total = tf.nn.relu(total) @ self.discriminator_output.kernel + self.discriminator_output.bias
        return total[:, 0]

    @property
    def _first(self) -> keras.layers.Dense:
        """The layer whose inputs are the token and both encodings."""
        return self.discriminator_hidden or self.discriminator_output


def _joined(parts: list[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, 1)


def _paddings(gca: GenerativeConversationalAgent) -> Paddings | None:
    return Paddings(gca.padding, gca.sizes.sentence_length) if gca.original_padding else None
