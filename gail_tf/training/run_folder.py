"""The folder of a training run of the second paper.

config.json                  all settings of the run, and the source of its data
trajectories.jsonl           the expert trajectories of each split, and the conversations to pretrain on; or the path
                             and a checksum of the token files on which the run is trained
tokenizer/  model.json       the tokenizer's files, and the dimensions of the language model (old runs: gpt2.json)
roberta/                     the tokenizer's files and the dimensions of the discriminator's RoBERTa, if it has one
emotions.h5                  the emotion classifier of `--algorithm rl_seq2seq`, whose runs have no model.json
checkpoint.h5                everything that `--resume` needs; until training has finished, checkpoint.previous.h5 is
                             the previous checkpoint
log.csv     tensorboard/     the metrics, with one line and one point for each epoch and update
curves.png                   plots of the metrics in log.csv
samples/                     responses to the same held-out prompts after each validation
bot.h5                       the bot to chat with: weights, tokenizer and settings in one file
evaluation.json  evaluation/ the measurements of `gail_tf.evaluate`, and its tables and plots
"""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.baselines.textgail import TextReader
from gail_tf.config import WITHOUT_UPDATES, GAILConfig
from gail_tf.data.dataset import PARTS, Data
from gail_tf.data.samples import control_tokens
from gail_tf.data.token_data import TokenData
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.imitation.phases import IMITATION, schedule
from gail_tf.models.architectures import config_of
from gail_tf.models.hugging_face import read_config
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.pretrained_base import Base
from glove.text_files import BadLines, text_lines
from keras_gca.engine.staged_training import pack, unpack
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.arrays import read_arrays, write_arrays
from keras_gca.storage.atomic import write_text
from keras_gca.storage.run_folder import RunFolder, refuse_reached

TOKENS = "tokens"  # in trajectories.jsonl, the part of the line that refers to token files


