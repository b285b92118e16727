"""The work of the processes that prepare token files: each function makes one file from one piece of the corpus.

A chunk is a piece of the corpus whose text has been tokenised. Its tokens are numbers of its own list of words, so that
chunks are independent of each other and of the vocabulary, which is known only after the last chunk. The text is
tokenised in its original case; the list says which word each form is in lower case.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from keras_gca.data.conversations import PARTS
from keras_gca.data.token_folder import FIRST, TEST, TRAINING, VALIDATION, ShardFacts, write_shard
from keras_gca.data.vocabulary import BEGIN_SENTENCES, Vocabulary
from keras_gca.engine.loading import quiet_imports
from keras_gca.errors import UserError
from keras_gca.storage.atomic import replacing

TOGETHER = 4096  # utterances that are tokenised at a time
NO_PART = len(PARTS)


class ChunkFacts(NamedTuple):
    """The sizes of a chunk, without what has no answer: empty utterances, and conversations of one utterance.

    Attributes:
        conversations: The number of conversations.
        pairs: The number of pairs.
        longest: The number of pairs of the longest conversation.
        in_parts: The number of pairs of each official part.
    """

    conversations: int
    pairs: int
    longest: int
    in_parts: tuple[int, ...]


@dataclass(frozen=True)
class Chunk:
    """A tokenised piece of a corpus.

    Attributes:
        tokens: (t,) int, the number of each token's form.
        lengths: (u,) int, the number of tokens of each utterance.
        sizes: (c,) int, the number of utterances of each conversation, two or more.
        parts: (c,) uint8, the official part of each conversation, as a number in PARTS, or NO_PART.
        forms: The different tokens in their original case.
        inside: (len(forms),) int, how often each form occurs where no sentence begins.
        words: The different tokens in lower case.
        word_of: (len(forms),) int, the number of each form's word.
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
        """Return the role of each utterance, (u,) uint8; see `token_folder`.

        Args:
            held_out: The numbers of the held-out conversations or pairs in this chunk, or None for the official parts.
            whole: Whether these are numbers of conversations.
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


def begin_process() -> None:
    """Prepare a process of the pool: Ctrl-C is the parent's concern, and the process ends if its parent is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def wait() -> None:
            multiprocessing.connection.wait([parent.sentinel])
            os._exit(1)

        threading.Thread(target=wait, daemon=True).start()
    import_tensorflow()


def import_tensorflow() -> None:
    """Import TensorFlow without its start-up lines in a process that tokenises; the one that reads does without it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_imports():
        import keras_gca.data.text  # noqa: F401


def tokenise_chunk(path: Path, conversations: Sequence[Sequence[str]], parts: Sequence[int], style: str) -> ChunkFacts:
    """Tokenise a piece of a corpus, and write it as a chunk.

    Args:
        path: The file to write.
        conversations: The utterances of each conversation.
        parts: The official part of each conversation, as a number in PARTS, or NO_PART.
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
    """Choose the utterances that have tokens, in conversations that have two or more of them.

    Args:
        lengths: (u,) int, the number of tokens of each utterance.
        sizes: (c,) int, the number of utterances of each conversation.

    Returns:
        Whether each utterance is kept, (u,), and the number of utterances with tokens of each conversation, (c,).
    """
    owner = np.repeat(np.arange(len(sizes)), sizes)
    left = np.bincount(owner[lengths > 0], minlength=len(sizes))
    return (lengths > 0) & (left > 1)[owner], left


def _inside_sentences(tokens: np.ndarray, lengths: np.ndarray, forms: list[str]) -> np.ndarray:
    """Count how often each form occurs where no sentence begins; see `vocabulary.usual_surfaces`."""
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
    """Read a chunk; NumPy checks the checksums of the file.

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
    """Return the sizes of a chunk that an earlier, interrupted preparation has written; see `read_chunk`."""
    return read_chunk(path).facts


def count_chunk(path: Path, held_out: np.ndarray | None, whole: bool) -> tuple[list[str], np.ndarray]:
    """Count the words of a chunk's training text.

    Args:
        path: The chunk.
        held_out: See `Chunk.roles`.
        whole: See `Chunk.roles`.

    Returns:
        The words that occur, and how often each does.
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
    """The making of one shard from chunks.

    Attributes:
        folder: The folder of token files.
        number: The number of the shard.
        chunks: The chunks.
        held_out: For each chunk, the held-out conversations or pairs; see `Chunk.roles`.
        whole: See `Chunk.roles`.
        dtype: See `write_shard`.
    """

    folder: Path
    number: int
    chunks: Sequence[Path]
    held_out: Sequence[np.ndarray | None]
    whole: bool
    dtype: str


def encode_shard(task: ShardTask, words: Sequence[str]) -> tuple[ShardFacts, dict[str, dict[str, int]]]:
    """Write a shard of the tokens of a vocabulary.

    Args:
        task: The shard.
        words: The words of the vocabulary, without special tokens.

    Returns:
        The facts of the shard, and the frequency of each spelling of the vocabulary's words inside a sentence.
    """
    vocabulary = Vocabulary(words, [0] * len(words))
    known = set(words)
    tokens, lengths, roles = [], [], []
    seen: dict[str, dict[str, int]] = {}
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
    return write_shard(task.folder, task.number, all_tokens, all_lengths, all_roles, task.dtype), seen
