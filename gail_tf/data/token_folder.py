"""Token files of the second paper: any number of expert trajectories on disk, as a folder of memory-mapped shards.

tokens.json       the settings of the preparation, the source, and the sizes and checksums of all other files
tokenizer/        the tokenizer's files
00000.bin         the tokens of all utterances of a shard, one after the other: uint16, or uint32 for large
                  vocabularies. Each utterance is encoded in each of the layout's f forms (`frames.forms_of`)
00000.txt         the texts of the utterances in UTF-8, one after the other
00000.idx         begins: c + 1 uint32 numbers, the indices of the utterances at which the c conversations begin and the
                  last one ends;
                  token_offsets: f * u + 1 uint32 numbers, the positions in the .bin at which the f forms of the u
                  utterances begin and the last one ends;
                  text_offsets: u + 1 uint32 numbers, the positions in the .txt at which the texts begin and the last
                  one ends;
                  emotions: u int32 numbers, each utterance's emotion as an index in the list of tokens.json, or -1;
                  scores: u int16 numbers, 10,000 times VADER's compound scores, which have four decimal places;
                  parts: c uint8 numbers, GENERAL, TRAIN, TEST or VALIDATION for each conversation;
                  sources: c uint8 numbers, each conversation's format as an index in the list of tokens.json

All numbers are little-endian. The text is stored in addition to the tokens, because some discriminators and all
evaluations read text. A trajectory consists of a response and all utterances before it in its conversation. The limits
of conditions and responses and `--sentiment` can therefore be chosen when a training run begins.
"""

import functools
import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import numpy as np

from gail_tf.config import GAILConfig
from gail_tf.data.frames import forms_of
from gail_tf.data.samples import control_tokens
from gail_tf.data.token_shard import (
    DECIMALS,
    GENERAL,
    SUFFIXES,
    TEST,
    TRAIN,
    VALIDATION,
    Shard,
    ShardFacts,
    sizes_of,
)
from gail_tf.data.tokenizer import Tokenizer
from glove.text_files import counted
from keras_gca.errors import UserError
from keras_gca.settings import naming
from keras_gca.storage.atomic import write_text
from keras_gca.storage.token_files import INDEX, file_of_shard, read_index, refuse_size, refuse_sum, sha256_of

FORMAT = "gail_tf tokens 1"
TOKENIZER = "tokenizer"
# The settings on which the token files depend. A training run takes their values from the folder.
PREPARED = ("turns", "splits", "sentiment_history", "layout", "vocabulary_size")


