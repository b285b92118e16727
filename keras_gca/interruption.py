"""Lets Ctrl-C end a command at once, without a traceback, while its modules are being imported.

A KeyboardInterrupt during an import would print a traceback, and perhaps TensorFlow's startup messages. No files are
written before the imports are finished, so the operating system can simply end the process.
"""

import contextlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

from keras_gca.invocation import is_command


def begin_command() -> None:
    """In a command of this project, let Ctrl-C end the process at once until `handle_in_command` is called."""
    if is_command():
        _replace(signal.default_int_handler, signal.SIG_DFL)


def handle_in_command() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again; commands catch it and print one line."""
    _replace(signal.SIG_DFL, signal.default_int_handler)


@contextlib.contextmanager
def ends_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process at once inside this block, unless the program has its own handler for Ctrl-C."""
    replaced = _replace(signal.default_int_handler, signal.SIG_DFL)
    try:
        yield
    finally:
        if replaced:
            handle_in_command()


def _replace(expected: object, handler: Any) -> bool:
    """Replace the handler for Ctrl-C if it is the expected one, and return whether it was replaced."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is not expected:
        return False
    signal.signal(signal.SIGINT, handler)
    return True
