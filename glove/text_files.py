"""Reads text files that may be damaged or malicious, line by line, in bounded memory.

Lines that cannot be used are reported to a `BadLines` object, which raises an error or counts them.
"""

import codecs
import collections
import io
import itertools
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

LONGEST = 1_000_000  # the maximum number of bytes in a line; a GloVe line with 300 numbers has about 3,000
SKIP_HINT = " (--skip-bad-lines skips such lines)"  # for commands that have this option
MOST_SKIPPED = 0.9  # the maximum share of a file's lines that may be skipped
# A compressed file may unpack to at most UNPACKED times its own size, or to FREELY_UNPACKED bytes if that is more.
UNPACKED, FREELY_UNPACKED = 100, 16_000_000


class VectorFileError(ValueError):
    """Raised if a file of word vectors cannot be read. The message names the file and line, and what was expected."""


class BadLines:
    """A handler for unusable lines, which raises an error at the first such line or skips all of them.

    Skipped lines are counted by kind of fault. One object may be used for several files in turn.

    Args:
        skip: Whether to skip bad lines.
        error: The class of the exception to raise for a bad line that is not skipped.
        hint: A text appended to the exception's message.

    Attributes:
        counts: The number of skipped lines for each kind of fault.
        notes: Remarks on how the files were read, one line per file.
        bytes_read: The total number of bytes read from files, in good and bad lines.
    """

    def __init__(self, skip: bool = False, error: type[ValueError] = VectorFileError, hint: str = ""):
        self.skip, self.error, self._hint = skip, error, hint
        self.counts: collections.Counter[str] = collections.Counter()
        self.notes: list[str] = []
        self.bytes_read = 0
        self._before = 0
        self._first: dict[str, str] = {}
        self._reason: str | None = None

    def begin(self) -> None:
        """Start a new file. Only lines reported after this call are considered by `refuse_nearly_all`."""
        self._before, self._reason = self.counts.total(), None

    def refuse_nearly_all(self, name: str, used: int) -> None:
        """Raise `error` if more than 9 in 10 lines since `begin` have been skipped, as in a file of the wrong kind.

        Args:
            name: The name of the file.
            used: The number of lines in the file that were not skipped.
        """
        skipped = self.counts.total() - self._before
        if skipped > MOST_SKIPPED * (used + skipped):
            lines = f"{skipped:,} of {counted(used + skipped, 'line')} cannot be used"
            raise self.error(f"{name}: {lines}; the first error: {self._reason}")

    def report(self, where: str, kind: str, message: str) -> None:
        """Report one bad line.

        Args:
            where: The name of the file and the line number.
            kind: The kind of fault under which the line is counted.
            message: What is wrong, and what is expected.
        """
        if not self.skip:
            raise self.error(f"{where}: {message}{self._hint}")
        self.counts[kind] += 1
        self._first.setdefault(kind, where)
        self._reason = self._reason or f"{where}: {message}"

    def rename(self, old: str, new: str) -> None:
        """In the records of skipped lines, replace the name of a temporary file with the name that the user knows."""
        self._first = {kind: where.replace(old, new) for kind, where in self._first.items()}
        self._reason = self._reason and self._reason.replace(old, new)

    def summary(self) -> str:
        """Return one line with the number of skipped lines per kind of fault, or an empty text if there are none."""
        if not self.counts:
            return ""
        kinds = ", ".join(f"{count:,} {kind} (first {self._first[kind]})" for kind, count in self.counts.items())
        return f"bad lines skipped: {self.counts.total():,}; {kinds}"


