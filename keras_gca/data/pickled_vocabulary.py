"""Reads the author's vocabulary, `vocabulary_movie`: a pickled list of (word, count). No code in the pickle is run."""

import io
import os
import pickle
import pickletools
from pathlib import Path
from typing import NoReturn

from keras_gca.data.vocabulary import SPECIAL_TOKENS, UNK, Vocabulary
from keras_gca.errors import UserError

VOCABULARY = "vocabulary_movie"
UNKNOWN = "something"  # the author's unknown word
FIRST = {0: ".", 2: "BOS", 3: "EOS"}  # indices that have a fixed meaning in the author's programs
LARGEST = 10_000_000  # the maximum size of a vocabulary file in bytes; 7,000 words need 200,000

# The opcodes that create, combine, store and fetch lists, tuples, strings and numbers.
_OPCODES = {
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "DUP", "NONE", "NEWTRUE", "NEWFALSE",
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "LIST", "EMPTY_LIST", "APPEND", "APPENDS", "TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET",
}  # fmt: skip

_PUTS = ("PUT", "BINPUT", "LONG_BINPUT")


class Unpickler(pickle.Unpickler):
    """An unpickler that creates only lists, tuples, strings and numbers, and runs no code from the pickle."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse every class and function."""
        raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}")

    def persistent_load(self, pid: object) -> NoReturn:
        """Refuse objects that are stored outside the pickle."""
        raise pickle.UnpicklingError("the pickle refers to an object outside the file")


def unpickle(content: bytes) -> object:
    """Unpickle a list, tuple, string or number.

    All operations are checked before any of them is run, because a number in a pickle can request unlimited memory.

    Raises:
        ValueError: The pickle is damaged, or contains a value of any other type.
    """
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
            if operation.name not in _OPCODES:
                asked = operation.name if argument is None else f"{argument}".replace(" ", ".")[:60]
                raise ValueError(f"the pickle asks for {asked}")
            if operation.name in _PUTS and not (isinstance(argument, int) and 0 <= argument <= count):
                raise ValueError(f"the pickle stores a value at index {argument} after only {count} operations")
        return Unpickler(io.BytesIO(content), encoding="utf-8").load()
    except (pickle.UnpicklingError, TypeError, EOFError, LookupError, AttributeError) as error:
        raise ValueError(str(error)) from None
    except (MemoryError, OverflowError, RecursionError) as error:
        raise ValueError(f"the content is too large ({error})") from None


def read_vocabulary(path: str | os.PathLike) -> Vocabulary:
    """Read `vocabulary_movie`: a pickled list of (word, count), most frequent first.

    Raises:
        UserError: The file is missing, is not a pickled list of (word, count), or contains values other than lists,
            tuples, strings and numbers.
    """
    path = Path(path)
    try:
        entries = unpickle(_bytes_of(path))
    except ValueError as error:
        raise UserError(
            f"{path}: the file is not a vocabulary; a pickled list of (word, count) is expected ({error})"
        ) from None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        raise UserError(f"{path}: the file is not a vocabulary; a list of (word, count) is expected")
    words = [word for word, _ in entries]
    if len(words) < 4 or any(words[index] != word for index, word in FIRST.items()):
        raise UserError(f"{path}: the first words are {words[:4]}; '.', any word, 'BOS' and 'EOS' are expected")
    known = [*entries[:2], *entries[4:]]
    try:
        return Vocabulary([word for word, _ in known], [count for _, count in known], {SPECIAL_TOKENS[UNK]: UNKNOWN})
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def is_pickle(path: str | os.PathLike) -> bool:
    """Return whether a file begins like a pickled list, in any pickle protocol. An unreadable file gives False."""
    try:
        with open(path, "rb") as stream:
            start = stream.read(2)
    except OSError:
        return False
    return start in (b"(l", b"]q") or start[:1] == b"\x80"


def _bytes_of(path: Path) -> bytes:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    if path.stat().st_size > LARGEST:
        raise UserError(f"{path}: the file is larger than {LARGEST:,} bytes, so it is not a vocabulary")
    return path.read_bytes()


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, (list, tuple))
        and len(entry) == 2
        and isinstance(entry[0], str)
        and not any("\ud800" <= character <= "\udfff" for character in entry[0])
        and isinstance(entry[1], (int, float))
        and abs(entry[1]) < 2**63
    )
