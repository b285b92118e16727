"""What the commands share: settings as options, errors as one line, and a quiet TensorFlow. Imports nothing heavy."""

import argparse
import contextlib
import contextvars
import datetime
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from glove.standard_streams import show_and_read_anything
from glove.text_files import SKIP_HINT, BadLines, VectorFileError, one_line
from keras_gca import __version__
from keras_gca.engine import reporting
from keras_gca.errors import UserError
from keras_gca.settings import Settings, field_type
from keras_gca.storage.config_file import read_settings

if TYPE_CHECKING:
    import tensorflow as tf


Kind = TypeVar("Kind", bound=Settings)

STRATEGIES = ("none", "mirrored", "multi_worker", "tpu")  # see devices.py


# The name that a command's parser has, and the one that the user has called it by; see `commands.run`.
_called_as: ContextVar[tuple[str, str]] = ContextVar("called_as", default=("", ""))


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, with exit status 2; --version prints the project's version.

    prog: `python -m` and the module of a command; where the user has called it by another name, that one is shown.
    """

    def __init__(self, prog: str, **arguments: Any):
        name, called_as = _called_as.get()
        prog = called_as if name and prog == name else prog
        super().__init__(
            prog=prog, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **arguments
        )
        self.add_argument("--version", action="version", version=f"keras-conversational-agents {__version__}")

    def parse_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> Any:
        """Parse arguments as usual; -q and -v of `reporting` take effect."""
        options = super().parse_args(args, namespace)
        reporting.set_level(options)
        return options

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog.split()[-1]}: {message} (see --help)\n")


def add_settings(parser: argparse.ArgumentParser, kind: type[Settings]) -> None:
    """One option for each of a class of settings, by their groups; absent from the parsed options unless given."""
    sections = {}
    for title, options in kind.titled_options():
        if title not in sections:
            heading = f"settings: {title}" if title else "settings (each replaces the preset's value)"
            sections[title] = parser.add_argument_group(heading)
        for option in options:
            _, value = field_type(option)
            sections[title].add_argument(
                f"--{option.name.replace('_', '-')}",
                type=_value(value),
                default=argparse.SUPPRESS,
                metavar="|".join(option.metadata["choices"]) or {int: "N", float: "X"}[value],
                help=f"{option.metadata['help']} [paper: {option.default}]".replace("%", "%%"),
            )


def settings(options: argparse.Namespace, kind: type[Settings]) -> dict[str, Any]:
    """The settings that were given on the command line, by the names of their options."""
    return {option.name: getattr(options, option.name) for option in kind.options() if hasattr(options, option.name)}


def add_config(parser: argparse.ArgumentParser) -> None:
    """The option --config; see `chosen_settings`."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="take all settings from a run's config.json; those that are given as options replace them. Its data are "
        "not taken: name them again",
    )


def chosen_settings(options: argparse.Namespace, kind: type[Kind]) -> Kind:
    """The settings of a training: those of --config, or else of --preset (`default`), with those that are given.

    Raises:
        UserError: Both are given, the file is damaged or of another package, or a setting is impossible.
    """
    changes = settings(options, kind)
    if options.config is None:
        return kind.preset(options.preset or "default", **changes)
    refuse(options, ("preset",), (), "--config gives every setting")
    return read_settings(options.config, kind).changed(**changes)


def refuse(options: argparse.Namespace, unwanted: Sequence[str], settings: Iterable[str], why: str) -> None:
    """Raises UserError where settings, or options of `unwanted`, are given; why: what they do not go with."""
    given = [*settings, *(name for name in unwanted if getattr(options, name))]
    if given:
        raise UserError(f"{why}; leave out {naming(given)}")


def refuse_settings_of_resume(
    options: argparse.Namespace, unwanted: Sequence[str], settings: Iterable[str], totals: Sequence[str]
) -> None:
    """Refuse what --resume does not take.

    Args:
        options: The parsed options.
        unwanted: Options that are no settings.
        settings: The settings that are given.
        totals: Those that a run may have anew.

    Raises:
        UserError: One of `unwanted`, or a setting that is none of `totals`, is given.
    """
    others = [name for name in settings if name not in totals]
    why = f"--resume takes no other settings than the run's own, and new totals by {naming(totals)}"
    refuse(options, unwanted, others, why)


