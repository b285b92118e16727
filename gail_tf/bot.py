"""`Bot` reads and writes a `bot.h5` of the second paper, which contains an agent's settings, tokenizer and weights."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.textgail import TextReader
from gail_tf.config import GAILConfig
from gail_tf.data.layouts import TOKENIZER_CONFIG
from gail_tf.data.samples import control_tokens
from gail_tf.data.tokenizer import TOKENIZER, Tokenizer
from gail_tf.models.architectures import config_of
from gail_tf.models.hugging_face import CONFIG, read_config
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.pretrained_base import Base
from gail_tf.models.roberta_config import RobertaConfig
from keras_gca.engine.memory import count
from keras_gca.storage.bot_file import damaged_bot, read_bot, write_bot
from keras_gca.storage.packed_weights import WeightFormat

FORMAT = "gail_tf bot 3"
FORMER = "gail_tf bot 2"  # this format has the key "gpt2" in place of "model", and no "base"


@dataclass
class Bot:
    """Everything from a training run that a chat needs. D is the discriminator.

    Attributes:
        config: The settings of the training run.
        tokenizer: The tokenizer of the policies.
        sizes: The dimensions of the policies' language model, or None for RL-Seq2Seq, whose policies consist of LSTMs.
        policies: The weights of each policy by name, as float32 arrays in the order of `LanguagePolicy.variables`.
        reference: The name of the policy that computes D's input features.
        discriminator: The weights of D, or an empty list for RL-Seq2Seq.
        reader: The RoBERTa encoder of D, or None if D has another encoder.
        emotions: The emotion classifier that RL-Seq2Seq uses in place of D, or None for other algorithms.
        base: The pretrained network that provides the remaining weights if `policies` contains only adapters or a head,
            else None.
    """

    config: GAILConfig
    tokenizer: Tokenizer
    sizes: LanguageModelConfig | None
    policies: dict[str, list[np.ndarray]]
    reference: str
    discriminator: list[np.ndarray] = field(default_factory=list)
    reader: TextReader | None = None
    emotions: EmotionClassifier | None = None
    base: Base | None = None

    @classmethod
    def read(cls, path: str | os.PathLike) -> tuple[Path, "Bot"]:
        """Read a `bot.h5`.

        Args:
            path: The file, or a run folder that contains one.

        Returns:
            The path of the bot file, and the bot.

        Raises:
            UserError: The file is missing, damaged, or not a bot of the second paper.
        """
        path, facts, networks = read_bot(path, FORMAT, FORMER)
        try:
            config = GAILConfig.from_values(facts["config"])
            with _folder_of(facts["tokenizer"]) as folder:
                tokenizer = Tokenizer.read(folder, control_tokens(config.data))
            reader = None
            if facts.get("roberta"):
                with _folder_of(facts["roberta"]) as folder:
                    of_roberta = read_config(folder / CONFIG, RobertaConfig.from_hugging_face)
                    _refuse_larger(of_roberta, "RoBERTa", networks["discriminator"])
                    reader = TextReader.open(config, folder)
            discriminator, of_emotions = networks.pop("discriminator"), networks.pop("emotions")
            emotions = None
            if facts["emotions"] is not None:
                emotions = EmotionClassifier.from_state(facts["emotions"], of_emotions)
            model = facts["gpt2"] if facts["format"] == FORMER else facts["model"]
            sizes = None if model is None else config_of(model)
            base = Base.of(facts.get("base"))
            return path, cls(
                config, tokenizer, sizes, networks, facts["reference"], discriminator, reader, emotions, base
            )
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise damaged_bot(path, error) from None

    def write(self, path: str | os.PathLike, weight_format: WeightFormat = "float32") -> None:
        """Write the bot as an HDF5 file. Loading a bot that has a base also requires the files of the base.

        Args:
            path: The file to write.
            weight_format: The number format of the weights: "float32", "float16", "int8" or "int4". `read` converts
                them to float32.

        Raises:
            OSError: The file cannot be written. An existing file is left unchanged.
        """
        emotions = (None, []) if self.emotions is None else self.emotions.state()
        facts = {
            "config": self.config.to_values(),
            "model": None if self.sizes is None else self.sizes.to_hugging_face(),
            "base": None if self.base is None else self.base._asdict(),
            "emotions": emotions[0],
            "tokenizer": _texts_of(self.tokenizer.save, TOKENIZER, TOKENIZER_CONFIG),
            "roberta": _texts_of(self.reader.save, TOKENIZER, CONFIG) if self.reader else None,
            "reference": self.reference,
        }
        others = {"discriminator": self.discriminator, "emotions": emotions[1]}
        write_bot(Path(path), FORMAT, facts, {**self.policies, **others}, weight_format)

    def refuse_misfits(self) -> None:
        """Check the dimensions against the tokenizer and the stored weights, before any large network is made.

        Raises:
            ValueError: The dimensions do not match.
        """
        if self.sizes is None:
            return
        if len(self.tokenizer) != self.sizes.vocab_size:
            raise ValueError(
                f"the tokenizer has {len(self.tokenizer)} tokens, but {self.sizes.title} has {self.sizes.vocab_size}"
            )
        for weights in self.policies.values() if self.base is None else ():
            _refuse_larger(self.sizes, self.sizes.title, weights)


def _refuse_larger(sizes: LanguageModelConfig | RobertaConfig, name: str, weights: list[np.ndarray]) -> None:
    size, numbers = sum(weight.size for weight in weights), count(sizes.shapes.values())
    if numbers > size:
        raise ValueError(f"the file has {size:,} weights, but {name} has {numbers:,}")


def _texts_of(save: Callable[[Path], None], *names: str) -> dict[str, str]:
    """Let `save` write files to a temporary folder, and return the contents of the given files by name."""
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        return {name: (Path(folder) / name).read_text(encoding="utf-8") for name in names}


@contextlib.contextmanager
def _folder_of(texts: dict[str, str]) -> Iterator[Path]:
    """Write texts to files in a temporary folder, and yield the folder, which is deleted at the end."""
    with tempfile.TemporaryDirectory() as folder:
        for name in (TOKENIZER, TOKENIZER_CONFIG, CONFIG):
            if name in texts:
                (Path(folder) / name).write_text(texts[name], encoding="utf-8")
        yield Path(folder)
