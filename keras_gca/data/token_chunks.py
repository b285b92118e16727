"""The tasks that prepare token files in several processes. Each task makes one chunk or one shard.

A chunk is a tokenised piece of the corpus. Its tokens are indices into its own list of word forms, so that chunks are
independent of each other and of the vocabulary, which is known only after the last chunk. Forms keep their original
case; the chunk also stores the lower-case word of each form.
"""

import json
import os
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_gca.data.conversations import PARTS
from keras_gca.data.token_folder import FIRST, TEST, TRAINING, VALIDATION, ShardFacts, files_of_shard, write_shard
from keras_gca.data.vocabulary import BEGIN_SENTENCES, Vocabulary
from keras_gca.engine.loading import quiet_imports
from keras_gca.errors import UserError
from keras_gca.storage import json_files
from keras_gca.storage.atomic import replacing, write_text

TOGETHER = 4096  # utterances that are tokenised at a time
NO_PART = len(PARTS)


class ChunkFacts(NamedTuple):
    """The sizes of a chunk. Empty utterances and conversations of one utterance are not counted.

    Attributes:
        conversations: The number of conversations.
        pairs: The number of pairs.
        longest: The number of pairs in the longest conversation.
        in_parts: The number of pairs in each official split.
    """

    conversations: int
    pairs: int
    longest: int
    in_parts: tuple[int, ...]


@dataclass(frozen=True)
class Chunk:
    """A tokenised piece of a corpus.

    Attributes:
        tokens: The form of each token, as an index into `forms`. An integer array of shape (t,).
        lengths: The number of tokens in each utterance, an integer array of shape (u,).
        sizes: The number of utterances in each conversation, which is at least two. An integer array of shape (c,).
        parts: The official split of each conversation, as an index into PARTS, or NO_PART. A uint8 array of shape (c,).
        forms: The distinct tokens in their original case.
        inside: How often each form occurs other than at the beginning of a sentence, an integer array of shape
            (len(forms),).
        words: The distinct tokens in lower case.
        word_of: The word of each form, as an index into `words`. An integer array of shape (len(forms),).
    """

    tokens: np.ndarray
    lengths: np.ndarray
    sizes: np.ndarray
    parts: np.ndarray
    forms: list[str]
    inside: np.ndarray
    words: list[str]
    word_of: np.ndarray

    @property
    def facts(self) -> ChunkFacts:
        """The sizes of the chunk."""
        pairs = self.sizes.astype(np.int64) - 1
        in_parts = np.bincount(self.parts, weights=pairs, minlength=NO_PART + 1)[:NO_PART].astype(int)
        return ChunkFacts(len(pairs), int(pairs.sum()), int(pairs.max(initial=0)), tuple(in_parts.tolist()))

    def roles(self, held_out: np.ndarray | None, whole: bool) -> np.ndarray:
        """Return the role of each utterance (see `token_folder`) as a uint8 array of shape (u,).

        Args:
            held_out: The indices of the held-out conversations or pairs in this chunk, or None to use the official
                splits.
            whole: Whether `held_out` has indices of conversations rather than pairs.
        """
        roles = np.full(len(self.lengths), TRAINING, np.uint8)
        first = np.cumsum(self.sizes) - self.sizes
        roles[first] = FIRST
        answers = np.flatnonzero(roles != FIRST)
        if held_out is None:
            by_part = np.array([TRAINING, VALIDATION, TEST], np.uint8)
            roles[answers] = by_part[np.repeat(self.parts, self.sizes.astype(np.int64) - 1)]
        elif whole:
            chosen = np.isin(np.arange(len(self.sizes)), held_out)
            roles[answers] = np.where(np.repeat(chosen, self.sizes.astype(np.int64) - 1), VALIDATION, TRAINING)
        else:
            roles[answers[held_out]] = VALIDATION
        return roles


