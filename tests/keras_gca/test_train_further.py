"""Runs `train --resume RUN` with new totals as a user does: what it prints, what it refuses, and kills in between."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays, read_facts, write_arrays
from keras_gca.training import pipeline
from keras_gca.training.run_folder import GCARun
from keras_gca.training.session import GCASession
from tests.factories.commands import SMALL_GCA, train_here
from tests.factories.event_files import summaries

pytestmark = pytest.mark.thorough  # whole training runs, which take a minute


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Run a tiny whole training run with one epoch of line 3 and one adversarial iteration."""
    path = tmp_path_factory.mktemp("trained") / "run"
    status, _, err = train_here(*SMALL_GCA, "--run", path, "-q")
    assert status == 0, err
    return path


@pytest.fixture(scope="module")
def longer(trained):
    """Train the same run further, to two epochs of line 3. Give its folder and what was printed."""
    path = trained.parent / "longer"
    shutil.copytree(trained, path)
    status, out, err = train_here("--resume", path, "--teacher-forcing-epochs", "2")
    assert status == 0, err
    return path, out


def contents(path):
    """Return the results of a run: weights, log, samples and settings."""
    samples = {file.name: file.read_text() for file in (path / "samples").iterdir()}
    return read_arrays(path / "bot.h5")[1], (path / "log.csv").read_text(), samples, GCARun.open(path).config()


def assert_same(one, other):
    for name, value in one[0].items():
        np.testing.assert_array_equal(value, other[0][name], err_msg=name)
    assert one[1:] == other[1:]


def totals(path):
    """Return the totals in config.json."""
    config = json.loads((path / "config.json").read_text())["config"]
    return config["teacher_forcing_epochs"], config["adversarial_epochs"]


def test_line_3_goes_on_and_what_came_after_it_is_run_anew(trained, longer):
    path, out = longer
    assert totals(path) == (2, 1)
    assert GCARun.open(path).is_finished()
    rows = GCARun.open(path).read_log()
    assert [row["phase"] for row in rows].count("teacher_forcing") == 2
    assert len(rows) == 6
    assert rows[0] == GCARun.open(trained).read_log()[0]
    names = {file.name for file in (path / "samples").iterdir()}
    assert names == {
        "001_teacher_forcing.txt", "002_teacher_forcing.txt", "005_generator.txt",
        "006_interleaved_teacher_forcing.txt",
    }  # fmt: skip
    assert (
        "\nnew totals: teacher forcing epochs 2, adversarial epochs 1\n"
        "teacher forcing (line 3) continues with its final weights, from epoch 2 to the end of epoch 2, with an "
        "initial learning rate of 0.01; Adam's moments, the discriminator and the adversarial iterations start from "
        "scratch\n"
        "removed the results of the stages that will be trained again: 4 rows of log.csv, their points in tensorboard, "
        "and 2 files in samples; bot.h5 is kept until a new one is written"
    ) in out
    assert "line  3  teacher forcing   1/" not in out
    assert "line  3  teacher forcing   2/2  " in out
    assert out.count("new totals: ") == 2  # at the beginning, and at the end


def test_tensorboard_has_each_row_once(longer):
    path, _ = longer
    points = sorted((event.step, value.tag) for event, value in summaries(path))
    rows = GCARun.open(path).read_log()
    counted, expected = Counter(), set()
    for row in rows:
        counted[row["phase"]] += 1
        metrics = row.keys() - {"phase", "iteration", "epoch"}
        expected |= {(counted[row["phase"]], f"{row['phase']}/{name}") for name in metrics}
    replies = [point for point in points if point[1].endswith("/replies")]
    assert len(replies) == len(list((path / "samples").glob("*.txt")))
    assert len(points) == len(set(points))
    assert {point for point in points if "/" in point[1]} - set(replies) - {
        point for point in points if "hparams" in point[1]
    } == expected
    [settings] = [value for _, value in summaries(path) if value.tag == "_hparams_/session_start_info"]
    assert b"teacher_forcing_epochs" in settings.metadata.plugin_data.content


def test_a_training_that_is_stopped_in_line_3_again_leaves_no_adversarial_weights(trained, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    assert (path / "adversarial.weights.h5").exists()
    made = GCARun.open(path)
    facts, arrays = made.read_checkpoint()
    given = {"teacher_forcing_epochs": 2}
    session = GCASession.of(made, made.with_new_totals(facts, given), made.dataset())
    session.restore(facts, arrays, "epochs", given)
    session.write()
    assert not (path / "adversarial.weights.h5").exists()
    assert Agent.load(path).generators == ("teacher_forcing",)


def test_a_finished_run_says_how_to_train_it_further(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "run")
    status, out, _ = train_here("--resume", tmp_path / "run", "-q")
    assert status == 0
    assert out.splitlines()[-2:] == [
        f"  or: python -m keras_gca.train --resume {tmp_path / 'run'} --teacher-forcing-epochs N  (N above 1)",
        f"  or: python -m keras_gca.train --resume {tmp_path / 'run'} --adversarial-epochs N  (N above 1)",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--teacher-forcing-epochs", "1"],
            "--teacher-forcing-epochs: 1 is too low, because the run has already completed 1; at least 2 is",
        ),
        (
            ["--adversarial-epochs", "1"],
            "--adversarial-epochs: 1 is too low, because the run has already completed 1; at least 2 is expected",
        ),
        (
            ["--adversarial-epochs", "0"],
            "--adversarial-epochs: 0 is too low, because the run has already completed 1; at least 2 is expected",
        ),
        (["--teacher-forcing-epochs", "0"], "--teacher-forcing-epochs: 0 is out of range; at least 1 is expected"),
        (
            ["--seed", "1"],
            "--resume keeps the run's own settings and accepts new values only for --teacher-forcing-epochs, "
            "--adversarial-epochs; leave out --seed",
        ),
    ],
)
def test_what_is_refused_is_one_line_and_changes_nothing(trained, arguments, message):
    before = (trained / "config.json").read_bytes(), (trained / "checkpoint.h5").read_bytes()
    status, out, err = train_here("--resume", trained, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"train: {message}")
    assert ((trained / "config.json").read_bytes(), (trained / "checkpoint.h5").read_bytes()) == before


