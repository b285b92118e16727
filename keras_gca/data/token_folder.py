"""Token files: a prepared corpus of any size on disk, as a folder of memory-mapped shards.

tokens.json       the settings of the preparation, the source, and the sizes and checksums of all other files
vocabulary.json   the vocabulary
00000.bin         the tokens of all utterances of a shard, one after the other: uint16, or uint32 for large vocabularies
00000.idx         offsets: u + 1 uint32 numbers, the positions in the .bin at which the u utterances begin and the last
                  one ends;
                  roles: u uint8 numbers. The first utterance of a conversation has the role FIRST. Any other utterance
                  is the answer of a pair; its role is the set of this pair: TRAINING, VALIDATION or TEST

All numbers are little-endian. Every utterance except the first of its conversation forms a pair with the utterances
before it, which are its context. The lengths of contexts and answers can therefore be chosen when a training run
begins.
"""

import functools
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from glove.text_files import counted
from keras_gca.config import Config
from keras_gca.data.vocabulary import SPECIAL_TOKENS, Vocabulary
from keras_gca.errors import UserError
from keras_gca.settings import naming
from keras_gca.storage import json_files
from keras_gca.storage.atomic import write_text
from keras_gca.storage.token_files import (
    INDEX,
    file_of_shard,
    read_index,
    refuse_size,
    refuse_sum,
    sha256_of,
    write_arrays,
)

WORDS = "vocabulary.json"
FORMAT = "keras_gca tokens 1"
FIRST, TRAINING, VALIDATION, TEST = range(4)  # roles of utterances
LIMITS = ("max_pairs", "training_pairs")  # settings that token files do not support
# The settings on which the token files depend. A training takes their values from the folder.
PREPARED = ("vocabulary_size", "minimum_count", "contractions", "padding", "validation_fraction", "splits")


@dataclass(frozen=True)
class ShardFacts:
    """The sizes and checksums of one shard.

    Attributes:
        conversations: The number of conversations.
        utterances: The number of utterances.
        tokens: The number of tokens.
        training: The number of pairs to train on.
        validation: The number of held-out pairs.
        test: The number of pairs in the corpus's own test split.
        bin_sha256: The SHA-256 of the file of tokens, in hexadecimal.
        idx_sha256: The SHA-256 of the file of offsets and roles, in hexadecimal.
    """

    conversations: int
    utterances: int
    tokens: int
    training: int
    validation: int
    test: int
    bin_sha256: str
    idx_sha256: str

    def pairs(self, role: int) -> int:
        """Return the number of pairs with a role: TRAINING, VALIDATION or TEST."""
        return (self.training, self.validation, self.test)[role - 1]


@dataclass(frozen=True)
class Shard:
    """The arrays of one shard, mapped into memory.

    Attributes:
        tokens: The tokens of all utterances, a uint16 or uint32 array of shape (t,).
        offsets: The position at which each utterance begins and the last one ends, a uint32 array of shape (u + 1,).
        roles: The role of each utterance, a uint8 array of shape (u,).
    """

    tokens: np.ndarray
    offsets: np.ndarray
    roles: np.ndarray


def write_shard(
    folder: Path, number: int, tokens: np.ndarray, lengths: np.ndarray, roles: np.ndarray, dtype: str
) -> ShardFacts:
    """Write the two files of a shard, each atomically.

    Args:
        folder: The folder of token files.
        number: The number of the shard.
        tokens: The tokens of all utterances, an integer array of shape (t,).
        lengths: The number of tokens in each utterance, an integer array of shape (u,).
        roles: The role of each utterance, a uint8 array of shape (u,).
        dtype: The dtype of the tokens in the file, "uint16" or "uint32".

    Raises:
        OSError: A file cannot be written.
    """
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.uint64)])
    contents: dict[str, list[np.ndarray]] = {
        "bin": [tokens.astype(np.dtype(dtype).newbyteorder("<"))],
        "idx": [offsets.astype("<u4"), roles.astype(np.uint8)],
    }
    sums = [write_arrays(file_of_shard(folder, number, suffix), arrays) for suffix, arrays in contents.items()]
    counts = np.bincount(roles, minlength=4)
    first, training, validation, test = counts.tolist()
    return ShardFacts(first, len(roles), len(tokens), training, validation, test, *sums)


