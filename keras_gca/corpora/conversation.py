"""`Conversation`, and `Reading`, in which a reader of a corpus notes what it has read."""

import collections
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from glove.text_files import BadLines
from keras_gca.corpora.encoding import Encoding, decoded_lines, detect_encoding

PARTS = ("train", "validation", "test")  # into which the authors of some corpora have divided them
WRONG_FIELDS = "with a wrong number of fields"
# The tag of a speaker at the beginning of an utterance: "A:", "Person 1:", "Mrs O'Neill:".
SPEAKER = re.compile(r"\s*[\[(<*]{0,2}([^\W\d_][\w.'’-]*(?: [\w.'’-]+){0,2})[\])>*]{0,2}\s?:[*]{0,2}(?:\s+|$)")


@dataclass(frozen=True)
class Conversation:
    """The utterances of one conversation, in which two or more speakers take turns.

    Args:
        utterances: The utterances in their order.
        emotion: The corpus' label of the whole conversation (EmpatheticDialogues); None if it has none.
        emotions: The corpus' label of each utterance, None for "no emotion" (DailyDialog); empty if it has none.
        part: The part to which the corpus' authors have assigned it, one of PARTS, if official parts are wanted;
            otherwise None.
    """

    utterances: tuple[str, ...]
    emotion: str | None = None
    emotions: tuple[str | None, ...] = ()
    part: str | None = None


@dataclass
class Reading:
    """What a reader needs besides the path, and what it finds out about the files.

    Attributes:
        bad: Decides what happens to bad lines.
        encodings: The encoding of each file that has been read.
        speakers: The number of utterances of each speaker, if the format names speakers.
        left_out: The number of parts that are not utterances and are left out, such as labels, by their kind.
        part: The official part, one of PARTS, from which the reader reads now; None if its file is not of one part.
    """

    bad: BadLines
    encodings: dict[Path, Encoding] = field(default_factory=dict)
    speakers: collections.Counter[str] = field(default_factory=collections.Counter)
    left_out: collections.Counter[str] = field(default_factory=collections.Counter)
    part: str | None = None

    def lines(self, path: Path, fallback: str | None = None) -> Iterator[tuple[int, str]]:
        """Yield the number and the text of each line of a file, whatever its encoding and line ends are.

        Args:
            path: The file.
            fallback: The encoding of a file that is not UTF-8; None detects it.
        """
        if path not in self.encodings:
            self.encodings[path] = detect_encoding(path, fallback)
        return decoded_lines(path, self.bad, self.encodings[path])

    def without_speaker(self, text: str) -> str:
        """Return an utterance without the tag of its speaker, which is counted."""
        match = SPEAKER.match(text)
        if not match:
            return text
        self.speakers[match[1]] += 1
        return text[match.end() :]


def one_line(text: str) -> str:
    """Return an utterance with single spaces: a line break inside an utterance is white space like any other."""
    return " ".join(text.split())
