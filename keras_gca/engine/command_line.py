"""What the commands share: settings as options, errors as one line, and a quiet TensorFlow. Imports nothing heavy."""

import argparse
import contextlib
import dataclasses
import datetime
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from glove.standard_streams import show_and_read_anything
from glove.text_files import SKIP_HINT, BadLines, VectorFileError, one_line
from keras_gca.errors import UserError
from keras_gca.settings import Settings, field_type

if TYPE_CHECKING:
    import tensorflow as tf


STRATEGIES = ("none", "mirrored", "multi_worker", "tpu")  # see devices.py


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, with exit status 2."""

    def __init__(self, **arguments: Any):
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **arguments)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog.split()[-1]}: {message} (see --help)\n")


def add_settings(parser: argparse.ArgumentParser, kind: type[Settings]) -> None:
    """One option for each field of a class of settings, absent from the parsed options unless given."""
    group = parser.add_argument_group("settings (each replaces the preset's value)")
    for option in dataclasses.fields(kind):
        _, value = field_type(option)
        group.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=_value(value),
            default=argparse.SUPPRESS,
            metavar="|".join(option.metadata["choices"]) or {int: "N", float: "X"}[value],
            help=f"{option.metadata['help']} [paper: {option.default}]".replace("%", "%%"),
        )


def settings(options: argparse.Namespace, kind: type[Settings]) -> dict[str, Any]:
    """The fields of a class of settings that were given on the command line."""
    return {o.name: getattr(options, o.name) for o in dataclasses.fields(kind) if hasattr(options, o.name)}


def refuse(options: argparse.Namespace, unwanted: Sequence[str], settings: Iterable[str], why: str) -> None:
    """Raises UserError where settings, or options of `unwanted`, are given; why: what they do not go with."""
    given = [*settings, *(name for name in unwanted if getattr(options, name))]
    if given:
        names = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UserError(f"{why}; leave out {names}")


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


def run(main: Callable[[list[str] | None], int], name: str, arguments: list[str] | None = None) -> int:
    """Call a command's main; returns the exit status.

    What the user can mend becomes one line on standard error and status 2, an interruption status 130.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    show_and_read_anything()
    try:
        return main(arguments)
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

    They go to the process' standard error; if an import fails, what was held back is shown.
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
