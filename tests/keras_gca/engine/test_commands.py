"""The command of a package, such as `gca`, lists the package's commands and runs them."""

import re
import shutil
import subprocess
import sys

import pytest

import gail_tf.__main__
import keras_gca.__main__
from docs import house
from keras_gca import __version__, invocation
from keras_gca.engine import command_line
from tests.places import PROJECT

PACKAGES = {"keras_gca": keras_gca.__main__, "gail_tf": gail_tf.__main__}
NOT_LISTED = {"__main__", "baselines"}  # the module itself, and a note that says where a command has moved

every_package = pytest.mark.parametrize("package", PACKAGES)


def run(package, *arguments, **others):
    """Run the command of a package in this process, and return its status."""
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


def test_an_argument_that_an_option_has_taken_is_explained(capsys):
    assert run("keras_gca", "studies", "--data", "a.txt", "--seeds", "0", "1", "--runs", "r", "encoder") == 2
    assert "STUDY" not in capsys.readouterr().err  # --runs has one value
    assert run("keras_gca", "studies", "--seeds", "0", "--data", "a.txt", "encoder") == 2
    assert capsys.readouterr().err == (
        "studies: the following arguments are required: STUDY; put them before --seeds and --data, which can have "
        "several values (see --help)\n"
    )


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


COMPLETE = """
source ./script
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_shtab_{function} "$1" "${COMP_WORDS[COMP_CWORD]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def completed(tmp_path, capsys):
    """A function: completed(package, *words) returns what bash offers for the last word, in a folder with two files."""
    pytest.importorskip("shtab", reason="shtab is not installed")
    if shutil.which("bash") is None:
        pytest.skip("no bash on the path")
    for name in ("run.txt", "runs.txt"):
        (tmp_path / name).touch()

    def complete(package, *words):
        assert run(package, "--print-completion", "bash") == 0
        (tmp_path / "script").write_text(capsys.readouterr().out)
        function = PACKAGES[package].PROGRAM.replace("-", "_")
        command = ["bash", "-c", COMPLETE.replace("{function}", function), "bash", PACKAGES[package].PROGRAM, *words]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        return sorted(done.stdout.split())

    return complete


@every_package
def test_bash_completes_commands_options_values_and_files(package, completed):
    assert set(completed(package, "")) == set(PACKAGES[package].COMMANDS)
    assert completed(package, "tra") == ["train"]
    assert set(completed(package, "chat", "--js")) == {"--json"}
    assert {"paper", "default", "tiny"} <= set(completed(package, "train", "--preset", ""))
    assert completed(package, "chat", "--transcript", "run") == ["run.txt", "runs.txt"]
    assert completed(package, "evaluate", "runs") == ["runs.txt"]


def test_bash_completes_a_commands_own_commands(completed):
    assert set(completed("keras_gca", "survey", "")) == {"make", "serve", "print", "import", "tabulate"}
    assert completed("keras_gca", "survey", "tabulate", "--vo") == ["--votes"]


@every_package
def test_a_script_for_zsh_has_every_command_with_its_purpose(package, capsys):
    pytest.importorskip("shtab", reason="shtab is not installed")
    assert run(package, "--print-completion", "zsh", called_as=f"python -m {package}") == 0
    script = capsys.readouterr().out
    assert script.startswith(f"#compdef {PACKAGES[package].PROGRAM}\n")
    for name, purpose in PACKAGES[package].COMMANDS.items():
        assert f"    {name}:'{purpose}'\n" in script
    if shutil.which("zsh") is not None:
        subprocess.run(["zsh", "-n"], input=script, text=True, check=True, timeout=60)


@every_package
def test_other_shells_are_refused_in_a_line(package, capsys):
    assert run(package, "--print-completion", "csh") == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "argument --print-completion: invalid choice: 'csh'" in err


@every_package
def test_completion_needs_no_tensorflow(package):
    pytest.importorskip("shtab", reason="shtab is not installed")
    code = (
        f"import sys; from {package}.__main__ import main\n"
        "main(['--print-completion', 'bash'])\n"
        "print([m for m in ('tensorflow', 'keras', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("\n[]\n"), done.stderr


@pytest.mark.parametrize(
    ("called", "names", "expected"),
    [
        ([".venv/bin/python", "-m", "keras_gca.train"], ("", ""), ".venv/bin/python -m keras_gca.chat run"),
        (["python3", "-m", "gail_tf", "train"], ("x", "python -m gail_tf train"), "python3 -m keras_gca.chat run"),
        (["/home/python", "/home/gca", "train"], ("x", "gca train"), "gca chat run"),
        (["/usr/bin/python3", "notebook.py"], ("", ""), "python -m keras_gca.chat run"),
    ],
)
def test_further_commands_are_named_as_the_user_called_the_program(called, names, expected, monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", called)
    hints = []
    assert command_line.run(lambda _: hints.append(invocation.hint("keras_gca.chat", "run")) or 0, "x", [], names) == 0
    assert hints == [expected]


def test_console_scripts_are_these_programs():
    text = (PROJECT / "setup.cfg").read_text(encoding="utf-8")
    for script, package in (("gca", "keras_gca"), ("empathy-gail", "gail_tf")):
        assert f"    {script} = {package}.__main__:main\n" in text
        assert PACKAGES[package].main.__defaults__ == (None, script)