class GAILRun(RunFolder[GAILConfig]):
    """The reader and writer of one run folder of the second paper.

    `create` makes a folder for a new run, and `open` opens the folder of an existing run.

    Args:
        path: The folder.

    Examples:
        >>> from gail_tf import GAILRun
        >>> run = GAILRun.open("runs/gail")
        >>> run
        <GAILRun runs/gail: one can chat with it>
        >>> run.config().algorithm
        'gail'
    """

    kind = GAILConfig
    package = "gail_tf"

    @classmethod
    def create(
        cls,
        path: str | os.PathLike,
        config: GAILConfig,
        data: Data,
        tokenizer: Tokenizer,
        sizes: LanguageModelConfig | None,
        source: dict[str, Any],
        reader: TextReader | None = None,
        emotions: EmotionClassifier | None = None,
        base: Base | None = None,
    ) -> Self:
        """Create the folder and write the files that stay the same during training.

        Args:
            path: The folder to create.
            config: The settings.
            data: The trajectories of each split.
            tokenizer: The policy's tokenizer.
            sizes: The dimensions of the policy's language model, or None for RL-Seq2Seq.
            source: The names of the files from which the data were read. They are stored only to inform the user.
            reader: The RoBERTa of the discriminator D, or None if D has another encoder.
            emotions: RL-Seq2Seq's emotion classifier, or None for other algorithms.
            base: The pretrained network whose files contain the frozen weights, or None if the run stores all weights.

        Returns:
            The new run.

        Raises:
            UserError: The folder already contains a run, or `path` is a file.
        """
        run = cls.make(path, config, source)
        if isinstance(data, TokenData):
            lines: list[dict[str, Any]] = [{"part": TOKENS, **data.reference()}]
        else:
            lines = [{**dataclasses.asdict(expert), "part": part} for part in PARTS for expert in getattr(data, part)]
            lines += [{"part": "general", "utterances": utterances} for utterances in data.general]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        write_text(run._trajectories, text)
        tokenizer.save(run.path / "tokenizer")
        if sizes is not None:
            facts = sizes.to_hugging_face() | ({} if base is None else {"base": base._asdict()})
            write_text(run.path / "model.json", json.dumps(facts, indent=2))
        if emotions is not None:
            facts, arrays = emotions.state()
            write_arrays(run.path / "emotions.h5", pack("emotions", arrays), facts)
        if reader is not None:
            reader.save(run.path / "roberta")
        return run

    def data(self) -> Data:
        """Read the stored trajectories and the conversations to pretrain on, or open the run's token files.

        Raises:
            UserError: The file is missing or damaged (the message names a damaged line), or the token files are missing
                or damaged, or they differ from those that the run was trained on.
        """
        path = self._trajectories
        parts: dict[str, list[Any]] = {part: [] for part in (*PARTS, "general")}
        for number, line in text_lines(path, BadLines(error=UserError), longest=json_files.LARGEST):
            try:
                values = json_files.loads(line)
                part = values.pop("part")
                if part == TOKENS:
                    return TokenData.referred(values, self.config(), path)
                parts[part].append(_texts(values["utterances"]) if part == "general" else _trajectory(values))
            except UserError:
                raise
            except (ValueError, KeyError, TypeError, AttributeError):
                raise UserError(f"{path}:{number}: the line is damaged; a trajectory in JSON is expected") from None
        if not any(parts.values()):
            raise UserError(f"{path}: the file is damaged; it does not contain any trajectory")
        return Data(**{part: tuple(members) for part, members in parts.items()})

    @property
    def _trajectories(self) -> Path:
        return self.path / "trajectories.jsonl"

    def tokenizer(self) -> Tokenizer:
        """Read the stored tokenizer.

        Raises:
            UserError: A file of the tokenizer is missing or damaged.
        """
        return Tokenizer.read(self.path / "tokenizer", control_tokens(self.config().data))

    def reader(self) -> TextReader | None:
        """Make the discriminator's RoBERTa with random weights. Return None if the discriminator has another encoder.

        Raises:
            UserError: A file of the RoBERTa is damaged.
        """
        folder = self.path / "roberta"
        return TextReader.open(self.config(), folder) if folder.exists() else None

    def emotions(self) -> EmotionClassifier | None:
        """Read RL-Seq2Seq's emotion classifier. For other algorithms, return None.

        Raises:
            UserError: The file is missing or damaged.
        """
        if self.config().algorithm != "rl_seq2seq":
            return None
        path = self.path / "emotions.h5"
        facts, arrays = read_arrays(path)
        try:
            return EmotionClassifier.from_state(facts, unpack("emotions", arrays))
        except (LookupError, TypeError, ValueError) as error:
            raise UserError(f"{path}: the file is damaged; its parts do not fit together ({error})") from None

    def is_finished(self) -> bool:
        """Return whether training has finished and the bot has been saved.

        Raises:
            UserError: The settings or the data cannot be read, or neither checkpoint can be read.
        """
        if not self.bot.exists():
            return False
        facts = self.read_facts()
        stages = schedule(self.config_of(facts), from_scratch=bool(self.data().general))
        return facts.get("position") == len(stages)

    def refuse_totals(self, before: GAILConfig, facts: dict[str, Any], changes: Mapping[str, Any]) -> None:
        """Reject totals that the run has already reached; see `RunFolder.refuse_totals`.

        Runs of `--algorithm mle` and `selection` are also rejected, because these algorithms have no updates.
        """
        if before.algorithm in WITHOUT_UPDATES and not before.rollout.updates:
            raise UserError(
                f"--updates: {self.path} is a run of --algorithm {before.algorithm}, which has no updates; start a "
                "new run with another --algorithm"
            )
        done = sum(row["phase"] == IMITATION for row in facts["history"])
        for name, number in changes.items():
            refuse_reached(name, number, done)

    def model(self) -> tuple[LanguageModelConfig | None, Base | None]:
        """Read the language model's dimensions, and the name of the network whose files contain the frozen weights.

        Returns:
            The dimensions, or None for RL-Seq2Seq, and the pretrained network with the frozen weights, or None if the
            run stores all weights.

        Raises:
            UserError: The file is missing or damaged.
        """
        if self.config().algorithm == "rl_seq2seq":
            return None, None
        path = self.path / "model.json"
        if not path.exists() and (self.path / "gpt2.json").exists():
            path = self.path / "gpt2.json"  # the name of this file in old runs, whose policies could only be GPT-2s
        sizes = read_config(path, config_of)
        try:
            return sizes, Base.of(json_files.read_object(path).get("base"))
        except ValueError as error:
            raise UserError(f"{path}: the file is damaged; {error}") from None


def _trajectory(values: dict[str, Any]) -> Trajectory:
    """Make a trajectory from its JSON fields; raise KeyError, TypeError or ValueError if a field is invalid."""
    made = Trajectory(**values | {"history": _texts(values["history"])})
    _texts([made.prompt, made.response, made.source, made.emotion or ""])
    if type(made.conversation) is not int or type(made.turn) is not int:
        raise ValueError("the conversation and turn numbers must be integers")
    return made


def _texts(values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(text, str) for text in values):
        raise ValueError("a list of texts is expected")
    return tuple(values)
