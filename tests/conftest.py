"""Settings of all tests, fixtures that several tests use, and access to the optional reference data."""

import contextlib
import io
import os
import shutil
import threading
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

from keras_gca.engine import command_line, loading
from keras_gca.serving.local_server import make_local_server
from tests import places

pytest.register_assert_rewrite("tests.answers", "tests.gail_tf.policies.contract")


@pytest.fixture(scope="session", autouse=True)
def tensorflow():
    """Set TensorFlow up as the commands do: it is quiet, and repeats the same steps with the same bits.

    This must happen before TensorFlow's first operation. Therefore no test module makes tensors when it is imported.
    """
    loading.set_up_tensorflow()


# Files that run in one process, because they use the same small runs, or because they import PyTorch, which takes
# seconds.
TOGETHER = {
    "experiments": ("gail_tf/test_experiments.py", "test_notebooks.py"),
    "small_run": ("gail_tf/test_train.py", "gail_tf/test_evaluate.py", "gail_tf/test_train_further.py"),
    "pytorch": (
        "benchmarks/test_torch_gail.py", "gail_tf/models/test_gpt2.py", "gail_tf/models/test_hugging_face.py",
        "gail_tf/models/test_fine_tuned.py", "gail_tf/models/test_roberta.py", "gail_tf/test_export.py",
    ),
}  # fmt: skip
# These tests begin first, so that all processes end at about the same time.
LONGEST = (
    "keras_gca/test_commands.py", *TOGETHER["experiments"], "stress/test_kills.py", "test_several_devices.py",
    *TOGETHER["small_run"], "keras_gca/training/test_adversarial.py", *TOGETHER["pytorch"],
)  # fmt: skip


def pytest_collection_modifyitems(items):
    """Sort the tests: those in LONGEST come first."""
    place = {name: number for number, name in enumerate(LONGEST)}
    folder = Path(__file__).parent
    items.sort(key=lambda item: place.get(item.path.relative_to(folder).as_posix(), len(LONGEST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several processes, all tests of a file run in the same process, and so do all files in TOGETHER.

    xdist's own groups (marks with `--dist loadgroup`) cannot be used: xdist 3.8 loses the marks with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    groups = {name: group for group, files in TOGETHER.items() for name in files}

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            name = nodeid.partition("::")[0].removeprefix("tests/")
            return groups.get(name, name)

    config.option.loadscopereorder = False  # keep the order of `pytest_collection_modifyitems`
    return ByFile(config, log)


@pytest.fixture
def shared_file():
    """A function: shared_file("data/x") returns a path of the reference data. Without the file, the test is skipped."""

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
    """A function: said(main, name, *arguments) runs a command in tmp_path, and returns its line of error.

    The command must end with status 2 and print exactly one line of error.
    """
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

    Attributes:
        folder: The folder of the training runs.
        arguments: The arguments of the command, except the experiment.
        printed: What each experiment printed.
    """

    folder: Path
    arguments: list[str]
    printed: dict[str, str]


@pytest.fixture(scope="session")
def small_experiments(tmp_path_factory):
    """Run Table 2 and an ablation, with two seeds each."""
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


# Web pages


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, driven by Playwright. If either is missing, the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on the path")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def serve():
    """A function: serve(app) serves a web application until the test ends, and returns its address."""
    servers = []

    def start(app):
        server = make_local_server(app, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.port}/"

    yield start
    for server, thread in servers:
        server.stop()
        thread.join()
