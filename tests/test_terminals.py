"""No command ends because the terminal cannot show a character, or because its input is not text."""

import io
import os
import subprocess
import sys

import pytest

from keras_gca.agent import Agent
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.engine import command_line, devices
from tests.factories import gail_agents, small_runs
from tests.factories.gca import make_agent
from tests.factories.surveys import make_survey
from tests.places import PROJECT

# The last character is how Python reads a byte that is not text, for example in a file's name.
STRANGE = "naïve ☕ 日本 \udcff"
# Python has its own remedies for such terminals. They are switched off, as in older ones.
PLAIN = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
TERMINALS = {
    "ascii": PLAIN | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C.UTF-8"},
    "C": PLAIN | {"LC_ALL": "C"},
    "cp1252": PLAIN | {"PYTHONIOENCODING": "cp1252"},
    "UTF-8": {"PYTHONIOENCODING": "utf-8"},
}


def run(terminal, *command, folder, typed=b""):
    """Run a command. Return its status, and what it wrote to both streams, as bytes."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LC_", "LANG"))}
    environment |= TERMINALS[terminal] | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run([sys.executable, *command], cwd=folder, env=environment, input=typed, capture_output=True)
    assert b"Traceback" not in done.stderr, done.stderr.decode("utf-8", "replace")[-2000:]
    return done.returncode, done.stdout, done.stderr


CODE = """
import sys
from tqdm import tqdm
from keras_gca.engine import command_line
from keras_gca.errors import UserError
strange = "na\\u00efve \\u2615 \\u65e5\\u672c \\udcff"
def main(arguments):
    parser = command_line.Parser(prog="python -m x", description=strange)
    try:
        parser.parse_args(["--help"])
    except SystemExit:
        pass
    bar = tqdm(total=2, desc=strange)
    bar.update()
    bar.close()
    print(strange, flush=True)
    typed = input(strange)
    print(len(typed), typed.isprintable())
    raise UserError(strange)
sys.exit(command_line.run(main, "x", []))
"""


@pytest.mark.parametrize("terminal", TERMINALS)
def test_output_errors_and_help_of_any_command(terminal, tmp_path):
    status, out, err = run(terminal, "-c", CODE, folder=tmp_path, typed=b"a\xff\xfe\x81b\n")
    assert status == 2
    shown = {"ascii": b"na\\xefve \\u2615 \\u65e5\\u672c \\udcff", "cp1252": b"na\xefve \\u2615 \\u65e5\\u672c \\udcff"}
    expected = shown.get(terminal, shown["ascii"] if terminal == "C" else "naïve ☕ 日本 \\udcff".encode())
    assert out.count(expected) == 3
    assert err.splitlines()[-1].startswith(b"x: na")


def test_word_vectors(tmp_path):
    """`python -m glove` does not import the other packages."""
    (tmp_path / "v.txt").write_text("☕ 1 2\nnaïve 1 1\n", encoding="utf-8")
    status, out, _ = run("ascii", "-m", "glove", "neighbours", "v.txt", "☕", folder=tmp_path)
    assert (status, out) == (0, b"\\u2615: na\\xefve 0.95\n")


def test_a_survey(tmp_path):
    make_survey([(0.1, 0.2)]).write(tmp_path / "☕.json")
    status, out, err = run("ascii", "-m", "keras_gca.survey", "print", "☕.json", "--folder", "ré", folder=tmp_path)
    assert (status, err) == (0, b"")
    assert f"next: {sys.executable} -m keras_gca.survey import \\u2615.json".encode() in out


@pytest.fixture(scope="module")
def bots(tmp_path_factory):
    """Make bots of both packages whose answers have characters outside of ASCII."""
    folder = tmp_path_factory.mktemp("bots")
    agent = make_agent()
    words = [f"{word}☕" for word in agent.vocabulary.tokens[4:]]
    vocabulary = Vocabulary(words, [1] * len(words), {})
    assert len(vocabulary) == len(agent.vocabulary)
    Agent(agent.config, vocabulary, agent.weights, agent.discriminator).save(folder / "gca.h5")
    gail_agents.of_gpt2(small_runs.config()).save(folder / "gail.h5")
    return folder


CHATS = [
    ("keras_gca", "gca.h5", "ascii"),
    ("gail_tf", "gail.h5", "ascii"),
    ("keras_gca", "gca.h5", "C"),
    ("gail_tf", "gail.h5", "C"),
    ("keras_gca", "gca.h5", "cp1252"),
    ("gail_tf", "gail.h5", "cp1252"),
]


@pytest.mark.thorough
@pytest.mark.parametrize(("package", "bot", "terminal"), CHATS)
def test_chats(bots, package, bot, terminal, tmp_path):
    typed = "☕ hello☕ there☕\n".encode() + b"\xff\xfe and more\n" + "日本\n".encode() * 6
    command = ["-m", f"{package}.chat", str(bots / bot), "--verbose", "--transcript", "said.txt"]
    status, out, _ = run(terminal, *command, folder=tmp_path, typed=typed)
    assert status == 0
    assert out.count(b"bot> ") >= 1
    said = (tmp_path / "said.txt").read_text(encoding="utf-8")
    assert not said.isascii()  # the transcript has all characters
    assert b"\\u" in out or b"\\x" in out


@pytest.mark.thorough
@pytest.mark.parametrize("package", ["keras_gca", "gail_tf"])
def test_a_training_ends_well_whatever_its_text(package, tmp_path):
    """Samples, tables and closing lines contain words of the corpus, and the name of its folder."""
    text = "".join(f"Café {i} ☕, naïve?\nDéjà {i} 日本.\nÇa va.\n\n" for i in range(40))
    (tmp_path / "☕.txt").write_text(text, encoding="utf-8")
    small = {
        "keras_gca": ["--preset", "tiny", "--max-pairs", "60", "--vocabulary-size", "150"],
        "gail_tf": ["--preset", "tiny", "--max-trajectories", "40", "--pretraining-epochs", "0", "--mle-epochs", "1",
                    "--updates", "1", "--rollouts", "8", "--discriminator-steps", "1", "--response-tokens", "8",
                    "--warmup-steps", "0"],
    }  # fmt: skip
    command = ["-m", f"{package}.train", *small[package], "--data", "☕.txt", "--run", "ré"]
    status, out, err = run("ascii", *command, folder=tmp_path)
    assert status == 0, err[-2000:]
    assert b"\\u2615.txt" in out or b"\\u65e5" in out
    assert f"{sys.executable} -m {package}.chat r".encode() in out


def test_what_a_worker_says_to_nobody_is_shown_in_any_locale(monkeypatch, tmp_path):
    """Only the chief's output is kept, but printing must not fail in the other workers either."""
    monkeypatch.setattr(devices, "is_chief", lambda: False)
    with devices.training_on(None, tmp_path / "run"):
        assert (sys.stdout.encoding, sys.stdout.errors) == ("utf-8", "backslashreplace")
        print(STRANGE, flush=True)


def test_streams_that_are_no_files_are_left_alone(monkeypatch):
    """A notebook's output cannot be reconfigured."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    monkeypatch.setattr(sys, "stdin", None)
    assert command_line.run(lambda arguments: print(STRANGE) or 0, "x", []) == 0
    assert sys.stdout.getvalue() == f"{STRANGE}\n"
