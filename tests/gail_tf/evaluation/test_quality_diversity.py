"""Policies over a grid: which conversations are answered, which results are stored, and MAUVE with its ceiling."""

import json

import numpy as np
import pytest

from gail_tf.data.dataset import Data
from gail_tf.evaluation import metrics, quality_diversity
from gail_tf.evaluation.mauve import mauve
from gail_tf.evaluation.quality_diversity import How, measure_policies, part_of
from gail_tf.training.run_folder import GAILRun
from keras_gca.evaluation.decoding_grid import Setting, grid
from keras_gca.evaluation.quality_diversity import MAUVE
from keras_gca.evaluation.stored_values import StoredValues
from tests.factories import gail_agents, small_runs

SETTING = Setting(0.9, 0.9)


@pytest.fixture(scope="module")
def agent():
    return gail_agents.of_gpt2(small_runs.config())


@pytest.fixture
def data():
    train, validation = small_runs.trajectories()
    return Data(tuple(train), tuple(validation), tuple(train[:4]))


def word_lengths(texts):
    """An encoder whose vector is the numbers of words of 1, 2, 3 and more letters in a text."""
    counts = [np.bincount([min(len(word), 4) for word in metrics.words(text)], minlength=5) for text in texts]
    return np.array(counts, np.float32)


def make(agent, data, tmp_path, how, encoder=None, calls=None):
    (tmp_path / "bot.h5").touch()
    store = StoredValues(tmp_path / "grid", tmp_path / "bot.h5")

    def costs(asked, texts):
        calls.append(texts)
        return np.stack([np.arange(len(texts)), np.ones(len(texts))], axis=1)

    return part_of(lambda: agent, agent.config, data, "test", how, costs, store, encoder)


def test_responses_and_the_costs_of_an_outside_model_are_kept(agent, data, tmp_path, monkeypatch):
    calls = []
    part = make(agent, data, tmp_path, How(max_responses=3, quality_model="a model"), calls=calls)
    assert all(one.source != "tweets" for one in data.test if one.response in part.human)
    assert not part.is_stored("imitation", SETTING)
    said = part.sample("imitation", SETTING)
    assert part.is_stored("imitation", SETTING)
    assert len(said) == len(part.human) == 3
    first = part.costs(said, f"imitation, {SETTING}")
    files = sorted(file.name for file in (tmp_path / "grid").iterdir())
    assert files == ["test_imitation_0.9_0.9.json", "test_imitation__T_0.9__top_p_0.9_costs.json"]
    assert json.loads((tmp_path / "grid" / files[1]).read_text())["facts"]["model"] == "a model"
    monkeypatch.setattr(quality_diversity, "respond_to", None)  # nothing is drawn again
    assert part.sample("imitation", SETTING) == said
    np.testing.assert_array_equal(part.costs(said, f"imitation, {SETTING}"), first)
    assert len(calls) == 1


def test_mauve_by_an_encoder_and_its_ceiling(agent, data, tmp_path, monkeypatch):
    assert make(agent, data, tmp_path, How(max_responses=4), word_lengths).mauve is None  # too few texts
    monkeypatch.setattr(quality_diversity, "MAUVE_TEXTS", 4)
    part = make(agent, data, tmp_path, How(max_responses=4), word_lengths)
    said = part.sample("maximum_likelihood", SETTING)
    everything = np.ones(len(said), bool)
    assert part.mauve(said)(everything) == mauve(word_lengths(said), word_lengths(part.human))
    assert part.mauve(part.human)(everything) == pytest.approx(1)
    assert 0 < part.ceiling < 1


@pytest.mark.thorough
def test_both_policies_of_a_run_are_compared(tmp_path):
    gail_agents.write_run(tmp_path / "run")
    run = GAILRun.open(tmp_path / "run")
    systems = {"MLE": [(run, "maximum_likelihood")], "last": [(run, None)]}
    results = measure_policies(systems, How(tuple(grid((0.5, 1.5), (1.0,))), max_responses=2))
    assert set(results.best) == {"MLE", "last"}
    assert {file.name.split("_")[0] for file in (tmp_path / "run" / "grid").iterdir()} == {"validation", "test"}
    assert MAUVE not in results.human
