"""Settings of all tests, what several of them read, and the one way to the optional reference data."""

import contextlib
import io
import os
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from keras_gca.engine import command_line
from tests import places

pytest.register_assert_rewrite("tests.answers", "tests.gail_tf.policies.contract")


@pytest.fixture(scope="session", autouse=True)
def tensorflow():
    """TensorFlow as the commands set it up: quiet, and repeating the same steps with the same bits.

    No module of tests makes tensors when it is imported, so that this comes before TensorFlow's first operation.
    """
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
            folder = Path(__file__).parent
            group = "gail_tf" if folder / "gail_tf" in item.path.parents else str(item.path.relative_to(folder))
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture
def shared_file():
    """shared_file("data/x"): a path of the reference data; the test is skipped where it is absent."""

    def find(name: str):
        folder = places.reference_data()
        if not folder.is_dir():
            pytest.skip(f"no reference data at {folder}; set {places.VARIABLE} to its folder")
        path = folder / name
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
    from gail_tf import experiments

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