class BoundedStream:
    """A binary stream that limits the unpacked size of a compressed file.

    It raises `bad.error` if a compressed file is damaged or unpacks to more than `most` bytes.

    Args:
        stream: The stream to read from.
        name: The name of the file, for messages.
        bad: An object whose attribute `error` is the class of the exceptions to raise.
        most: The maximum number of bytes that the stream may return, or None for an uncompressed file, which has no
            limit.

    Attributes:
        place: The position of the next bytes in the file, such as a line number, set by readers for use in messages.
    """

    def __init__(self, stream: io.BufferedIOBase, name: str, bad: BadLines, most: int | None):
        self._stream, self.name, self._bad, self._most = stream, name, bad, most
        self._total = 0
        self.place = "1"

    def readline(self, size: int) -> bytes:
        """Read a line of at most `size` bytes."""
        return self._bounded(self._stream.readline, size)

    def read(self, size: int) -> bytes:
        """Read at most `size` bytes."""
        return self._bounded(self._stream.read, size)

    def _bounded(self, read: Callable[[int], bytes], size: int) -> bytes:
        where = f"{self.name}:{self.place}"
        try:
            content = read(size)
        except (EOFError, zlib.error, zipfile.BadZipFile, OSError) as error:
            if self._most is None:  # the file is not compressed, so the disk has failed
                raise
            raise self._bad.error(f"{where}: the compressed file is damaged or cut short ({error})") from None
        self._total += len(content)
        self._bad.bytes_read += len(content)
        if self._most is not None and self._total > self._most:
            much = f"the content is more than {UNPACKED} times as large as the compressed file"
            raise self._bad.error(f"{where}: {much}; text or numbers are expected")
        return content


def read_lines(
    stream: io.BufferedIOBase, name: str, bad: BadLines, longest: int = LONGEST, most: int | None = None
) -> Iterator[tuple[int, bytes]]:
    """Yield the number, counted from 1, and the content of each line, including the newline.

    A line is bad if it has more than `longest` bytes or contains NUL bytes. A line that is too long is never held in
    memory as a whole. If a compressed file is damaged or unpacks to more than `most` bytes, `bad.error` is raised.

    Args:
        stream: The stream to read from.
        name: The name of the file, for messages.
        bad: The handler for bad lines.
        longest: The maximum number of bytes in a line.
        most: The maximum number of bytes that the stream may return; see `most_unpacked`.
    """
    bounded = BoundedStream(stream, name, bad, most)
    for number in itertools.count(1):
        bounded.place = str(number)
        line = bounded.readline(longest + 1)
        if not line:
            return
        if len(line) > longest:
            bad.report(f"{name}:{number}", "too long", f"the line has more than {longest:,} bytes; text is expected")
            while line and not line.endswith(b"\n"):
                line = bounded.readline(longest + 1)
        elif b"\0" in line:
            message = "the line contains NUL bytes; UTF-8 text is expected (the file may be UTF-16 or not text)"
            bad.report(f"{name}:{number}", "with NUL bytes", message)
        else:
            yield number, line


def most_unpacked(packed: int) -> int:
    """Return the maximum unpacked size of a compressed file of `packed` bytes.

    Compressed text and numbers unpack to far fewer bytes, so a file that exceeds the maximum contains neither.
    """
    return max(UNPACKED * packed, FREELY_UNPACKED)


def text_lines(
    path: str | os.PathLike, bad: BadLines, encoding: str = "utf-8", longest: int = LONGEST
) -> Iterator[tuple[int, str]]:
    """Yield the number, counted from 1, and the text of each line of a file, including the newline.

    A byte order mark is removed. A line is bad if it cannot be decoded or if `read_lines` treats it as bad. If the file
    cannot be read, `bad.error` is raised.

    Args:
        path: The file.
        bad: The handler for bad lines.
        encoding: The encoding of the text.
        longest: The maximum number of bytes in a line.
    """
    try:
        with Path(path).open("rb") as stream:
            for number, line in read_lines(stream, str(path), bad, longest):
                try:
                    text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode(encoding)
                except UnicodeDecodeError:
                    bad.report(f"{path}:{number}", "not UTF-8", "the line is not UTF-8 text")
                    continue
                yield number, text
    except OSError as error:
        raise bad.error(f"{path}: cannot be read ({error.strerror})") from None


def counted(number: int, one: str, many: str | None = None) -> str:
    """Return a number with its unit in the singular or plural: "1 pair", "2,000 pairs".

    Args:
        number: The number.
        one: The unit in the singular.
        many: The unit in the plural. If None, an s is appended to the singular.
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def one_line(error: BaseException | str) -> str:
    """Return a text or an error as one printable line. A long line is shortened in the middle."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(error))
    return text if len(text) <= 1000 else f"{text[:700]} ... {text[-250:]}"
