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


# Files that run in one process, since they read the same small trainings, or import PyTorch, which takes seconds.
TOGETHER = {
    "experiments": ("gail_tf/test_experiments.py", "test_notebooks.py"),
    "small_run": ("gail_tf/test_train.py", "gail_tf/test_evaluate.py", "gail_tf/test_train_further.py"),
    "pytorch": (
        "benchmarks/test_torch_gail.py", "gail_tf/models/test_gpt2.py", "gail_tf/models/test_hugging_face.py",
        "gail_tf/models/test_fine_tuned.py", "gail_tf/models/test_roberta.py", "gail_tf/test_export.py",
    ),
}  # fmt: skip
# These begin first, so that no process ends long before another.
LONGEST = (
    "keras_gca/test_commands.py", *TOGETHER["experiments"], "stress/test_kills.py", "test_several_devices.py",
    *TOGETHER["small_run"], "keras_gca/training/test_adversarial.py", *TOGETHER["pytorch"],
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Sort the tests by LONGEST."""
    place = {name: number for number, name in enumerate(LONGEST)}
    folder = Path(__file__).parent
    items.sort(key=lambda item: place.get(item.path.relative_to(folder).as_posix(), len(LONGEST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several processes, one runs all tests of a file, and of the files in TOGETHER.

    xdist's own groups by mark (`--dist loadgroup`) are no help: xdist 3.8 loses them where pytest is 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    groups = {name: group for group, files in TOGETHER.items() for name in files}

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            name = nodeid.partition("::")[0].removeprefix("tests/")
            return groups.get(name, name)

    config.option.loadscopereorder = False  # the order is that of `pytest_collection_modifyitems`
    return ByFile(config, log)


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
