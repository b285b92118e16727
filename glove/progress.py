"""Shows a command's progress as a bar in a terminal and as occasional lines of text elsewhere."""

import sys
import time
from types import TracebackType

from tqdm import tqdm

BETWEEN_LINES = 30.0  # seconds, so that lines do not fill a log file


class ProgressLines:
    """Progress as lines on standard error, suitable for a log file.

    A progress bar does not end its line, so in a file it would run into the lines of results. This class has the same
    methods as a tqdm bar. Nothing is printed for a task that takes less than BETWEEN_LINES seconds.

    Args:
        total: The number of steps.
        initial: The number of steps completed earlier, if a run is resumed.
        desc: The name of the task, shown with the progress.
        disable: Whether to print nothing.
    """

    def __init__(self, total: int, initial: int = 0, desc: str = "", disable: bool = False):
        self.n: float = initial
        self.total, self.desc, self.disable = total, desc, disable
        self._postfix = ""
        self._initial, self._began = initial, time.monotonic()
        self._shown = self._began

    def set_postfix_str(self, text: str, refresh: bool = True) -> None:
        """Set the text at the end of the next line.

        Args:
            text: The text.
            refresh: Ignored, because only `update` prints lines.
        """
        self._postfix = text

    def update(self, steps: float = 1) -> None:
        """Count steps, and print a line if at least BETWEEN_LINES seconds have passed since the previous line.

        Args:
            steps: The number of steps taken since the last call.
        """
        self.n += steps
        now = time.monotonic()
        if self.disable or now - self._shown < BETWEEN_LINES:
            return
        self._shown = now
        elapsed, done = now - self._began, max(self.n - self._initial, 1)
        whole = elapsed * (self.total - self._initial) / done
        took = f"{tqdm.format_interval(elapsed)} of about {tqdm.format_interval(whole)}"
        postfix = f", {self._postfix}" if self._postfix else ""
        print(f"{self.desc}: {self.n:,} of {self.total:,}, {took}{postfix}", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Do nothing. This method exists because tqdm bars have to be closed."""

    def __enter__(self) -> "ProgressLines":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


Progress = tqdm | ProgressLines


def bar_or_lines(total: int, initial: int = 0, desc: str = "", disable: bool = False) -> Progress:
    """Return a progress bar that disappears when finished, or `ProgressLines` if standard error is not a terminal.

    Args:
        total: The number of steps.
        initial: The number of steps completed earlier, if a run is resumed.
        desc: The name of the task, shown with the progress.
        disable: Whether to hide the progress.
    """
    if not sys.stderr.isatty():
        return ProgressLines(total, initial, desc, disable)
    return tqdm(
        total=total, initial=initial, desc=desc, disable=disable, leave=False, dynamic_ncols=True, mininterval=0.5
    )
