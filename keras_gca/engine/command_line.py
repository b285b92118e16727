"""The parts shared by all commands: settings as options, and one-line errors.

Importing this module is fast: it does not import TensorFlow.
"""

import argparse
import contextvars
import datetime
import math
import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from glove.standard_streams import show_and_read_anything
from glove.text_files import SKIP_HINT, BadLines, VectorFileError, one_line
from keras_gca import __version__, interruption, invocation
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.settings import Settings, field_type, naming
from keras_gca.storage.config_file import read_settings

Kind = TypeVar("Kind", bound=Settings)

STRATEGIES = ("none", "mirrored", "multi_worker", "tpu")  # see devices.py


class Parser(argparse.ArgumentParser):
    """An ArgumentParser with one-line errors, exit status 2 for errors, and --version for the project's version.

    Args:
        prog: `python -m` and the module of the command. If the user called the command by another name, the help shows
            that name.
        **arguments: Other arguments of ArgumentParser.
    """

    def __init__(self, prog: str, **arguments: Any):
        name, called_as = invocation.names.get()
        prog = called_as if name and prog == name else prog
        self._given: list[str] = []
        super().__init__(
            prog=prog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **arguments
        )
        self.add_argument("--version", action="version", version=f"keras-conversational-agents {__version__}")

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse the arguments, and set the level of `reporting` according to -q and -v."""
        self._given = sys.argv[1:] if args is None else list(args)
        options = super().parse_args(self._given, namespace)
        reporting.set_level(options)
        return options

    def error(self, message: str) -> NoReturn:
        """Print a one-line message and exit with status 2."""
        swallowing = self._options_for_several_values()
        if swallowing and message.startswith("the following arguments are required"):
            message += f"; put them before {' and '.join(swallowing)}, which can have several values"
        self.exit(2, f"{self.prog.split()[-1]}: {message} (see --help)\n")

    def _options_for_several_values(self) -> list[str]:
        """Return the options on the command line that also take the arguments after their first value."""
        several = [name for action in self._actions if action.nargs in ("+", "*") for name in action.option_strings]
        return [name for name in several if name in self._given]


def add_settings(parser: argparse.ArgumentParser, kind: type[Settings], names: Collection[str] | None = None) -> None:
    """Add one option for each setting, under the heading of the setting's group.

    The parsed options have an attribute for a setting only if the user has given its option.

    Args:
        parser: The parser of a command.
        kind: The class of the settings.
        names: The settings for which options are added, or None for all.
    """
    sections = {}
    for title, options in kind.titled_options():
        if title not in sections:
            heading = f"settings: {title}" if title else "settings (each replaces the preset's value)"
            sections[title] = parser.add_argument_group(heading)
        for option in options:
            if names is not None and option.name not in names:
                continue
            _, value = field_type(option)
            default = "not set" if option.default is None else option.default
            sections[title].add_argument(
                f"--{option.name.replace('_', '-')}",
                type=_value(value),
                default=argparse.SUPPRESS,
                metavar="|".join(option.metadata["choices"]) or {int: "N", float: "X"}[value],
                help=f"{option.metadata['help']} [paper: {default}]".replace("%", "%%"),
            )


def settings(options: argparse.Namespace, kind: type[Settings]) -> dict[str, Any]:
    """Return a dict of the settings that were given on the command line."""
    return {option.name: getattr(options, option.name) for option in kind.options() if hasattr(options, option.name)}


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add the option --config; see `chosen_settings`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="take the settings from a run's config.json. Options override the settings in the file. The file does "
        "not provide the data: give --data again if the run was trained with --data",
    )


def chosen_settings(options: argparse.Namespace, kind: type[Kind]) -> Kind:
    """Return the settings of a run: those of --config or --preset, as changed by the other options.

    Raises:
        UserError: Both --config and --preset are given, the file is damaged or belongs to another package, or a setting
            is invalid.
    """
    changes = settings(options, kind)
    if options.config is None:
        return kind.preset(options.preset or "default", **changes)
    refuse(options, ("preset",), (), "--config already contains every setting")
    return read_settings(options.config, kind).changed(**changes)


def refuse(options: argparse.Namespace, unwanted: Sequence[str], settings: Iterable[str], why: str) -> None:
    """Raise an error if options are given that do not apply.

    Args:
        options: The parsed options.
        unwanted: The names of options that do not apply, whether or not they are given.
        settings: The names of the given settings that do not apply.
        why: The reason, with which the message begins.

    Raises:
        UserError: An option in `unwanted` is given, or `settings` is not empty.
    """
    given = [*settings, *(name for name in unwanted if getattr(options, name))]
    if given:
        raise UserError(f"{why}; leave out {naming(given)}")


def refuse_settings_of_resume(
    options: argparse.Namespace, unwanted: Sequence[str], settings: Iterable[str], totals: Sequence[str]
) -> None:
    """Raise an error if options or settings are given that cannot be combined with --resume.

    Args:
        options: The parsed options.
        unwanted: Options that are not settings.
        settings: The settings that are given.
        totals: The settings that may be changed when a run is resumed.

    Raises:
        UserError: An option in `unwanted`, or a setting that is not in `totals`, is given.
    """
    others = [name for name in settings if name not in totals]
    why = f"--resume keeps the run's own settings and accepts new values only for {naming(totals)}"
    refuse(options, unwanted, others, why)


def add_run(parser: argparse.ArgumentParser, totals: Sequence[str]) -> None:
    """Add the options --run, --resume and --minutes for a training run.

    Args:
        parser: The parser of the command.
        totals: The settings that --resume may change; see `refuse_settings_of_resume`.
    """
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="the run folder to create (default: a new folder in runs/)"
    )
    parser.add_argument(
        "--resume",
        type=Path,
        metavar="RUN",
        help="resume this run with its own settings. To train it further, also give a larger value for "
        f"{naming(totals)}",
    )
    add_minutes(
        parser,
        "stop training after this many minutes, as Ctrl-C does; --resume continues the run. Time spent reading the "
        "data is not counted",
    )


def add_minutes(parser: argparse.ArgumentParser, help: str) -> None:
    """Add the option --minutes, a time limit (`glove.cost.TimeLimit`); `help` says what happens at the limit."""
    parser.add_argument("--minutes", type=_minutes, metavar="N", help=help)


def new_run(options: argparse.Namespace, prefix: str = "") -> Path:
    """Return the run folder given by --run, or by default a folder in runs/ named after the date."""
    return options.run or Path("runs") / datetime.datetime.now().strftime(f"{prefix}%Y-%m-%d_%H-%M-%S")


def refuse_repeated(seeds: Sequence[int]) -> None:
    """Raise UserError if a seed is given twice, because its run would count twice in means and tests."""
    repeated = [seed for i, seed in enumerate(seeds) if seed in seeds[:i]]
    if repeated:
        raise UserError(f"--seeds: {repeated[0]} is given twice; give different seeds")


def add_bad_lines(parser: argparse.ArgumentParser) -> None:
    """Add the option --skip-bad-lines; see `bad_lines`."""
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="skip and count unreadable lines in corpora and word vectors; without this option, the first such line "
        "causes an error",
    )


def bad_lines(options: argparse.Namespace) -> BadLines:
    """Return the object that tells file readers whether to skip bad lines, as set by --skip-bad-lines."""
    return BadLines(options.skip_bad_lines, UserError, SKIP_HINT)


def add_devices(parser: argparse.ArgumentParser) -> None:
    """Add --strategy and --replicas, which choose the devices of a training run."""
    group = parser.add_argument_group("devices (docs/performance.md)")
    group.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="none",
        help="the devices for training. none: one device; mirrored: the GPUs of this machine, or parts of its "
        "CPU; multi_worker: the processes that TF_CONFIG names; tpu: a TPU [none]",
    )
    group.add_argument(
        "--replicas",
        type=at_least_one,
        metavar="N",
        help="the number of replicas of --strategy mirrored [all GPUs, or 1 without a GPU]",
    )


def run(
    main: Callable[[list[str] | None], int],
    name: str,
    arguments: list[str] | None = None,
    names: tuple[str, str] = ("", ""),
) -> int:
    """Call a command's main function, and report its errors.

    Args:
        main: A function that takes the arguments (None for those of the process) and returns an exit status.
        name: The command's name, with which every error message begins.
        arguments: The arguments.
        names: The name of the command's parser, and the name by which the user called the command.

    Returns:
        The exit status returned by `main`; 2 after an error that the user can fix, which is printed as one line on
        standard error; or 130 after an interruption.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    show_and_read_anything()
    interruption.handle_in_command()

    def timed() -> int:
        invocation.names.set(names)
        began = time.monotonic()
        status = main(arguments)
        reporting.detail(f"{name}: {time.monotonic() - began:.1f} s in all")
        return status

    try:
        return contextvars.copy_context().run(timed)  # so that later calls do not see the command's name and level
    except (UserError, VectorFileError) as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads the output any more, so print nothing else
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{name}: {where}{error.strerror or one_line(error)}", file=sys.stderr)
    return 2


def at_least_one(text: str) -> int:
    """Convert the value of an option to a positive whole number; pass this function to `add_argument` as `type`."""
    value = _value(int)(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small; at least 1 is expected")
    return value


def _minutes(text: str) -> float:
    value = _value(float)(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a finite number above 0")
    return value


def _value(kind: type) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            wanted = {int: "a whole number", float: "a number"}[kind]
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from None

    return convert
