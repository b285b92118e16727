"""Reads and writes the run folders of the first paper, which contain these files.

config.json                     all settings of the run, and the source of its data
vocabulary.json  pairs.h5       the training, held-out and test pairs, so that a resumed run does not need the corpus;
                                a run on token files stores their location instead of the training pairs
backward.h5                     the bot that models p(x|y), only for --algorithm dialogue_rewards
checkpoint.h5                   everything that `--resume` needs
checkpoint.previous.h5          until training has finished: the previous checkpoint, in case the latest one is damaged
log.csv          tensorboard/   for each epoch, a row of the log and a point on each curve
samples/                        after each epoch, replies to the same held-out contexts
teacher_forcing.weights.h5  adversarial.weights.h5  discriminator.weights.h5
bot.h5                          the bot to chat with: weights, config and vocabulary in one file
transcripts/                    saved chats
evaluation.json                 the results of `keras_gca.evaluate`
studied_*.json                  the results of `keras_gca.studies`
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.keywords import KeywordModel
from keras_gca.data.pairs import Pairs
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.topics import TopicModel
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.engine.staged_training import unpack, validated_position
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.arrays import HDF5_STRUCTURE, read_arrays, write_arrays
from keras_gca.storage.atomic import replacing, write_text
from keras_gca.storage.run_folder import RunFolder, refuse_reached
from keras_gca.training.schedule import TEACHER_FORCING, schedule
from keras_gca.training.token_data import reference, referred

if TYPE_CHECKING:
    import keras

BACKWARD_FOLDER = "backward"  # the run folder of the generator for p(x|y), inside the run folder (`ranking.py`)
BEGINNINGS_FOLDER = "beginnings"  # the same for the generator of the words before a keyword (`seq2bf.py`)


class GCARun(RunFolder[Config]):
    """A run folder of the first paper. Use `create` to make a new run, and `open` to open an existing run.

    Args:
        path: The folder.

    Examples:
        >>> from keras_gca import GCARun
        >>> run = GCARun.open("runs/first")
        >>> run
        <GCARun runs/first: one can chat with it>
        >>> run.config().seed
        0
    """

    kind = Config
    package = "keras_gca"

    @classmethod
    def create(cls, path: str | os.PathLike, config: Config, dataset: Dataset, source: dict[str, Any]) -> Self:
        """Create the folder, and write the files that stay the same during training.

        Args:
            path: The folder to create.
            config: The settings.
            dataset: The vocabulary and the pairs.
            source: A description of where the data comes from.

        Raises:
            UserError: The folder already contains a run, or `path` is a file.
        """
        run = cls.make(path, config, source)
        text = json.dumps(dataset.vocabulary.to_values(), ensure_ascii=False)
        write_text(run.path / "vocabulary.json", text)
        pairs: dict[str, Pairs] = {"validation": dataset.validation}
        facts: dict[str, Any] = {"whole_conversations": dataset.whole_conversations}
        if isinstance(dataset.training, TokenPairs):
            facts["tokens"] = reference(dataset.training)
        else:
            pairs = {"training": dataset.training, **pairs}
        if dataset.test is not None:
            pairs["test"] = dataset.test
        arrays = {f"{name}/{i}": array for name in pairs for i, array in enumerate(pairs[name].arrays())}
        arrays |= {f"detector/{i}": array for i, array in enumerate(dataset.detector or ())}
        if dataset.paraphrases is not None:
            arrays["paraphrases"] = dataset.paraphrases
        arrays |= {f"topics/{i}": array for i, array in enumerate(dataset.topics or ())}
        arrays |= {f"keywords/{i}": array for i, array in enumerate(dataset.keywords or ())}
        write_arrays(run.path / "pairs.h5", arrays, facts, compress=True)
        return run

    def dataset(self) -> Dataset:
        """Read the stored data. `Dataset.documents`, which is needed only for fitting word vectors, is left empty.

        Raises:
            UserError: The files are missing or damaged, or do not fit together.
        """
        path, config = self.path / "vocabulary.json", self.config()
        lengths = config.sentence_length, config.context_columns
        try:
            vocabulary = Vocabulary.from_values(json_files.read(path))
            path = self.path / "pairs.h5"
            facts, arrays = read_arrays(path)
            on_disk = "tokens" in facts
            pairs = {
                name: Pairs.of_arrays(
                    [arrays[f"{name}/{i}"] for i in range(3)], len(vocabulary), *lengths, len(vocabulary.speakers)
                )
                for name in (() if on_disk else ("training",)) + ("validation", "test")
                if name != "test" or "test/0" in arrays  # only runs with `--splits official` have test pairs
            }
            training = referred(facts["tokens"], config, path) if on_disk else pairs["training"]
            whole = bool(facts["whole_conversations"])
            detector = unpack("detector", arrays) if config.detects_changes else None
            if detector == []:
                raise ValueError("the detector of context changes is missing")
            # An earlier version also stored links for runs whose contexts cannot be replaced.
            similar = _links_of(arrays, len(training)) if config.may_replace_contexts else None
            test = pairs.get("test")
            topics = _topics_of(arrays, len(vocabulary)) if config.topics else None
            uses_keywords = config.keyword_epochs or config.predict == "beginning"
            keywords = _keywords_of(arrays, len(vocabulary)) if uses_keywords else None
            models = detector, similar, topics, keywords
            return Dataset(vocabulary, training, pairs["validation"], [], whole, test, *models)
        except UserError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: the file is damaged; its parts do not fit together ({error})") from None

    def is_finished(self) -> bool:
        """Return whether training has finished and the bot has been written.

        Raises:
            UserError: The settings cannot be read, or neither checkpoint can be read.
        """
        facts = self.read_facts()
        config = self.config_of(facts)
        for epochs, folder in (
            (config.ranking_epochs, BACKWARD_FOLDER),
            (config.keyword_epochs, BEGINNINGS_FOLDER),
        ):
            further = type(self)(self.path / folder)
            if epochs and not (further.bot.exists() and further.is_finished()):
                return False
        return self.bot.exists() and facts.get("position") == len(schedule(config))

    def refuse_totals(self, before: Config, facts: dict[str, Any], changes: Mapping[str, Any]) -> None:
        """Check that new totals exceed what has already been completed; see `RunFolder.refuse_totals`.

        If teacher forcing (line 3) is complete and a new total continues it, lines 4 to 12 do not count as completed,
        because they are run again.
        """
        stages = schedule(before)
        position, step, history = validated_position(facts, len(stages))
        done = {"teacher_forcing_epochs": sum(row["phase"] == TEACHER_FORCING for row in history)}
        if position >= before.teacher_forcing_epochs:
            if "teacher_forcing_epochs" not in changes:
                finished = position == len(stages)
                done["adversarial_epochs"] = before.adversarial_epochs if finished else stages[position].iteration - 1
                if before.final_epochs and (position, step) > (len(stages) - before.final_epochs, 0):
                    raise UserError(
                        f"--adversarial-epochs: {self.path} has already begun its final teacher forcing "
                        "(--final-epochs); start a new run with --start-from"
                    )
            elif not done["teacher_forcing_epochs"]:
                raise UserError(
                    f"--teacher-forcing-epochs: {self.path} got its generator from another run (--start-from); "
                    "train that other run further, and start from it again"
                )
        for name, number in changes.items():
            refuse_reached(name, number, done.get(name, -1))

    @property
    def backward(self) -> Path:
        """The path of the bot that models p(x|y). The probabilities computed by this bot serve as rewards."""
        return self.path / "backward.h5"

    def weights_file(self, name: str) -> Path:
        """Return the path of the file with a network's weights."""
        return self.path / f"{name}.weights.h5"

    def write_weights(self, name: str, network: "keras.Model") -> None:
        """Write a network's weights as `{name}.weights.h5`, in Keras' own format.

        Raises:
            OSError: The file cannot be written. An existing file stays unchanged.
        """
        with replacing(self.weights_file(name), suffix=".weights.h5") as temporary:
            # Keras writes with HDF5, which crashes if the disk is full (see `new_hdf5`). The next line fails before it.
            temporary.write_bytes(bytes(sum(value.nbytes for value in network.get_weights()) + HDF5_STRUCTURE))
            network.save_weights(temporary)


