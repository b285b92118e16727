"""The tasks of the processes that prepare trajectories: writing chunks and shards.

A chunk is a piece of the corpora with corrected spelling and with a sentiment score for each utterance. Chunks do not
depend on the tokenizer, which is fitted after all chunks have been written.
"""

import functools
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gail_tf.data.division import GENERAL_PART, NO_PART, Division
from gail_tf.data.frames import forms_of
from gail_tf.data.sentiment import sentiment
from gail_tf.data.spelling import as_written
from gail_tf.data.token_folder import TOKENIZER
from gail_tf.data.token_shard import DECIMALS, SUFFIXES, Shard, ShardFacts, write_shard
from gail_tf.data.tokenizer import TOKENIZER as WHOLE
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import place_of
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing, write_text
from keras_gca.storage.token_files import file_of_shard, sha256_of

TOGETHER = 4096  # utterances to encode at a time
TWEETS, GENERAL_TEXT = "tweets", ""  # formats of texts whose spelling is not corrected


class Read(NamedTuple):
    """A conversation as read from a corpus.

    Attributes:
        utterances: The utterances. A tweet is stored as a conversation of two equal utterances.
        emotions: The emotion of each utterance, or None.
        format: The format of the corpus, TWEETS, or GENERAL_TEXT for general conversations.
        part: The official split as an index in `conversations.PARTS`, GENERAL_PART, or NO_PART.
    """

    utterances: tuple[str, ...]
    emotions: tuple[str | None, ...]
    format: str
    part: int


class ChunkFacts(NamedTuple):
    """The sizes and labels of a chunk. Conversations without a response are not counted.

    Attributes:
        conversations: The number of conversations to divide into splits.
        utterances: The number of utterances.
        characters: The size of the text in bytes.
        trajectories: The number of trajectories.
        emotions: The distinct emotions of the utterances.
        formats: The distinct formats of the conversations.
    """

    conversations: int
    utterances: int
    characters: int
    trajectories: int
    emotions: list[str]
    formats: list[str]


@dataclass(frozen=True)
class Chunk:
    """A piece of the corpora with c conversations and u utterances.

    Attributes:
        text: The texts of all utterances in UTF-8, a uint8 array of shape (b,).
        lengths: The size of each text in bytes, a uint32 array of shape (u,).
        sizes: The number of utterances in each conversation, a uint32 array of shape (c,).
        parts: The official split of each conversation as an index in `conversations.PARTS`, GENERAL_PART or NO_PART, a
            uint8 array of shape (c,).
        places: The place of each conversation (see `division.py`), a uint64 array of shape (c,).
        sources: The index of each conversation's format, a uint8 array of shape (c,).
        scores: The sentiment score of each utterance (see `token_folder.py`), an int16 array of shape (u,).
        emotions: The index of each utterance's emotion, or -1, an int32 array of shape (u,).
        names: The names of the emotions and of the formats as JSON, a uint8 array of shape (n,).
    """

    text: np.ndarray
    lengths: np.ndarray
    sizes: np.ndarray
    parts: np.ndarray
    places: np.ndarray
    sources: np.ndarray
    scores: np.ndarray
    emotions: np.ndarray
    names: np.ndarray

    def texts(self, most: int | None = None) -> list[str]:
        """Return the texts of all utterances, or of the first `most` utterances."""
        ends = np.cumsum(self.lengths[:most], dtype=np.int64).tolist()
        return [
            self.text[begin:end].tobytes().decode("utf-8") for begin, end in zip([0, *ends[:-1]], ends, strict=True)
        ]

    def labels(self) -> tuple[list[str], list[str]]:
        """Return the names of the emotions and of the formats in the chunk."""
        emotions, formats = json.loads(self.names.tobytes())
        return emotions, formats


def ready() -> None:
    """Load VADER's lexicon, which each process needs before its first task."""
    sentiment("")


def write_chunk(path: Path, conversations: Sequence[Read], turns: str, seed: int) -> ChunkFacts:
    """Correct the spelling of conversations, compute their sentiments, and write them as a chunk.

    Args:
        path: The file to write.
        conversations: The conversations.
        turns: The setting `turns`.
        seed: The seed for dividing the conversations into splits.

    Returns:
        The sizes and labels of the chunk.
    """
    texts: list[bytes] = []
    emotions: dict[str, int] = {}
    formats: dict[str, int] = {}
    arrays: dict[str, list[int]] = {name: [] for name in ("sizes", "parts", "places", "sources", "scores", "emotions")}
    for read in conversations:
        of_experts = read.part != GENERAL_PART
        used = read.utterances
        if of_experts and turns == "disjoint":
            used = used[: len(used) // 2 * 2]  # a last utterance without a response is not used
        if len(used) < (2 if of_experts else 1):
            continue
        if of_experts and read.format != TWEETS:
            used = tuple(map(as_written, used))
        arrays["sizes"].append(len(used))
        arrays["parts"].append(read.part)
        arrays["places"].append(int.from_bytes(place_of(used[:2], seed)[:8], "big"))
        arrays["sources"].append(formats.setdefault(read.format, len(formats)))
        for text, emotion in zip(used, read.emotions, strict=False):
            texts.append(text.encode("utf-8"))
            arrays["scores"].append(round(sentiment(text).compound * DECIMALS) if of_experts else 0)
            arrays["emotions"].append(-1 if emotion is None else emotions.setdefault(emotion, len(emotions)))
    chunk = Chunk(
        np.frombuffer(b"".join(texts), np.uint8),
        np.array(list(map(len, texts)), np.uint32),
        names=np.frombuffer(json.dumps([list(emotions), list(formats)]).encode(), np.uint8),
        **{name: np.array(values, _TYPES[name]) for name, values in arrays.items()},
    )
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **asdict(chunk))
    return _facts(chunk, turns)


