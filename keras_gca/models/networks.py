"""The networks of Figures 1 and 2 as drawn in the paper, in white, yellow, and green (Eq. 1 to 3, 7, and 8).

The white block contains the shared word vectors, the yellow blocks form the generator, and the green blocks form the
discriminator. With a hierarchical encoder (Sordoni et al. 2015, Serban et al. 2016), the generator and the
discriminator each have one more block, which encodes every utterance of a context. Their context encoders then read
these encodings instead of word vectors.

Training does not call these models. It runs the same layers through `forward.py`, which computes all partial answers in
one pass. `tests/keras_gca/models/test_forward.py` checks that both ways give the same values.

Shapes: B samples. `sizes.py` explains the sizes s_s, s_e, s_se, s_sed, and s_v.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import keras
import numpy as np

from keras_gca.config import Config
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import PAD, PERIOD
from keras_gca.engine.memory import refuse_beyond_memory
from keras_gca.engine.nucleus import FORBIDDEN
from keras_gca.models.lstm import hard_sigmoid
from keras_gca.models.sizes import Sizes, sizes_of
from keras_gca.models.topic_layers import TOPIC_BLOCKS, TopicLayers

WHITE = ("shared",)
YELLOW = ("encoder_context_bot", "encoder_answer_bot", "bot", "decision_bot")
GREEN = ("encoder_context_discriminator", "encoder_answer_discriminator", "discriminator_output")
UTTERANCES_BOT, UTTERANCES_DISCRIMINATOR = "encoder_utterance_bot", "encoder_utterance_discriminator"
PERSONA = "persona_bot"


@dataclass(frozen=True)
class Layers:
    """The layers of Figure 2 that have weights, under their names in the figure.

    `discriminator_hidden` is None if `Sizes.discriminator_hidden` is None. The two utterance encoders are None unless
    the encoder is hierarchical, `persona_bot` is None without speaker embeddings, and `topics` is None without topics.
    """

    shared: keras.layers.Embedding
    encoder_context_bot: keras.layers.LSTM
    encoder_answer_bot: keras.layers.LSTM
    bot: keras.layers.Dense
    decision_bot: keras.layers.Dense
    encoder_context_discriminator: keras.layers.LSTM
    encoder_answer_discriminator: keras.layers.LSTM
    discriminator_output: keras.layers.Dense
    discriminator_hidden: keras.layers.Dense | None = None
    encoder_utterance_bot: keras.layers.LSTM | None = None
    encoder_utterance_discriminator: keras.layers.LSTM | None = None
    persona_bot: keras.layers.Embedding | None = None
    topics: TopicLayers | None = None


class GenerativeConversationalAgent:
    """The three functional models of the paper, which share their layers.

    `context` and `answer` have shape (B, s_s) and dtype int32, and are padded on the left by one of two conventions:

    - masked: they are padded with PAD. Every LSTM skips the padding, and its gates are sigmoids.
    - original: as in the author's program, they are padded with the token "." (PERIOD), which every LSTM reads like any
      other token. The gates are Keras 2's hard sigmoids. PAD never occurs, and its probability is 0.

    In a canonical generator (Eq. 4 and 5, the baseline of Section 3.1), the LSTM that reads the answer starts from the
    memory of the LSTM that has read the context. In this case, e in Eq. 3 is only the encoding of the answer.

    With a hierarchical encoder (`Sizes.utterances`), `context` has shape (B, N_u, s_s) and dtype int32. Each row holds
    the tokens of an utterance, which end with EOS and are padded on the left. A context with fewer utterances begins
    with rows of padding. One LSTM encodes the words of each utterance, and the context LSTM reads these encodings, u_1
    ... u_n, instead of word vectors:

        u_k = LSTM(W_e x_k),   e_c = LSTM([u_1 ... u_n])

    `forward.py` takes each context as one sequence of tokens, in which each utterance ends with EOS (see
    `data/pairs.py`).

    With speaker embeddings (`Sizes.persona`, Li et al. 2016), the generator has a third input `speaker` of shape () and
    dtype int32: the number of the answer's speaker, counted from 1, or 0 for an unnamed speaker. The encoding e then
    contains the speaker's embedding v: it is [e_c v e_a], or [v e_a] in a canonical generator. The discriminator does
    not use the speaker.

    With topics (`Sizes.topic_words`, Xing et al. 2017), the generator attends to the words of the context's topic, and
    these words get a bonus in the softmax; `topic_layers.py` contains the equations. The discriminator does not use
    topics.

    Because the layers are shared, there is no need to copy weights as in Algorithm 2 (lines 7, 8, and 10). WHITE,
    YELLOW, and GREEN name the layers of each colour; `select_trainable` freezes all other layers.

    Example:
        >>> import numpy as np
        >>> from keras_gca.models.networks import YELLOW, GenerativeConversationalAgent, Sizes
        >>> gca = GenerativeConversationalAgent(Sizes(20, 5, 4, 6, 7), seed=1)
        >>> gca  # doctest: +NORMALIZE_WHITESPACE
        <GenerativeConversationalAgent of Sizes(vocabulary=20, sentence_length=5, word_embedding=4,
        sentence_embedding=6, discriminator_sentence_embedding=7, hidden=None, discriminator_hidden=None,
        utterances=None, persona=None, speakers=0, topic_words=None), masked padding; generator of 958 weights,
        discriminator of 787>
        >>> context, answer = np.array([[0, 0, 0, 9, 8]]), np.array([[0, 0, 0, 0, 1]])
        >>> p = gca.generator([context, answer])  # Eq. 3: the next token's probabilities
        >>> p.shape, round(float(sum(p[0])), 3)
        (TensorShape([1, 20]), 1.0)
        >>> gca.adversarial([context, answer]).shape  # Eq. 8 over p
        TensorShape([1, 1])
        >>> len(gca.select_trainable(*YELLOW))  # what line 9 of Algorithm 2 trains
        10

    Attributes:
        generator: The functional model of Figure 1, which maps (context, answer) to p of shape (B, s_v) and dtype
            float32; Eq. 1 to 3.
        discriminator: The functional model that maps (context, answer, token) to l of shape (B, 1) and dtype float32;
            Eq. 1, 7, and 8. `token` is the current token as a distribution over the vocabulary, of shape (B, s_v) and
            dtype float32: one-hot for a given token, or the generator's p.
        adversarial: The functional model of Figure 2, which maps (context, answer) to l: the discriminator judges the
            generator's p.
        layers: The layers that have weights, which all three models share.
        sizes: The sizes of the layers.
        canonical: Whether the generator is a canonical seq2seq model.
        original_padding: Whether the `original` convention is followed.
    """

    def __init__(
        self,
        sizes: Sizes,
        embedding: np.ndarray | None = None,
        seed: int = 0,
        original_padding: bool = False,
        canonical: bool = False,
        topics: TopicModel | None = None,
    ):
        """Make the layers and the three models.

        Args:
            sizes: The sizes of the layers.
            embedding: The initial word vectors, shape (s_v, s_e) and dtype float32, or None to draw them at random.
            seed: The seed for the initial weights.
            original_padding: Whether to follow the `original` convention.
            canonical: Whether to make the generator a canonical seq2seq model.
            topics: The topic model, or None if `sizes` has no topics.

        Raises:
            ValueError: The embedding has the wrong shape, the sizes and the topic model do not fit together, or
                original_padding is combined with a canonical generator, a hierarchical encoder, speaker embeddings, or
                topics, which the author's program does not have.
            UserError: The weights would not fit into the memory of this computer.
        """
        if original_padding and canonical:
            raise ValueError("the author's program has no canonical seq2seq model")
        if original_padding and sizes.hierarchical:
            raise ValueError("the author's program has no hierarchical encoder")
        if original_padding and sizes.persona:
            raise ValueError("the author's program has no speaker embeddings")
        if original_padding and sizes.topic_words:
            raise ValueError("the author's program has no topics")
        if (topics is None) == bool(sizes.topic_words):
            raise ValueError("the sizes and the topic model do not fit together")
        refuse_beyond_memory(sum(sizes.numbers(canonical)), "a network")
        self.sizes = sizes
        self.canonical = canonical
        self.original_padding = original_padding
        seeds = iter(np.random.default_rng(seed).integers(2**31, size=32).tolist())

        # Layers
        if embedding is None:
            # This seed is not one of `seeds`, so that the other layers' initial weights do not depend on whether
            # vectors are given.
            initial = keras.initializers.RandomUniform(-0.05, 0.05, seed=seed)
        else:
            expected = (sizes.vocabulary, sizes.word_embedding)
            if embedding.shape != expected:
                raise ValueError(f"the embedding has shape {embedding.shape}; {expected} is expected")
            initial = keras.initializers.Constant(embedding)
        rows = () if sizes.utterances is None else (sizes.utterances,)
        context = keras.Input((*rows, sizes.sentence_length), dtype="int32", name="context")
        answer = keras.Input((sizes.sentence_length,), dtype="int32", name="answer")
        token = keras.Input((sizes.vocabulary,), name="token")
        shared = keras.layers.Embedding(
            sizes.vocabulary,
            sizes.word_embedding,
            embeddings_initializer=initial,
            mask_zero=not original_padding,  # PAD is 0
            name="shared",
        )
        gate = hard_sigmoid if original_padding else "sigmoid"
        encoder_context_bot = _lstm(
            sizes.sentence_embedding, gate, "encoder_context_bot", seeds, return_state=canonical
        )
        encoder_answer_bot = _lstm(sizes.sentence_embedding, gate, "encoder_answer_bot", seeds)
        bot = _dense(sizes.hidden_units, "relu", "bot", seeds)
        # With topics, the softmax is applied after the bonus for topic words is added.
        decision_bot = _dense(sizes.vocabulary, "softmax" if topics is None else "linear", "decision_bot", seeds)
        units = sizes.discriminator_sentence_embedding
        encoder_context_discriminator = _lstm(units, gate, "encoder_context_discriminator", seeds)
        encoder_answer_discriminator = _lstm(units, gate, "encoder_answer_discriminator", seeds)
        concatenation_discriminator = keras.layers.Concatenate(name="concatenation_discriminator")
        discriminator_output = _dense(1, "sigmoid", "discriminator_output", seeds)
        discriminator_hidden = None
        if sizes.discriminator_hidden:
            discriminator_hidden = _dense(sizes.discriminator_hidden, "relu", "discriminator_hidden", seeds)
        encoder_utterance_bot = encoder_utterance_discriminator = None
        if sizes.hierarchical:
            encoder_utterance_bot = _of_each_utterance(sizes.sentence_embedding, UTTERANCES_BOT, seeds)
            encoder_utterance_discriminator = _of_each_utterance(units, UTTERANCES_DISCRIMINATOR, seeds)
        persona_bot = None
        if sizes.persona:
            small = keras.initializers.RandomUniform(-0.05, 0.05, seed=next(seeds))
            persona_bot = keras.layers.Embedding(sizes.speakers + 1, sizes.persona, small, name=PERSONA)
        of_topics = None
        if topics is not None:
            of_topics = TopicLayers.make(topics, sizes, seeds)
        self.layers = Layers(
            shared=shared,
            encoder_context_bot=encoder_context_bot,
            encoder_answer_bot=encoder_answer_bot,
            bot=bot,
            decision_bot=decision_bot,
            encoder_context_discriminator=encoder_context_discriminator,
            encoder_answer_discriminator=encoder_answer_discriminator,
            discriminator_output=discriminator_output,
            discriminator_hidden=discriminator_hidden,
            encoder_utterance_bot=encoder_utterance_bot and encoder_utterance_bot.layer,
            encoder_utterance_discriminator=encoder_utterance_discriminator and encoder_utterance_discriminator.layer,
            persona_bot=persona_bot,
            topics=of_topics,
        )

        # Functional models
        E_c = shared(context)  # (B, s_s, s_e), or (B, N_u, s_s, s_e) for a hierarchical encoder; Eq. 1
        E_a = shared(answer)

        def read_by(encoder: keras.layers.TimeDistributed | None, owner: str) -> keras.KerasTensor:
            if encoder is None:
                return E_c
            # A missing utterance is a row of padding, whose encoding is 0.
            return keras.layers.Masking(0.0, name=f"masking_{owner}")(encoder(E_c))  # (B, N_u, s_se or s_sed)

        inputs = [context, answer]
        v = []  # (B, s_p) each: the embedding of the speaker, if there is one
        if persona_bot is not None:
            inputs.append(keras.Input((), dtype="int32", name="speaker"))
            v.append(persona_bot(inputs[-1]))
        read = read_by(encoder_utterance_bot, "bot")
        if canonical:
            _, h, c = encoder_context_bot(read)  # (B, s_se), Eq. 4
            # Eq. 5. Keras does not pass a mask on to a layer that is called on several tensors.
            e = encoder_answer_bot(E_a, initial_state=[h, c], mask=shared.compute_mask(answer))
            parts = [*v, e]  # (B, s_p + s_se)
        else:
            e_c = encoder_context_bot(read)  # (B, s_se), Eq. 2
            e_a = encoder_answer_bot(E_a)
            parts = [e_c, *v, e_a]  # (B, 2 s_se), and s_p for v
        if of_topics is None:
            e = keras.layers.Concatenate(name="concatenation_bot")(parts) if len(parts) > 1 else parts[0]
            p = decision_bot(bot(e))  # (B, s_v), Eq. 3
        else:
            p = of_topics.figure(context, parts, shared, lambda e: decision_bot(bot(e)))  # (B, s_v)
        read_by_discriminator = read_by(encoder_utterance_discriminator, "discriminator")
        e_cd = encoder_context_discriminator(read_by_discriminator)  # (B, s_sed), Eq. 7
        e_ad = encoder_answer_discriminator(E_a)

        def judge(current_token: keras.KerasTensor) -> keras.KerasTensor:  # (B, s_v) -> (B, 1), Eq. 8
            everything = concatenation_discriminator([current_token, e_cd, e_ad])
            return discriminator_output(discriminator_hidden(everything) if discriminator_hidden else everything)

        self.generator = keras.Model(inputs, p, name="generator")
        self.discriminator = keras.Model([context, answer, token], judge(token), name="discriminator")
        self.adversarial = keras.Model(inputs, judge(p), name="adversarial")
        if original_padding:
            decision_bot.bias.assign(np.where(np.arange(sizes.vocabulary) == PAD, FORBIDDEN, 0))

    def __repr__(self) -> str:
        generator, discriminator = self.sizes.numbers(self.canonical)
        return (
            f"<GenerativeConversationalAgent of {self.sizes!r}, {'original' if self.original_padding else 'masked'} "
            f"padding; {'canonical ' * self.canonical}generator of {generator:,} weights, "
            f"discriminator of {discriminator:,}>"
        )

    @property
    def yellow(self) -> tuple[str, ...]:
        """The names of the generator's layers: YELLOW, plus those for utterances, speakers, and topics, if any.

        The layers that hold the topic model are not included, because they are not trained.
        """
        utterances = (UTTERANCES_BOT,) if self.sizes.hierarchical else ()
        topics = TOPIC_BLOCKS if self.sizes.topic_words else ()
        return (*YELLOW, *utterances, *((PERSONA,) if self.sizes.persona else ()), *topics)

    @property
    def green(self) -> tuple[str, ...]:
        """The names of the discriminator's layers: GREEN, plus hidden layer and utterance encoder, if any."""
        hidden = ("discriminator_hidden",) if self.sizes.discriminator_hidden else ()
        return (*GREEN, *hidden, *((UTTERANCES_DISCRIMINATOR,) if self.sizes.hierarchical else ()))

    @property
    def padding(self) -> int:
        """The index of the token with which contexts and partial answers are padded."""
        return PERIOD if self.original_padding else PAD

    @property
    def longest_answer(self) -> int:
        """The maximum number of tokens that Algorithm 1 may choose.

        Algorithm 1 chooses one token after each partial answer, whose length ranges from 1 token (BOS) to s_s tokens.
        With `original` padding, it chooses one token fewer, as the author's program does.
        """
        return self.sizes.sentence_length - self.original_padding

    def layer(self, name: str) -> keras.layers.Layer:
        """Return a layer by its name in the figures.

        Raises:
            KeyError: Figure 2 has no such layer.
        """
        try:
            return self.adversarial.get_layer(name)
        except ValueError:
            raise KeyError(f"Figure 2 has no layer {name!r}") from None

    def variables(self, *names: str) -> list[keras.Variable]:
        """Return the weights of the named layers, in order; `variables(*WHITE, *gca.yellow)` returns the generator's.

        Raises:
            KeyError: Figure 2 does not have all of these layers.
        """
        return [variable for name in names for variable in self.layer(name).weights]

    @property
    def topic_variables(self) -> list[keras.Variable]:
        """The weights that hold the topic model, which are not trained; an empty list without topics."""
        of_topics = self.layers.topics
        return [] if of_topics is None else [*of_topics.topic.weights, *of_topics.topic_words.weights]

    def select_trainable(self, *names: str) -> list[keras.Variable]:
        """Make the named layers trainable and freeze all others.

        Teacher forcing (line 3) trains WHITE and `yellow`, the discriminator's epochs train `green`, and the
        generator's epochs train `yellow`.

        Returns:
            The trainable weights, in the order of the names.

        Raises:
            KeyError: Figure 2 does not have all of these layers.
        """
        for layer in self.adversarial.layers:
            layer.trainable = layer.name in names
        return self.variables(*names)


