"""Reads plain text: one utterance on each line, possibly after the tag of a speaker; empty lines divide conversations.

A folder of .txt files is read as one corpus. The first paper's own corpus has this format, without empty lines.
"""

from collections.abc import Iterator
from pathlib import Path

from keras_gca.corpora.conversation import SPEAKER, Conversation, Reading
from keras_gca.corpora.detection import detect
from keras_gca.corpora.names import QUESTIONS, key_of
from keras_gca.errors import UserError


def read_text(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read plain text as it is.

    The files of a folder are checked to be plain text. The tags of speakers are removed from those that have them.
    """
    if not path.is_dir():
        yield from _read(path, reading, tagged=False)
        return
    for file in sorted(path.glob("*.txt")):
        format = detect(file)
        if format not in ("text", "speakers"):
            raise UserError(f"{file}: the file looks like {format}, not plain text; name this file, not its folder")
        yield from _read(file, reading, tagged=format == "speakers")


def read_speakers(path: Path, reading: Reading) -> Iterator[Conversation]:
    """Read plain text without the tag of a speaker at the beginning of each line.

    A tag such as "Q:" or "Question:" begins another conversation, because a question with its answer is one exchange.
    """
    return _read(path, reading, tagged=True)


def _read(path: Path, reading: Reading, tagged: bool) -> Iterator[Conversation]:
    utterances: list[str] = []
    for _, line in reading.lines(path):
        line = line.strip()
        if utterances and (not line or (tagged and _asks(line))):
            yield Conversation(tuple(utterances))
            utterances = []
        if line and (text := reading.without_speaker(line).strip() if tagged else line):
            utterances.append(text)
    if utterances:
        yield Conversation(tuple(utterances))


def _asks(line: str) -> bool:
    match = SPEAKER.match(line)
    return match is not None and key_of(match[1]) in QUESTIONS and key_of(match[1]) not in ("user", "human")
