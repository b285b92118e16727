"""Tells how the user started the program, and spells suggested commands in the same way.

Importing this module is fast: it does not import TensorFlow.
"""

import os
import sys
from contextvars import ContextVar

PROGRAMS = {"keras_gca": "gca", "gail_tf": "empathy-gail"}

# The name of a command's parser, and the name by which the user called the command; `command_line.run` sets both.
names: ContextVar[tuple[str, str]] = ContextVar("names", default=("", ""))


def is_command() -> bool:
    """Return whether the process is a command of this project rather than a program that imports the project."""
    _, *words = [*sys.orig_argv, ""]
    module = words[words.index("-m") + 1] if "-m" in words else ""
    return module.partition(".")[0] in PROGRAMS or os.path.basename(words[0]) in PROGRAMS.values()


def hint(module: str, *arguments: object) -> str:
    """Return a suggested command as the user would type it, for lines that begin with "next:" and for errors.

    The suggestion begins like the command that the user typed, for example with `.venv/bin/python -m` or `gca`. Outside
    the project's commands, for example in a notebook, it begins with `python -m`.

    Args:
        module: The module of the command, such as "keras_gca.chat".
        *arguments: The arguments of the command.
    """
    package, _, name = module.partition(".")
    _, called_as = names.get()
    words = list(map(str, arguments))
    if called_as and called_as.split()[0] == PROGRAMS[package]:
        return " ".join([PROGRAMS[package], name, *words])
    python = sys.orig_argv[0] if is_command() else "python"
    return " ".join([python, "-m", module, *words])
