"""`Bot` reads and writes `bot.h5` files of the first paper: an agent's settings, vocabulary and weights."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gca.config import Config, predicting_contexts
from keras_gca.data.keywords import KeywordModel, Seq2BF
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.models.sizes import sizes_of
from keras_gca.storage.bot_file import damaged_bot, read_bot, write_bot
from keras_gca.storage.packed_weights import WeightFormat

FORMAT = "keras_gca bot 2"
DETECTOR = "context_detector"  # the name of the detector's weights in the file
BACKWARD = "backward"  # the name of the weights of the generator for p(x|y)
TOPICS = "topic_model"  # the name of the topic model's weights in the file
KEYWORDS, BEGINNINGS = "keyword_model", "beginnings"  # the names of the parts of seq2BF in the file


@dataclass
class Bot:
    """The parts of a training run that are needed for chatting.

    Attributes:
        config: The settings of the training run.
        vocabulary: The s_v words that the networks know.
        generators: The weights of each generator, by name. They are float32 arrays: the WHITE block of Figure 2 (the
            word vectors), followed by the `yellow` blocks.
        discriminator: The weights of the discriminator in the same form: the WHITE block, followed by the `green`
            blocks.
        detector: The weights of the detector of context changes if `context_changes` is "detect", or None otherwise.
        backward: The weights of the generator for p(x|y) in the same form as a generator without speakers, or None. A
            chat uses it to rank answers (`ranking_epochs`).
        topics: The weights of the topic model if `topics` is set, or None otherwise.
        seq2bf: The parts that build answers around keywords (`keyword_epochs`), or None. The network has the same form
            as a generator.
    """

    config: Config
    vocabulary: Vocabulary
    generators: dict[str, list[np.ndarray]]
    discriminator: list[np.ndarray]
    detector: list[np.ndarray] | None = None
    backward: list[np.ndarray] | None = None
    topics: list[np.ndarray] | None = None
    seq2bf: Seq2BF | None = None

    @classmethod
    def read(cls, path: str | os.PathLike) -> tuple[Path, "Bot"]:
        """Read a `bot.h5`.

        Args:
            path: The file, or a run folder that contains one.

        Returns:
            The path of the file, and the bot.

        Raises:
            UserError: The file is missing, damaged, or not a bot of the first paper.
        """
        path, facts, networks = read_bot(path, FORMAT)
        try:
            config = Config.from_values(facts["config"])
            vocabulary = Vocabulary.from_values(facts["vocabulary"])
            discriminator, detector = networks.pop("discriminator"), networks.pop(DETECTOR, None)
            backward, topics = networks.pop(BACKWARD, None), networks.pop(TOPICS, None)
            has_keywords = KEYWORDS in networks or BEGINNINGS in networks
            seq2bf = Seq2BF(networks.pop(KEYWORDS), networks.pop(BEGINNINGS)) if has_keywords else None
            return path, cls(config, vocabulary, networks, discriminator, detector, backward, topics, seq2bf)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged_bot(path, error) from None

    def write(self, path: str | os.PathLike, weight_format: WeightFormat = "float32") -> None:
        """Write the bot as one self-contained HDF5 file.

        Args:
            path: The file to write.
            weight_format: The number format of the weights: "float32", "float16", "int8" or "int4". `read` converts
                them to float32.

        Raises:
            OSError: The file cannot be written. An existing file stays unchanged.
        """
        facts = {"config": self.config.to_values(), "vocabulary": self.vocabulary.to_values()}
        networks = {**self.generators, "discriminator": self.discriminator}
        if self.detector is not None:
            networks[DETECTOR] = self.detector
        if self.backward is not None:
            networks[BACKWARD] = self.backward
        exact = {} if self.topics is None else {TOPICS: self.topics}
        if self.seq2bf is not None:
            networks[BEGINNINGS], exact[KEYWORDS] = self.seq2bf.network, self.seq2bf.keywords
        write_bot(Path(path), FORMAT, facts, networks, weight_format, exact)

    def refuse_misfits(self) -> None:
        """Check that the settings and the weights match.

        This check comes before any network is built, because the settings in a damaged file may require
        far more weights than the file contains.

        Raises:
            ValueError: There is no generator, or the settings do not match the weights or the vocabulary.
        """
        config, speakers = self.config, self.vocabulary.speakers
        if not self.generators:
            raise ValueError("an agent needs a generator")
        if config.detects_changes != (self.detector is not None):
            raise ValueError("the settings and the weights disagree on whether there is a detector of context changes")
        if config.names_speakers != bool(speakers):
            raise ValueError("the settings and the vocabulary disagree on whether speakers have embeddings")
        if (config.topics is not None) != (self.topics is not None):
            raise ValueError("the settings and the weights disagree on whether the run has topics")
        if self.topics is not None:
            shape = TopicModel.of_weights(self.topics).log_words.shape
            if shape != (len(self.vocabulary), config.topics):
                raise ValueError(f"the topic model has the shape {shape}")
        sizes = sizes_of(config, len(self.vocabulary), len(speakers))
        of_generator, of_discriminator = sizes.numbers(config.generator == "canonical")
        stored_and_expected = [
            *((weights, of_generator) for weights in self.generators.values()),
            (self.discriminator, of_discriminator),
        ]
        if self.seq2bf is not None:
            if len(KeywordModel.of_arrays(self.seq2bf.keywords).contexts) != len(self.vocabulary):
                raise ValueError("the keywords and the vocabulary differ in the number of tokens")
            stored_and_expected.append((self.seq2bf.network, of_generator))
        if self.backward is not None:
            sizes = sizes_of(predicting_contexts(config), len(self.vocabulary))
            stored_and_expected.append((self.backward, sizes.numbers(config.generator == "canonical")[0]))
        for weights, numbers in stored_and_expected:
            stored = sum(weight.size for weight in weights)
            if stored != numbers:
                raise ValueError(f"the weights have {stored:,} numbers, but the settings require {numbers:,}")
