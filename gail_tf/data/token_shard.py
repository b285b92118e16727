"""One shard of the second paper's token files (`token_folder.py`): its arrays, its sizes, and how it is written."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_gca.storage.token_files import file_of_shard, write_arrays

GENERAL, TRAIN, TEST, VALIDATION = range(4)  # parts of conversations
DECIMALS = 10_000  # the scores of sentiment have four decimal places
SUFFIXES = ("bin", "txt", "idx")


@dataclass(frozen=True)
class ShardFacts:
    """The sizes and checksums of one shard.

    Attributes:
        conversations: The number of its conversations.
        utterances: The number of its utterances.
        tokens: The number of tokens in all forms.
        characters: The size of its text in bytes.
        general: The number of its general conversations.
        train: The number of trajectories to learn from.
        test: The number of trajectories to evaluate on.
        validation: The number of trajectories to evaluate on during training.
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
        """Return the number of general conversations, or of trajectories of another part."""
        return (self.general, self.train, self.test, self.validation)[part]


@dataclass(frozen=True)
class Shard:
    """The arrays of one shard, mapped into memory; see `token_folder.py`.

    Attributes:
        tokens: (t,) uint16 or uint32.
        text: (b,) uint8.
        begins: (c + 1,) uint32.
        token_offsets: (f u + 1,) uint32.
        text_offsets: (u + 1,) uint32.
        emotions: (u,) int32.
        scores: (u,) int16.
        parts: (c,) uint8.
        sources: (c,) uint8.
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
        """Return the texts of the utterances from `begin` to `end`."""
        offsets = self.text_offsets[begin : end + 1].tolist()
        return [self.text[one:other].tobytes().decode("utf-8") for one, other in itertools.pairwise(offsets)]

    def responses(self, part: int, turns: str) -> tuple[np.ndarray, np.ndarray]:
        """Find the trajectories of a part.

        Args:
            part: TRAIN, TEST or VALIDATION.
            turns: The setting `turns`.

        Returns:
            For each trajectory, the number of the utterance that is the response, and the number of its conversation,
            both (n,) int64.
        """
        conversation, position = self.owners()
        is_response = position % 2 == 1 if turns == "disjoint" else position > 0
        answers = np.flatnonzero(is_response & (self.parts == part)[conversation])
        return answers, conversation[answers]

    def owners(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the conversation of each utterance, and its position in it, both (u,) int64."""
        begins = self.begins.astype(np.int64)
        conversation = np.repeat(np.arange(len(self.parts)), np.diff(begins))
        return conversation, np.arange(len(conversation)) - begins[conversation]


# The arrays of the .idx file in their order: the name in `Shard`, the type, and which of the sizes it has.
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
    """Return the name, the type and the length of each array of an .idx file."""
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
        shard: The arrays, with the types that the files have.
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
