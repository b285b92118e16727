"""Walking through a training from the command line: progress, checkpoints, log, Ctrl-C; for both papers."""

import contextlib
import errno
import shutil
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import tensorflow as tf
from tqdm import tqdm

from keras_gca.engine import devices, reporting
from keras_gca.engine.staged_training import Event, StagedTraining
from keras_gca.errors import DivergedError, UserError
from keras_gca.storage.run_folder import RunFolder

SPARING = 9  # as long as this times what the last checkpoint took, the end of a stage alone is no reason for another


class Interruption:
    """Whether the user has asked the training to stop."""

    requested = False


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """Ctrl-C and SIGTERM ask the training to stop after the current step; asked twice, they end the program."""
    interruption = Interruption()

    def request(number: int, frame: FrameType | None) -> None:
        if interruption.requested:
            raise KeyboardInterrupt
        interruption.requested = True
        print("\nstopping after this step ...", file=sys.stderr)

    previous = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interruption
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def walk(
    training: StagedTraining,
    run: RunFolder,
    interruption: Interruption,
    title: Callable[[Any], str],
    end_of_stage: Callable[[Event], bool | None],
    shown: Collection[str] | None = None,
) -> None:
    """Train to the end, or to an interruption.

    title: what a stage is called in the progress bar and in its line. end_of_stage: called after each stage, when its
    line is in the log and on TensorBoard; true means to stop. shown: the figures of the stage's line; all if None.

    All processes (`devices`) stop at the same step, and the chief alone writes checkpoints.

    Checkpoints are written at the end of stages, unless stages are so short that it would take more than a tenth of the
    time; within a stage after `checkpoint_minutes`; at an interruption and at the end. Raises DivergedError where a
    loss or a weight is no number any more, UserError where a file cannot be written; both say where the last one is.
    """
    folder = run.path / "tensorboard"
    with _plain_errors(folder):
        board = tf.summary.create_file_writer(str(folder))
    bar, began, stored = None, time.monotonic(), time.monotonic()
    seconds: dict[str, float] = {}  # of each phase
    writing, pending = 0.0, False  # how long the last checkpoint took; whether there is something new to store
    try:
        for event in training:
            if bar is None:
                count = f"[{training.stages.index(event.stage) + 1}/{len(training.stages)}] "
                bar = progress(total=event.steps, initial=event.step, desc=count + title(event.stage))
            bar.set_postfix_str(figures(event.metrics, shown), refresh=False)
            bar.update(event.step - bar.n)
            stopping = devices.any_worker(interruption.requested)
            if event.row is not None:
                bar.close()
                bar = None
                taken = time.monotonic() - began
                seconds[event.stage.phase] = seconds.get(event.stage.phase, 0.0) + taken
                reporting.say(f"{title(event.stage)}  {figures(event.row, shown)}  ({taken:.0f} s)")
                reporting.detail(f"    {_pace(event.steps, taken)}; the last checkpoint took {writing:.1f} s")
                run.write_log(training.history)
                with _plain_errors(folder):
                    _draw(board, event.stage.phase, event.row, len(training.history))
                stopping |= bool(end_of_stage(event))
                began = time.monotonic()
            # What belongs to the end of a stage is there before a checkpoint says that the stage is done.
            waited = time.monotonic() - stored
            overdue = waited > 60 * training.config.checkpoint_minutes
            due = overdue or stopping or (event.row is not None and waited > SPARING * writing)
            pending = event.resumable and not due
            if event.resumable and due:
                stored = time.monotonic()
                _store(training, run)
                writing, stored = time.monotonic() - stored, time.monotonic()
            if stopping and event.resumable:
                break
        if pending:
            _store(training, run)
        reporting.detail(*_times(seconds))
        with _plain_errors(folder):
            board.close()
    except DivergedError as error:
        raise DivergedError(f"{error}; the last good checkpoint is in {run.path}") from None
    except OSError as error:
        if error.filename is None:  # of no file: whoever read our output has gone
            raise
        raise UserError(f"{error.filename}: {error.strerror}; the last good checkpoint is in {run.path}") from None
    finally:
        if bar is not None:
            bar.close()


def _pace(steps: int, seconds: float) -> str:
    """How fast a stage was, in words."""
    return f"{steps:,} steps in {seconds:.2f} s, {steps / max(seconds, 1e-3):,.1f} a second"


def _times(seconds: dict[str, float]) -> list[str]:
    """Lines that say how long the stages of each phase took together."""
    return ["\ntime", *(f"  {phase.replace('_', ' '):26} {taken:10.1f} s" for phase, taken in seconds.items())]


def _store(training: StagedTraining, run: RunFolder) -> None:
    if devices.is_chief():
        run.write_checkpoint(*training.state())


def _draw(board: Any, phase: str, row: dict[str, Any], number: int) -> None:
    """The figures of a stage's row, the number-th of the log, on TensorBoard."""
    with board.as_default(step=number):
        for name, value in row.items():
            if isinstance(value, float):
                tf.summary.scalar(f"{phase}/{name}", value)
    board.flush()


def redraw(folder: Path, history: list[dict[str, Any]]) -> None:
    """Draw all of TensorBoard anew, where rows of the log do not count any more.

    Args:
        folder: Where the files of TensorBoard are; none of them stays.
        history: The rows that count.

    Raises:
        OSError: A file cannot be removed or written.
    """
    if folder.exists():
        shutil.rmtree(folder)
    with _plain_errors(folder):
        board = tf.summary.create_file_writer(str(folder))
        for number, row in enumerate(history, start=1):
            _draw(board, row["phase"], row, number)
        board.close()


@contextlib.contextmanager
def _plain_errors(folder: Path) -> Iterator[None]:
    """TensorFlow's errors of writing to a folder as OSError."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].rpartition("; ")[2]
        raise OSError(errno.EIO, reason, str(folder)) from None


def progress(**arguments: Any) -> tqdm:
    """A progress bar that vanishes when it ends, and does not fill a log file; none with -q."""
    if reporting.is_quiet() or not devices.is_chief():
        arguments["disable"] = True
    seconds = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(leave=False, dynamic_ncols=True, mininterval=seconds, **arguments)


def figures(row: dict[str, Any], shown: Collection[str] | None = None) -> str:
    """The figures of a row for people, those of `shown`; a held-out figure stands for its counterpart in training."""
    values = {
        name.replace("val_", "held-out ").replace("_", " "): value
        for name, value in row.items()
        if isinstance(value, float)
        and f"val_{name}" not in row
        and (shown is None or {name, name.removeprefix("val_")} & set(shown))
    }
    return ", ".join(f"{name} {value:.3f}" if value < 1 else f"{name} {value:.2f}" for name, value in values.items())
