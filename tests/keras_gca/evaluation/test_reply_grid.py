"""The first paper's generators over a grid: which conversations are answered, and that sampled replies are stored."""

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.data.pairs import Pairs
from keras_gca.errors import UserError
from keras_gca.evaluation import reply_grid
from keras_gca.evaluation.decoding_grid import Setting, grid
from keras_gca.evaluation.quality_diversity import Part, Speaker
from keras_gca.evaluation.stored_values import StoredValues
from keras_gca.evaluation.word_model import WordModel
from tests.factories.gca import random_pairs

HOT = Setting(1.2, 1.0)


@pytest.fixture
def store(tmp_path):
    (tmp_path / "bot.h5").touch()
    return StoredValues(tmp_path / "grid", tmp_path / "bot.h5")


def part_of(agent, store, pairs):
    return reply_grid.part_of(agent, pairs, WordModel([["w1", "w2"]] * 2), store, "test", 0)


def test_sampled_replies_are_kept(agent, store, tmp_path, monkeypatch):
    pairs = random_pairs(6, vocabulary=len(agent.vocabulary), length=8)
    part = part_of(agent, store, pairs)
    name = agent.generators[0]
    assert not part.is_stored(name, HOT)
    replies = part.sample(name, HOT)
    assert part.is_stored(name, HOT)
    assert not part.is_stored(name, Setting(1.2, 0.9))
    assert [file.name for file in (tmp_path / "grid").iterdir()] == [f"test_{name}_1.2_1.json"]
    decoded = agent.decode(name, pairs.contexts, reply_grid.Decoding(1.2), 0).answers
    assert replies == [" ".join(agent.vocabulary.decode(row[1:])) for row in decoded]
    monkeypatch.setattr(Agent, "decode", None)  # nothing is sampled again
    assert part.sample(name, HOT) == replies
    words = part.words(replies[0])
    assert part.costs(replies, "x")[0, 1] == len(words) + 1


def test_a_corpus_without_boundaries_is_divided_by_pairs(agent, store):
    pairs = random_pairs(6, vocabulary=len(agent.vocabulary), length=8)
    alone = Pairs(pairs.contexts, pairs.answers, np.zeros(6, np.int32))
    assert part_of(agent, store, alone).conversations.tolist() == list(range(6))


def test_two_runs_of_one_seed_are_refused(monkeypatch):
    part = Part([], np.zeros(0), None, None, str.split)
    monkeypatch.setattr(reply_grid, "speakers", lambda run, seed: [Speaker("adversarial", 3, part, part)])
    with pytest.raises(UserError, match=r"a, b: the runs need different seeds, but their seeds are \[3, 3\]"):
        reply_grid.measure_runs(["a", "b"], grid((1.0,), (1.0,)))
