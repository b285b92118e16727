"""The sizes of the layers in Figure 2, and the numbers of weights computed from them."""

from dataclasses import dataclass

from keras_gca.config import Config

TOPIC_UNITS = 16  # u, the number of units in the attention over topic words


@dataclass(frozen=True)
class Sizes:
    """The sizes of the layers in Figure 2.

    Attributes:
        vocabulary: s_v, the number of tokens, including the special tokens.
        sentence_length: s_s, the number of tokens in a context and in a partial answer, including padding.
        word_embedding: s_e, the number of values in a word vector.
        sentence_embedding: s_se, the number of units in each LSTM of the generator.
        discriminator_sentence_embedding: s_sed, the number of units in each LSTM of the discriminator.
        hidden: The number of units in the generator's hidden layer, or None for s_v / 2, as in the author's program.
        discriminator_hidden: The number of units in a hidden layer before the discriminator's output, or None for no
            hidden layer, as in the paper. Without it, the terms for the context, the partial answer, and the current
            token are only added, and do not interact.
        utterances: N_u for a hierarchical encoder: the number of utterances in a context of Figures 1 and 2. None for
            the paper's encoder. `forward.py` reads any number of utterances.
        persona: The number of values in a speaker embedding, or None for no speaker embeddings, as in the paper.
        speakers: The number of speakers who have their own embedding. Unnamed speakers share one more embedding.
        topic_words: The number of words of a topic to which the generator attends (`topics.py`), or None for no topics,
            as in the paper.
    """

    vocabulary: int
    sentence_length: int = 50
    word_embedding: int = 100
    sentence_embedding: int = 300
    discriminator_sentence_embedding: int = 300
    hidden: int | None = None
    discriminator_hidden: int | None = None
    utterances: int | None = None
    persona: int | None = None
    speakers: int = 0
    topic_words: int | None = None

    @property
    def hierarchical(self) -> bool:
        """Whether contexts are read by a hierarchical encoder."""
        return self.utterances is not None

    @property
    def hidden_units(self) -> int:
        """The number of units in the generator's hidden layer, y_h of Eq. 3."""
        return self.hidden or self.vocabulary // 2

    def numbers(self, canonical: bool = False) -> tuple[int, int]:
        """Compute the number of weights from the sizes, without making a network.

        Args:
            canonical: Whether the generator is a canonical seq2seq model.

        Returns:
            The number of weights in the generator and in the discriminator. Both numbers include the shared word
            vectors.
        """
        words = self.vocabulary * self.word_embedding

        def lstm(inputs: int, units: int) -> int:
            return 4 * units * (inputs + units + 1)

        def lstms(units: int) -> int:
            of_words = lstm(self.word_embedding, units)
            return 2 * of_words + (lstm(units, units) if self.hierarchical else 0)

        def dense(inputs: int, units: int) -> int:
            return (inputs + 1) * units

        encoded = self.sentence_embedding * (1 if canonical else 2) + (self.persona or 0)
        words_and_speakers = words + (self.speakers + 1) * (self.persona or 0)
        generator = lstms(self.sentence_embedding)
        if self.topic_words:
            generator += dense(encoded, TOPIC_UNITS) + (self.word_embedding + 1) * TOPIC_UNITS  # W_q, b_q, W_k, a
            encoded += self.word_embedding  # o
            generator += dense(encoded, self.word_embedding)  # W_t, b_t
        generator += dense(encoded, self.hidden_units)
        generator += dense(self.hidden_units, self.vocabulary)
        judged = self.vocabulary + 2 * self.discriminator_sentence_embedding
        discriminator = lstms(self.discriminator_sentence_embedding)
        if self.discriminator_hidden:
            discriminator += dense(judged, self.discriminator_hidden) + dense(self.discriminator_hidden, 1)
        else:
            discriminator += dense(judged, 1)
        return words_and_speakers + generator, words + discriminator


def sizes_of(config: Config, vocabulary_size: int, speakers: int = 0) -> Sizes:
    """Return the sizes of the networks that a config describes.

    Args:
        config: The settings of a run.
        vocabulary_size: s_v, the number of tokens in the vocabulary.
        speakers: The number of speakers who have an embedding. It is used only if the config has speaker embeddings.
    """
    return Sizes(
        vocabulary=vocabulary_size,
        sentence_length=config.sentence_length,
        word_embedding=config.word_embedding_size,
        sentence_embedding=config.sentence_embedding_size,
        discriminator_sentence_embedding=config.discriminator_sentence_embedding_size,
        hidden=config.hidden_size,
        discriminator_hidden=config.discriminator_hidden_size,
        utterances=config.context_utterances if config.hierarchical else None,
        persona=config.persona_size,
        speakers=speakers,
        topic_words=config.topic_words if config.topics else None,
    )
