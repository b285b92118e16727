"""Settings of all tests, what several of them read, and the one way to the optional reference data."""

import contextlib
import io
import os
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from gail_tf import experiments
from keras_gca.engine import command_line
from tests import shared

command_line.set_up_tensorflow()


LONGEST = ("test_commands.py", "test_kills.py", "test_experiments.py", "test_notebooks.py")  # minutes: they begin first


def pytest_collection_modifyitems(items):
    """Which tests run in one process: those of a file; and files that read the same toy trainings.

    The longest come first, so that no process ends long before the other.
    """
    items.sort(key=lambda item: item.path.name not in LONGEST)
    for item in items:
        if item.path.name in ("test_experiments.py", "test_notebooks.py"):
            group = "experiments"
        else:
            group = "gail_tf" if item.path.parent.name == "gail_tf" else item.path.name
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def shared_file():
    """shared_file("data/x"): a path of the reference data; the test is skipped where it is absent."""

    def find(name: str):
        if not shared.folder().is_dir():
            pytest.skip(f"no reference data at {shared.folder()}; set {shared.VARIABLE} to its folder")
        path = shared.folder() / name
        assert path.exists(), f"the reference data lacks {name}"
        return path

    return find


@pytest.fixture
def said(capsys, tmp_path, monkeypatch):
    """said(main, name, *arguments): the one line of error of a command that must end with status 2, run in tmp_path."""
    monkeypatch.chdir(tmp_path)

    def run(main, name, *arguments):
        assert command_line.run(main, name, list(map(str, arguments))) == 2
        err = capsys.readouterr().err
        assert err.startswith(f"{name}: ")
        assert err.count("\n") == 1
        assert len(err) < 2000
        return err

    return run


class Experiments(NamedTuple):
    """Experiments of the second paper at toy sizes.

    folder: of the trainings. arguments: of the command, but the experiment. printed: by each experiment.
    """

    folder: Path
    arguments: list[str]
    printed: dict[str, str]


@pytest.fixture(scope="session")
def small_experiments(tmp_path_factory):
    """Table 2 and an ablation over two seeds."""
    folder = tmp_path_factory.mktemp("project") / "runs" / "experiments"
    arguments = [
        "--scale", "tiny", "--seeds", "3", "4", "--max-trajectories", "60", "--updates", "2", "--rollouts", "8",
        "--mle-epochs", "1", "--pretraining-epochs", "1", "--response-tokens", "8", "--warmup-steps", "0",
        "--discriminator-steps", "1", "--runs", str(folder),
    ]  # fmt: skip
    printed = {}
    for name in ("table2", "sentiment"):
        with contextlib.redirect_stdout(io.StringIO()) as out:
            assert command_line.run(experiments.main, "experiments", [name, *arguments]) == 0
        printed[name] = out.getvalue()
    return Experiments(folder, arguments, printed)
