"""`Conversation`, and one reader per corpus format.

Every reader yields conversations, and no later step looks across a conversation's boundary. The formats:

text        plain text: one utterance a line, an empty line between conversations. A folder of .txt files reads as one
            corpus. (The first paper's own corpus is of this format, without any empty line.)
cornell     the Cornell Movie-Dialogs Corpus: `movie_lines.txt` and `movie_conversations.txt` in one folder, fields
            separated by ` +++$+++ `.
dailydialog DailyDialog: one conversation a line, `__eou__` after each utterance. Utterances have labels where the
            corpus' file of emotions lies beside it (`dialogues_emotion_train.txt` beside `dialogues_train.txt`).
empathetic  EmpatheticDialogues: CSV with a header, `_comma_` for commas inside a field, quotes literal.
jsonl       JSON lines: a list of strings, or an object whose key `utterances` holds a list of strings or of objects
            with a key `text`.
"""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from keras_gca.errors import UserError

EMPATHETIC_HEADER = "conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags"
CORNELL_SEPARATOR = " +++$+++ "
DAILYDIALOG_EMOTIONS = (
    None,
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
)  # by their numbers, 0 to 6
EMBEDDED = "the embedded corpus"  # its name in messages, and in a run's config.json


@dataclass(frozen=True)
class Conversation:
    """Utterances in their order, two or more speakers taking turns.

    emotion: the label that the corpus gives to the whole conversation (EmpatheticDialogues), else None.
    emotions: the label that the corpus gives to each utterance, None for "no emotion" (DailyDialog); else empty.
    """

    utterances: tuple[str, ...]
    emotion: str | None = None
    emotions: tuple[str | None, ...] = ()


def read_conversations(path: str | os.PathLike | None = None, format: str | None = None) -> list[Conversation]:
    """Read a corpus; its format is detected from the file unless it is named.

    path:   a file or a folder; None reads the embedded corpus of English courses.
    format: one of FORMATS.

    Raises UserError naming file and line where the corpus is missing, empty, damaged or of no known format.
    """
    if path is None:
        with resources.as_file(resources.files("keras_gca") / "corpus") as folder:
            return _read(folder, "text")
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    return _read(path, format or detect_format(path))


def detect_format(path: Path) -> str:
    """The name of the format that a file or folder looks like; plain text where nothing says otherwise."""
    if path.is_dir():
        return "cornell" if (path / "movie_lines.txt").exists() else "text"
    try:
        with path.open("rb") as stream:
            head = stream.read(1 << 16).decode("utf-8-sig", "replace")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    first = head.lstrip()
    if CORNELL_SEPARATOR.strip() in head:
        return "cornell"
    if "__eou__" in head:
        return "dailydialog"
    if first.startswith(EMPATHETIC_HEADER):
        return "empathetic"
    if path.suffix in (".jsonl", ".ndjson", ".json") or first.startswith(("{", "[")):
        return "jsonl"
    return "text"


def _read(path: Path, format: str) -> list[Conversation]:
    if format not in FORMATS:
        raise UserError(f"{format!r} is no corpus format; choose from {', '.join(FORMATS)}")
    conversations = list(FORMATS[format](path))
    if not any(len(conversation.utterances) > 1 for conversation in conversations):
        raise UserError(f"{path}: no conversation of two or more utterances (read as {format})")
    return conversations


def _read_text(path: Path) -> Iterator[Conversation]:
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    for file in files:
        if path.is_dir() and (found := detect_format(file)) != "text":
            raise UserError(f"{file}: looks like {found}, not plain text; name this file, not its folder")
        utterances: list[str] = []
        for line in _lines(file):
            line = line.strip()
            if line:
                utterances.append(line)
            elif utterances:
                yield Conversation(tuple(utterances))
                utterances = []
        if utterances:
            yield Conversation(tuple(utterances))


def _read_cornell(path: Path) -> Iterator[Conversation]:
    folder = path if path.is_dir() else path.parent
    lines_file, conversations_file = folder / "movie_lines.txt", folder / "movie_conversations.txt"
    for file in (lines_file, conversations_file):
        if not file.exists():
            raise UserError(f"{file}: missing; the Cornell layout needs movie_lines.txt and movie_conversations.txt")
    texts = {}
    for number, line in enumerate(_lines(lines_file, "latin-1"), start=1):
        fields = line.split(CORNELL_SEPARATOR)
        if len(fields) < 4:
            raise UserError(f"{lines_file}:{number}: {len(fields)} fields where 5 are expected, separated by +++$+++")
        texts[fields[0].strip()] = fields[4].strip() if len(fields) > 4 else ""
    for number, line in enumerate(_lines(conversations_file, "latin-1"), start=1):
        identifiers = re.findall(r"'([^']+)'", line.split(CORNELL_SEPARATOR)[-1])
        if not identifiers:
            raise UserError(
                f"{conversations_file}:{number}: a list of line identifiers such as ['L194', 'L195'] is expected"
            )
        missing = [identifier for identifier in identifiers if identifier not in texts]
        if missing:
            raise UserError(f"{conversations_file}:{number}: {missing[0]} does not stand in {lines_file.name}")
        yield Conversation(tuple(texts[identifier] for identifier in identifiers if texts[identifier]))


