"""Computes the networks of Figure 2 for all prefixes of an answer in one pass, for training, decoding, and scoring.

A prefix is a partial answer: the first tokens of an answer. `networks.py` contains Figure 2 as the paper draws it. This
module uses the same layers, and must compute the same values.

The models in `networks.py` read one partial answer at a time, and an answer of n tokens has n partial answers. With
masked padding, the state of the LSTM after k tokens of the answer *is* the encoding of the partial answer of k tokens.
All partial answers share the encoding of the context. One pass over the answer and one pass over the context are
therefore enough (Eq. 2 and 7).

With `original` padding, the LSTM reads s_s - k padding tokens before a partial answer of k tokens. Its memory after j
padding tokens is the same for every sample, so one pass over s_s padding tokens gives the memories for all j. Starting
from such a memory, a partial answer of k tokens takes k steps instead of s_s, and all partial answers are computed in
parallel. Encoding a context takes one step for each of its tokens.

With a hierarchical encoder, the utterances of a context are joined into one sequence of tokens, in which each utterance
ends with EOS. One pass over this sequence encodes all utterances: the memory of the LSTM is reset to 0 at the beginning
of each utterance, and the LSTM's state at EOS is the encoding of the utterance.

A row is a pair of a partial answer and the token that follows it (`rows.py`). The layers after the LSTMs process only
rows, not the padding of a batch. Shapes: B answers; T partial answers in the longest answer; R rows (at most B * T); at
most n utterances in a context; the other sizes as in `sizes.py`.
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
    """Return the values unchanged; this `Dropout` function drops nothing."""
    return values


class PrefixGenerator(PrefixLayer):
    """A layer that computes Figure 1 for all prefixes of answers in one pass.

    It computes Eq. 1 to 3, or Eq. 1, 4, 5, and 3 for a canonical generator.

    Args:
        shared: The embedding of Figure 1, with weights of shape (s_v, s_e).
        encoder_context_bot: The LSTM that reads contexts, with s_se units.
        encoder_answer_bot: The LSTM that reads partial answers, with s_se units.
        bot: The hidden layer, W_1 and b_1 of Eq. 3.
        decision_bot: The output layer, whose softmax is Eq. 3.
        paddings: See `PrefixLayer`.
        canonical: Whether encoder_answer_bot starts from the memory of encoder_context_bot (Eq. 5). In this case, e in
            Eq. 3 is only the encoding of the answer.
        precision: The number format of the matrix products of `bot` and `decision_bot`, "float32" or "bfloat16".
        encoder_utterance_bot: The LSTM that reads each utterance of a context, with s_se units; see `PrefixLayer`.
        persona_bot: The speaker embeddings, with weights of shape (speakers + 1, s_p), or None if there are none.
        topics: The layers of topics, or None if there are none.
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
            contexts: The contexts, shape (B, s) and dtype int32, padded on the left with PAD.
            answers: `BOS ... EOS` padded on the right with PAD, shape (B, T + 1) and dtype int32.
            rows: The rows of the answers to compute.
            dropout: A function that applies dropout at each of SITES.

        Returns:
            The argument of the softmax in Eq. 3, shape (R, s_v) and dtype float32.
        """
        return self.outputs(contexts, answers, rows, dropout)[0]

    def outputs(
        self, contexts: tf.Tensor, answers: tf.Tensor, rows: Rows, dropout: Dropout = no_dropout
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the result of `call`, and y_h of Eq. 3 for every row, a float32 tensor of shape (R, hidden).

        The arguments are those of `call`.
        """
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
        W_c, W_a = self.hidden_kernels()
        context_term = self.bot.bias  # (hidden,)
        if encoded:
            context_term = tf.gather(self.context_term(_joined(encoded), W_c), rows.answer)  # (R, hidden)
        y_h = dropout("y_h", self.hidden_layer(context_term, e_a, W_a))  # (R, hidden), Eq. 3
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
        W_c, W_a = self.hidden_kernels()
        terms = self.topic_terms(topics, words, encoded, W_c)
        read = topics.attend(terms, e_a, rows.positions)  # (R, s_e + s_se)
        y_h = dropout("y_h", self.hidden_layer(tf.gather(terms.hidden, rows.answer), read, W_a))  # (R, hidden)
        return topics.with_bonus(self.token_logits(y_h), terms, read, rows.positions), y_h

    def topic_terms(
        self, topics: TopicAttention, words: tf.Tensor, encoded: list[tf.Tensor], W_c: tf.Tensor
    ) -> TopicTerms:
        """Compute the values of a network with topics that all partial answers to a context share.

        Args:
            topics: The layers of topics.
            words: The contexts without speaker tokens, shape (B, s) and dtype int32.
            encoded: The parts of e before e_a, each of shape (B, ...) and dtype float32.
            W_c: See `hidden_kernels`.
        """
        if not encoded:
            bias = tf.convert_to_tensor(self.bot.bias)
            return topics.terms(words, None, tf.tile(bias[None], [tf.shape(words)[0], 1]))
        return topics.terms(words, _joined(encoded), self.context_term(_joined(encoded), W_c))

    def encodings(self, contexts: tf.Tensor) -> tf.Tensor:
        """Encode contexts without dropout: e_c of Eq. 2, or h of g(x) of Eq. 4.

        The contexts have shape (B, s) and dtype int32; the result has shape (B, s_se) and dtype float32.
        """
        lengths, moved = moved_right(self.words_of(contexts))
        return self.encode_contexts(*self.inputs_of_contexts(self.embed(moved), moved, lengths))

    def context_memory(self, inputs: tf.Tensor, lengths: tf.Tensor) -> States:
        """Compute the memory from which a canonical decoder starts, g(x) of Eq. 4 and 5.

        Args:
            inputs: The inputs of the LSTM that reads contexts, as in `encode_contexts`.
            lengths: The number of inputs for each context, shape (B,) and dtype int32.

        Returns:
            h and c, each of shape (B, s_se) and dtype float32.
        """
        memories = lstm_memories(self.encoder_context, inputs)  # (B, s, s_se)
        return States(*(last_states(memory, lengths, 0.0) for memory in memories))

    def personas(self, contexts: tf.Tensor) -> tf.Tensor:
        """Look up v, the embedding of the speaker whose token begins the context; shapes (B, s) -> (B, s_p)."""
        if self.persona_bot is None:
            raise ValueError("the generator has no speaker embeddings")
        numbers = tf.reduce_max(tf.where(contexts < self.shared.input_dim, 0, contexts - self.shared.input_dim), 1)
        return tf.gather(self.persona_bot.embeddings, numbers)

    def hidden_kernels(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Return the rows of W_1 (Eq. 3) for e_c, and those for the rest of e.

        With speaker embeddings, the first part is for [e_c v], or just v in a canonical generator. The second part is
        for e_a or, with topics, for [o e_a].
        """
        of_prefix = self.encoder_answer.units + (0 if self.topics is None else self.shared.output_dim)
        return _divided(tf.convert_to_tensor(self.bot.kernel), self.bot.kernel.shape[0] - of_prefix)

    def context_term(self, e_c: tf.Tensor, W_c: tf.Tensor) -> tf.Tensor:
        """Compute the part of W_1 [e_c e_a] + b_1 in Eq. 3 that all prefixes share; shapes (B, s_se) -> (B, hidden).

        With speaker embeddings, the first argument is [e_c v], or just v in a canonical generator. For W_c, see
        `hidden_kernels`.
        """
        return self._product(e_c, W_c) + self.bot.bias

    def hidden_layer(self, context_term: tf.Tensor, e_a: tf.Tensor, W_a: tf.Tensor) -> tf.Tensor:
        """Compute y_h of Eq. 3 from its two parts.

        Args:
            context_term: The result of `context_term`, shape (R, hidden) and dtype float32, or just b_1 for a canonical
                generator without speaker embeddings.
            e_a: The encodings of the partial answers, shape (R, s_se) and dtype float32. With topics, [o e_a],
                shape (R, s_e + s_se).
            W_a: See `hidden_kernels`.

        Returns:
            y_h, shape (R, hidden) and dtype float32.
        """
        return tf.nn.relu(context_term + self._product(e_a, W_a))

    def token_logits(self, y_h: tf.Tensor) -> tf.Tensor:
        """Compute the argument of the softmax in Eq. 3; shapes (R, hidden) -> (R, s_v)."""
        return self._product(y_h, self.decision_bot.kernel) + self.decision_bot.bias

    def _product(self, rows: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        if self.precision == "float32":
            return rows @ kernel
        return tf.cast(tf.cast(rows, self.precision) @ tf.cast(kernel, self.precision), tf.float32)


class PrefixDiscriminator(PrefixLayer):
    """A layer that computes the discriminator of Figure 2 for all prefixes of answers in one pass (Eq. 1, 7, and 8).

    Args:
        shared: The embedding of Figure 2, with weights of shape (s_v, s_e).
        encoder_context_discriminator: The LSTM that reads contexts, with s_sed units.
        encoder_answer_discriminator: The LSTM that reads partial answers, with s_sed units.
        discriminator_output: The output layer, whose sigmoid is Eq. 8.
        discriminator_hidden: A hidden layer before the output layer, or None for no hidden layer, as in the paper.
        paddings: See `PrefixLayer`.
        encoder_utterance_discriminator: The LSTM that reads each utterance of a context, with s_sed units; see
            `PrefixLayer`.
        speakers: See `PrefixLayer`.
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
        """Judge the token that follows each partial answer.

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded on the left with PAD.
            answers: `BOS ... EOS` padded on the right with PAD, shape (B, T + 1) and dtype int32.
            rows: The rows of the answers to judge.
            probabilities: The generator's p as in Figure 2, shape (R, s_v) and dtype float32. If None, the tokens of
                the answers are judged, and the product of W_d with a one-hot vector is computed as a look-up.
            noise: A function that changes the encodings. It is called with ("e_cd", values of shape (B, s_sed)) and
                with ("e_ad", values of shape (R, s_sed)).

        Returns:
            The argument of the sigmoid in Eq. 8, shape (R,) and dtype float32.
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
        """Compute the three terms of W_d [token e_cd e_ad] in Eq. 8 for every row; the arguments are those of `call`.

        Returns:
            The terms of the current token, the context, and the partial answer, each of shape (R, 1) and dtype float32,
            or (R, units) if the discriminator has a hidden layer.
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
        """Compute the argument of the sigmoid in Eq. 8 from the sum of the three terms.

        The result has shape (R,) and dtype float32.
        """
        total = total + self._first.bias
        if self.discriminator_hidden:
            total = tf.nn.relu(total) @ self.discriminator_output.kernel + self.discriminator_output.bias
        return total[:, 0]

    @property
    def _first(self) -> keras.layers.Dense:
        """The layer that takes the token and both encodings as its inputs."""
        return self.discriminator_hidden or self.discriminator_output


def _divided(matrix: tf.Tensor, first: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Divide a matrix into its first rows and the others, without copying them.

    The gradient is the concatenation of the parts' gradients. TensorFlow's own gradient would fill up each of them with
    zeros to the size of the matrix, and add the results.
    """

    @tf.custom_gradient
    def divided(whole: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Callable]:
        return (whole[:first], whole[first:]), lambda *upstream: tf.concat(upstream, 0)

    return divided(matrix)


def _joined(parts: list[tf.Tensor]) -> tf.Tensor:
    return parts[0] if len(parts) == 1 else tf.concat(parts, 1)


def _paddings(gca: GenerativeConversationalAgent) -> Paddings | None:
    return Paddings(gca.padding, gca.sizes.sentence_length) if gca.original_padding else None
