"""The training loop of both papers, with progress bar, checkpoints, log, TensorBoard and handling of Ctrl-C."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator
from types import FrameType
from typing import Any

from glove.cost import TimeLimit
from glove.progress import Progress, bar_or_lines
from keras_gca.engine import devices, reporting
from keras_gca.engine.board import Board
from keras_gca.engine.staged_training import Event, StagedTraining
from keras_gca.errors import DivergedError, UserError
from keras_gca.storage.run_folder import RunFolder

SPARING = 9  # no checkpoint at the end of a stage before this many times the duration of the last one has passed


class Interruption:
    """A request to stop training, made by the user or by a time limit.

    Args:
        minutes: The time limit in minutes, counted from now, or None for no limit.

    Attributes:
        asked: Whether the user has requested a stop.
    """

    def __init__(self, minutes: float | None = None):
        self.asked = False
        self._limit = TimeLimit(minutes, time.monotonic)

    @property
    def requested(self) -> bool:
        """Whether training should stop."""
        return self.asked or self._limit.is_over


@contextlib.contextmanager
def interruptible(minutes: float | None = None) -> Iterator[Interruption]:
    """Let Ctrl-C and SIGTERM stop training after the current step. A second signal ends the program at once.

    Args:
        minutes: The time limit in minutes, after which training also stops, or None for no limit.
    """
    interruption = Interruption(minutes)

    def request(number: int, frame: FrameType | None) -> None:
        if interruption.asked:
            raise KeyboardInterrupt
        interruption.asked = True
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
    """Train to the end, or until an interruption.

    A checkpoint is written at the end of each stage, every `checkpoint_minutes` within a stage, at an interruption, and
    at the end. The checkpoint at the end of a stage is skipped if stages are so short that writing checkpoints would
    take more than a tenth of the time. If several processes take part in training (`devices`), all of them stop at the
    same step, and only the chief writes checkpoints.

    Args:
        training: The training run.
        run: The run folder.
        interruption: The request to stop, which is checked after each step.
        title: A function that returns the name of a stage for the progress bar and for the line printed after the
            stage.
        end_of_stage: A function that is called after each stage, when the stage's row has been written to the log and
            to TensorBoard. It returns True to stop training.
        shown: The metrics to print after each stage, or None for all metrics.

    Raises:
        DivergedError: A loss or a weight is no longer finite. The message names the folder of the last good checkpoint.
        UserError: A file cannot be written. The message also names the folder of the last good checkpoint.
    """
    board = Board(run)
    bar: Progress | None = None
    first, began, stored = 0, time.monotonic(), time.monotonic()
    seconds: dict[str, float] = {}  # by phase
    writing, pending = 0.0, False  # the duration of the last checkpoint, and whether there is something new to store
    try:
        for event in training:
            if bar is None:
                count = f"[{training.stages.index(event.stage) + 1}/{len(training.stages)}] "
                first = event.step - 1  # steps that were done before this walk
                bar = progress(total=event.steps, initial=event.step, desc=count + title(event.stage))
            bar.set_postfix_str(format_metrics(event.metrics, shown), refresh=False)
            bar.update(event.step - bar.n)
            stopping = devices.any_worker(interruption.requested)
            if event.row is not None:
                bar.close()
                bar = None
                taken = time.monotonic() - began
                seconds[event.stage.phase] = seconds.get(event.stage.phase, 0.0) + taken
                reporting.say(f"{title(event.stage)}  {format_metrics(event.row, shown)}  ({taken:.0f} s)")
                reporting.detail(f"    {_pace(event.steps - first, taken)}; the last checkpoint took {writing:.1f} s")
                run.write_log(training.history)
                board.write_metrics(training.history)
                stopping |= bool(end_of_stage(event))
                board.write_replies(training.history)
            # The files of a stage must exist before a checkpoint records that the stage is done.
            waited = time.monotonic() - stored
            overdue = waited > 60 * training.config.checkpoint_minutes
            due = overdue or stopping or (event.row is not None and waited > SPARING * writing)
            pending = event.resumable and not due
            if event.resumable and due:
                stored = time.monotonic()
                _store(training, run)
                writing, stored = time.monotonic() - stored, time.monotonic()
            if event.row is not None:
                began = time.monotonic()
            if stopping and event.resumable:
                break
        if pending:
            _store(training, run)
        reporting.detail(*_times(seconds))
        board.close()
    except DivergedError as error:
        raise DivergedError(f"{error}; the last good checkpoint is in {run.path}") from None
    except OSError as error:
        if error.filename is None:  # not a file error: the reader of this program's output has closed the pipe
            raise
        raise UserError(f"{error.filename}: {error.strerror}; the last good checkpoint is in {run.path}") from None
    finally:
        if bar is not None:
            bar.close()


def _pace(steps: int, seconds: float) -> str:
    """Describe the speed of a stage."""
    return f"{steps:,} steps in {seconds:.2f} s, {steps / max(seconds, 1e-3):,.1f} per second"


def _times(seconds: dict[str, float]) -> list[str]:
    """Return lines with the total duration of each phase."""
    return ["\ntime", *(f"  {phase.replace('_', ' '):26} {taken:10.1f} s" for phase, taken in seconds.items())]


def _store(training: StagedTraining, run: RunFolder) -> None:
    if devices.is_chief():
        run.write_checkpoint(*training.state())


def progress(total: int, initial: int = 0, desc: str = "") -> Progress:
    """Return the progress display of a task (`glove/progress.py`). It is hidden with -q, and only the chief shows it.

    Args:
        total: The number of steps.
        initial: The number of steps already taken.
        desc: The name of the task, shown with the progress.
    """
    return bar_or_lines(total, initial, desc, disable=reporting.is_quiet() or not devices.is_chief())


def format_metrics(row: dict[str, Any], shown: Collection[str] | None = None) -> str:
    """Format the metrics of a row, or only those in `shown`, as one line.

    If a metric was computed on both training data and held-out data, only the held-out value is shown.
    """
    values = {
        name.replace("val_", "held-out ").replace("_", " "): value
        for name, value in row.items()
        if isinstance(value, float)
        and f"val_{name}" not in row
        and (shown is None or {name, name.removeprefix("val_")} & set(shown))
    }
    return ", ".join(f"{name} {value:.3f}" if value < 1 else f"{name} {value:.2f}" for name, value in values.items())
