"""Text files that may be damaged or hostile, line by line: bounded lines, bounded unpacking, bad lines."""

import codecs
import collections
import io
import itertools
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

LONGEST = 1_000_000  # bytes of a line; one of GloVe with 300 numbers has some 3,000
SKIP_HINT = " (--skip-bad-lines passes over such lines)"  # of commands that have this option
MOST_SKIPPED = 0.9  # of the lines of a file of word vectors
UNPACKED, FREELY_UNPACKED = 100, 16_000_000  # times the packed size, and bytes that may come of any file


class VectorFileError(ValueError):
    """A vector file cannot be read: the message names the file, the line and what would be right."""


class BadLines:
    """What becomes of lines that a reader cannot use: the first one ends the reading, or all are skipped and counted.

    skip: whether they are skipped. error: the class of the exception otherwise. hint: what its message ends with.
    counts: how many were skipped, by kind. It may serve several files, one after the other.
    """

    def __init__(self, skip: bool = False, error: type[ValueError] = VectorFileError, hint: str = ""):
        self.skip, self.error, self._hint = skip, error, hint
        self.counts: collections.Counter[str] = collections.Counter()
        self._before = 0
        self._first: dict[str, str] = {}
        self._reason: str | None = None

    def begin(self) -> None:
        """Begin another file; see `refuse_nearly_all`."""
        self._before, self._reason = self.counts.total(), None

    def refuse_nearly_all(self, name: str, used: int) -> None:
        """Raises `error` where more than 9 lines in 10 since `begin` were skipped: this is then another kind of file.

        name: of the file. used: how many of its lines were not skipped.
        """
        skipped = self.counts.total() - self._before
        if skipped > MOST_SKIPPED * (used + skipped):
            lines = f"{skipped:,} of {counted(used + skipped, 'line')} cannot be used"
            raise self.error(f"{name}: {lines}; the first: {self._reason}")

    def report(self, where: str, kind: str, message: str) -> None:
        """Of one line. where: its file and number. kind: of fault, to be counted. message: what would be right."""
        if not self.skip:
            raise self.error(f"{where}: {message}{self._hint}")
        self.counts[kind] += 1
        self._first.setdefault(kind, where)
        self._reason = self._reason or f"{where}: {message}"

    def summary(self) -> str:
        """One line that says what was skipped, or nothing where nothing was."""
        if not self.counts:
            return ""
        kinds = ", ".join(f"{count:,} {kind} (first {self._first[kind]})" for kind, count in self.counts.items())
        return f"bad lines skipped: {self.counts.total():,}; {kinds}"


class BoundedStream:
    """A binary stream that may be that of a compressed file: damage, and far too much content, are bad.error.

    name: of the file, for messages. most: the bytes that the stream may give; None of a file that is not compressed.
    place: where in the file its reader is, for messages.
    """

    def __init__(self, stream: io.BufferedIOBase, name: str, bad: BadLines, most: int | None):
        self._stream, self.name, self._bad, self._most = stream, name, bad, most
        self._total = 0
        self.place = "1"

    def readline(self, size: int) -> bytes:
        return self._bounded(self._stream.readline, size)

    def read(self, size: int) -> bytes:
        return self._bounded(self._stream.read, size)

    def _bounded(self, read: Callable[[int], bytes], size: int) -> bytes:
        where = f"{self.name}:{self.place}"
        try:
            content = read(size)
        except (EOFError, zlib.error, zipfile.BadZipFile, OSError) as error:
            if self._most is None:  # not a compressed file: the disk has failed
                raise
            raise self._bad.error(f"{where}: the compressed file is damaged or cut short ({error})") from None
        self._total += len(content)
        if self._most is not None and self._total > self._most:
            much = f"more than {UNPACKED} times as large as its compressed file"
            raise self._bad.error(f"{where}: {much}; not text or numbers")
        return content


def read_lines(
    stream: io.BufferedIOBase, name: str, bad: BadLines, longest: int = LONGEST, most: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Number, from 1, and content of each line, its end included; at most `longest` bytes are held at a time.

    name: of the file, for messages. most: the bytes that the stream may give; see `most_unpacked`. Longer lines and
    lines with NUL bytes are bad. Raises bad.error where a compressed file is damaged or gives more.
    """
    bounded = BoundedStream(stream, name, bad, most)
    for number in itertools.count(1):
        bounded.place = str(number)
        line = bounded.readline(longest + 1)
        if not line:
            return
        if len(line) > longest:
            bad.report(f"{name}:{number}", "too long", f"a line of more than {longest:,} bytes; text is expected")
            while line and not line.endswith(b"\n"):
                line = bounded.readline(longest + 1)
        elif b"\0" in line:
            message = "NUL bytes; UTF-8 text is expected (is this UTF-16, or no text at all?)"
            bad.report(f"{name}:{number}", "with NUL bytes", message)
        else:
            yield number, line


def most_unpacked(packed: int) -> int:
    """The bytes that may come of a compressed file of `packed` bytes: those of text and numbers are far fewer."""
    return max(UNPACKED * packed, FREELY_UNPACKED)


def text_lines(
    path: str | os.PathLike, bad: BadLines, encoding: str = "utf-8", longest: int = LONGEST
) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line of a file, its end included; a byte order mark is left out.

    Lines that are not of the encoding are bad, besides those of `read_lines`. Raises bad.error where the file cannot be
    read.
    """
    try:
        with Path(path).open("rb") as stream:
            for number, line in read_lines(stream, str(path), bad, longest):
                try:
                    text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode(encoding)
                except UnicodeDecodeError:
                    bad.report(f"{path}:{number}", "not UTF-8", "not UTF-8 text")
                    continue
                yield number, text
    except OSError as error:
        raise bad.error(f"{path}: cannot be read ({error.strerror})") from None


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with what it counts: "1 pair", "2,000 pairs". many: of any other number; `one` and an s if not given."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def one_line(error: BaseException) -> str:
    """The message of an error as one line that a terminal can show, its middle left out where it is very long."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(error))
    return text if len(text) <= 1000 else f"{text[:700]} ... {text[-250:]}"