def import_tensorflow() -> None:
    """Import TensorFlow without start-up messages, in a process that will tokenise text."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_imports():
        import keras_gca.data.text  # noqa: F401


def tokenise_chunk(path: Path, conversations: Sequence[Sequence[str]], parts: Sequence[int], style: str) -> ChunkFacts:
    """Tokenise a piece of a corpus, and write it as a chunk.

    Args:
        path: The file to write.
        conversations: The utterances of each conversation.
        parts: The official split of each conversation, as an index into PARTS, or NO_PART.
        style: The style of contractions; see `text.normalise`.

    Returns:
        The sizes of the chunk.
    """
    from keras_gca.data.text import lowered, tokens_in_turn

    texts = [text for conversation in conversations for text in conversation]
    numbers: dict[bytes, int] = {}
    tokens, lengths = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for start in range(0, len(texts), TOGETHER):
        flat, by_utterance = tokens_in_turn(texts[start : start + TOGETHER], style)
        tokens.append(np.array([numbers.setdefault(token, len(numbers)) for token in flat], np.int64))
        lengths.append(by_utterance)
    joined, by_utterance = np.concatenate(tokens), np.concatenate(lengths)
    forms = [form.decode("utf-8") for form in numbers]
    in_lower_case = lowered(forms)
    words = list(dict.fromkeys(in_lower_case))
    number_of = {word: number for number, word in enumerate(words)}

    sizes = np.array([len(conversation) for conversation in conversations])
    kept, kept_sizes = _with_answers(by_utterance, sizes)
    chunk = Chunk(
        joined[np.repeat(kept, by_utterance)],
        by_utterance[kept],
        kept_sizes[kept_sizes > 1],
        np.array(parts, np.uint8)[kept_sizes > 1],
        forms,
        _inside_sentences(joined, by_utterance, forms),
        words,
        np.array([number_of[word] for word in in_lower_case], np.int64),
    )
    _write(path, chunk)
    return chunk.facts


def _with_answers(lengths: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Select the non-empty utterances of conversations that have at least two of them.

    Args:
        lengths: The number of tokens in each utterance, an integer array of shape (u,).
        sizes: The number of utterances in each conversation, an integer array of shape (c,).

    Returns:
        Two arrays: whether each utterance is kept, of shape (u,); and the number of non-empty utterances in each
        conversation, of shape (c,).
    """
    owner = np.repeat(np.arange(len(sizes)), sizes)
    left = np.bincount(owner[lengths > 0], minlength=len(sizes))
    return (lengths > 0) & (left > 1)[owner], left


def _inside_sentences(tokens: np.ndarray, lengths: np.ndarray, forms: list[str]) -> np.ndarray:
    """Count how often each form occurs other than at the beginning of a sentence; see `vocabulary.usual_surfaces`."""
    ends = np.array([form in BEGIN_SENTENCES for form in forms], bool)
    begins = np.zeros(len(tokens), bool)
    begins[1:] = ends[tokens[:-1]]
    first = (np.cumsum(lengths) - lengths)[lengths > 0]
    begins[first] = True
    return np.bincount(tokens[~begins], minlength=len(forms))


def _write(path: Path, chunk: Chunk) -> None:
    small = np.uint16 if len(chunk.forms) < 2**16 else np.uint32
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez(
            stream,
            tokens=chunk.tokens.astype(small),
            lengths=chunk.lengths.astype(np.uint32),
            sizes=chunk.sizes.astype(np.uint32),
            parts=chunk.parts,
            forms=np.frombuffer("\n".join(chunk.forms).encode(), np.uint8),
            inside=chunk.inside.astype(np.uint32),
            words=np.frombuffer("\n".join(chunk.words).encode(), np.uint8),
            word_of=chunk.word_of.astype(np.uint32),
        )