def _read_dailydialog(path: Path) -> Iterator[Conversation]:
    emotions_file = path.with_name(re.sub(r"^dialogues_(text)?", "dialogues_emotion_", path.name).replace("_.", "."))
    labels = list(_lines(emotions_file)) if emotions_file != path and emotions_file.exists() else None
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        if "__eou__" not in line:
            raise UserError(
                f"{path}:{number}: no __eou__; one conversation a line is expected, __eou__ after each utterance"
            )
        # The published files set apostrophes apart: "don ’ t", "Let ' s".
        line = re.sub(r"(\w) ?[’'] ?(s|t|m|re|ve|ll|d)\b", r"\1'\2", line)
        utterances = tuple(part.strip() for part in line.split("__eou__") if part.strip())
        emotions: tuple[str | None, ...] = ()
        if labels is not None:
            numbers = labels[number - 1].split() if number <= len(labels) else []
            if len(numbers) != len(utterances) or not set(numbers) <= set("0123456"):
                raise UserError(
                    f"{emotions_file}:{number}: {len(utterances)} numbers from 0 to 6 are expected, one for each "
                    f"utterance of line {number} of {path.name}"
                )
            emotions = tuple(DAILYDIALOG_EMOTIONS[int(label)] for label in numbers)
        yield Conversation(utterances, emotions=emotions)


def _read_empathetic(path: Path) -> Iterator[Conversation]:
    columns = EMPATHETIC_HEADER.split(",")
    current, emotion, utterances = None, None, []
    for number, line in enumerate(_lines(path), start=1):
        # Quotes are literal in the published files, and commas are written _comma_: a CSV reader would misread them.
        fields = line.rstrip("\r\n").split(",", len(columns) - 1)
        if number == 1 and fields == columns:
            continue
        if len(fields) < 6:
            raise UserError(
                f"{path}:{number}: {len(fields)} fields where {len(columns)} are expected: {EMPATHETIC_HEADER}"
            )
        if fields[0] != current:
            if utterances:
                yield Conversation(tuple(utterances), emotion)
            current, emotion, utterances = fields[0], fields[2], []
        text = fields[5].replace("_comma_", ",").strip()
        if text:
            utterances.append(text)
    if utterances:
        yield Conversation(tuple(utterances), emotion)


def _read_jsonl(path: Path) -> Iterator[Conversation]:
    wanted = 'a list of strings or {"utterances": [...]} is expected'
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except json.JSONDecodeError as error:
            where = f"{error.msg} at column {error.colno}"
            raise UserError(
                f"{path}:{number}: not JSON ({where}); {wanted} (or, for plain text, --format text)"
            ) from None
        emotion = value.get("emotion") if isinstance(value, dict) else None
        turns = value.get("utterances") if isinstance(value, dict) else value
        if not isinstance(turns, list):
            raise UserError(f"{path}:{number}: {wanted}")
        texts = [turn.get("text") if isinstance(turn, dict) else turn for turn in turns]
        if not all(isinstance(text, str) and _is_encodable(text) for text in texts):
            raise UserError(f"{path}:{number}: an utterance is not (whole) text; {wanted}")
        # A line break inside an utterance is white space like any other.
        yield Conversation(tuple(" ".join(text.split()) for text in texts if text.strip()), emotion)


def _is_encodable(text: str) -> bool:
    """Whether the text is whole: JSON may hold half of a surrogate pair."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _lines(path: Path, encoding: str = "utf-8-sig") -> Iterator[str]:
    number = 0
    try:
        with path.open(encoding=encoding, newline="\n") as stream:
            for number, line in enumerate(stream, start=1):  # noqa: B007  (the handler below names the line)
                yield line
    except UnicodeDecodeError:
        raise UserError(f"{path}:{number + 1}: not UTF-8 text from about here on") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


FORMATS: dict[str, Callable[[Path], Iterator[Conversation]]] = {
    "text": _read_text,
    "cornell": _read_cornell,
    "dailydialog": _read_dailydialog,
    "empathetic": _read_empathetic,
    "jsonl": _read_jsonl,
}
