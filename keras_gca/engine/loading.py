"""Loads TensorFlow quietly, makes it deterministic, and names the extra to install if a package is missing.

Importing this module is fast: TensorFlow is imported only when a function of the module is called.
"""

import argparse
import contextlib
import gc
import os
import platform
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

from glove.text_files import one_line
from keras_gca import __version__, interruption
from keras_gca.engine import reporting
from keras_gca.errors import UserError

if TYPE_CHECKING:
    import tensorflow as tf

SAY_AFTER = 1.0  # seconds
# If these packages are installed, Keras imports them for pictures, tables and wrappers that no command uses. These
# imports take a fifth of Keras' own import time. This project imports Matplotlib later, when it draws a plot, and
# scikit-learn when it fits a topic model.
OPTIONAL_OF_KERAS = ("matplotlib", "pandas", "sklearn", "IPython", "PIL")


def set_up_tensorflow(options: argparse.Namespace | None = None) -> "tf.distribute.Strategy":
    """Import TensorFlow and make it deterministic.

    A resumed run then gives exactly the same results as an uninterrupted one. Call this function before any other use
    of TensorFlow.

    Args:
        options: The parsed options of `command_line.add_devices`, or None for one device.

    Returns:
        The strategy chosen by the options.

    Raises:
        UserError: This machine does not have the devices that were requested.
    """
    with quiet_imports():
        import tensorflow as tf
        import tensorflow_text  # noqa: F401  (it prints start-up lines as well)

        from keras_gca.engine import devices

    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")  # else it warns that batches of different widths need separate graphs
    return devices.make("none") if options is None else devices.make(options.strategy, options.replicas)


def skip_graph_optimisation() -> None:
    """Let this process run TensorFlow's graphs as they were built, without optimising each graph before its first run.

    In a chat with a pretrained network, optimising takes longer than the time that it saves. Call this function before
    the first graph runs.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@contextlib.contextmanager
def quiet_imports(what: str = "TensorFlow") -> Iterator[None]:
    """A context manager that imports TensorFlow and Keras, and suppresses start-up messages in the `with` block.

    TensorFlow has no setting for this: the messages go directly to the standard error of the process. If an import
    fails, the messages are shown. Ctrl-C ends the process without a message. With -v, versions and devices are printed
    afterwards.

    Args:
        what: The name of what is being loaded. If loading takes longer than SAY_AFTER seconds, the terminal shows
            "loading" and this name.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with saying(f"loading {what} ...", kept), tempfile.TemporaryFile() as held:
            os.dup2(held.fileno(), 2)
            try:
                with interruption.ends_at_once(), _uncollected():
                    with _hidden(*OPTIONAL_OF_KERAS):
                        import tensorflow as tf  # noqa: F401
                    yield
            except BaseException:
                held.seek(0)
                os.write(kept, held.read())
                raise
            finally:
                os.dup2(kept, 2)
    finally:
        os.close(kept)
    if reporting.is_verbose():
        _describe_machine()


@contextlib.contextmanager
def saying(what: str, descriptor: int = 2) -> Iterator[None]:
    """A context manager that says what is being done, if the `with` block takes longer than SAY_AFTER seconds.

    Args:
        what: The line to print.
        descriptor: The file descriptor to which the line is written if it is a terminal.
    """
    line, encoding = one_line(what) + "\n", sys.stderr.encoding or "ascii"  # None: not a file
    timer = threading.Timer(SAY_AFTER, os.write, (descriptor, line.encode(encoding, "backslashreplace")))
    if os.isatty(descriptor):
        timer.start()
    try:
        yield
    finally:
        timer.cancel()
        if timer.is_alive():
            timer.join()


@contextlib.contextmanager
def _hidden(*packages: str) -> Iterator[None]:
    """A context manager that hides packages, so that importing them fails. Packages already imported are not hidden."""
    hidden = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None makes Python's import fail
    try:
        yield
    finally:
        for name in hidden:
            sys.modules.pop(name, None)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """A context manager without garbage collection. Afterwards, collections leave out the objects that exist by then.

    Importing TensorFlow creates very many objects, nearly all of which live as long as the process, so that looking
    through them for garbage is wasted time. If TensorFlow is already imported, this function does nothing.
    """
    if not gc.isenabled() or "tensorflow" in sys.modules:
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _describe_machine() -> None:
    """Print the versions and devices that a command uses. TensorFlow must already be imported."""
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
    """A context manager for imports from the packages of an extra. If a package is missing, the error names the extra.

    The command in the message installs the extra from a checkout, because the project is not on PyPI.

    Raises:
        UserError: A package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise UserError(
            f"{error.name} is not installed; in a checkout of this project, pip install -e '.[{name}]' installs it"
        ) from None
