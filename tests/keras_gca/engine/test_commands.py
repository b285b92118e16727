"""The command of a package, such as `gca`, lists the package's commands and runs them."""

import re
import subprocess
import sys

import pytest

import gail_tf.__main__
import keras_gca.__main__
from docs import house
from keras_gca import __version__
from tests.places import PROJECT

PACKAGES = {"keras_gca": keras_gca.__main__, "gail_tf": gail_tf.__main__}
NOT_LISTED = {"__main__", "baselines"}  # the module itself, and a note that says where a command has moved

every_package = pytest.mark.parametrize("package", PACKAGES)


def run(package, *arguments, **others):
    """Run such a command in this process, and return its status."""
    try:
        return PACKAGES[package].main(list(arguments), **others)
    except SystemExit as end:
        return end.code


@every_package
def test_every_command_is_listed_in_a_line(package, capsys):
    doors = set(house.layers(package)[0]) - NOT_LISTED | ({"survey"} if package == "keras_gca" else set())
    assert set(PACKAGES[package].COMMANDS) == doors
    for arguments in ((), ("--help",)):
        assert run(package, *arguments) == 0
        out = capsys.readouterr().out
        for name in doors:
            assert len(re.findall(rf"^  {name} +\S.*$", out, re.MULTILINE)) == 1
        assert max(map(len, out.splitlines())) <= 110


@pytest.mark.parametrize(
    ("package", "name", "nearest"),
    [("keras_gca", "trains", "train"), ("keras_gca", "study", "studies"), ("gail_tf", "exports", "export"),
     ("gail_tf", "0", ""), ("keras_gca", "", "")],
)  # fmt: skip
def test_an_unknown_command_is_one_line_that_names_the_nearest(package, name, nearest, capsys):
    assert run(package, name) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert f"{name!r} is not a command; did you mean {nearest}" in err


@every_package
def test_an_unknown_option_is_one_line(package, capsys):
    assert run(package, "--bad") == 2
    assert re.fullmatch(r"(gca|empathy-gail): unrecognized arguments: --bad \(see --help\)\n", capsys.readouterr().err)


@every_package
def test_every_command_says_the_version_and_how_it_was_called(package, capsys):
    program = "gca" if package == "keras_gca" else "empathy-gail"
    assert run(package, "--version") == 0
    assert capsys.readouterr().out == f"keras-conversational-agents {__version__}\n"
    for name in PACKAGES[package].COMMANDS:
        assert run(package, name, "--version") == 0
        assert capsys.readouterr().out == f"keras-conversational-agents {__version__}\n"
        for called_as in (program, f"python -m {package}"):
            assert run(package, name, "--help", called_as=called_as) == 0
            assert capsys.readouterr().out.startswith(f"usage: {called_as} {name} ")
    assert run(package, "quality-diversity", "--version") == 0


def test_a_commands_own_commands_show_how_they_were_called(capsys):
    assert run("keras_gca", "survey", "make", "--help") == 0
    assert capsys.readouterr().out.startswith("usage: gca survey make ")


def test_what_a_command_is_called_ends_with_it(capsys):
    from keras_gca import train

    assert run("keras_gca", "train", "--help") == 0
    with pytest.raises(SystemExit):
        train.main(["--help"])
    assert re.findall("^usage: (.*) \\[-h", capsys.readouterr().out, re.MULTILINE) == [
        "gca train", "python -m keras_gca.train",
    ]  # fmt: skip


def test_errors_and_status_are_those_of_the_command(capsys):
    assert run("keras_gca", "train", "--resume", "none") == 2
    assert capsys.readouterr().err == "train: none: there is no run here (checkpoint.h5 is missing)\n"
    assert run("gail_tf", "evaluate") == 2
    assert capsys.readouterr().err == "evaluate: the following arguments are required: RUN (see --help)\n"


@every_package
def test_a_process_lists_and_runs_without_tensorflow(package):
    code = (
        "import runpy, sys; sys.argv = ['x', *{arguments}]\n"
        f"try: runpy.run_module('{package}', run_name='__main__')\n"
        "except SystemExit as end: print(end.code, [m for m in ('tensorflow', 'keras', 'h5py') if m in sys.modules])"
    )
    for arguments in ([], ["--help"], ["train", "--help"], ["chat", "--version"]):
        filled = code.replace("{arguments}", repr(arguments))
        done = subprocess.run([sys.executable, "-c", filled], cwd=PROJECT, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith("\n0 []\n")
        assert f"python -m {package}" in done.stdout or "--version" in arguments


def test_console_scripts_are_these_programs():
    text = (PROJECT / "setup.cfg").read_text(encoding="utf-8")
    for script, package in (("gca", "keras_gca"), ("empathy-gail", "gail_tf")):
        assert f"    {script} = {package}.__main__:main\n" in text
        assert PACKAGES[package].main.__defaults__ == (None, script)
