"""Reads plain text: one utterance on each line, optionally preceded by a speaker tag.

Empty lines, or lines such as `---`, separate conversations. A folder of .txt files is read as one corpus. The corpus of
the first paper has this format, without empty lines.
"""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_gca.corpora.conversation import CHATML, SPEAKER, Conversation, Reading
from keras_gca.corpora.detection import detect
from keras_gca.corpora.documents import MOST
from keras_gca.corpora.names import QUESTIONS, key_of
from keras_gca.errors import UserError

RULE = re.compile(r"([-=_*~#])\1{2,}")  # a line that separates conversations, like an empty line
END = "<|im_end|>"  # the end of an utterance in ChatML


def read_text(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read plain text.

    If `path` is a file, its lines are used unchanged. If `path` is a folder, every .txt file in it must be plain text,
    and speaker tags are removed.
    """
    if not path.is_dir():
        yield from _read_lines(path, reading)
        return
    persons = _persons(path)
    for file in sorted(path.glob("*.txt")):
        format = detect(file)
        if format not in ("text", "speakers"):
            raise UserError(
                f"{file}: the file has the format {format}, not plain text; to read it, give this file instead of "
                "its folder"
            )
        if format == "speakers":
            yield from read_speakers(file, reading)
        else:
            yield from _read_lines(file, reading, persons.get(file.name))


def _persons(folder: Path) -> dict[str, str]:
    """Read the name of the second speaker in each file of a folder from `speakers.csv`, if it exists (docs/corpus.md).

    Returns:
        A dict that maps file names to speaker names. The named person speaks utterances 2, 4, 6 and so on in every
        conversation of the file.

    Raises:
        UserError: The file is not a table.
    """
    table = folder / "speakers.csv"
    if not table.exists():
        return {}
    with table.open(encoding="utf-8-sig", errors="replace", newline="") as stream:
        try:
            rows = [row for row in csv.DictReader(stream) if row.get("name") and row.get("file")]
        except csv.Error as error:
            raise UserError(
                f"{table}: the file cannot be read as CSV ({error}); a table with the columns name and file is expected"
            ) from None
    return {row["file"]: row["name"] for row in rows}


def _read_lines(path: Path, reading: Reading, person: str | None = None) -> Iterator[Conversation]:
    def conversation() -> Conversation:
        names = tuple(person if number % 2 else None for number in range(len(utterances)))
        return Conversation(tuple(utterances), speakers=names if person else ())

    utterances: list[str] = []
    for _, line in reading.lines(path):
        line = line.strip()
        if line and not RULE.fullmatch(line):
            utterances.append(line)
        elif utterances:
            yield conversation()
            utterances = []
    if utterances:
        yield conversation()


class Paragraph(NamedTuple):
    """A group of consecutive lines without empty lines between them.

    Attributes:
        gap: The number of empty lines before the paragraph, or -1 if the paragraph follows a line such as `---`.
        lines: The lines, including speaker tags. A ChatML message is stored as one line.
    """

    gap: int
    lines: list[str]


def read_speakers(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read plain text whose lines begin with speaker tags, and remove the tags.

    A line without a tag continues the utterance of the line before it. A tag such as "Q:" or "Question:" begins a new
    conversation, because each question and its answer form one exchange.

    Empty lines usually separate conversations. But if most paragraphs are single utterances, empty lines separate
    utterances, and conversations are separated by more empty lines or by lines such as `---`.

    ChatML messages may contain empty lines. A ChatML system message begins a new conversation, and is left out.
    """
    paragraphs = list(_paragraphs(path, reading))
    tags = [sum(map(_is_tagged, paragraph.lines)) for paragraph in paragraphs]
    spaced = tags.count(1) >= max(MOST * sum(map(bool, tags)), len(tags) / 2)
    least = min((paragraph.gap for paragraph in paragraphs[1:] if paragraph.gap > 0), default=0)
    utterances: list[list[str]] = []  # the parts of each utterance
    speakers: list[str | None] = []  # the speaker of each utterance
    tagged = False  # whether the last utterance has a tag, so that a line without a tag continues it
    for paragraph in paragraphs:
        divides = not spaced or paragraph.gap < 0 or paragraph.gap > least
        for number, line in enumerate(paragraph.lines):
            if utterances and ((divides and number == 0) or _asks(line) or _is_instruction(line)):
                yield from _conversation(utterances, speakers)
                utterances, speakers, tagged = [], [], False
            if _is_instruction(line):
                reading.left_out["system instruction"] += 1
            elif tagged and not _is_tagged(line):
                utterances[-1].append(line)
            else:
                tagged = _is_tagged(line)
                speakers.append(match[1] if (match := SPEAKER.match(line)) else None)
                utterances.append([reading.without_speaker(line).strip()])
    yield from _conversation(utterances, speakers)


def _conversation(utterances: list[list[str]], speakers: list[str | None]) -> Iterator[Conversation]:
    texts = [" ".join(parts).strip() for parts in utterances]
    if said := [(text, speaker) for text, speaker in zip(texts, speakers, strict=True) if text]:
        yield Conversation(tuple(text for text, _ in said), speakers=tuple(speaker for _, speaker in said))


def _paragraphs(path: Path, reading: Reading) -> Iterator[Paragraph]:
    paragraph = Paragraph(0, [])
    message: list[str] = []  # the words of a ChatML message that has not ended
    gap = 0
    for _, line in reading.lines(path):
        line = line.strip()
        begins = CHATML.match(line) is not None
        if message and begins:
            paragraph.lines.append(" ".join(message))
            message = []
        if not message and (not line or RULE.fullmatch(line)):
            gap = -1 if line or gap < 0 else gap + 1
            continue
        if gap and paragraph.lines and not message:
            yield paragraph
            paragraph = Paragraph(gap, [])
        gap = 0
        if message or begins:
            message += line.removesuffix(END).split()
            if line.endswith(END):
                paragraph.lines.append(" ".join(message))
                message = []
        else:
            paragraph.lines.append(line)
    if message:
        paragraph.lines.append(" ".join(message))
    if paragraph.lines:
        yield paragraph


def _is_tagged(line: str) -> bool:
    return SPEAKER.match(line) is not None or CHATML.match(line) is not None


def _is_instruction(line: str) -> bool:
    match = CHATML.match(line)
    return match is not None and match[1] == "system"


def _asks(line: str) -> bool:
    match = SPEAKER.match(line)
    return match is not None and key_of(match[1]) in QUESTIONS and key_of(match[1]) not in ("user", "human")
