"""Makes a command's standard streams accept every character and byte without errors."""

import sys


def show_and_read_anything() -> None:
    """Make standard output, error and input accept every character and byte.

    Characters that the terminal cannot show are written as escape sequences. Bytes that cannot be decoded are read as
    the replacement character U+FFFD. Streams that cannot be reconfigured, such as those of a notebook, are left
    unchanged. Call this function before printing or reading anything.
    """
    for stream, errors in ((sys.stdout, "backslashreplace"), (sys.stderr, "backslashreplace"), (sys.stdin, "replace")):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=errors)
