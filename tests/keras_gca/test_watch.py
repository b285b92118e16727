"""Options of the live view, and a whole training run that somebody watches."""

import re

import pytest

import gail_tf.train
import keras_gca.train
from keras_gca.serving import live_page
from keras_gca.storage.live_files import LiveFiles
from keras_gca.training.run_folder import GCARun
from tests.factories.commands import SMALL_GCA, train_here


@pytest.mark.parametrize("train", [keras_gca.train, gail_tf.train], ids=["keras_gca", "gail_tf"])
def test_mistakes_are_one_line_before_anything_is_trained(train, said):
    assert "--ask needs --watch" in said(train.main, "train", "--preset", "tiny", "--ask", "Who?")
    assert "a question needs" in said(train.main, "train", "--preset", "tiny", "--watch", "--ask", " ")
    several = said(train.main, "train", "--preset", "tiny", "--watch", "--strategy", "multi_worker")
    assert "several processes" in several
    with live_page.take_port(0) as taken:
        port = taken.getsockname()[1]
        assert "another program uses this port" in said(
            train.main, "train", "--preset", "tiny", "--watch", "--watch-port", port
        )


@pytest.mark.thorough
def test_a_training_answers_after_each_stage_that_changes_its_replies(tmp_path):
    path = tmp_path / "run"
    status, out, err = train_here(
        *SMALL_GCA,
        "--run",
        path,
        "-q",
        "--watch",
        "--watch-port",
        "0",
        "--ask",
        "How are you?",
        "--ask",
        "I want to die",
    )
    assert status == 0, err
    assert re.match(r"live view: http://127\.0\.0\.1:\d+/\n", out)
    rows = GCARun.open(path).read_log()
    answered = [number for number, row in enumerate(rows, 1) if row["phase"] != "self_conversation"]
    files = LiveFiles(path)
    assert files.rows() == answered
    for number in answered:
        view = files.read(number)
        question, crisis = view["asked"]
        learned = any(row["phase"] == "discriminator" for row in rows[:number])
        assert question["context"] == "How are you?"
        assert (question["reply"]["score"] is not None) == learned
        assert crisis["reply"] is None
        assert "crisis line" in crisis["note"]
        assert len(view["samples"]) == 6