def naming(settings: Iterable[str]) -> str:
    """Settings as options, for messages."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in settings)


def new_run(options: argparse.Namespace, prefix: str = "") -> Path:
    """The run folder that is asked for, or one in runs/ with the date as its name."""
    return options.run or Path("runs") / datetime.datetime.now().strftime(f"{prefix}%Y-%m-%d_%H-%M-%S")


def add_bad_lines(parser: argparse.ArgumentParser) -> None:
    """The option that says what becomes of bad lines; see `bad_lines`."""
    parser.add_argument(
        "--skip-bad-lines",
        action="store_true",
        help="pass over lines of corpora and word vectors that cannot be used, and count them; otherwise the first one "
        "is an error",
    )


def bad_lines(options: argparse.Namespace) -> BadLines:
    """What becomes of bad lines, for readers."""
    return BadLines(options.skip_bad_lines, UserError, SKIP_HINT)


def add_devices(parser: argparse.ArgumentParser) -> None:
    """The options that say what a training runs on: --strategy and --replicas."""
    group = parser.add_argument_group("devices (docs/performance.md)")
    group.add_argument(
        "--strategy",
        choices=STRATEGIES,
        default="none",
        help="none: one device; mirrored: this machine's GPUs, or parts of its CPU; multi_worker: the processes that "
        "TF_CONFIG names; tpu [none]",
    )
    group.add_argument(
        "--replicas", type=at_least_one, metavar="N", help="of mirrored: how many [all GPUs; without one, 1]"
    )


def set_up_tensorflow(options: argparse.Namespace | None = None) -> "tf.distribute.Strategy":
    """Import TensorFlow, and make it repeat the same steps with the same bits: what a resumed run is promised.

    options: those of `add_devices`; one device if not given. Returns their strategy. To be called before anything else
    is done with TensorFlow. Raises UserError where there are no such devices.
    """
    with quiet_imports():
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  (it has start-up lines of its own)

        from keras_gca.engine import devices

    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # batches of different widths are graphs of their own, of which it would warn
    return devices.make("none") if options is None else devices.make(options.strategy, options.replicas)


def run(
    main: Callable[[list[str] | None], int],
    name: str,
    arguments: list[str] | None = None,
    names: tuple[str, str] = ("", ""),
) -> int:
    """Call a command's main.

    Args:
        main: Takes the arguments, those of the process if None, and returns an exit status.
        name: What the command is called in front of an error.
        arguments: The arguments.
        names: The name that the command's parser has, and the one that the user has called it by.

    Returns:
        The exit status of main; 2 where there is an error that the user can fix, which becomes one line on standard
        error; 130 after an interruption.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    show_and_read_anything()

    def timed() -> int:
        _called_as.set(names)
        began = time.monotonic()
        status = main(arguments)
        reporting.detail(f"{name}: {time.monotonic() - began:.1f} s in all")
        return status

    try:
        return contextvars.copy_context().run(timed)  # what one command is called, and prints, ends with it
    except (UserError, VectorFileError) as error:
        print(f"{name}: {one_line(error)}", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # whoever read our output has gone; say no more
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"{name}: {where}{error.strerror or one_line(error)}", file=sys.stderr)
    return 2


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Import TensorFlow in this block without its start-up lines, which no setting of its own turns off.

    They go to the process' standard error; if an import fails, what was held back is shown. With -v, versions and
    devices are printed afterwards.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
    if reporting.is_verbose():
        _describe_machine()


def _describe_machine() -> None:
    """Print the versions and devices that a command works with; TensorFlow is imported already."""
    import keras
    import numpy as np
    import tensorflow as tf

    versions = {"Python": platform.python_version(), "TensorFlow": tf.__version__, "Keras": keras.__version__}
    versions |= {"NumPy": np.__version__, "keras-conversational-agents": __version__}
    reporting.detail("versions: " + ", ".join(f"{name} {version}" for name, version in versions.items()))
    devices = ", ".join(device.name.removeprefix("/physical_device:") for device in tf.config.list_physical_devices())
    reporting.detail(f"devices:  {devices}; {os.cpu_count()} CPU cores")


@contextlib.contextmanager
def needs_extra(name: str) -> Iterator[None]:
    """Import in this block what an extra of the package brings; raises UserError with its name where it is missing.

    The hint installs from a checkout: the project is not on the package index.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed; in a checkout of this project: pip install -e '.[{name}]'"
        ) from None


def at_least_one(text: str) -> int:
    """The type of an option that is a positive whole number."""
    value = _value(int)(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} where at least 1 is expected")
    return value


def _value(kind: type) -> Callable[[str], Any]:
    def convert(text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            wanted = {int: "a whole number", float: "a number"}[kind]
            raise argparse.ArgumentTypeError(f"{text!r} where {wanted} is expected") from None

    return convert
