"""Progress is a bar in a terminal, and in a log file plain lines that do not touch the lines of results."""

import io
import sys

import pytest

from glove import progress


class Terminal(io.StringIO):
    """A standard error that is a terminal."""

    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Stop the clock. clock[0] is the time in seconds, which a test may change."""
    time = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: time[0])
    return time


def test_a_log_file_gets_a_plain_line_now_and_then(clock, capsys):
    with progress.bar_or_lines(total=2_000, initial=1_000, desc="[1/2] line  3") as shown:
        for _ in range(9):  # 90 seconds, and a line after 30, 60 and 90 of them
            clock[0] += 10
            shown.set_postfix_str("loss 0.5", refresh=False)
            shown.update(50)
    out, err = capsys.readouterr()
    assert out == ""
    assert err == (
        "[1/2] line  3: 1,150 of 2,000, 00:30 of about 03:20, loss 0.5\n"
        "[1/2] line  3: 1,300 of 2,000, 01:00 of about 03:20, loss 0.5\n"
        "[1/2] line  3: 1,450 of 2,000, 01:30 of about 03:20, loss 0.5\n"
    )


def test_short_tasks_and_disabled_progress_print_nothing(clock, capsys):
    with progress.bar_or_lines(total=3, desc="short") as shown:
        shown.update(3)
    with progress.bar_or_lines(total=3, desc="disabled", disable=True) as shown:
        clock[0] += 1_000
        shown.update()
    assert capsys.readouterr() == ("", "")


def test_a_terminal_has_a_bar_whose_line_is_empty_again_before_results(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress.bar_or_lines(total=2, desc="training") as shown:
        shown.update(2)
    *_, drawn, cleared, rest = terminal.getvalue().split("\r")
    assert "training" in terminal.getvalue()
    assert (cleared.strip(), rest) == ("", "")
    assert len(cleared) >= len(drawn.rstrip())
