"""A package's commands under one name: `gca train ...` is `python -m keras_gca.train ...`. Imports nothing heavy."""

import difflib
import importlib
import sys
from collections.abc import Mapping

from keras_gca.engine import command_line


def run(
    package: str, called_as: str, purpose: str, commands: Mapping[str, str], arguments: list[str] | None = None
) -> int:
    """List a package's commands, or run one of them.

    Args:
        package: The package whose modules the commands are.
        called_as: How the user has called the program, such as `gca` or `python -m keras_gca`.
        purpose: What the package is for, above the list.
        commands: The name of each command, which is its module's, and what it does in one line.
        arguments: The command's name and its arguments; those of the process if None.

    Returns:
        The exit status: 0, 2 for an unknown command, or that of the command.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0].replace("-", "_") if arguments else ""
    if name not in commands:

        def listing(others: list[str] | None) -> int:
            return _list(called_as, purpose, commands, others or [])

        return command_line.run(listing, called_as.split()[-1], arguments)
    module = importlib.import_module(f"{package}.{name}")
    if hasattr(module, "__path__"):  # a folder, whose command is its __main__.py
        module = importlib.import_module(f"{package}.{name}.__main__")
    names = f"python -m {package}.{name}", f"{called_as} {name}"
    return command_line.run(module.main, name, arguments[1:], names)


def _list(called_as: str, purpose: str, commands: Mapping[str, str], arguments: list[str]) -> int:
    """Print what the commands are; an unknown one is an error that names the nearest."""
    width = max(map(len, commands))
    lines = "\n".join(f"  {name:{width}}  {line}" for name, line in commands.items())
    parser = command_line.Parser(
        prog=called_as,
        usage=f"{called_as} COMMAND ...",
        description=f"{purpose}\n\n{lines}",
        epilog=f"{called_as} COMMAND --help explains a command and its options.",
    )
    if arguments and not arguments[0].startswith("-"):
        [nearest] = difflib.get_close_matches(arguments[0], commands, 1, cutoff=0)
        parser.error(f"{arguments[0]!r} is not a command; did you mean {nearest}?")
    parser.parse_args(arguments)
    parser.print_help()
    return 0
