"""The layers of Figure 2 that have weights, and the three functional models that apply them as the figures show.

`networks.py` makes the layers. Training and chats apply them through `forward.py`, so the functional models are built
only when they are used.

Shapes: B samples. `sizes.py` explains the sizes s_s, s_e, s_se, s_sed, and s_v.
"""

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

import keras

from keras_gca.models.sizes import Sizes
from keras_gca.models.topic_layers import TopicLayers


@dataclass(frozen=True)
class Layers:
    """The layers of Figure 2 that have weights, under their names in the figure.

    `discriminator_hidden` is None if `Sizes.discriminator_hidden` is None. `each_utterance_bot` and
    `each_utterance_discriminator`, which apply an LSTM to every utterance, are None unless the encoder is hierarchical.
    `persona_bot` is None without speaker embeddings, and `topics` is None without topics.
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
    each_utterance_bot: keras.layers.TimeDistributed | None = None
    each_utterance_discriminator: keras.layers.TimeDistributed | None = None
    persona_bot: keras.layers.Embedding | None = None
    topics: TopicLayers | None = None

    @property
    def encoder_utterance_bot(self) -> keras.layers.LSTM | None:
        """The LSTM that reads an utterance for the generator, if the encoder is hierarchical."""
        return None if self.each_utterance_bot is None else self.each_utterance_bot.layer

    @property
    def encoder_utterance_discriminator(self) -> keras.layers.LSTM | None:
        """The LSTM that reads an utterance for the discriminator, if the encoder is hierarchical."""
        return None if self.each_utterance_discriminator is None else self.each_utterance_discriminator.layer

    @property
    def named(self) -> dict[str, keras.layers.Layer]:
        """The layers by their names in Figure 2."""
        parts = [getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "topics"]
        if self.topics is not None:
            parts += [getattr(self.topics, field.name) for field in dataclasses.fields(self.topics)]
        return {part.name: part for part in parts if part is not None}


class Figures(NamedTuple):
    """The three functional models of the paper; see the properties of `GenerativeConversationalAgent`."""

    generator: keras.Model
    discriminator: keras.Model
    adversarial: keras.Model


def build_layers(layers: Layers, sizes: Sizes, canonical: bool) -> None:
    """Create the weights of all layers.

    Args:
        layers: The layers.
        sizes: The sizes of the layers.
        canonical: Whether the generator is a canonical seq2seq model.
    """
    of_topics = layers.topics
    word, sentence, judged = sizes.word_embedding, sizes.sentence_embedding, sizes.discriminator_sentence_embedding
    encoded = sentence * (1 if canonical else 2) + (sizes.persona or 0)  # the width of e in Eq. 3
    everything = encoded + (word if of_topics is not None else 0)
    layers.shared.build()
    for encoder in filter(None, (layers.each_utterance_bot, layers.each_utterance_discriminator)):
        encoder.build((None, sizes.utterances, sizes.sentence_length, word))
    layers.encoder_context_bot.build((None, None, sentence if sizes.hierarchical else word))
    layers.encoder_answer_bot.build((None, None, word))
    layers.bot.build((None, everything))
    layers.decision_bot.build((None, sizes.hidden_units))
    layers.encoder_context_discriminator.build((None, None, judged if sizes.hierarchical else word))
    layers.encoder_answer_discriminator.build((None, None, word))
    seen = sizes.vocabulary + 2 * judged  # the width of [token e_cd e_ad] in Eq. 8
    if layers.discriminator_hidden is not None:
        layers.discriminator_hidden.build((None, seen))
        seen = layers.discriminator_hidden.units
    layers.discriminator_output.build((None, seen))
    if layers.persona_bot is not None:
        layers.persona_bot.build()
    if of_topics is not None:
        of_topics.topic_query_bot.build((None, encoded))
        of_topics.topic_key_bot.build((None, None, word))
        of_topics.topic_bonus_bot.build((None, everything))


def figures_of(layers: Layers, sizes: Sizes, canonical: bool) -> Figures:
    """Build the functional models of Figures 1 and 2; the arguments are those of `build_layers`."""
    shared, of_topics, persona_bot = layers.shared, layers.topics, layers.persona_bot
    encoder_context_bot, encoder_answer_bot = layers.encoder_context_bot, layers.encoder_answer_bot
    bot, decision_bot = layers.bot, layers.decision_bot
    concatenation_discriminator = keras.layers.Concatenate(name="concatenation_discriminator")
    rows = () if sizes.utterances is None else (sizes.utterances,)
    context = keras.Input((*rows, sizes.sentence_length), dtype="int32", name="context")
    answer = keras.Input((sizes.sentence_length,), dtype="int32", name="answer")
    token = keras.Input((sizes.vocabulary,), name="token")
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
    read = read_by(layers.each_utterance_bot, "bot")
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
    read_by_discriminator = read_by(layers.each_utterance_discriminator, "discriminator")
    e_cd = layers.encoder_context_discriminator(read_by_discriminator)  # (B, s_sed), Eq. 7
    e_ad = layers.encoder_answer_discriminator(E_a)

    def judge(current_token: keras.KerasTensor) -> keras.KerasTensor:  # (B, s_v) -> (B, 1), Eq. 8
        everything = concatenation_discriminator([current_token, e_cd, e_ad])
        hidden = layers.discriminator_hidden
        return layers.discriminator_output(everything if hidden is None else hidden(everything))

    return Figures(
        keras.Model(inputs, p, name="generator"),
        keras.Model([context, answer, token], judge(token), name="discriminator"),
        keras.Model(inputs, judge(p), name="adversarial"),
    )