def build(
    config: Config,
    vocabulary_size: int,
    embedding: np.ndarray | None = None,
    speakers: int = 0,
    topics: TopicModel | None = None,
) -> GenerativeConversationalAgent:
    """Make the networks that a config describes.

    Args:
        config: The settings of a run. The seed of the run is also used for the initial weights.
        vocabulary_size: s_v, the number of tokens in the vocabulary.
        embedding: The initial word vectors, shape (s_v, s_e) and dtype float32, or None to draw them at random.
        speakers: The number of speakers who have an embedding. It is used only if the config has speaker embeddings.
        topics: The topic model, or None if the config has no topics.

    Raises:
        ValueError: The embedding has the wrong shape, or the config and the topic model do not fit together.
        UserError: The weights would not fit into the memory of this computer.
    """
    return GenerativeConversationalAgent(
        sizes_of(config, vocabulary_size, speakers),
        embedding,
        config.seed,
        original_padding=config.padding == "original",
        canonical=config.generator == "canonical",
        topics=topics,
    )


def _lstm(
    units: int, gate: str | Callable, name: str, seeds: Iterator[int], return_state: bool = False
) -> keras.layers.LSTM:
    return keras.layers.LSTM(
        units,
        return_state=return_state,
        recurrent_activation=gate,
        kernel_initializer=keras.initializers.LecunUniform(next(seeds)),
        recurrent_initializer=keras.initializers.Orthogonal(seed=next(seeds)),
        name=name,
    )


def _of_each_utterance(units: int, name: str, seeds: Iterator[int]) -> keras.layers.TimeDistributed:
    """Make the utterance encoder: one LSTM that encodes every utterance of a context."""
    return keras.layers.TimeDistributed(_lstm(units, "sigmoid", f"{name}_words", seeds), name=name)


def _dense(units: int, activation: str, name: str, seeds: Iterator[int]) -> keras.layers.Dense:
    initial = keras.initializers.GlorotUniform(next(seeds))
    return keras.layers.Dense(units, activation=activation, kernel_initializer=initial, name=name)
