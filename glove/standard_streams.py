"""Makes the standard streams of a command accept every character and every byte without an error."""

import sys


def show_and_read_anything() -> None:
    """Make standard output, error and input accept every character and byte.

    A character that the terminal cannot show is written as an escape sequence. Bytes that cannot be decoded are read as
    the replacement character U+FFFD. Streams that do not support this, such as those of a notebook, stay unchanged.
    Call this function before anything is printed or read.
    """
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)
