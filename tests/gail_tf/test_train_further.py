"""Runs `train --resume RUN --updates N` as a user does: what it prints, what it refuses, and a kill in between."""

import json
import re
import shutil

import pytest

from gail_tf import train
from gail_tf.imitation.phases import IMITATION
from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_facts
from tests.factories import small_runs


def run(capsys, *arguments):
    """Run the command in this process. Return its status and what it printed."""
    status = command_line.run(train.main, "train", list(map(str, arguments)))
    return status, *capsys.readouterr()


def updates(path):
    """Return the number of updates in config.json."""
    return json.loads((path / "config.json").read_text())["config"]["updates"]


@pytest.mark.thorough
def test_a_finished_run_goes_on_after_a_kill_too(small_run, tmp_path, capsys, monkeypatch):
    path = tmp_path / "run"
    shutil.copytree(small_run[0], path)
    assert updates(path) == 3
    samples = {file.name: file.read_text() for file in (path / "samples").iterdir()}
    with monkeypatch.context() as patch:

        def kill(*_):
            raise KeyboardInterrupt

        patch.setattr(GAILRun, "write_config", kill)
        status, out, _ = run(capsys, "--resume", path, "--updates", "4")
    assert status == 130
    # An update is one step here, on 8 responses: the fourth of four has 1/5 of the peak, which is 1e-3.
    assert (
        "\nnew totals: updates 4\n"
        "updates 4 to 4: the learning rate restarts at 0.0002 and falls to 0; "
        "human demonstrations fall from 7.5 % to 0\n"
    ) in out
    assert updates(path) == 3
    assert read_facts(path / "checkpoint.h5")["totals"] == {"updates": 4}
    assert not GAILRun.open(path).is_finished()

    status, out, err = run(capsys, "--resume", path)
    assert status == 0, err
    assert updates(path) == 4
    assert GAILRun.open(path).is_finished()
    assert "imitation          4/4  " in out
    rows = [row for row in GAILRun.open(path).read_log() if row["phase"] == IMITATION]
    assert [row["number"] for row in rows] == [1, 2, 3, 4]
    assert rows[-1]["human_ratio"] == pytest.approx(0.3 / 4)
    kept = {file.name: file.read_text() for file in (path / "samples").iterdir()}
    assert samples.items() < kept.items()


@pytest.mark.thorough
def test_a_finished_run_says_how_to_train_it_further(small_run, tmp_path, capsys):
    path = tmp_path / "run"
    shutil.copytree(small_run[0], path)
    status, out, _ = run(capsys, "--resume", path, "-q")
    assert status == 0
    assert out.splitlines()[-1] == f"  or: python -m gail_tf.train --resume {path} --updates N  (N above 3)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--updates", "3"],
            r"--updates: 3 is too low, because the run has already completed 3; at least 4 is expected",
        ),
        (
            ["--updates", "0"],
            r"--updates: 0 is too low, because the run has already completed 3; at least 4 is expected",
        ),
        (["--mle-epochs", "3"], r"--resume keeps .* new values only for .*--updates; leave out --mle-epochs"),
    ],
)
def test_what_is_refused_is_one_line_and_changes_nothing(small_run, capsys, arguments, message):
    path, _ = small_run
    before = (path / "config.json").read_bytes(), (path / "checkpoint.h5").read_bytes()
    status, out, err = run(capsys, "--resume", path, *arguments)
    assert (status, out) == (2, "")
    assert re.fullmatch(rf"train: {message}\n", err)
    assert ((path / "config.json").read_bytes(), (path / "checkpoint.h5").read_bytes()) == before


def test_a_run_of_maximum_likelihood_alone_stays_one(tmp_path):
    made = GAILRun.make(tmp_path / "run", small_runs.config(algorithm="mle", updates=0), {})
    facts = {"position": 1, "step": 0, "history": [{"phase": "maximum_likelihood"}]}
    with pytest.raises(
        UserError,
        match=r"is a run of --algorithm mle, which has no updates; start a new run with another --algorithm",
    ):
        made.with_new_totals(facts, {"updates": 3})
