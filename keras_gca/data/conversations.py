"""`Conversation`, and one reader for each corpus format.

Every reader yields conversations, and no later step crosses the boundary of a conversation. The formats:

text        plain text: one utterance on each line, an empty line between conversations. A folder of .txt files is read
            as one corpus. (The first paper's own corpus has this format, without empty lines.)
cornell     the Cornell Movie-Dialogs Corpus: `movie_lines.txt` and `movie_conversations.txt` in one folder, fields
            separated by ` +++$+++ `.
dailydialog DailyDialog: one conversation on each line, `__eou__` after each utterance. Utterances have labels if the
            corpus' file of emotions is in the same folder (`dialogues_emotion_train.txt` for `dialogues_train.txt`).
empathetic  EmpatheticDialogues: CSV with a header, `_comma_` for commas inside a field, quotes literal.
jsonl       JSON lines: a list of strings, or an object whose key `utterances` holds a list of strings or of objects
            with a key `text`.
"""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from glove.text_files import BadLines, counted, text_lines
from keras_gca.errors import UserError, refuse_missing
from keras_gca.storage import json_files

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

WRONG_FIELDS = "with a wrong number of fields"


@dataclass(frozen=True)
class Conversation:
    """The utterances of one conversation, in which two or more speakers take turns.

    Args:
        utterances: The utterances in their order.
        emotion: The corpus' label of the whole conversation (EmpatheticDialogues); None if it has none.
        emotions: The corpus' label of each utterance, None for "no emotion" (DailyDialog); empty if it has none.
    """

    utterances: tuple[str, ...]
    emotion: str | None = None
    emotions: tuple[str | None, ...] = ()


def read_conversations(
    path: str | os.PathLike | None = None, format: str | None = None, bad: BadLines | None = None
) -> list[Conversation]:
    """Read a corpus.

    Args:
        path: A file or a folder; None reads the embedded corpus of English courses.
        format: One of FORMATS; None detects it from the file.
        bad: Decides what happens to bad lines; if None, the first one is an error. If they are skipped, a conversation
            ends before its first missing turn.

    Returns:
        The conversations in the order of the file.

    Raises:
        UserError: The corpus is missing, empty, damaged or of an unknown format. The message names file and line.
    """
    bad = bad or BadLines(error=UserError)
    if path is None:
        with resources.as_file(resources.files("keras_gca.data") / "corpus") as folder:
            return _read(folder, "text", bad)
    path = Path(path)
    refuse_missing(path)
    return _read(path, format or detect_format(path), bad)


def detect_format(path: Path) -> str:
    """Detect the format of a file or folder; plain text if it does not look like another one.

    Raises:
        UserError: The file cannot be read.
    """
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


def _read(path: Path, format: str, bad: BadLines) -> list[Conversation]:
    if format not in FORMATS:
        raise UserError(f"{format!r} is not a corpus format; choose from {', '.join(FORMATS)}")
    conversations = list(FORMATS[format](path, bad))
    if not any(len(conversation.utterances) > 1 for conversation in conversations):
        skipped = f"; {bad.summary()}" if bad.counts else ""
        raise UserError(f"{path}: no conversation of two or more utterances (read as {format}){skipped}")
    return conversations


def _read_text(path: Path, bad: BadLines) -> Iterator[Conversation]:
    files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    for file in files:
        if path.is_dir() and (format := detect_format(file)) != "text":
            raise UserError(f"{file}: looks like {format}, not plain text; name this file, not its folder")
        utterances: list[str] = []
        for _, line in text_lines(file, bad):
            line = line.strip()
            if line:
                utterances.append(line)
            elif utterances:
                yield Conversation(tuple(utterances))
                utterances = []
        if utterances:
            yield Conversation(tuple(utterances))


def _read_cornell(path: Path, bad: BadLines) -> Iterator[Conversation]:
    folder = path if path.is_dir() else path.parent
    lines_file, conversations_file = folder / "movie_lines.txt", folder / "movie_conversations.txt"
    for file in (lines_file, conversations_file):
        if not file.exists():
            raise UserError(f"{file}: missing; the Cornell layout needs movie_lines.txt and movie_conversations.txt")
    texts = {}
    for number, line in text_lines(lines_file, bad, "latin-1"):
        fields = line.split(CORNELL_SEPARATOR)
        if len(fields) < 4:
            message = f"{counted(len(fields), 'field')}; 5 are expected, separated by +++$+++"
            bad.report(f"{lines_file}:{number}", WRONG_FIELDS, message)
            continue
        texts[fields[0].strip()] = fields[4].strip() if len(fields) > 4 else ""
    for number, line in text_lines(conversations_file, bad, "latin-1"):
        where = f"{conversations_file}:{number}"
        identifiers = re.findall(r"'([^']+)'", line.split(CORNELL_SEPARATOR)[-1])
        missing = [identifier for identifier in identifiers if identifier not in texts]
        if not identifiers:
            message = "no line identifiers; a list of identifiers such as ['L194', 'L195'] is expected"
            bad.report(where, "without line identifiers", message)
        elif missing:
            bad.report(where, "with missing turns", f"the utterance {missing[0]} is not in {lines_file.name}")
        else:
            yield Conversation(tuple(texts[identifier] for identifier in identifiers if texts[identifier]))


