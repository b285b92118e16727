"""Writes an agent's networks in formats that Keras and TensorFlow load without this project."""

from pathlib import Path

from keras_gca.config import Config
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.models.context_changes import ChangeDetector
from keras_gca.models.figure_files import plain_generator
from keras_gca.models.text_replies import TextReplies
from keras_gca.models.trained_networks import TrainedNetworks

SAVED_MODEL = "saved_model"


def export_networks(
    folder: Path, networks: TrainedNetworks, config: Config, vocabulary: Vocabulary, detector: ChangeDetector | None
) -> list[str]:
    """Write each generator (Figure 1) as `GENERATOR.keras`, and a SavedModel that replies to text.

    Args:
        folder: The folder to write to, which is created if it does not exist.
        networks: The networks of the agent.
        config: The settings with which the networks were trained.
        vocabulary: The vocabulary of the networks.
        detector: The detector of context changes that limits the contexts, or None.

    Returns:
        The names of the files and folders that were written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, decoder in networks.decoders.items():
        plain_generator(decoder.gca).save(folder / f"{name}.keras")
        written.append(f"{name}.keras")
    replies = TextReplies(
        [decoder.gca for decoder in networks.decoders.values()],
        networks.judging,
        vocabulary,
        config.contractions,
        config.context_utterances,
        whole_answers=config.algorithm == "reinforce",
        detector=detector,
    )
    replies.save(str(folder / SAVED_MODEL))
    return [*written, SAVED_MODEL]
