"""Reads the conversations of a corpus in any supported format. Later steps never join conversations.

The readers are in `keras_gca.corpora`, one module for each kind of format, and docs/formats.md describes the formats:

text        plain text: one utterance per line, an empty line between conversations; also a folder of .txt files
speakers    the same, but each utterance begins with a speaker tag, which is removed; also ChatML
table       CSV or tab-separated text: question/answer pairs, or turns with the identifier of their conversation
parlai      PersonaChat, and other corpora in the text formats of ParlAI
cornell     the Cornell Movie-Dialogs Corpus
dailydialog DailyDialog
empathetic  EmpatheticDialogues
jsonl       JSON lines: one conversation per line, or one utterance with the identifier of its conversation
json        a JSON file that contains a list of conversations
convokit    a ConvoKit file of utterances, or the folder that contains it
datasets    a Hugging Face data set, as Parquet files or as saved by `save_to_disk`
"""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

from glove.text_files import BadLines, counted
from keras_gca.corpora import empathetic
from keras_gca.corpora.conversation import PARTS, WRONG_FIELDS, Conversation, Reading
from keras_gca.corpora.convokit import read_convokit
from keras_gca.corpora.cornell import read_cornell
from keras_gca.corpora.dailydialog import read_dailydialog
from keras_gca.corpora.data_sets import read_data_set
from keras_gca.corpora.detection import detect
from keras_gca.corpora.json_text import read_json, read_jsonl
from keras_gca.corpora.parlai import read_parlai
from keras_gca.corpora.plain_text import read_speakers, read_text
from keras_gca.corpora.published import is_archive, unpacked
from keras_gca.corpora.tables import read_table
from keras_gca.errors import UserError, refuse_missing

__all__ = [
    "EMPATHETIC_HEADER",
    "FORMATS",
    "PARTS",
    "SPLITS",
    "WRONG_FIELDS",
    "Conversation",
    "Corpus",
    "read_conversations",
    "read_corpus",
    "stream_conversations",
]

EMPATHETIC_HEADER = empathetic.HEADER
EMBEDDED = "the embedded corpus"
SPLITS = ("random", "official")

FORMATS: dict[str, Callable[[Path, Reading], Iterator[Conversation]]] = {
    "text": read_text,
    "cornell": read_cornell,
    "dailydialog": read_dailydialog,
    "empathetic": empathetic.read_empathetic,
    "jsonl": read_jsonl,
    "json": read_json,
    "convokit": read_convokit,
    "table": read_table,
    "parlai": read_parlai,
    "speakers": read_speakers,
    "datasets": read_data_set,
}
TITLES = {
    "text": "plain text",
    "cornell": "the Cornell Movie-Dialogs Corpus",
    "dailydialog": "DailyDialog",
    "empathetic": "EmpatheticDialogues",
    "jsonl": "JSON lines",
    "json": "JSON",
    "convokit": "ConvoKit",
    "table": "a table",
    "parlai": "ParlAI text",
    "speakers": "plain text with speakers",
    "datasets": "a Hugging Face data set",
}

DIVIDED = ("dailydialog", "empathetic", "datasets")  # formats whose folders and archives can have official splits


@dataclass(frozen=True)
class Corpus:
    """The conversations of a corpus, and how they were read.

    Attributes:
        name: The name of the file or folder.
        format: One of FORMATS.
        conversations: The conversations in the order of the file.
        encodings: The names of the encodings other than UTF-8, with "(detected)" after each name that was guessed.
            Empty if all files are UTF-8.
        speakers: The number of utterances of each speaker, if the format names speakers.
        left_out: For each kind of text that is not an utterance, the number of texts left out.
    """

    name: str
    format: str
    conversations: list[Conversation]
    encodings: tuple[str, ...]
    speakers: Counter[str]
    left_out: Counter[str]

    def __str__(self) -> str:
        """Describe in one line how the corpus was read and how large it is."""
        utterances = sum(len(conversation.utterances) for conversation in self.conversations)
        sizes = len(self.conversations), utterances
        return _described(self.name, self.format, sizes, self.encodings, self.left_out)


