"""Writes a run's TensorBoard files: metrics, sample replies as text, and the settings as hyperparameters.

Each phase has its own step axis, which counts the epochs or updates of the phase from 1.
"""

import contextlib
import errno
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from keras_gca.storage.run_folder import RunFolder

FOLDER = "tensorboard"


class Board:
    """The `tensorboard` folder of a run, to which metrics and sample replies are added.

    Args:
        run: The run folder.

    Raises:
        OSError: The folder cannot be written.
    """

    def __init__(self, run: RunFolder):
        self._run, self._folder = run, run.path / FOLDER
        with _plain_errors(self._folder):
            self._writer = tf.summary.create_file_writer(str(self._folder))

    def write_settings(self, values: Mapping[str, Any]) -> None:
        """Write the settings of the run; TensorBoard's HPARAMS page uses them to compare runs."""
        kinds = bool, int, float, str
        known = {name: value if isinstance(value, kinds) else str(value) for name, value in values.items()}
        with self._writing(0):
            hparams.hparams(known, trial_id=str(self._run.path))

    def write_metrics(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Write the metrics of the last row of a history, under the name of the row's phase."""
        row = history[-1]
        with self._writing(number_in_phase(history)):
            for name, value in row.items():
                if isinstance(value, float):
                    tf.summary.scalar(f"{row['phase']}/{name}", value)

    def write_replies(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Copy the sample replies for the last row of a history to TensorBoard, if the run folder has any."""
        text = self._run.read_samples(len(history))
        if text is not None:
            with self._writing(number_in_phase(history)):
                plain = "".join(f"    {line}\n" for line in text.splitlines())  # else it is read as Markdown
                tf.summary.text(f"{history[-1]['phase']}/replies", plain)

    def close(self) -> None:
        """Close the files."""
        with _plain_errors(self._folder):
            self._writer.close()

    @contextlib.contextmanager
    def _writing(self, step: int) -> Iterator[None]:
        with _plain_errors(self._folder):
            with self._writer.as_default(step=step):
                yield
            self._writer.flush()


def number_in_phase(history: Sequence[Mapping[str, Any]]) -> int:
    """Return the position of the last row within its phase, counted from 1."""
    return sum(row["phase"] == history[-1]["phase"] for row in history)


def redraw(run: RunFolder, history: list[dict[str, Any]], settings: Mapping[str, Any]) -> None:
    """Rewrite the TensorBoard files so that they contain each row of the log once.

    Args:
        run: The run folder. All files in its `tensorboard` folder are removed first.
        history: The rows of the log.
        settings: The settings of the run.

    Raises:
        OSError: A file cannot be removed or written.
    """
    if (run.path / FOLDER).exists():
        shutil.rmtree(run.path / FOLDER)
    board = Board(run)
    board.write_settings(settings)
    for number in range(1, len(history) + 1):
        board.write_metrics(history[:number])
        board.write_replies(history[:number])
    board.close()


@contextlib.contextmanager
def _plain_errors(folder: Path) -> Iterator[None]:
    """A context manager that turns TensorFlow errors into OSError, for code that writes to a folder."""
    try:
        yield
    except tf.errors.OpError as error:
        reason = error.message.splitlines()[0].rpartition("; ")[2]
        raise OSError(errno.EIO, reason, str(folder)) from None
