"""Options of the training command: --config reads a run's config.json, and -q and -v change how much is printed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from keras_gca import train
from keras_gca.storage.arrays import read_arrays
from keras_gca.training import pipeline
from keras_gca.training.after_line_3 import AFTER_LINE_3
from keras_gca.training.run_folder import GCARun
from keras_gca.training.session import GCASession
from tests.factories.commands import SMALL_GCA, train_here


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Run a tiny whole training run with -q. Give its run and what it printed."""
    path = tmp_path_factory.mktemp("trained") / "run"
    status, out, err = train_here(*SMALL_GCA, "--run", path, "-q")
    assert status == 0, err
    return path, out, err


@pytest.fixture(scope="module")
def again(trained):
    """Run a second training with -v and the config.json of the first one."""
    path = trained[0].parent / "again"
    status, out, err = train_here("--config", trained[0] / "config.json", "--run", path, "-v")
    assert status == 0, err
    return path, out, err


def test_a_quiet_training_prints_its_closing_lines_only(trained):
    path, out, err = trained
    assert err == ""
    lines = out.splitlines()
    assert lines[:2] == ["", "held-out perplexity"]
    assert lines[-3:] == [
        f"wrote {path}: bot.h5 is the bot to chat with; log.csv, samples and tensorboard show how it learned",
        f"next: python -m keras_gca.chat {path}",
        f"  or: python -m keras_gca.evaluate {path}",
    ]
    assert len(lines) < 13
    assert "line  3" not in out
    assert "replies" not in out


@pytest.mark.thorough
def test_a_verbose_training_prints_what_one_debugs_with(again):
    _, out, _ = again
    patterns = "versions: Python 3.", "devices:  CPU:0", "steps in ", "\ntime\n", "  teacher forcing  ", "\ntrain: "
    for pattern in (*patterns, "vocabulary: 60 tokens", "replies to held-out contexts"):
        assert pattern in out, pattern
    numbers = [int(line.split()[1].replace(",", "")) for line in out.splitlines() if line.endswith(" weights")]
    words, lstms = 60 * 16, 2 * 4 * 24 * (16 + 24 + 1)
    assert numbers == [words + lstms + 49 * 30 + 31 * 60, words + lstms + 60 + 48 + 1]


@pytest.mark.thorough
def test_a_runs_config_trains_the_same_bits(trained, again):
    first, second = (read_arrays(path / "bot.h5")[1] for path in (trained[0], again[0]))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)
    assert json.loads((trained[0] / "config.json").read_text()) == json.loads((again[0] / "config.json").read_text())


def test_runs_and_sessions_say_what_they_are(trained, tmp_path):
    path, _, _ = trained
    assert repr(GCARun.open(path)) == f"<GCARun {path}: one can chat with it>"
    assert repr(GCARun(tmp_path)) == f"<GCARun {tmp_path}: no run here>"
    (tmp_path / "checkpoint.h5").touch()
    assert repr(GCARun(tmp_path)) == f"<GCARun {tmp_path}: no bot yet>"
    run = GCARun(path)
    session = GCASession.of(run, run.config(), run.dataset())
    assert repr(session) == f"<GCASession {path}: 0 of 5 stages are done>"
    session.restore(*run.read_checkpoint(), "epochs")
    assert repr(session) == f"<GCASession {path}: finished>"


def test_options_override_a_runs_config(trained, tmp_path, monkeypatch):
    from keras_gca.training import pipeline

    made = []

    def train_agent(config, *others):
        made.append(config)
        return SimpleNamespace(finished=True)

    monkeypatch.setattr(pipeline, "train_agent", train_agent)
    status, _, err = train_here("--config", trained[0] / "config.json", "--seed", "6", "--run", tmp_path / "run")
    assert status == 0, err
    assert made == [GCARun.open(trained[0]).config().changed(seed=6)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("{", "the file is damaged; valid JSON is expected"),
        ("[]", "the content is not a JSON object"),
        ("{}", "the file is damaged; the config of a run is missing"),
        ('{"config": {"batch_size": 0}}', "--batch-size: 0 is out of range; at least 1 is expected"),
        ('{"config": {"batch_size": "x"}}', "--batch-size: 'x' has the wrong type; int is expected"),
        ('{"config": {"colour": 1}}', "'colour' is not a setting"),
        ('{"config": {"algorithm": "gail", "rollouts": 8}}', "'rollouts' is not a setting"),
    ],
)
def test_a_bad_config_is_one_line_that_names_file_and_field(tmp_path, content, message):
    path = tmp_path / "config.json"
    if content is not None:
        path.write_text(content)
    status, out, err = train_here("--config", path, "--run", tmp_path / "run")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"train: {path}: {message}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("others", "message"),
    [
        (["--preset", "tiny"], "--config already contains every setting; leave out --preset"),
        (
            ["--resume", "none", "--adversarial-epochs", "4"],
            "--resume keeps the run's own settings and accepts new values only for --teacher-forcing-epochs, "
            "--adversarial-epochs; leave out --config",
        ),
        (["--start-from", "none"], "--start-from uses the data and generator of the other run; leave out --config"),
        (["--batch-size", "0"], "--batch-size: 0 is out of range; at least 1 is expected"),
    ],
)
def test_what_config_excludes(trained, tmp_path, others, message):
    status, out, err = train_here("--config", trained[0] / "config.json", *others)
    assert (status, out, err) == (2, "", f"train: {message}\n")


def test_a_preset_gives_what_follows_line_3(monkeypatch, tmp_path):
    asked = []

    def start_from(first, changes, run, *others):
        asked.append(changes)
        return SimpleNamespace(finished=True)

    monkeypatch.setattr(pipeline, "start_from", start_from)
    arguments = ["--start-from", "first", "--run", str(tmp_path / "run"), "--machine-pairs", "7"]
    assert train.main([*arguments, "--preset", "author"]) == 0
    assert train.main([*arguments, "--machine-top-p", "0.9"]) == 0  # the other run may sample
    with_preset, without = asked
    assert set(with_preset) == set(AFTER_LINE_3)
    assert (with_preset["generator_epochs"], with_preset["machine_pairs"]) == (4, 7)
    assert without == {"machine_pairs": 7, "machine_top_p": 0.9}
