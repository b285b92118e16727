"""The data of a run that is trained on token files."""

import bisect
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Rows
from gail_tf.data.dataset import Data
from gail_tf.data.samples import ExpertSamples, PromptClassifier
from gail_tf.data.token_folder import TokenFolder
from gail_tf.data.token_samples import TokenSamples, TokenText, TokenTrajectories
from gail_tf.data.token_shard import GENERAL, TEST, TRAIN, VALIDATION
from gail_tf.data.tokenizer import Tokenizer
from keras_gca.errors import UserError

MOST_HELD_OUT = 10_000  # the maximum number of trajectories of the test or validation split to read into memory
MOST_TEXT = 2**20  # the approximate maximum number of utterances in `TokenData.training_text`


@dataclass(frozen=True)
class TokenData(Data):
    """The data of a run on token files. Fixed samples of the test and validation splits are held in memory.

    Attributes:
        folder: The folder of token files.
    """

    folder: TokenFolder = field(kw_only=True)

    @classmethod
    def of(cls, folder: TokenFolder, config: GAILConfig, pretrains: bool) -> Self:
        """Open the data of a run.

        Args:
            folder: The folder of token files.
            config: The settings of the run.
            pretrains: Whether a network with random weights is pretrained on the general conversations.

        Raises:
            UserError: Token files do not support one of the settings.
        """
        for lacking, option in (
            (config.algorithm == "rl_seq2seq", "--algorithm rl_seq2seq"),
            (config.data.listener_profile == "on", "--listener-profile on"),
        ):
            if lacking:
                raise UserError(f"{folder.path}: token files do not support {option}; give the corpora with --data")
        if pretrains and not folder.count(GENERAL):
            raise UserError(
                f"{folder.path}: these token files have no general conversations to pretrain on; use "
                "--pretraining-epochs 0, or prepare the corpora with a different number"
            )
        test, validation = (_sample(TokenSamples(folder, config.data, part)) for part in (TEST, VALIDATION))
        train = TokenTrajectories(TokenSamples(folder, config.data))
        return cls(train, test, validation, GeneralConversations(folder) if pretrains else (), folder=folder)

    @classmethod
    def referred(cls, facts: Any, config: GAILConfig, path: Path) -> Self:
        """Open the data of a run that was trained on token files, and verify the checksums of the files.

        Args:
            facts: The dictionary returned by `reference`.
            config: The settings of the run.
            path: The file that contains `facts`, for error messages.

        Raises:
            UserError: The token files are missing or damaged, or differ from those that the run was trained on.
            KeyError: A key is missing from `facts`.
        """
        where = Path(str(facts["folder"]))
        if not where.is_dir():
            raise UserError(f"{where}: the folder is missing, but the run was trained on its token files ({path})")
        folder = TokenFolder.open(where)
        if folder.fingerprint != facts["fingerprint"]:
            raise UserError(f"{where}: these are not the token files that the run was trained on ({path})")
        folder.verify()
        return cls.of(folder, config, bool(facts["general"]))

    def reference(self) -> dict[str, Any]:
        """Return a dictionary from which a run can find its token files again."""
        folder, fingerprint = str(self.folder.path.resolve()), self.folder.fingerprint
        return {"folder": folder, "fingerprint": fingerprint, "general": bool(self.general)}

    @property
    def training_text(self) -> list[tuple[str, ...]]:
        """At most about MOST_TEXT utterances, from evenly spread conversations of `general` and `train`."""
        parts = (GENERAL, TRAIN) if self.general else (TRAIN,)
        share = min(1.0, MOST_TEXT / sum(facts.utterances for facts in self.folder.shards))
        conversations = enumerate(self._conversations(parts))
        return [texts for number, texts in conversations if int((number + 1) * share) > int(number * share)]

    def _conversations(self, parts: Sequence[int]) -> Iterator[tuple[str, ...]]:
        for number in range(len(self.folder.shards)):
            shard = self.folder.shard(number)
            begins = shard.begins.tolist()
            for (begin, end), part in zip(itertools.pairwise(begins), shard.parts.tolist(), strict=True):
                if part in parts:
                    yield tuple(shard.texts(begin, end))

    def samples(self, tokenizer: Tokenizer, config: GAILConfig, emotions: PromptClassifier | None) -> ExpertSamples:
        return TokenSamples(self.folder, config.data)

    def running_text(self, tokenizer: Tokenizer, length: int) -> Rows | None:
        return TokenText(self.folder, length) if self.general else None


class GeneralConversations(Sequence[tuple[str, ...]]):
    """The general conversations in a folder of token files, which are read one at a time.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: TokenFolder):
        self._folder = folder
        self._ends = list(itertools.accumulate(facts.general for facts in folder.shards))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, number: int) -> tuple[str, ...]:  # type: ignore[override]  # without slices
        if not 0 <= number < len(self):
            raise IndexError(number)
        which = bisect.bisect_right(self._ends, number)
        shard = self._folder.shard(which)
        place = number - (self._ends[which - 1] if which else 0)
        conversation = int(np.flatnonzero(shard.parts == GENERAL)[place])
        return tuple(shard.texts(int(shard.begins[conversation]), int(shard.begins[conversation + 1])))


def _sample(samples: TokenSamples) -> tuple[Any, ...]:
    """Read at most MOST_HELD_OUT evenly spread trajectories."""
    rows = np.linspace(0, len(samples) - 1, min(len(samples), MOST_HELD_OUT)).astype(int)
    return tuple(samples.trajectory(row) for row in rows.tolist())