def _topics_of(arrays: dict[str, np.ndarray], tokens: int) -> list[np.ndarray]:
    """Return the weights of the topic model for a vocabulary of `tokens` tokens.

    Raises:
        ValueError: The topic model is missing or damaged, or does not fit the vocabulary.
    """
    topics = unpack("topics", arrays)
    if len(TopicModel.of_weights(topics).log_words) != tokens:
        raise ValueError("the topic model and the vocabulary differ in the number of tokens")
    return topics


def _keywords_of(arrays: dict[str, np.ndarray], tokens: int) -> list[np.ndarray]:
    """Return the arrays of the model that predicts keywords, for a vocabulary of `tokens` tokens.

    Raises:
        ValueError: The model is missing or damaged, or does not fit the vocabulary.
    """
    keywords = unpack("keywords", arrays)
    if len(KeywordModel.of_arrays(keywords).contexts) != tokens:
        raise ValueError("the keywords and the vocabulary differ in the number of tokens")
    return keywords


def _links_of(arrays: Mapping[str, np.ndarray], count: int) -> np.ndarray | None:
    """Return the links between `count` training pairs with similar contexts, or None if there are none.

    Raises:
        ValueError: The links do not fit the pairs.
    """
    links = arrays.get("paraphrases")
    if links is None:
        return None
    if links.ndim != 2 or links.shape[1] != 2 or not np.issubdtype(links.dtype, np.integer):
        raise ValueError("the links between similar contexts must be two columns of whole numbers")
    if len(links) and not (links.min() >= 0 and links.max() < count and (np.diff(links[:, 0]) >= 0).all()):
        raise ValueError("the links between similar contexts must be sorted row numbers of training pairs")
    return links
