"""If a command gets a run or a bot of the other package, it prints one line that names the right command."""

import shutil
from pathlib import Path

import pytest

import gail_tf.chat
import gail_tf.evaluate
import gail_tf.export
import gail_tf.quality_diversity
import gail_tf.train
import keras_gca.chat
import keras_gca.evaluate
import keras_gca.export
import keras_gca.mmi
import keras_gca.quality_diversity
import keras_gca.survey.__main__
import keras_gca.train
from gail_tf.agent import GAILAgent
from gail_tf.training.run_folder import GAILRun
from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.errors import UserError
from keras_gca.storage.arrays import read_arrays, write_arrays
from keras_gca.training.run_folder import GCARun
from tests.factories import gail_agents, gca


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make runs of both packages with their bots, in the folders `gca` and `gail`."""
    folder = tmp_path_factory.mktemp("runs")
    gca.write_run(folder / "gca")
    gail_agents.write_run(folder / "gail")
    return folder


@pytest.fixture
def runs(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


SURVEY = keras_gca.survey.__main__
GAIL_TO_GCA = [
    (keras_gca.chat, ["gail", "--no-transcript"], "a run of gail_tf, not of keras_gca; python -m gail_tf.chat gail"),
    (keras_gca.export, ["gail", "out"], "a run of gail_tf, not of keras_gca; python -m gail_tf.chat gail"),
    (keras_gca.train, ["--resume", "gail"],
     "a run of gail_tf, not of keras_gca; python -m gail_tf.train --resume gail"),
    (keras_gca.train, ["--start-from", "gail"], "a run of gail_tf, not of keras_gca; python -m gail_tf.chat gail"),
    (keras_gca.evaluate, ["gail"], "a run of gail_tf, not of keras_gca; python -m gail_tf.evaluate gail"),
    (keras_gca.quality_diversity, ["gail"],
     "a run of gail_tf, not of keras_gca; python -m gail_tf.quality_diversity gail"),
    (keras_gca.mmi, ["gail", "--language-model", "gca", "--backward", "gca"],
     "a run of gail_tf, not of keras_gca; python -m gail_tf.chat gail"),
    (keras_gca.mmi, ["gca", "--language-model", "gail", "--backward", "gca"],
     "a run of gail_tf, not of keras_gca; python -m gail_tf.chat gail"),
    (SURVEY, ["make", "gail", "--output", "survey.json"],
     "a run of gail_tf, not of keras_gca; python -m gail_tf.chat gail"),
]  # fmt: skip
GCA_TO_GAIL = [
    (gail_tf.chat, ["gca", "--no-transcript"], "a run of keras_gca, not of gail_tf; python -m keras_gca.chat gca"),
    (gail_tf.train, ["--resume", "gca"], "a run of keras_gca, not of gail_tf; python -m keras_gca.train --resume gca"),
    (gail_tf.evaluate, ["gca"], "a run of keras_gca, not of gail_tf; python -m keras_gca.evaluate gca"),
    (gail_tf.evaluate, ["gail", "gca"], "a run of keras_gca, not of gail_tf; python -m keras_gca.evaluate gca"),
    (gail_tf.quality_diversity, ["gca"],
     "a run of keras_gca, not of gail_tf; python -m keras_gca.quality_diversity gca"),
    (gail_tf.export, ["gca", "out"], "a run of keras_gca, not of gail_tf; python -m keras_gca.chat gca"),
]  # fmt: skip


@pytest.mark.parametrize(("module", "arguments", "message"), GAIL_TO_GCA + GCA_TO_GAIL)
def test_a_run_of_the_other_package(runs, said, module, arguments, message):
    path = message.split()[-1]
    assert said(module.main, "command", *arguments) == f"command: {path}: this is {message} opens it\n"


def test_bots_of_the_other_package(runs, said):
    message = "bot.h5: this is a bot of {0}, not of {1}; python -m {0}.chat {2}/bot.h5 opens it\n"
    of_gail, of_gca = message.format("gail_tf", "keras_gca", "gail"), message.format("keras_gca", "gail_tf", "gca")
    assert said(keras_gca.chat.main, "chat", "gail/bot.h5") == f"chat: gail/{of_gail}"
    assert said(SURVEY.main, "survey", "make", "gail/bot.h5", "--output", "s.json") == f"survey: gail/{of_gail}"
    assert said(gail_tf.chat.main, "chat", "gca/bot.h5") == f"chat: gca/{of_gca}"
    assert said(gail_tf.export.main, "export", "gca/bot.h5", "out") == f"export: gca/{of_gca}"


def test_a_bot_without_its_run_folder(runs, tmp_path):
    """A copied folder may have only the checkpoint and the bot. The bot then shows to which package it belongs."""
    (tmp_path / "gail" / "trajectories.jsonl").unlink()
    with pytest.raises(UserError, match=r"gail/bot\.h5: this is a bot of gail_tf, not of keras_gca"):
        Agent.load("gail")


def test_an_unwritten_bot_of_the_other_package_is_not_promised(runs, tmp_path):
    (tmp_path / "gca" / "bot.h5").unlink()
    with pytest.raises(UserError, match="gca: this is a run of keras_gca, not of gail_tf"):
        GAILAgent.load("gca")


@pytest.mark.parametrize(
    ("format", "message"),
    [
        ("keras_gca bot 99", r"not a bot that this version can read \(keras_gca bot 2 is expected\)"),
        ("another bot 2", r"not a bot that this version can read \(keras_gca bot 2 is expected\)"),
        ("gail_tf survey 1", r"not a bot that this version can read \(keras_gca bot 2 is expected\)"),
        (["gail_tf bot 2"], r"not a bot that this version can read \(keras_gca bot 2 is expected\)"),
        ("gail_tf bot 1", "a bot of gail_tf, not of keras_gca; python -m gail_tf.chat"),
    ],
)
def test_other_versions_are_said_to_be_so(runs, format, message):
    path = Path("gca/bot.h5")
    facts, arrays = read_arrays(path)
    write_arrays(path, arrays, facts | {"format": format})
    with pytest.raises(UserError, match=message):
        Agent.load(path)


def test_the_runs_of_the_tests_can_be_opened_by_their_own_package(runs):
    assert Agent.load("gca").generators
    assert GAILAgent.load("gail").generators
    assert isinstance(GCARun.open("gca").config(), Config)
    assert GAILRun.open("gail").data().train
