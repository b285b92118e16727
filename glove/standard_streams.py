"""Standard input and output for commands, which no character and no byte can make fail."""

import sys


def show_and_read_anything() -> None:
    """Write characters that the terminal cannot show as escapes, and read bytes that are not text as U+FFFD.

    Streams that do not support this, such as those of a notebook, stay unchanged. Call this before anything is printed
    or read.
    """
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)