def test_a_setting_that_is_no_total_is_refused_in_python_too(trained):
    with pytest.raises(
        UserError, match="'seed' cannot be changed in a run that has begun; teacher_forcing_epochs and "
    ):
        pipeline.resume(trained, seed=1)


def test_line_3_of_another_run_is_trained_there(trained):
    facts = read_facts(trained / "checkpoint.h5")
    facts["history"] = facts["history"][1:]  # as `start_from` begins: without rows of line 3
    with pytest.raises(UserError, match=r"got its generator from another run \(--start-from\); train that other run"):
        GCARun.open(trained).with_new_totals(facts, {"teacher_forcing_epochs": 3})


def test_how_much_is_done_of_a_run_that_was_stopped(trained):
    """Line 3 has ended, and the second iteration has begun. The new total may be two iterations, but not one."""
    made, facts = GCARun.open(trained), read_facts(trained / "checkpoint.h5")
    facts |= {"position": 6, "totals": {"teacher_forcing_epochs": 1, "adversarial_epochs": 3}}
    assert made.with_new_totals(facts, {"adversarial_epochs": 2}).adversarial_epochs == 2
    with pytest.raises(UserError, match="--adversarial-epochs: 1 is too low, because the run has already completed 1"):
        made.with_new_totals(facts, {"adversarial_epochs": 1})
    # If line 3 is continued, no iteration counts as done.
    config = made.with_new_totals(facts, {"teacher_forcing_epochs": 2, "adversarial_epochs": 0})
    assert (config.teacher_forcing_epochs, config.adversarial_epochs) == (2, 0)


@pytest.mark.parametrize("totals", [{"seed": 3}, {"adversarial_epochs": "x"}, ["adversarial_epochs"], 4])
def test_totals_of_a_damaged_checkpoint_are_one_line(trained, totals):
    with pytest.raises(UserError, match=r"checkpoint.h5: the file is not a checkpoint of this run \(.*\)$"):
        GCARun.open(trained).config_of({"totals": totals})


# Kills between the writes


def killed(monkeypatch, path, name):
    """Train further until a certain method of the run folder is called, and stop there as if killed."""
    with monkeypatch.context() as patch:

        def kill(*_):
            raise KeyboardInterrupt

        patch.setattr(GCARun, name, kill)
        status, *_ = train_here("--resume", path, "--teacher-forcing-epochs", "2")
        assert status == 130


def test_a_kill_before_the_checkpoint_leaves_the_earlier_run(trained, tmp_path, monkeypatch):
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    killed(monkeypatch, path, "write_checkpoint")
    assert_same(contents(path), contents(trained))
    assert GCARun.open(path).is_finished()


@pytest.mark.parametrize("place", ["remove_samples", "write_config"])
def test_a_kill_after_the_checkpoint_is_made_up_for_by_the_next_resume(trained, longer, tmp_path, monkeypatch, place):
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    killed(monkeypatch, path, place)
    assert totals(path) == (1, 1)  # config.json has the old totals; the checkpoint decides
    assert read_facts(path / "checkpoint.h5")["totals"] == {"teacher_forcing_epochs": 2, "adversarial_epochs": 1}
    assert not GCARun.open(path).is_finished()
    status, _, err = train_here("--resume", path)
    assert status == 0, err
    assert_same(contents(path), contents(longer[0]))


def test_the_checkpoint_before_the_new_totals_brings_its_own_back(trained, tmp_path, monkeypatch, capsys):
    """This also holds for a checkpoint that an earlier version has written, which has no totals."""
    path = tmp_path / "run"
    shutil.copytree(trained, path)
    facts, arrays = read_arrays(path / "checkpoint.h5")
    del facts["totals"]
    write_arrays(path / "checkpoint.h5", arrays, facts)
    killed(monkeypatch, path, "remove_samples")
    made = GCARun.open(path)
    made.write_config(made.config().changed(teacher_forcing_epochs=2))
    with (path / "checkpoint.h5").open("rb+") as stream:
        stream.truncate(3000)
    status, _, err = train_here("--resume", path, "-q")
    assert status == 0
    assert "the previous checkpoint is used" in err
    assert totals(path) == (1, 1)
    assert contents(path)[1] == contents(trained)[1]