def read_corpus(
    path: str | os.PathLike | None = None,
    format: str | None = None,
    bad: BadLines | None = None,
    splits: str = "random",
) -> Corpus:
    """Read a corpus.

    Args:
        path: A file or a folder, or None for the embedded corpus of English-course dialogues.
        format: One of FORMATS, or None to detect the format from the file.
        bad: The `BadLines` object, which skips bad lines or raises an error. If None, the first bad line raises an
            error. If bad lines are skipped, a conversation ends before its first missing turn. A line that describes
            how the corpus was read is added to `bad.notes`.
        splits: If "official", each conversation keeps the split (train, validation or test) that the authors of the
            corpus assigned to it. If "random", the conversations have no split.

    Returns:
        The conversations, and how they were read.

    Raises:
        UserError: The corpus is missing, empty or damaged, has an unknown format, or lacks the official splits that
            were requested. The message names the file and the line.
    """
    bad = bad or BadLines(error=UserError)
    official = splits == "official"
    if path is None:
        if official:
            raise UserError(
                f"--splits official: {EMBEDDED} has no official splits; use --data to give a corpus that has them"
            )
        with resources.as_file(resources.files("keras_gca.data") / "corpus") as folder:
            return _read(folder, "text", bad, EMBEDDED, official)
    path = Path(path)
    refuse_missing(path)
    with _readable(path, bad) as place:
        return _read(place, format or detect(place), bad, str(path), official)


@contextmanager
def opened(
    path: str | os.PathLike, format: str | None, bad: BadLines, splits: str = "random"
) -> Iterator[tuple[str, Iterator[Conversation]]]:
    """Open a corpus and read its conversations one by one, so that the corpus need not fit into memory.

    Plain text, JSON lines, tables of pairs, and Hugging Face data sets are read conversation by conversation. Readers
    of other formats hold a complete file in memory. After the last conversation, a line that describes how the corpus
    was read is added to `bad.notes`.

    Args:
        path: A file or a folder.
        format: One of FORMATS, or None to detect the format.
        bad: The `BadLines` object, which skips bad lines or raises an error.
        splits: See `read_corpus`. If "official", conversations without an official split are left out.

    Yields:
        The format of the corpus, and an iterator over its conversations.

    Raises:
        UserError: The corpus is missing or damaged, has an unknown format, or lacks the official splits that were
            requested; see `read_corpus`. If a split is missing, the iterator raises the error at its end.
    """
    path = Path(path)
    refuse_missing(path)
    with _readable(path, bad) as place:
        format = format or detect(place)
        if splits == "official":
            _refuse_undivided(str(path), format)
        yield format, _streamed(place, format, bad, splits == "official", str(path))


def _streamed(place: Path, format: str, bad: BadLines, official: bool, name: str) -> Iterator[Conversation]:
    reading, utterances = Reading(bad), 0
    parts: Counter[str | None] = Counter()
    for conversation in _conversations(place, format, reading, official):
        parts[conversation.part] += 1
        utterances += len(conversation.utterances)
        if not official or conversation.part is not None:
            yield conversation
    sizes = parts.total(), utterances
    bad.notes.append(_described(name, format, sizes, _named(reading), reading.left_out))
    if official:
        bad.notes.append(_official_parts(name, format, parts))


def stream_conversations(
    path: str | os.PathLike, format: str | None, bad: BadLines, splits: str = "random"
) -> Iterator[Conversation]:
    """Yield the conversations of a corpus one by one; see `opened`."""
    with opened(path, format, bad, splits) as (_, conversations):
        yield from conversations


def read_conversations(
    path: str | os.PathLike | None = None,
    format: str | None = None,
    bad: BadLines | None = None,
    splits: str = "random",
) -> list[Conversation]:
    """Read the conversations of a corpus, in the order of the file; see `read_corpus`."""
    return read_corpus(path, format, bad, splits).conversations


@contextmanager
def _readable(path: Path, bad: BadLines) -> Iterator[Path]:
    """Yield the file or folder to read. An archive is unpacked first, but messages name the archive itself."""
    if not is_archive(path):
        yield path
        return
    with unpacked(path) as folder:
        try:
            yield folder
        except UserError as error:
            raise UserError(str(error).replace(str(folder), str(path))) from None
        finally:
            bad.rename(str(folder), str(path))


