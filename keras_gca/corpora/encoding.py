"""Finds the encoding and line endings of a text file, and yields its lines with bounded memory.

A byte order mark determines the encoding. Without one, a file of valid UTF-8 is read as UTF-8. For any other file,
charset-normalizer detects the encoding if there are enough non-ASCII characters. If there are too few, the file is
read as UTF-8, and lines that are not valid UTF-8 are treated as bad lines.
"""

import codecs
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

import charset_normalizer

from glove.text_files import LONGEST, BadLines, read_lines, text_lines
from keras_gca.errors import UserError

BLOCK = 1 << 16  # bytes
SAMPLE = 1 << 17  # the maximum number of bytes from which an encoding is detected; blocks of ASCII are left out
ENOUGH = 10  # the minimum number of non-ASCII bytes from which an encoding can be detected
FEW_ACCENTS = 0.06  # a share of accented letters above that of English, French, German, Spanish or Italian
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, because this mark begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Quotation marks, dashes and the ellipsis, which have the same bytes in all Windows encodings.
TYPOGRAPHIC = re.compile(rb"[\x85\x91-\x97]")
CODED = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
WESTERN = {"cp1252", "latin_1", "iso8859_15"}
# The accented letters of French, German, Spanish, Portuguese, Italian and the Scandinavian languages.
ALPHABETS = ("éèàçêâîôûùëïœ", "äöüßéà", "áéíóúñü", "ãõçáéíóúâêôà", "àèéìòù", "åäöæøé")
PUNCTUATION = set("‘’“”–—…«»°€¿¡·\xa0\xad")  # characters that may occur together with these letters
FROM_LATIN_1 = "keras_gca.latin_1"  # the name of an error handler that decodes invalid bytes as ISO-8859-1
EAST_ASIAN = re.compile(r"cp932|cp949|shift_|euc_|big5|gb|johab|hz|iso2022")


class Encoding(NamedTuple):
    """The encoding of a text file.

    Attributes:
        name: Python's name for the encoding.
        line_end: The character that ends a line: a line feed (with or without a carriage return before it), a carriage
            return, or NEL.
        detected: Whether the encoding was guessed from the bytes, and may therefore be wrong.
        errors: The error handler for bytes that cannot be decoded. With "replace", their lines are bad lines.
    """

    name: str = "utf-8"
    line_end: str = "\n"
    detected: bool = False
    errors: str = "replace"

    @property
    def is_usual(self) -> bool:
        """Whether the lines can be read without conversion."""
        return self.name == "utf-8" and self.line_end == "\n"


