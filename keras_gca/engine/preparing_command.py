"""The parts that `keras_gca.prepare` and `gail_tf.prepare` share: their options, and what they print at the end."""

import os
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Protocol

from keras_gca import invocation
from keras_gca.engine import command_line, reporting
from keras_gca.settings import Settings


class Prepared(Protocol):
    """A complete folder of token files."""

    def described(self) -> list[str]:
        """Return lines that say what the folder contains."""
        ...


def add_options(
    parser: command_line.Parser, presets: Collection[str], settings: type[Settings], prepared: Collection[str]
) -> None:
    """Add the options that both commands have.

    Args:
        parser: The command's parser.
        presets: The names of the presets.
        settings: The settings of a training run.
        prepared: The names of the settings that the preparation needs.
    """
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="the folder to make")
    parser.add_argument(
        "--processes",
        type=command_line.at_least_one,
        default=os.cpu_count() or 1,
        metavar="N",
        help="the number of processes that work in parallel [one for each core]",
    )
    command_line.add_minutes(parser, "stop after this time, as after Ctrl-C; run the same command again to continue")
    parser.add_argument("--preset", choices=presets, help="the preset for the settings below [default]")
    command_line.add_bad_lines(parser)
    reporting.add_options(parser)
    command_line.add_settings(parser, settings, prepared)


def run(prepare: Callable[[], Prepared | None], out: Path, package: str) -> int:
    """Prepare a folder, and print what was written and what to run next.

    Args:
        prepare: A function that prepares the folder, and returns None if the time limit stopped it.
        out: The folder.
        package: The package whose training can read the folder.

    Returns:
        The exit status: 0, or 130 if Ctrl-C or the time limit stopped the preparation.
    """
    try:
        folder = prepare()
    except KeyboardInterrupt:
        print()  # ends the line in which the terminal shows ^C
        folder = None
    if folder is None:
        print(f"next: the same command continues with {out}")
        return 130
    reporting.say(*folder.described())
    print(f"wrote {out}")
    print(f"next: {invocation.hint(f'{package}.train', '--data', out)}")
    return 0
