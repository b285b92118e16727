"""Writes shell completion scripts for the commands, options and files of `gca` and `empathy-gail`.

shtab generates the scripts from the parsers of all commands. To complete a line, a shell runs only the script, not
Python.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_gca.errors import UserError

SHELLS = ("bash", "zsh")


def script(
    program: str, parsers: Mapping[str, argparse.ArgumentParser], purposes: Mapping[str, str], shell: str
) -> str:
    """Generate the completion script for a shell.

    Args:
        program: The name of the program whose command lines are completed.
        parsers: The parser of each command.
        purposes: The purpose of each command in one line.
        shell: One of SHELLS.

    Raises:
        UserError: shtab is not installed.
    """
    try:
        import shtab
    except ModuleNotFoundError:
        raise UserError("shtab is not installed; in a checkout of this project, pip install -e . installs it") from None

    whole = argparse.ArgumentParser(prog=program, add_help=False)
    commands = whole.add_subparsers(metavar="COMMAND")
    for name, parser in parsers.items():
        _complete_files(parser, shtab.FILE)
        commands.add_parser(name, parents=[parser], add_help=False, help=purposes[name])
    return shtab.complete(whole, shell)


def _complete_files(parser: argparse.ArgumentParser, files: Mapping[str, Any]) -> None:
    """Let shtab complete file names for all arguments that are paths."""
    for action in parser._actions:  # argparse has no public list of actions; shtab itself also reads this one
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                _complete_files(command, files)
        elif action.type is Path:
            action.complete = files  # type: ignore[attr-defined]  # read by shtab
