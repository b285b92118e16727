"""`Conversation`, and `Reading`, in which a reader of a corpus notes what it has read."""

import collections
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from glove.text_files import BadLines
from keras_gca.corpora.encoding import Encoding, decoded_lines, detect_encoding

PARTS = ("train", "validation", "test")  # the official parts: the authors of some corpora have divided them into these
WRONG_FIELDS = "with a wrong number of fields"
# The tag of a speaker at the beginning of an utterance: "A:", "Person 1:", "Mrs O'Neill:".
SPEAKER = re.compile(r"\s*[\[(<*]{0,2}([^\W\d_][\w.'’-]*(?: [\w.'’-]+){0,2})[\])>*]{0,2}\s?:[*]{0,2}(?:\s+|$)")
CHATML = re.compile(r"\s*<\|im_start\|>(\w+)\s*")  # the tag of ChatML: "<|im_start|>user"


@dataclass(frozen=True)
class Conversation:
    """The utterances of one conversation, in which two or more speakers take turns.

    Args:
        utterances: The utterances in their order.
        emotion: The label that the corpus gives to the whole conversation (EmpatheticDialogues), or None if it gives
            none.
        emotions: The label that the corpus gives to each utterance (DailyDialog), with None for "no emotion". Empty if
            the corpus has no such labels.
        part: The official part: the one of PARTS to which the corpus' authors have assigned the conversation. None if
            official parts were not requested.
        speakers: The name of the speaker of each utterance, with None for an unknown speaker. Empty if the format does
            not name speakers. Two conversations with the same text are equal, whoever speaks.
    """

    utterances: tuple[str, ...]
    emotion: str | None = None
    emotions: tuple[str | None, ...] = ()
    part: str | None = None
    speakers: tuple[str | None, ...] = field(default=(), compare=False)


@dataclass
class Reading:
    """The settings of a reader of a corpus, and its notes about the files that it has read.

    Attributes:
        bad: Decides what happens to bad lines.
        encodings: The encoding of each file that has been read.
        speakers: The number of utterances of each speaker, if the format names speakers.
        left_out: The number of pieces of text that were left out because they are not utterances, such as labels, for
            each kind.
        part: The official part, one of PARTS, that is being read, or None if the file does not belong to a single part.
    """

    bad: BadLines
    encodings: dict[Path, Encoding] = field(default_factory=dict)
    speakers: collections.Counter[str] = field(default_factory=collections.Counter)
    left_out: collections.Counter[str] = field(default_factory=collections.Counter)
    part: str | None = None

    def lines(self, path: Path, fallback: str | None = None) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of each line of a file in any encoding and with any line ends.

        Args:
            path: The file.
            fallback: The encoding to assume for a file that is not UTF-8, or None to detect it.
        """
        if path not in self.encodings:
            self.encodings[path] = detect_encoding(path, fallback)
        return decoded_lines(path, self.bad, self.encodings[path])

    def without_speaker(self, text: str) -> str:
        """Count the speaker that the tag of an utterance names, and return the utterance without the tag."""
        match = SPEAKER.match(text) or CHATML.match(text)
        if not match:
            return text
        self.speakers[match[1]] += 1
        return text[match.end() :]


def one_line(text: str) -> str:
    """Return an utterance with single spaces: a line break inside an utterance is white space like any other."""
    return " ".join(text.split())
