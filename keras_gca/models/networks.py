"""The networks of Figures 1 and 2 as drawn in the paper, in white, yellow, and green (Eq. 1 to 3, 7, and 8).

The white block contains the shared word vectors, the yellow blocks form the generator, and the green blocks form the
discriminator. With a hierarchical encoder (Sordoni et al. 2015, Serban et al. 2016), the generator and the
discriminator each have one more block, which encodes every utterance of a context. Their context encoders then read
these encodings instead of word vectors.

Training does not call these models. It runs the same layers through `forward.py`, which computes all partial answers in
one pass. `tests/keras_gca/models/test_forward.py` checks that both ways give the same values.

Shapes: B samples. `sizes.py` explains the sizes s_s, s_e, s_se, s_sed, and s_v.
"""

import contextlib
import functools
from collections.abc import Callable, Iterator

import keras
import numpy as np

from keras_gca.config import Config
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import PAD, PERIOD
from keras_gca.engine.memory import refuse_beyond_memory
from keras_gca.engine.nucleus import FORBIDDEN
from keras_gca.engine.variables import starting_at_zero
from keras_gca.models.figure_models import Figures, Layers, build_layers, figures_of
from keras_gca.models.lstm import hard_sigmoid
from keras_gca.models.sizes import Sizes, sizes_of
from keras_gca.models.topic_layers import TOPIC_BLOCKS, TopicLayers

WHITE = ("shared",)
YELLOW = ("encoder_context_bot", "encoder_answer_bot", "bot", "decision_bot")
GREEN = ("encoder_context_discriminator", "encoder_answer_discriminator", "discriminator_output")
UTTERANCES_BOT, UTTERANCES_DISCRIMINATOR = "encoder_utterance_bot", "encoder_utterance_discriminator"
PERSONA = "persona_bot"


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

    The three models are built when they are first used, because a chat does not need them.

    Attributes:
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
        loaded: bool = False,
    ):
        """Make the layers.

        Args:
            sizes: The sizes of the layers.
            embedding: The initial word vectors, shape (s_v, s_e) and dtype float32, or None to draw them at random.
            seed: The seed for the initial weights.
            original_padding: Whether to follow the `original` convention.
            canonical: Whether to make the generator a canonical seq2seq model.
            topics: The topic model, or None if `sizes` has no topics.
            loaded: Whether all weights that will be used are assigned first, so that no initial values are drawn. The
                weights are then 0.

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
            each_utterance_bot=encoder_utterance_bot,
            each_utterance_discriminator=encoder_utterance_discriminator,
            persona_bot=persona_bot,
            topics=of_topics,
        )
        with starting_at_zero(self.layers.named.values()) if loaded else contextlib.nullcontext():
            build_layers(self.layers, sizes, canonical)
        if original_padding:
            decision_bot.bias.assign(np.where(np.arange(sizes.vocabulary) == PAD, FORBIDDEN, 0))

    @property
    def generator(self) -> keras.Model:
        """The functional model of Figure 1, which maps (context, answer) to p; Eq. 1 to 3.

        The output has shape (B, s_v) and dtype float32.
        """
        return self._figures.generator

    @property
    def discriminator(self) -> keras.Model:
        """The functional model that maps (context, answer, token) to l; Eq. 1, 7, and 8.

        `token` is the current token as a distribution over the vocabulary, of shape (B, s_v) and dtype float32: one-hot
        for a given token, or the generator's p. The output has shape (B, 1) and dtype float32.
        """
        return self._figures.discriminator

    @property
    def adversarial(self) -> keras.Model:
        """The functional model of Figure 2, which maps (context, answer) to l: D judges the generator's p."""
        return self._figures.adversarial

    @functools.cached_property
    def _figures(self) -> Figures:
        return figures_of(self.layers, self.sizes, self.canonical)

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
        if (layer := self.layers.named.get(name)) is not None:
            return layer
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
        for name, layer in self.layers.named.items():
            layer.trainable = name in names
        return self.variables(*names)


def build(
    config: Config,
    vocabulary_size: int,
    embedding: np.ndarray | None = None,
    speakers: int = 0,
    topics: TopicModel | None = None,
    loaded: bool = False,
) -> GenerativeConversationalAgent:
    """Make the networks that a config describes.

    Args:
        config: The settings of a run. The seed of the run is also used for the initial weights.
        vocabulary_size: s_v, the number of tokens in the vocabulary.
        embedding: The initial word vectors, shape (s_v, s_e) and dtype float32, or None to draw them at random.
        speakers: The number of speakers who have an embedding. It is used only if the config has speaker embeddings.
        topics: The topic model, or None if the config has no topics.
        loaded: See `GenerativeConversationalAgent`.

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
        loaded=loaded,
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
