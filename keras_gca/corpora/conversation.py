"""`Conversation`; and `Reading`, which has a corpus reader's settings and records what has been read."""

import collections
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from glove.text_files import LONGEST, BadLines
from keras_gca.corpora.encoding import Encoding, decoded_lines, detect_encoding

PARTS = ("train", "validation", "test")  # the official parts, into which the authors of some corpora divided them
WRONG_FIELDS = "with a wrong number of fields"
# The tag of a speaker at the beginning of an utterance, such as "A:", "Person 1:" or "Mrs O'Neill:".
SPEAKER = re.compile(r"\s*[\[(<*]{0,2}([^\W\d_][\w.'’-]*(?: [\w.'’-]+){0,2})[\])>*]{0,2}\s?:[*]{0,2}(?:\s+|$)")
CHATML = re.compile(r"\s*<\|im_start\|>(\w+)\s*")  # the tag of ChatML: "<|im_start|>user"


@dataclass(frozen=True)
class Conversation:
    """The utterances of one conversation, in which two or more speakers take turns.

    Args:
        utterances: The utterances in order.
        emotion: The corpus's label for the whole conversation (EmpatheticDialogues), or None if there is no label.
        emotions: The corpus's label for each utterance (DailyDialog), with None for "no emotion". Empty if there are no
            labels.
        part: The official split, one of PARTS, to which the authors of the corpus assigned the conversation. None if
            the official splits were not requested.
        speakers: The name of the speaker of each utterance, with None for an unknown speaker. Empty if the format does
            not name speakers. Comparisons of conversations ignore the speakers.
    """

    utterances: tuple[str, ...]
    emotion: str | None = None
    emotions: tuple[str | None, ...] = ()
    part: str | None = None
    speakers: tuple[str | None, ...] = field(default=(), compare=False)


@dataclass
class Reading:
    """The settings of a corpus reader, and its record of the files it has read.

    Attributes:
        bad: The `BadLines` object, which skips bad lines or raises an error.
        encodings: The encoding of each file that has been read.
        speakers: The number of utterances by each speaker, if the format names speakers.
        left_out: For each kind of text that is not an utterance, such as labels, the number of texts left out.
        part: The official split being read, one of PARTS, or None if the file does not belong to a single split.
    """

    bad: BadLines
    encodings: dict[Path, Encoding] = field(default_factory=dict)
    speakers: collections.Counter[str] = field(default_factory=collections.Counter)
    left_out: collections.Counter[str] = field(default_factory=collections.Counter)
    part: str | None = None

    def lines(self, path: Path, fallback: str | None = None, longest: int = LONGEST) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of each line in a file, whatever the encoding and the line endings.

        Args:
            path: The file.
            fallback: The encoding to assume for a file that is not UTF-8, or None to detect it.
            longest: The maximum number of bytes in a line, in UTF-8.
        """
        if path not in self.encodings:
            self.encodings[path] = detect_encoding(path, fallback)
        return decoded_lines(path, self.bad, self.encodings[path], longest)

    def without_speaker(self, text: str) -> str:
        """Remove the speaker tag from an utterance, and count the utterance for this speaker."""
        match = SPEAKER.match(text) or CHATML.match(text)
        if not match:
            return text
        self.speakers[match[1]] += 1
        return text[match.end() :]


def one_line(text: str) -> str:
    """Return an utterance as one line, with each run of white space replaced by a single space."""
    return " ".join(text.split())
