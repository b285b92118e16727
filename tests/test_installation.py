"""pip installs the project from the address of a git repository, and the installed packages work alone."""

import shutil
import subprocess
import sys

import pytest

from tests.places import PROJECT

pytestmark = pytest.mark.thorough  # builds a wheel

PACKAGES = ("glove", "keras_gca", "gail_tf")
FILES = ("pyproject.toml", "setup.cfg", "README.md", "LICENSE")

# Run away from the sources: which files are imported, and whether corpora, patterns and pages have been installed.
PROGRAM = """
from pathlib import Path
import sys
import glove, keras_gca, gail_tf
from keras_gca.data.conversations import read_conversations
from keras_gca.safety.crisis import speaks_of_crisis
from gail_tf.data.trajectories import read_trajectories
folder = Path(sys.argv[1])
assert all(Path(package.__file__).is_relative_to(folder) for package in (glove, keras_gca, gail_tf))
assert len(read_conversations()) > 1000
assert len(read_trajectories()) > 1000
assert speaks_of_crisis("I want to kill myself.")
for room in ("serving", "survey"):
    assert list((folder / "keras_gca" / room / "templates").glob("*.html"))
    assert list((folder / "keras_gca" / room / "static").glob("*.js"))
assert (folder / "keras_gca" / "data" / "shipped" / "bot.h5").is_file()
"""


def run(*command, folder):
    made = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr[-2000:]
    return made.stdout


@pytest.fixture
def repository(tmp_path):
    """A git repository with the project's files, as a code host has it."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in PACKAGES:
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(PROJECT / name, folder)
    who = "-c", "user.name=A", "-c", "user.email=a@example.com"
    run("git", "init", "--quiet", folder=folder)
    run("git", "add", "--all", folder=folder)
    run("git", *who, "commit", "--quiet", "--message", "All", folder=folder)
    return folder


def test_pip_installs_from_a_git_address(repository, tmp_path):
    pytest.importorskip("setuptools", minversion="77", reason="pip would fetch setuptools, and tests use no network")
    target, elsewhere = tmp_path / "installed", tmp_path / "elsewhere"
    elsewhere.mkdir()
    # The requirements are installed already; pip would look for them in the network.
    alone = "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check"
    address = f"git+file://{repository}"
    run(sys.executable, "-m", "pip", "install", "--quiet", *alone, "--target", target, address, folder=elsewhere)
    program = f"import sys; sys.path.insert(0, sys.argv[1])\n{PROGRAM}"
    run(sys.executable, "-I", "-c", program, target, folder=elsewhere)
    assert {"gca", "empathy-gail"} <= {path.name for path in (target / "bin").iterdir()}
