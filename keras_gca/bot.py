"""`Bot` reads and writes a `bot.h5` of the first paper: the settings, the vocabulary and the weights of an agent."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gca.config import Config
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.models.sizes import sizes_of
from keras_gca.storage.bot_file import damaged_bot, read_bot, write_bot

FORMAT = "keras_gca bot 2"
DETECTOR = "context_detector"  # the name of the detector's weights in the file
TOPICS = "topic_model"  # the name of the topic model's weights in the file


@dataclass
class Bot:
    """Holds the results of a training run that a chat needs.

    Attributes:
        config: The settings of the training.
        vocabulary: The s_v words that the networks know.
        generators: The name and the weights of each generator. The weights are float32 arrays: the block WHITE of
            Figure 2 (the word vectors), and then the blocks `yellow`.
        discriminator: The weights of the discriminator in the same form: WHITE, and then `green`.
        detector: The weights of the detector of context changes if `context_changes` is "detect", or None otherwise.
        topics: The weights of the topic model if `topics` is set, or None otherwise.
    """

    config: Config
    vocabulary: Vocabulary
    generators: dict[str, list[np.ndarray]]
    discriminator: list[np.ndarray]
    detector: list[np.ndarray] | None = None
    topics: list[np.ndarray] | None = None

    @classmethod
    def read(cls, path: str | os.PathLike) -> tuple[Path, "Bot"]:
        """Read a `bot.h5`.

        Args:
            path: The file, or a run folder that holds one.

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
            topics = networks.pop(TOPICS, None)
            return path, cls(config, vocabulary, networks, discriminator, detector, topics)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged_bot(path, error) from None

    def write(self, path: str | os.PathLike, half_precision: bool = False) -> None:
        """Write the bot as one self-contained HDF5 file.

        Args:
            path: The file to write.
            half_precision: Whether to write the weights as float16, which `read` turns into float32 again.

        Raises:
            OSError: The file cannot be written; a previous file stays unchanged.
        """
        facts = {"config": self.config.to_values(), "vocabulary": self.vocabulary.to_values()}
        networks = {**self.generators, "discriminator": self.discriminator}
        if self.detector is not None:
            networks[DETECTOR] = self.detector
        if self.topics is not None:
            networks[TOPICS] = self.topics
        write_bot(Path(path), FORMAT, facts, networks, half_precision)

    def refuse_misfits(self) -> None:
        """Check before any network is made that the settings and the weights fit together.

        The settings in a damaged file may require far more weights than the file contains.

        Raises:
            ValueError: There is no generator, or the weights do not have the sizes that the settings require.
        """
        config, speakers = self.config, self.vocabulary.speakers
        if not self.generators:
            raise ValueError("an agent needs a generator")
        if config.detects_changes != (self.detector is not None):
            raise ValueError("the settings and the weights disagree about a detector of context changes")
        if config.names_speakers != bool(speakers):
            raise ValueError("the settings and the vocabulary disagree about embeddings of speakers")
        if (config.topics is not None) != (self.topics is not None):
            raise ValueError("the settings and the weights disagree about topics")
        if self.topics is not None:
            shape = TopicModel.of_weights(self.topics).log_words.shape
            if shape != (len(self.vocabulary), config.topics):
                raise ValueError(f"the topic model has the shape {shape}")
        sizes = sizes_of(config, len(self.vocabulary), len(speakers))
        of_generator, of_discriminator = sizes.numbers(config.generator == "canonical")
        expected = [*(of_generator for _ in self.generators), of_discriminator]
        for weights, numbers in zip((*self.generators.values(), self.discriminator), expected, strict=True):
            stored = sum(weight.size for weight in weights)
            if stored != numbers:
                raise ValueError(f"the weights have {stored:,} numbers, but the settings require {numbers:,}")
