"""Runs a package's commands under one name: `gca train ...` is `python -m keras_gca.train ...`.

Importing this module is fast: it does not import TensorFlow.
"""

import difflib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from typing import Any

from keras_gca.engine import command_line, completion
from keras_gca.public_names import public_name


def run(
    package: str,
    program: str,
    called_as: str,
    purpose: str,
    commands: Mapping[str, str],
    arguments: list[str] | None = None,
) -> int:
    """List a package's commands, run one of them, or print a shell completion script.

    Args:
        package: The package whose modules contain the commands.
        program: The name of the program, such as `gca`.
        called_as: How the user called the program, such as `gca` or `python -m keras_gca`.
        purpose: The purpose of the package, shown above the list.
        commands: A dict that maps the name of each command, which is also the name of its module, to a one-line
            description of its purpose.
        arguments: The command's name and its arguments, or None for the arguments of the process.

    Returns:
        The exit status of the command; 0 after the list or a script; 2 for an unknown command.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    name = arguments[0].replace("-", "_") if arguments else ""
    if name not in commands:

        def listing(others: list[str] | None) -> int:
            shell = _list(called_as, purpose, commands, others or [])
            if shell is not None:
                parsers = {name: _of_module(package, name, "make_parser")() for name in commands}
                print(completion.script(program, parsers, commands, shell))
            return 0

        return command_line.run(listing, called_as.split()[-1], arguments)
    main = _of_module(package, name, "main")
    names = f"python -m {package}.{name}", f"{called_as} {name}"
    return command_line.run(main, name, arguments[1:], names)


def _of_module(package: str, name: str, function: str) -> Callable[..., Any]:
    """Import a function from the module of a command."""
    spec = importlib.util.find_spec(f"{package}.{name}")
    is_folder = spec is not None and spec.submodule_search_locations is not None  # the command is in __main__.py
    return public_name(package, {function: f"{name}.__main__" if is_folder else name}, function)


def _list(called_as: str, purpose: str, commands: Mapping[str, str], arguments: list[str]) -> str | None:
    """Print the list of commands; for an unknown command, report an error that names the most similar command.

    Returns:
        The shell for which the user requested a completion script, or None if the list was printed.
    """
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
    parser.add_argument(
        "--print-completion",
        choices=completion.SHELLS,
        metavar="SHELL",
        help="print a script that completes commands and options in this shell: bash or zsh",
    )
    shell: str | None = parser.parse_args(arguments).print_completion
    if shell is None:
        parser.print_help()
    return shell
