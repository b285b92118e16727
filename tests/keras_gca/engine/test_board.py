"""TensorBoard's files, read again by TensorBoard's own reader."""

import pytest
import tensorflow as tf
from tensorboard.plugins.hparams import plugin_data_pb2

from keras_gca.engine.board import Board, number_in_phase, redraw
from keras_gca.storage.run_folder import RunFolder
from tests.factories.event_files import summaries

HISTORY = [
    {"phase": "teacher_forcing", "epoch": 1, "loss": 4.0},
    {"phase": "teacher_forcing", "epoch": 2, "loss": 3.0},
    {"phase": "discriminator", "epoch": 1, "loss": 0.5, "val_accuracy": 0.75},
    {"phase": "teacher_forcing", "epoch": 3, "loss": 2.0},
]
SETTINGS = {"seed": 3, "dropout": 0.25, "algorithm": "reinforce", "patience": None, "average": True}


@pytest.fixture
def run(tmp_path):
    run = RunFolder(tmp_path)
    run.write_samples("002_teacher_forcing", [("Hello, *Tom*!", "Hi.")])
    return run


def points(run):
    plain = [
        (event.step, value)
        for event, value in summaries(run.path)
        if value.metadata.plugin_data.plugin_name == "scalars"
    ]
    return [(step, value.tag, float(tf.make_ndarray(value.tensor))) for step, value in plain]


EXPECTED = [
    (1, "teacher_forcing/loss", 4.0),
    (2, "teacher_forcing/loss", 3.0),
    (1, "discriminator/loss", 0.5),
    (1, "discriminator/val_accuracy", 0.75),
    (3, "teacher_forcing/loss", 2.0),
]


def test_each_phase_has_an_axis_of_its_own(run):
    board = Board(run)
    for number in range(1, len(HISTORY) + 1):
        board.write_metrics(HISTORY[:number])
    board.close()
    assert points(run) == EXPECTED
    assert number_in_phase(HISTORY) == 3


def test_redrawing_gives_each_row_once_with_its_replies_and_the_settings(run):
    redraw(run, HISTORY[:1], SETTINGS)
    redraw(run, HISTORY, SETTINGS)
    assert points(run) == EXPECTED
    values = {value.tag: (event.step, value) for event, value in summaries(run.path)}
    step, replies = values["teacher_forcing/replies"]
    [text] = tf.make_ndarray(replies.tensor).ravel()
    assert (step, replies.metadata.plugin_data.plugin_name) == (2, "text")
    assert text.decode() == "    Hello, *Tom*!\n        Hi.\n    \n"  # as code, in which * is a star
    plugin = values["_hparams_/session_start_info"][1].metadata.plugin_data
    stored = plugin_data_pb2.HParamsPluginData.FromString(plugin.content).session_start_info.hparams
    assert plugin.plugin_name == "hparams"
    assert {name: value.number_value for name, value in stored.items() if value.HasField("number_value")} == {
        "seed": 3, "dropout": 0.25
    }  # fmt: skip
    assert stored["algorithm"].string_value == "reinforce"
    assert stored["patience"].string_value == "None"
    assert stored["average"].bool_value