def files_of_shard(folder: Path, number: int) -> list[Path]:
    """Return the two files of a shard."""
    return [file_of_shard(folder, number, suffix) for suffix in ("bin", "idx")]


class TokenFolder:
    """A folder of token files; `open` opens one that exists, and `write_index` completes a new one.

    Args:
        path: The folder.
        values: The content of the index.
        fingerprint: The SHA-256 of the index, which determines all files of the folder.

    Attributes:
        shards: The sizes and checksums of the shards, in the order of the corpus.
        vocabulary: The vocabulary.
    """

    def __init__(self, path: Path, values: dict[str, Any], fingerprint: str):
        self.path, self.fingerprint = path, fingerprint
        self.settings: dict[str, Any] = values["settings"]
        self.source: dict[str, Any] = values["source"]
        self.whole_conversations = bool(values["whole_conversations"])
        self.dtype = np.dtype(values["dtype"]).newbyteorder("<")
        self.shards = [ShardFacts(**facts) for facts in values["shards"]]
        if values["dtype"] not in ("uint16", "uint32") or not self.shards:
            raise ValueError("tokens must be uint16 or uint32, and there must be at least one shard")
        for facts in self.shards:
            if any(type(number) is not int or not 0 <= number < 2**32 for number in list(asdict(facts).values())[:6]):
                raise ValueError("every size in a shard's entry must be a non-negative whole number")
            if not 1 <= facts.conversations < facts.utterances <= facts.tokens:
                raise ValueError(
                    "a shard must have more utterances than conversations, and at least as many tokens as utterances"
                )
        Config().changed(**{name: self.settings[name] for name in PREPARED})  # an impossible setting is an error

    @classmethod
    def open(cls, path: str | os.PathLike) -> Self:
        """Open a folder, and check that every file exists and has the right size.

        Raises:
            UserError: The folder is incomplete or damaged, or was written by another version of the program.
        """
        folder = Path(path)
        index, values = folder / INDEX, read_index(folder, FORMAT, "keras_gca.prepare")
        try:
            made = cls(folder, values, sha256_of(index))
            vocabulary_sha256 = values["vocabulary_sha256"]
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{index}: the file is damaged; it does not describe token files ({error})") from None
        words = folder / WORDS
        refuse_size(words, None)
        refuse_sum(words, vocabulary_sha256)
        for number, facts in enumerate(made.shards):
            refuse_size(file_of_shard(folder, number, "bin"), facts.tokens * made.dtype.itemsize)
            refuse_size(file_of_shard(folder, number, "idx"), 4 * (facts.utterances + 1) + facts.utterances)
        return made

    @staticmethod
    def write_index(path: Path, vocabulary: Vocabulary, values: dict[str, Any]) -> None:
        """Complete a folder by writing the vocabulary and the index.

        Args:
            path: The folder, which already contains all shards.
            vocabulary: The vocabulary.
            values: A dict with `settings`, `source`, `whole_conversations`, `dtype` and `shards`, which is a list of
                ShardFacts.
        """
        write_text(path / WORDS, json.dumps(vocabulary.to_values(), ensure_ascii=False))
        shards = [asdict(facts) for facts in values["shards"]]
        written = {
            "format": FORMAT,
            **values,
            "vocabulary_sha256": sha256_of(path / WORDS),
            "shards": shards,
        }
        write_text(path / INDEX, json.dumps(written, indent=1))

    @functools.cached_property
    def vocabulary(self) -> Vocabulary:
        try:
            return Vocabulary.from_values(json_files.read(self.path / WORDS))
        except UserError:
            raise
        except ValueError as error:
            raise UserError(f"{self.path / WORDS}: the file is damaged ({error})") from None

    def settings_of(self, config: Config) -> Config:
        """Return the settings of a training run on this folder. The settings in PREPARED are taken from the folder.

        Raises:
            UserError: The user has given a different value for one of these settings, or has given --max-pairs or
                --training-pairs.
        """
        for name in PREPARED:
            given, own = getattr(config, name), self.settings[name]
            if name in config.given and given != own:
                raise UserError(
                    f"{naming([name])}: {given} is not possible with {self.path}, which was prepared with {own}; "
                    "leave out the option, or prepare the corpus again"
                )
        for name in LIMITS:
            if name in config.given and getattr(config, name) is not None:
                raise UserError(
                    f"{naming([name])} has no effect on {self.path}, which is already prepared; leave out the option"
                )
        return config.changed(**{name: self.settings[name] for name in PREPARED}, **dict.fromkeys(LIMITS))

    def pairs(self, role: int) -> int:
        """Return the number of pairs with a role: TRAINING, VALIDATION or TEST."""
        return sum(facts.pairs(role) for facts in self.shards)

    def described(self) -> list[str]:
        """Return lines that describe the contents of the folder and its size on disk."""
        size = sum(file.stat().st_size for file in self.path.iterdir() if file.is_file())
        training, validation, test = (self.pairs(role) for role in (TRAINING, VALIDATION, TEST))
        parts = [f"{training:,} to train on", f"{validation:,} held out"]
        if test:
            parts.append(f"{test:,} in the corpus's own test split")
        tokens = sum(facts.tokens for facts in self.shards)
        per_pair = size / (training + validation + test)
        return [
            f"vocabulary: {len(self.vocabulary):,} tokens, {self.source['vocabulary']}",
            f"pairs:      {', '.join(parts)}; {tokens:,} tokens of text",
            f"files:      {counted(len(self.shards), 'shard')}, {size:,} bytes, {per_pair:.1f} per pair",
        ]

    def shard(self, number: int) -> Shard:
        """Map a shard into memory without checking it; call `verify` to check it."""
        facts = self.shards[number]
        idx = np.memmap(file_of_shard(self.path, number, "idx"), np.uint8, "r")
        split = 4 * (facts.utterances + 1)
        tokens = np.memmap(file_of_shard(self.path, number, "bin"), self.dtype, "r")
        return Shard(tokens, idx[:split].view("<u4"), idx[split:])

    def verify(self, number: int) -> None:
        """Verify a shard's checksums, and check that its values are valid.

        Raises:
            UserError: A file is damaged.
        """
        facts = self.shards[number]
        tokens, idx = files_of_shard(self.path, number)
        refuse_sum(tokens, facts.bin_sha256)
        refuse_sum(idx, facts.idx_sha256)
        shard = self.shard(number)
        lengths = np.diff(shard.offsets.astype(np.int64))
        counts = np.bincount(shard.roles, minlength=4)
        expected_counts = facts.conversations, facts.training, facts.validation, facts.test
        if shard.offsets[0] != 0 or shard.offsets[-1] != facts.tokens or lengths.min() < 1 or shard.roles[0] != FIRST:
            raise UserError(f"{idx}: the file is damaged; its offsets are invalid")
        if tuple(counts) != expected_counts:
            raise UserError(f"{idx}: the file is damaged; its roles are invalid")
        low, high = shard.tokens.min(), shard.tokens.max()
        if low < len(SPECIAL_TOKENS) - 1 or high >= len(self.vocabulary):
            raise UserError(
                f"{tokens}: word indices range from {low} to {high}; indices from "
                f"{len(SPECIAL_TOKENS) - 1} to {len(self.vocabulary) - 1} are expected"
            )