_TYPES = {
    "sizes": np.uint32, "parts": np.uint8, "places": np.uint64, "sources": np.uint8, "scores": np.int16,
    "emotions": np.int32,
}  # fmt: skip


def _facts(chunk: Chunk, turns: str) -> ChunkFacts:
    sizes = chunk.sizes[chunk.parts != GENERAL_PART].astype(np.int64)
    trajectories = sizes // 2 if turns == "disjoint" else sizes - 1
    divided = int((chunk.parts == NO_PART).sum())
    numbers = divided, len(chunk.lengths), len(chunk.text), int(trajectories.sum())
    return ChunkFacts(*numbers, *chunk.labels())


def read_chunk(path: Path) -> Chunk:
    """Read a chunk. NumPy verifies the checksums in the file.

    Raises:
        UserError: The file is damaged.
    """
    try:
        with np.load(path) as stored:
            return Chunk(**{name: stored[name] for name in stored.files})
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: the file is damaged; remove it, and repeat the command ({error})") from None


def facts_of(path: Path, turns: str) -> ChunkFacts:
    """Return the sizes and labels of a chunk that is already written; see `read_chunk`."""
    return _facts(read_chunk(path), turns)


class ShardTask(NamedTuple):
    """The task of writing one shard.

    Attributes:
        folder: The folder of token files, which contains the tokenizer.
        number: The number of the shard.
        chunks: The paths of the chunks to encode.
        turns: The setting `turns`.
        division: The division of the conversations into splits.
        emotions: The names of all emotions in the corpora.
        formats: The names of all formats in the corpora.
        dtype: The dtype of the tokens, "uint16" or "uint32".
        record: The file in which the return value of `encode_shard` is stored once the shard is complete. The name of
            the file depends on everything that determines the shard.
    """

    folder: Path
    number: int
    chunks: Sequence[Path]
    turns: str
    division: Division
    emotions: Sequence[str]
    formats: Sequence[str]
    dtype: str
    record: Path

    @property
    def is_done(self) -> bool:
        """Whether an interrupted preparation has already written the shard."""
        files = [file_of_shard(self.folder, self.number, suffix) for suffix in SUFFIXES]
        return all(path.is_file() for path in (self.record, *files))


def encoded_shard(task: ShardTask) -> ShardFacts:
    """Return the sizes and checksums of a shard that is already written, from the shard's record.

    Raises:
        UserError: The file is damaged.
    """
    values = json_files.read_object(task.record)
    try:
        return ShardFacts(**values)
    except TypeError as error:
        raise UserError(f"{task.record}: the file is damaged; remove it, and repeat the command ({error})") from None


def encode_shard(task: ShardTask) -> ShardFacts:
    """Encode chunks, write them as a shard, and write the shard's record.

    Args:
        task: The task.

    Returns:
        The sizes and checksums of the shard.
    """
    tokenizer = _tokenizer(task.folder, sha256_of(task.folder / TOKENIZER / WHOLE))
    forms, written = forms_of(tokenizer.layout), tokenizer.layout.written
    pieces: dict[str, list[Any]] = {name: [] for name in ("tokens", "lengths", "emotions", "sources", "parts")}
    chunks = [read_chunk(path) for path in task.chunks]
    for chunk in chunks:
        emotions, formats = chunk.labels()
        pieces["emotions"].append(_renumbered(chunk.emotions, emotions, task.emotions))
        pieces["sources"].append(_renumbered(chunk.sources, formats, task.formats))
        pieces["parts"].append(task.division.parts(chunk.parts, chunk.places))
        texts = chunk.texts()
        for start in range(0, len(texts), TOGETHER):
            some = [written(text) for text in texts[start : start + TOGETHER]]
            encoded = tokenizer.encode_all([before + text + after for text in some for before, after in forms])
            pieces["lengths"].append(np.array(list(map(len, encoded)), np.int64))
            pieces["tokens"].append(np.array([i for ids in encoded for i in ids], task.dtype))
    joined = {name: np.concatenate(arrays) for name, arrays in pieces.items()}
    shard = Shard(
        joined["tokens"],
        np.concatenate([chunk.text for chunk in chunks]),
        _offsets(np.concatenate([chunk.sizes for chunk in chunks])),
        _offsets(joined["lengths"]),
        _offsets(np.concatenate([chunk.lengths for chunk in chunks])),
        joined["emotions"],
        np.concatenate([chunk.scores for chunk in chunks]),
        joined["parts"],
        joined["sources"],
    )
    facts = write_shard(task.folder, task.number, shard, task.turns)
    write_text(task.record, json.dumps(asdict(facts)))
    return facts


@functools.lru_cache(maxsize=1)
def _tokenizer(folder: Path, sha256: str) -> Tokenizer:
    """Read the tokenizer of a folder. A tokenizer with an unchanged checksum is read only once."""
    return Tokenizer.read(folder / TOKENIZER)


def _renumbered(numbers: np.ndarray, names: Sequence[str], all_names: Sequence[str]) -> np.ndarray:
    """Replace indices in a chunk's list of names by indices in the list of all names. -1 stays -1."""
    table = np.array([*(all_names.index(name) for name in names), -1], np.int32)
    return table[numbers.astype(np.int64)]


def _offsets(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