def _read_dailydialog(path: Path, bad: BadLines) -> Iterator[Conversation]:
    emotions_file = path.with_name(re.sub(r"^dialogues_(text)?", "dialogues_emotion_", path.name).replace("_.", "."))
    labels = dict(text_lines(emotions_file, bad)) if emotions_file != path and emotions_file.exists() else None
    for number, line in text_lines(path, bad):
        if not line.strip():
            continue
        if "__eou__" not in line:
            message = (
                "the line has no __eou__; one conversation on each line is expected, with __eou__ after each utterance"
            )
            bad.report(f"{path}:{number}", "without __eou__", message)
            continue
        # The published files have spaces around apostrophes: "don ’ t", "Let ' s".
        line = re.sub(r"(\w) ?[’'] ?(s|t|m|re|ve|ll|d)\b", r"\1'\2", line)
        utterances = tuple(part.strip() for part in line.split("__eou__") if part.strip())
        emotions: tuple[str | None, ...] = ()
        if labels is not None:
            numbers = labels.get(number, "").split()
            if len(numbers) != len(utterances) or not set(numbers) <= set("0123456"):
                message = (
                    f"the emotions do not fit line {number} of {path.name}; {len(utterances)} numbers from 0 to 6 are "
                    "expected, one for each utterance"
                )
                bad.report(f"{emotions_file}:{number}", "without an emotion for each utterance", message)
                continue
            emotions = tuple(DAILYDIALOG_EMOTIONS[int(label)] for label in numbers)
        yield Conversation(utterances, emotions=emotions)


def _read_empathetic(path: Path, bad: BadLines) -> Iterator[Conversation]:
    columns = EMPATHETIC_HEADER.split(",")
    turns: list[_Turn] = []
    for number, line in text_lines(path, bad):
        # Quotes are literal in the published files, and commas are written _comma_: a CSV reader would misread them.
        fields = line.rstrip("\r\n").split(",")
        if number == 1 and fields == columns:
            continue
        where = f"{path}:{number}"
        # Some files have a ninth field with candidate answers. But nine fields can also be due to a comma in the
        # utterance. The seventh field then has words, where otherwise only digits, "|" and "_" occur.
        if len(fields) not in (8, 9) or (len(fields) == 9 and not re.fullmatch(r"[\d|_]*", fields[6])):
            message = f"{counted(len(fields), 'field')}; {len(columns)} are expected: {EMPATHETIC_HEADER}"
            bad.report(where, WRONG_FIELDS, f"{message} (a comma inside a field is written _comma_)")
            continue
        turn = _Turn(where, *(field.replace("_comma_", ",").strip() for field in fields[:6]))
        if turns and turn.conversation != turns[0].conversation:
            yield from _of_turns(turns, bad)
            turns = []
        if turn.number != str(len(turns) + 1):
            message = f"turn {turn.number!r} of {turn.conversation}; turn {len(turns) + 1} is expected"
            bad.report(where, "with missing turns", f"{message} (turns are numbered from 1, one on each line)")
        elif not turn.text:
            bad.report(where, "without an utterance", "the utterance is empty")
        else:
            turns.append(turn)
    yield from _of_turns(turns, bad)


class _Turn(NamedTuple):
    """The fields of a line of EmpatheticDialogues that the reader uses."""

    where: str
    conversation: str
    number: str
    emotion: str
    situation: str
    speaker: str
    text: str


def _of_turns(turns: list[_Turn], bad: BadLines) -> Iterator[Conversation]:
    if len(turns) > 1 and len({turn.speaker for turn in turns}) == 1:
        message = (
            f"all turns of {turns[0].conversation} are by one speaker, {turns[0].speaker!r}; two speakers are expected"
        )
        bad.report(turns[0].where, "of one speaker only", message)
    elif turns:
        yield Conversation(tuple(turn.text for turn in turns), turns[0].emotion)


def _read_jsonl(path: Path, bad: BadLines) -> Iterator[Conversation]:
    wanted = 'a list of strings or {"utterances": [...]} is expected'
    for number, line in text_lines(path, bad):
        where = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            value = json_files.loads(line)
        except ValueError as error:
            bad.report(where, "not JSON", f"the line is not JSON ({error}); {wanted} (--format text reads plain text)")
            continue
        emotion = value.get("emotion") if isinstance(value, dict) else None
        turns = value.get("utterances") if isinstance(value, dict) else value
        if not isinstance(turns, list):
            bad.report(where, "with other JSON", f"no list of utterances; {wanted}")
            continue
        texts: list[Any] = [turn.get("text") if isinstance(turn, dict) else turn for turn in turns]
        if not all(isinstance(text, str) for text in texts):
            bad.report(where, "with other JSON", f"an utterance is not text; {wanted}")
        elif not isinstance(emotion, str | None):
            bad.report(where, "with other JSON", "the emotion is not text; a text or null is expected")
        else:
            # A line break inside an utterance is white space like any other.
            yield Conversation(tuple(" ".join(text.split()) for text in texts if text.strip()), emotion)


FORMATS: dict[str, Callable[[Path, BadLines], Iterator[Conversation]]] = {
    "text": _read_text,
    "cornell": _read_cornell,
    "dailydialog": _read_dailydialog,
    "empathetic": _read_empathetic,
    "jsonl": _read_jsonl,
}