def _conversations(path: Path, format: str, reading: Reading, official: bool) -> Iterator[Conversation]:
    if format not in FORMATS:
        raise UserError(f"{format!r} is not a corpus format; choose from {', '.join(FORMATS)}")
    made = FORMATS[format](path, reading)
    # The reader sets `reading.part` before it yields a conversation.
    return (replace(each, part=reading.part) for each in made) if official else made


def _read(path: Path, format: str, bad: BadLines, name: str, official: bool) -> Corpus:
    reading = Reading(bad)
    conversations = list(_conversations(path, format, reading, official))
    if not any(len(conversation.utterances) > 1 for conversation in conversations):
        skipped = f"; {bad.summary()}" if bad.counts else ""
        raise UserError(
            f"{path}: the corpus has no conversation of two or more utterances (the file was read as {format}){skipped}"
        )
    corpus = Corpus(name, format, conversations, _named(reading), reading.speakers, reading.left_out)
    bad.notes.append(str(corpus))
    if official:
        sizes = Counter(conversation.part for conversation in conversations)
        bad.notes.append(_official_parts(name, format, sizes) + _repeated(conversations))
        return replace(corpus, conversations=[each for each in conversations if each.part is not None])
    return corpus


def _named(reading: Reading) -> tuple[str, ...]:
    """Return the names of the encodings other than UTF-8, with "(detected)" after each name that was guessed."""
    names = {
        f"{encoding.name}{' (detected)' if encoding.detected else ''}"
        for encoding in reading.encodings.values()
        if encoding.name != "utf-8"
    }
    return tuple(sorted(names))


def _described(
    name: str, format: str, sizes: tuple[int, int], encodings: tuple[str, ...], left_out: Counter[str]
) -> str:
    """Describe in one line how a corpus was read; `sizes` has the numbers of conversations and utterances."""
    encoding = f" in {' and '.join(encodings)}" if encodings else ""
    size = f"{counted(sizes[0], 'conversation')}, {counted(sizes[1], 'utterance')}"
    parts = [counted(count, kind) for kind, count in left_out.items() if count]
    without = f"; left out: {', '.join(parts)}" if parts else ""
    return f"{name}: read as {TITLES[format]}{encoding}: {size}{without}"


def _refuse_undivided(name: str, format: str) -> None:
    """Raise UserError if no corpus of this format has official splits."""
    if format in TITLES and format not in DIVIDED:
        raise UserError(
            f"{name}: --splits official: {TITLES[format]} has no official splits; use --splits random to divide the "
            "corpus at random"
        )


def _official_parts(name: str, format: str, sizes: Counter[str | None]) -> str:
    """Describe the official splits of a corpus in one line.

    Args:
        name: The name of the corpus, for messages.
        format: The format of the corpus.
        sizes: The number of conversations in each split, and under None the number of those without a split.

    Raises:
        UserError: The corpus has no official splits, or one of them is missing.
    """
    _refuse_undivided(name, format)
    what = f"{name}: --splits official"
    if not any(sizes[part] for part in PARTS):
        raise UserError(
            f"{what}: no official splits were found; give the folder or archive that contains train, validation and "
            "test"
        )
    if missing := [part for part in PARTS if not sizes[part]]:
        there = " and ".join(part for part in PARTS if sizes[part])
        raise UserError(
            f"{what}: the corpus has {there}, but not {' or '.join(missing)}; all three splits are expected"
        )
    line = f"official splits: {', '.join(f'{sizes[part]:,} {part}' for part in PARTS)}"
    if sizes[None]:
        line += f"; left out: {counted(sizes[None], 'conversation')} without a split"
    return line


def _repeated(conversations: list[Conversation]) -> str:
    """Say how many conversations of the test split are also in the training split, or nothing if there are none."""
    parts: dict[str | None, set[tuple[str, ...]]] = {part: set() for part in (*PARTS, None)}
    for conversation in conversations:
        parts[conversation.part].add(conversation.utterances)
    repeated = len(parts["test"] & parts["train"])
    return f"; {counted(repeated, 'test conversation is', 'test conversations are')} also in train" if repeated else ""