def _from_latin_1(error: UnicodeError) -> tuple[str, int]:
    """Decode the invalid bytes of a codec error as ISO-8859-1, as an error handler of Python's codecs."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(FROM_LATIN_1, _from_latin_1)


def detect_encoding(path: Path, fallback: str | None = None) -> Encoding:
    """Find the encoding and line endings of a file.

    Args:
        path: The file.
        fallback: The encoding to assume for a file that is not UTF-8, or None to detect it. Bytes that it does not
            define are read as ISO-8859-1.

    Raises:
        UserError: The file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(4)
            stream.seek(0)
            marked = next((name for mark, name in MARKS if head.startswith(mark)), None)
            if marked is not None:
                return Encoding(marked, _line_end(stream, marked))
            evidence = _evidence(stream)
            if evidence is None:
                name, detected = "utf-8", False
            elif fallback is not None:
                name, detected = fallback, False
            else:
                found = _from_bytes(evidence)
                name, detected = found or "utf-8", found is not None
            stream.seek(0)
            errors = "replace" if evidence is None or fallback is None else FROM_LATIN_1
            return Encoding(name, _line_end(stream, name), detected, errors)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def decoded_lines(path: Path, bad: BadLines, encoding: Encoding, longest: int = LONGEST) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of each line in a file. Each text ends with a newline.

    Args:
        path: The file.
        bad: The `BadLines` object, which skips bad lines or raises an error.
        encoding: The encoding returned by `detect_encoding`.
        longest: The maximum number of bytes in a line, in UTF-8.
    """
    if encoding.is_usual:
        yield from text_lines(path, bad, longest=longest)
        return
    try:
        with path.open("rb") as stream, io.BufferedReader(_Recoded(stream, encoding)) as recoded:
            for number, line in read_lines(recoded, str(path), bad, longest):
                try:
                    text = line.decode("utf-8")
                except UnicodeDecodeError:
                    name = "UTF-8" if encoding.name == "utf-8" else encoding.name  # as `text_lines` writes it
                    bad.report(f"{path}:{number}", f"not {name}", f"the line is not {name} text")
                    continue
                yield number, text.removeprefix("\ufeff") if number == 1 else text
    except OSError as error:
        raise bad.error(f"{path}: cannot be read ({error.strerror})") from None


def beginning(path: Path, encoding: Encoding, size: int) -> tuple[list[str], bool]:
    """Return the lines at the beginning of a file, and whether they are the whole file.

    Only complete lines are returned, unless no complete line has text; then the last line is cut off. Lines that cannot
    be decoded are left out.

    Args:
        path: The file.
        encoding: The encoding returned by `detect_encoding`.
        size: The number of bytes to read, in UTF-8.
    """
    with path.open("rb") as stream:
        content = (stream if encoding.is_usual else io.BufferedReader(_Recoded(stream, encoding))).read(size + 1)
    is_whole = len(content) <= size
    *lines, last = io.BytesIO(content[:size].removeprefix(codecs.BOM_UTF8)).readlines() or [b""]
    texts = [line.decode("utf-8", "replace") for line in lines]
    if is_whole:
        lines.append(last)
        texts.append(last.decode("utf-8", "replace"))
    elif not any(map(str.strip, texts)):
        return [*texts, last.decode("utf-8", "ignore")], False
    is_text = [b"\0" not in line and text.encode() == line for line, text in zip(lines, texts, strict=True)]
    return list(itertools.compress(texts, is_text)), is_whole


class _Recoded(io.RawIOBase):
    """A stream that converts other encodings and line endings to UTF-8 with line feeds.

    Bytes that cannot be decoded are replaced with a byte that is not valid UTF-8, so their line is reported as a bad
    line.
    """

    def __init__(self, stream: IO[bytes], encoding: Encoding):
        self._stream, self._line_end = stream, encoding.line_end
        self._decoder = codecs.getincrementaldecoder(encoding.name)(errors=encoding.errors)
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer in typeshed
        while not self._left:
            block = self._stream.read(BLOCK)
            text = self._decoder.decode(block, final=not block)
            if self._line_end != "\n":
                text = text.replace(self._line_end, "\n")
            self._left = text.encode("utf-8", "surrogatepass").replace("\ufffd".encode(), b"\xff")
            if not block:
                break
        size = min(len(buffer), len(self._left))
        buffer[:size], self._left = self._left[:size], self._left[size:]
        return size


def _line_end(stream: IO[bytes], name: str) -> str:
    """Return the character that ends lines: a line feed, or a carriage return or NEL if the file has no line feeds."""
    decoder = codecs.getincrementaldecoder(name)(errors="replace")
    has_return = has_next_line = False
    while block := stream.read(BLOCK):
        text = decoder.decode(block)
        if "\n" in text:
            return "\n"
        has_return, has_next_line = has_return or "\r" in text, has_next_line or "\x85" in text
    return "\r" if has_return else "\x85" if has_next_line else "\n"


def _evidence(stream: IO[bytes]) -> bytes | None:
    """Return the blocks of a file that have non-ASCII bytes, or None if the file is valid UTF-8 or has NUL bytes."""
    decoder, valid, parts, size = codecs.getincrementaldecoder("utf-8")(), True, [], 0
    while block := stream.read(BLOCK):
        if b"\0" in block:
            return None
        if valid:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                valid = False
        if size < SAMPLE and not block.isascii():
            parts.append(block)
            size += len(block)
        if not valid and size >= SAMPLE:
            break
    if valid:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            valid = False
    return None if valid else b"".join(parts)[:SAMPLE]


def _from_bytes(evidence: bytes) -> str | None:
    """Return the encoding of bytes that are not UTF-8, or None if it cannot be detected."""
    high = re.sub(rb"[\x00-\x7f]", b"", evidence)
    if CODED.search(evidence) and len(CODED.sub(b"", high)) < len(high) / 2:
        return None  # damaged UTF-8
    if not TYPOGRAPHIC.sub(b"", high):
        return "cp1252"
    if len(high) < ENOUGH:
        return None
    western = evidence.decode("cp1252", "replace")
    signs = {character.lower() for character in western if not character.isascii()} - PUNCTUATION
    if any(signs <= set(alphabet) for alphabet in ALPHABETS):
        return "cp1252"
    matches = list(charset_normalizer.from_bytes(evidence))
    if not matches:
        return None
    texts = {match.encoding: str(match) for match in matches}
    for name, text in texts.items():
        if EAST_ASIAN.match(name):
            foreign = [character for character in text if not character.isascii()]
            if sum("\u3041" <= character <= "\u30ff" for character in foreign) > 0.3 * len(foreign):
                return name  # hiragana and katakana; a wrong East Asian encoding would give other characters
    # Single-byte encodings of Latin letters differ only in a few letters, and charset-normalizer often confuses them.
    # The western encoding is right if its accented letters are few, or if all of them belong to one western language.
    if WESTERN & set(texts):
        letters = [character for character in western if character.isalpha()]
        accented = {character.lower() for character in letters if not character.isascii()}
        few = sum(not character.isascii() for character in letters) < FEW_ACCENTS * len(letters)
        if few or any(accented <= set(alphabet) for alphabet in ALPHABETS):
            return "cp1252"
    return next((name for name in texts if name not in WESTERN), matches[0].encoding)
