"""One run of the first paper on disk.

config.json                     every setting of the run, and the source of its data
vocabulary.json  pairs.h5       the divided data, so that a resumed run does not need the corpus
checkpoint.h5                   everything that `--resume` needs
checkpoint.previous.h5          the previous checkpoint, in case the latest one is damaged
log.csv          tensorboard/   one row and one point for each epoch
samples/                        replies to the same held-out contexts after each epoch
teacher_forcing.weights.h5  adversarial.weights.h5  discriminator.weights.h5
bot.h5                          weights, config and vocabulary in one file, for chats
transcripts/                    saved chats
evaluation.json                 the results of `keras_gca.evaluate`
"""

import json
import os
from typing import TYPE_CHECKING, Any, Self

from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.arrays import HDF5_STRUCTURE, read_arrays, write_arrays
from keras_gca.storage.atomic import replacing, write_text
from keras_gca.storage.run_folder import RunFolder
from keras_gca.training.schedule import schedule

if TYPE_CHECKING:
    import keras


class GCARun(RunFolder):
    """Reads and writes one run of the first paper; `create` makes a new one, and `open` opens one that exists.

    Args:
        path: The folder.

    Examples:
        >>> from keras_gca import GCARun
        >>> run = GCARun.open("runs/first")
        >>> run
        <GCARun runs/first: it chats>
        >>> run.config().seed
        0
    """

    kind = Config
    package = "keras_gca"

    @classmethod
    def create(cls, path: str | os.PathLike, config: Config, dataset: Dataset, source: dict[str, Any]) -> Self:
        """Make the folder, and write what does not change in training.

        Args:
            path: The folder to make.
            config: The settings.
            dataset: The divided data.
            source: A description of the source of the data.

        Raises:
            UserError: The folder contains a run already, or a file has its name.
        """
        run = cls.make(path, config, source)
        text = json.dumps(dataset.vocabulary.to_values(), ensure_ascii=False)
        write_text(run.path / "vocabulary.json", text)
        pairs = {"training": dataset.training, "validation": dataset.validation}
        arrays = {f"{name}/{i}": array for name in pairs for i, array in enumerate(pairs[name].arrays())}
        write_arrays(run.path / "pairs.h5", arrays, {"whole_conversations": dataset.whole_conversations}, compress=True)
        return run

    def dataset(self) -> Dataset:
        """Read the stored data, without `documents`, which only served to fit word vectors.

        Raises:
            UserError: The files are missing, damaged, or do not fit together.
        """
        path, length = self.path / "vocabulary.json", self.config().sentence_length
        try:
            vocabulary = Vocabulary.from_values(json_files.read(path))
            path = self.path / "pairs.h5"
            facts, arrays = read_arrays(path)
            training, validation = (
                Pairs.of_arrays([arrays[f"{name}/{i}"] for i in range(3)], len(vocabulary), length)
                for name in ("training", "validation")
            )
            return Dataset(vocabulary, training, validation, [], bool(facts["whole_conversations"]))
        except UserError:
            raise
        except (KeyError, ValueError) as error:
            raise UserError(f"{path}: damaged; its parts do not fit together ({error})") from None

    def is_finished(self) -> bool:
        """Return whether the training has reached its end and its bot is written.

        Raises:
            UserError: The settings, or both checkpoints, cannot be read.
        """
        return self.bot.exists() and self.read_facts().get("position") == len(schedule(self.config()))

    def write_weights(self, name: str, network: "keras.Model") -> None:
        """Write a network's weights as `{name}.weights.h5`, in Keras' own format.

        Raises:
            OSError: The file cannot be written; a previous file stays unchanged.
        """
        with replacing(self.path / f"{name}.weights.h5", suffix=".weights.h5") as temporary:
            # Keras leaves the writing to HDF5 (see `new_hdf5`), so this line fails first if the disk is full.
            temporary.write_bytes(bytes(sum(value.nbytes for value in network.get_weights()) + HDF5_STRUCTURE))
            network.save_weights(temporary)