class TokenFolder:
    """A folder of token files. `open` opens an existing folder, and `write_index` completes a new one.

    Args:
        path: The folder.
        values: The content of the index.
        fingerprint: The SHA-256 of the index, which determines all files of the folder.

    Attributes:
        settings: The settings of the preparation.
        source: The source of the data, as stored in the index.
        model: The name of the pretrained model whose tokenizer encoded the text, or None.
        emotions: The names of all emotions.
        formats: The names of all formats; the format of tweets is "tweets".
        shards: The sizes and checksums of the shards, in the order of the corpora.
    """

    def __init__(self, path: Path, values: dict[str, Any], fingerprint: str):
        self.path, self.fingerprint = path, fingerprint
        self.settings: dict[str, Any] = values["settings"]
        self.source: dict[str, Any] = values["source"]
        self.model: str | None = values["model"]
        self.emotions, self.formats = _names(values["emotions"]), _names(values["formats"])
        self.dtype = np.dtype(values["dtype"]).newbyteorder("<")
        self.forms: int = values["forms"]
        self.shards = [ShardFacts(**facts) for facts in values["shards"]]
        if values["dtype"] not in ("uint16", "uint32") or not self.shards or not isinstance(self.model, str | None):
            raise ValueError("tokens must be uint16 or uint32, and there must be at least one shard")
        for facts in self.shards:
            if any(type(number) is not int or not 0 <= number < 2**32 for number in list(asdict(facts).values())[:8]):
                raise ValueError("every size in a shard's entry must be a non-negative whole number")
        if type(self.forms) is not int or not 1 <= self.forms <= 4 or not self.count(TRAIN):
            raise ValueError("the number of forms or of training trajectories is invalid")
        GAILConfig(**{name: self.settings[name] for name in PREPARED})  # raises an error if a setting is invalid

    @classmethod
    def open(cls, path: str | os.PathLike) -> Self:
        """Open a folder, and check that every file exists and has the right size.

        Raises:
            UserError: The folder is incomplete or damaged, or was written by another version of the program.
        """
        folder = Path(path)
        index, values = folder / INDEX, read_index(folder, FORMAT, "gail_tf.prepare")
        try:
            made = cls(folder, values, sha256_of(index))
            tokenizer = {str(name): str(expected) for name, expected in values["tokenizer"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{index}: the file is damaged; it does not describe token files ({error})") from None
        for name, expected in tokenizer.items():
            refuse_size(folder / TOKENIZER / Path(name).name, None)
            refuse_sum(folder / TOKENIZER / Path(name).name, expected)
        if made.forms != len(forms_of(made.tokenizer.layout)):
            raise UserError(f"{index}: the file is damaged; the number of forms does not match the tokenizer's layout")
        for number, facts in enumerate(made.shards):
            lengths = sizes_of(facts.conversations, facts.utterances, made.forms)
            refuse_size(file_of_shard(folder, number, "bin"), facts.tokens * made.dtype.itemsize)
            refuse_size(file_of_shard(folder, number, "txt"), facts.characters)
            refuse_size(
                file_of_shard(folder, number, "idx"), sum(kind.itemsize * length for _, kind, length in lengths)
            )
        return made

    @staticmethod
    def write_index(path: Path, values: dict[str, Any], shards: Sequence[ShardFacts]) -> None:
        """Complete a folder by writing the index.

        Args:
            path: The folder, which already contains the tokenizer and all shards.
            values: A dict with `settings`, `source`, `model`, `emotions`, `formats`, `forms` and `dtype`.
            shards: The sizes and checksums of the shards.
        """
        files = sorted((path / TOKENIZER).iterdir())
        written = {
            "format": FORMAT,
            **values,
            "tokenizer": {file.name: sha256_of(file) for file in files},
            "shards": [asdict(facts) for facts in shards],
        }
        write_text(path / INDEX, json.dumps(written, indent=1, ensure_ascii=False))

    @functools.cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer. Raises UserError if one of its files is damaged."""
        return Tokenizer.read(self.path / TOKENIZER, control_tokens(GAILConfig(**self._own()).data))

    def settings_of(self, config: GAILConfig) -> GAILConfig:
        """Return the settings of a training run on this folder. The settings in PREPARED are taken from the folder.

        Raises:
            UserError: The user has given a different value for one of these settings, or has given --max-trajectories.
        """
        before = config.to_values()
        for name, own in self._own().items():
            if name in config.given and before[name] != own:
                raise UserError(
                    f"{naming([name])}: {before[name]} is not possible with {self.path}, which was prepared with "
                    f"{own}; leave out the option, or prepare the corpora again"
                )
        if "max_trajectories" in config.given and before["max_trajectories"] is not None:
            raise UserError(
                f"--max-trajectories has no effect on {self.path}, which is already prepared; leave out the option"
            )
        return config.changed(**self._own(), max_trajectories=None)

    def _own(self) -> dict[str, Any]:
        return {name: self.settings[name] for name in PREPARED}

    def count(self, part: int) -> int:
        """Return the number of trajectories in a part, or the number of general conversations for GENERAL."""
        return sum(facts.count(part) for facts in self.shards)

    def described(self) -> list[str]:
        """Return lines that describe the contents of the folder and its size on disk."""
        size = sum(file.stat().st_size for file in self.path.rglob("*") if file.is_file())
        parts = [f"{self.count(part):,} {name}" for part, name in ((TRAIN, "train"), (TEST, "test"))]
        parts.append(f"{self.count(VALIDATION):,} validation")
        trajectories = sum(self.count(part) for part in (TRAIN, TEST, VALIDATION))
        origin = f"from {self.model}" if self.model else "fitted to the text"
        lines = [
            f"tokenizer:    {len(self.tokenizer):,} tokens, {origin}",
            f"trajectories: {', '.join(parts)}",
            f"files:        {counted(len(self.shards), 'shard')}, {size:,} bytes, {size / trajectories:.1f} per "
            "trajectory",
        ]
        if general := self.count(GENERAL):
            lines.insert(2, f"pretraining:  {general:,} general conversations")
        return lines

    def shard(self, number: int) -> Shard:
        """Map a shard into memory without checking it; call `verify` to check it."""
        facts = self.shards[number]
        idx = np.memmap(file_of_shard(self.path, number, "idx"), np.uint8, "r")
        arrays, begin = {}, 0
        for name, kind, length in sizes_of(facts.conversations, facts.utterances, self.forms):
            arrays[name] = idx[begin : begin + kind.itemsize * length].view(kind)
            begin += kind.itemsize * length
        tokens, text = (
            np.memmap(file_of_shard(self.path, number, suffix), kind, "r") if size else np.zeros(0, kind)
            for suffix, kind, size in (("bin", self.dtype, facts.tokens), ("txt", np.dtype("u1"), facts.characters))
        )
        return Shard(tokens, text, **arrays)

    def verify(self) -> None:
        """Verify the checksums of all shards, and check that their values are valid.

        Raises:
            UserError: A file is damaged.
        """
        for number, facts in enumerate(self.shards):
            for suffix in SUFFIXES:
                refuse_sum(file_of_shard(self.path, number, suffix), getattr(facts, f"{suffix}_sha256"))
            if problem := self._problem(self.shard(number), facts):
                raise UserError(f"{file_of_shard(self.path, number, 'idx')}: the file is damaged; {problem}")

    def _problem(self, shard: Shard, facts: ShardFacts) -> str | None:
        """Return a description of the first invalid value in a shard, or None if all values are valid."""
        ends = (
            (shard.begins, facts.utterances),
            (shard.token_offsets, facts.tokens),
            (shard.text_offsets, facts.characters),
        )
        for offsets, end in ends:
            if offsets[0] != 0 or offsets[-1] != end or (np.diff(offsets.astype(np.int64)) < 0).any():
                return "its offsets are invalid"
        if (np.diff(shard.begins.astype(np.int64)) < 1).any() or shard.parts.max(initial=0) > VALIDATION:
            return "its conversations are invalid"
        turns = self.settings["turns"]
        counts = [len(shard.responses(part, turns)[0]) for part in (TRAIN, TEST, VALIDATION)]
        if [int((shard.parts == GENERAL).sum()), *counts] != [facts.count(part) for part in range(4)]:
            return "its parts are invalid"
        if shard.tokens.max(initial=0) >= len(self.tokenizer):
            return f"it contains the token {shard.tokens.max()}, but the tokenizer has {len(self.tokenizer)} tokens"
        if np.abs(shard.scores.astype(int)).max(initial=0) > DECIMALS:
            return "a sentiment score is outside the range from -1 to 1"
        emotions = shard.emotions
        if emotions.min(initial=0) < -1 or emotions.max(initial=-1) >= len(self.emotions):
            return "it contains an unknown emotion"
        if shard.sources.max(initial=0) >= len(self.formats):
            return "it contains an unknown format"
        inner = shard.text_offsets[:-1][shard.text_offsets[:-1] < facts.characters]
        try:
            shard.text.tobytes().decode("utf-8")
        except UnicodeDecodeError:
            return "its text is not UTF-8"
        return "its offsets are invalid" if (shard.text[inner] & 0xC0 == 0x80).any() else None


def _names(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(name, str) for name in values):
        raise TypeError("the names must be lists of strings")
    return values