def read_chunk(path: Path) -> Chunk:
    """Read a chunk. NumPy verifies the checksums in the file.

    Raises:
        UserError: The file is damaged.
    """
    try:
        with np.load(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
        for name in ("forms", "words"):
            text = arrays[name].tobytes().decode("utf-8")
            arrays[name] = text.split("\n") if text else []
        return Chunk(**arrays)
    except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: the file is damaged; remove it, and repeat the command ({error})") from None


def facts_of(path: Path) -> ChunkFacts:
    """Return the sizes of a chunk written by an interrupted preparation; see `read_chunk`."""
    return read_chunk(path).facts


def count_chunk(path: Path, held_out: np.ndarray | None, whole: bool) -> tuple[list[str], np.ndarray]:
    """Count the words of a chunk's training text.

    Args:
        path: The chunk.
        held_out: See `Chunk.roles`.
        whole: See `Chunk.roles`.

    Returns:
        The words that occur, and the frequency of each.
    """
    chunk = read_chunk(path)
    roles = chunk.roles(held_out, whole)
    owner = np.repeat(np.arange(len(chunk.sizes)), chunk.sizes)
    trained = np.zeros(len(chunk.sizes), bool)
    trained[owner[roles == TRAINING]] = True
    used = (roles == TRAINING) | ((roles == FIRST) & trained[owner])
    tokens = chunk.tokens[np.repeat(used, chunk.lengths)]
    counts = np.bincount(chunk.word_of[tokens], minlength=len(chunk.words))
    present = np.flatnonzero(counts)
    return [chunk.words[number] for number in present], counts[present]


class ShardTask(NamedTuple):
    """A task that makes one shard from one or more chunks.

    Attributes:
        folder: The folder of token files.
        number: The number of the shard.
        chunks: The chunks.
        held_out: For each chunk, the held-out conversations or pairs; see `Chunk.roles`.
        whole: See `Chunk.roles`.
        dtype: See `write_shard`.
        record: The file that stores the result of `encode_shard` when the shard is complete. The name of the file
            depends on everything that determines the shard.
    """

    folder: Path
    number: int
    chunks: Sequence[Path]
    held_out: Sequence[np.ndarray | None]
    whole: bool
    dtype: str
    record: Path

    @property
    def is_done(self) -> bool:
        """Whether an interrupted preparation has already written the shard."""
        return all(path.is_file() for path in (self.record, *files_of_shard(self.folder, self.number)))


Spellings = dict[str, dict[str, int]]  # of each word, with their frequencies


def encoded_shard(task: ShardTask) -> tuple[ShardFacts, Spellings]:
    """Return the stored result of `encode_shard` for a shard written by an interrupted preparation.

    Raises:
        UserError: The file is damaged.
    """
    values = json_files.read_object(task.record)
    try:
        seen = {word: {form: int(count) for form, count in forms.items()} for word, forms in values["seen"].items()}
        return ShardFacts(**values["facts"]), seen
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{task.record}: the file is damaged; remove it, and repeat the command ({error})") from None


def encode_shard(task: ShardTask, words: Sequence[str]) -> tuple[ShardFacts, Spellings]:
    """Encode chunks with a vocabulary, and write the shard and then its record.

    Args:
        task: The shard.
        words: The words of the vocabulary, without special tokens.

    Returns:
        The sizes and checksums of the shard, and the frequency of each spelling of each vocabulary word inside
        sentences.
    """
    vocabulary = Vocabulary(words, [0] * len(words))
    known = set(words)
    tokens, lengths, roles = [], [], []
    seen: Spellings = {}
    for path, held_out in zip(task.chunks, task.held_out, strict=True):
        chunk = read_chunk(path)
        number_of_form = vocabulary.encode(chunk.words).astype(task.dtype)[chunk.word_of]
        tokens.append(number_of_form[chunk.tokens])
        lengths.append(chunk.lengths)
        roles.append(chunk.roles(held_out, task.whole))
        for number in np.flatnonzero(chunk.inside):
            form = chunk.forms[number]
            if form[0].isalpha() and (word := form.lower()) in known:
                forms = seen.setdefault(word, {})
                forms[form] = forms.get(form, 0) + int(chunk.inside[number])
    all_tokens, all_lengths, all_roles = (np.concatenate(arrays) for arrays in (tokens, lengths, roles))
    facts = write_shard(task.folder, task.number, all_tokens, all_lengths, all_roles, task.dtype)
    write_text(task.record, json.dumps({"facts": asdict(facts), "seen": seen}, ensure_ascii=False))
    return facts, seen
