"""The options -q, -v and --json determine what commands print."""

import json

import pytest

from keras_gca.engine import command_line, reporting, training_loop
from keras_gca.errors import UserError


def command():
    """Make a command that prints a line of each kind."""

    def main(arguments):
        parser = command_line.Parser(prog="python -m x")
        reporting.add_options(parser)
        parser.parse_args(arguments)
        print("closing")
        reporting.say("usual", "line")
        reporting.detail("detail")
        return 0

    return main


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["closing", "usual", "line"]),
        (["-q"], ["closing"]),
        (["--quiet"], ["closing"]),
        (["-v"], ["closing", "usual", "line", "detail"]),
        (["--verbose"], ["closing", "usual", "line", "detail"]),
    ],
)
def test_what_is_printed(options, expected, capsys):
    assert command_line.run(command(), "x", options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[: len(expected)] == expected
    assert [line.endswith(" s in all") for line in lines[len(expected) :]] == [True] * ("detail" in expected)


def test_both_at_once_are_refused(capsys):
    with pytest.raises(SystemExit) as end:
        command_line.run(command(), "x", ["-q", "-v"])
    assert end.value.code == 2
    assert "argument -v/--verbose: not allowed with argument -q/--quiet" in capsys.readouterr().err


def test_what_one_command_is_asked_for_ends_with_it(capsys):
    assert command_line.run(command(), "x", ["-q"]) == 0
    assert not reporting.is_quiet()
    assert command_line.run(command(), "x", []) == 0
    assert capsys.readouterr().out == "closing\nclosing\nusual\nline\n"


def test_a_quiet_command_has_no_progress_bars():
    disabled = []

    def main(arguments):
        parser = command_line.Parser(prog="python -m x")
        reporting.add_options(parser)
        parser.parse_args(arguments)
        with training_loop.progress(total=1) as bar:
            disabled.append(bar.disable)
        return 0

    for options in ([], ["-q"], ["-v"]):
        command_line.run(main, "x", options)
    assert disabled == [False, True, False]


def test_json_is_the_only_output_and_has_no_number_that_json_does_not_have(capsys):
    def compute():
        print("a line for people")
        return {"value": float("nan"), "ends": (-float("inf"), 1.5), "text": "naïve"}

    assert reporting.print_results(compute, as_json=False) == 0
    assert capsys.readouterr() == ("a line for people\n", "")
    assert reporting.print_results(compute, as_json=True) == 0
    out, err = capsys.readouterr()
    assert err == "a line for people\n"
    assert out.isascii()  # any terminal can show it
    assert json.loads(out) == {"value": None, "ends": [None, 1.5], "text": "naïve"}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_command_whose_time_is_over_prints_no_document(as_json, capsys):
    assert reporting.print_results(lambda: print("the time is over"), as_json) == 130
    assert capsys.readouterr() == (("", "the time is over\n") if as_json else ("the time is over\n", ""))


def test_an_error_leaves_standard_output_empty_for_json(capsys):
    def compute():
        print("a line for people")
        raise UserError("wrong")

    with pytest.raises(UserError):
        reporting.print_results(compute, as_json=True)
    assert capsys.readouterr() == ("", "a line for people\n")
