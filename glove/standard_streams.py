"""Standard input and output for commands: no character, and no byte, ends a command."""

import sys


def show_and_read_anything() -> None:
    """Have characters that the terminal cannot show written as escapes, and bytes that are not text read as U+FFFD.

    Streams that cannot be set up so, as those of a notebook, are left as they are. To be called before anything is
    printed or read.
    """
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)
