"""Shards of the second paper's token files (`token_folder.py`): their arrays, their sizes, and writing them."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gca.storage.token_files import file_of_shard, write_arrays

GENERAL, TRAIN, TEST, VALIDATION = range(4)  # parts of conversations
DECIMALS = 10_000  # sentiment scores have four decimal places
SUFFIXES = ("bin", "txt", "idx")


@dataclass(frozen=True)
class ShardFacts:
    """The sizes and checksums of one shard.

    Attributes:
        conversations: The number of conversations.
        utterances: The number of utterances.
        tokens: The number of tokens in all forms of all utterances.
        characters: The size of the text in bytes.
        general: The number of general conversations.
        train: The number of trajectories in the training split.
        test: The number of trajectories in the test split.
        validation: The number of trajectories in the validation split.
        bin_sha256: The SHA-256 of the file of tokens, in hexadecimal.
        txt_sha256: The SHA-256 of the file of text, in hexadecimal.
        idx_sha256: The SHA-256 of the file of offsets and labels, in hexadecimal.
    """

    conversations: int
    utterances: int
    tokens: int
    characters: int
    general: int
    train: int
    test: int
    validation: int
    bin_sha256: str
    txt_sha256: str
    idx_sha256: str

    def count(self, part: int) -> int:
        """Return the number of trajectories in a part, or the number of general conversations for GENERAL."""
        return (self.general, self.train, self.test, self.validation)[part]


@dataclass(frozen=True)
class Shard:
    """The arrays of one shard, mapped into memory.

    The shard has c conversations and u utterances, and each utterance has f forms. `token_folder.py` explains the
    arrays.

    Attributes:
        tokens: A uint16 or uint32 array of shape (t,).
        text: A uint8 array of shape (b,).
        begins: A uint32 array of shape (c + 1,).
        token_offsets: A uint32 array of shape (f * u + 1,).
        text_offsets: A uint32 array of shape (u + 1,).
        emotions: An int32 array of shape (u,).
        scores: An int16 array of shape (u,).
        parts: A uint8 array of shape (c,).
        sources: A uint8 array of shape (c,).
    """

    tokens: np.ndarray
    text: np.ndarray
    begins: np.ndarray
    token_offsets: np.ndarray
    text_offsets: np.ndarray
    emotions: np.ndarray
    scores: np.ndarray
    parts: np.ndarray
    sources: np.ndarray

    def texts(self, begin: int, end: int) -> list[str]:
        """Return the texts of the utterances from index `begin` up to, but not including, index `end`."""
        offsets = self.text_offsets[begin : end + 1].tolist()
        return [self.text[one:other].tobytes().decode("utf-8") for one, other in itertools.pairwise(offsets)]

    def responses(self, part: int, turns: str) -> tuple[np.ndarray, np.ndarray]:
        """Find the trajectories of a part.

        Args:
            part: TRAIN, TEST or VALIDATION.
            turns: The setting `turns`.

        Returns:
            Two int64 arrays of shape (n,): the index of each trajectory's response among the utterances of the shard,
            and the index of its conversation.
        """
        conversation, position = self.owners()
        is_response = position % 2 == 1 if turns == "disjoint" else position > 0
        answers = np.flatnonzero(is_response & (self.parts == part)[conversation])
        return answers, conversation[answers]

    def owners(self) -> tuple[np.ndarray, np.ndarray]:
        """Return each utterance's conversation and its position there, two int64 arrays of shape (u,)."""
        begins = self.begins.astype(np.int64)
        conversation = np.repeat(np.arange(len(self.parts)), np.diff(begins))
        return conversation, np.arange(len(conversation)) - begins[conversation]


# The arrays of the .idx file in order: the name in `Shard`, the dtype, and the key of the length in `sizes_of`.
_LAYOUT = (
    ("begins", "<u4", "ends"),
    ("token_offsets", "<u4", "forms"),
    ("text_offsets", "<u4", "texts"),
    ("emotions", "<i4", "utterances"),
    ("scores", "<i2", "utterances"),
    ("parts", "u1", "conversations"),
    ("sources", "u1", "conversations"),
)


def sizes_of(conversations: int, utterances: int, forms: int) -> list[tuple[str, np.dtype, int]]:
    """Return the name, the dtype and the length of each array in an .idx file."""
    lengths = {
        "ends": conversations + 1,
        "forms": forms * utterances + 1,
        "texts": utterances + 1,
        "utterances": utterances,
        "conversations": conversations,
    }
    return [(name, np.dtype(kind), lengths[which]) for name, kind, which in _LAYOUT]


def write_shard(folder: Path, number: int, shard: Shard, turns: str) -> ShardFacts:
    """Write the files of a shard, each atomically.

    Args:
        folder: The folder of token files.
        number: The number of the shard.
        shard: The arrays, with the dtypes to write.
        turns: The setting `turns`.

    Raises:
        OSError: A file cannot be written.
    """
    arrays = [getattr(shard, name).astype(kind) for name, kind, _ in _LAYOUT]
    contents = {"bin": [shard.tokens], "txt": [shard.text], "idx": arrays}
    bin_sum, txt_sum, idx_sum = (
        write_arrays(file_of_shard(folder, number, suffix), contents[suffix]) for suffix in SUFFIXES
    )
    train, test, validation = (len(shard.responses(part, turns)[0]) for part in (TRAIN, TEST, VALIDATION))
    return ShardFacts(
        conversations=len(shard.parts),
        utterances=len(shard.scores),
        tokens=len(shard.tokens),
        characters=len(shard.text),
        general=int((shard.parts == GENERAL).sum()),
        train=train,
        test=test,
        validation=validation,
        bin_sha256=bin_sum,
        txt_sha256=txt_sum,
        idx_sha256=idx_sum,
    )
