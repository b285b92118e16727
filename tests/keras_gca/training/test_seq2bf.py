"""Runs with keywords: the settings, the stored data, and a run that is interrupted, resumed and chatted with."""

import dataclasses

import numpy as np
import pytest

from keras_gca import chat
from keras_gca.agent import Agent
from keras_gca.config import Config, predicting_beginnings, predicting_contexts
from keras_gca.data.dataset import Dataset
from keras_gca.data.keywords import KeywordModel, beginnings
from keras_gca.data.source import Source
from keras_gca.errors import UserError
from keras_gca.models.networks import build
from keras_gca.training import pipeline, seq2bf
from keras_gca.training.adversarial import AdversarialTraining
from keras_gca.training.run_folder import BEGINNINGS_FOLDER, GCARun
from keras_gca.training.seq2bf import BeginningsSession, Seq2BFSession, dataset_of, with_keywords
from tests.factories.gca import SMALL, VOCABULARY, make_agent, random_pairs, toy_keywords

SETTINGS = {
    **SMALL,
    "minimum_count": 1,
    "teacher_forcing_epochs": 1,
    "adversarial_epochs": 0,
    "keyword_epochs": 2,
    "batch_size": 32,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Questions about six towns and animals; each answer names what the question is about, and the animal or a hill."""
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    things = ("London", "Paris", "Madrid", "ducks", "horses", "rabbits")
    talks = [f"Do you like {one} ?\nYes , I like {one} very much .\nWhy {one} ?\nI saw {one} once ." for one in things]
    path.write_text("\n\n".join(talks * 8))
    return Source(path)


@pytest.fixture(scope="module")
def few_words():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keras_gca.data.keywords.COMMONEST", 0.2)
        patch.setattr(Seq2BFSession, "show_replies", lambda self: None)  # which would build graphs
        yield


@pytest.fixture(scope="module")
def run(source, few_words, tmp_path_factory):
    """A finished run with keywords."""
    path = tmp_path_factory.mktemp("runs") / "run"
    assert pipeline.train_agent(Config.preset("tiny", **SETTINGS), source, path).finished
    return GCARun.open(path)


@pytest.mark.parametrize(
    "changes",
    [{"padding": "original", "generator": "gca"}, {"predict": "context"}, {"predict": "unconditional"}],
)
def test_keywords_need_masked_padding_and_answers(changes):
    with pytest.raises(UserError, match="--keyword-epochs works only with --padding masked and --predict answer"):
        Config(keyword_epochs=3, **changes)


def test_keywords_and_ranking_exclude_each_other():
    with pytest.raises(UserError, match=r"--keyword-epochs, --ranking-epochs: .* set one of the two to 0"):
        Config(keyword_epochs=3, ranking_epochs=3)
    assert Config.preset("default", keyword_epochs=3).ranking_epochs == 0 < Config.preset("default").ranking_epochs
    assert Config.preset("default", keyword_epochs=0).ranking_epochs == Config.preset("default").ranking_epochs
    with pytest.raises(UserError, match="--predict beginning: give --keyword-epochs instead"):
        pipeline.train_agent(Config.preset("tiny", predict="beginning"), Source(), "nowhere")


def test_older_settings_have_no_keywords():
    values = Config().to_values()
    del values["keyword_epochs"]
    assert Config.from_values(values).keyword_epochs == 0


def test_the_backward_network_has_the_settings_of_the_run():
    config = Config.preset(
        "default", keyword_epochs=4, persona_size=3, topics=5, encoder="hierarchical", algorithm="reinforce",
        machine_top_p=0.9, context_changes="detect", context_utterances=3,
    )  # fmt: skip
    derived = predicting_beginnings(config)
    expected = {"predict": "beginning", "teacher_forcing_epochs": 4, "keyword_epochs": 0, "adversarial_epochs": 0}
    expected |= {"algorithm": "backpropagation", "machine_top_p": 1.0, "context_changes": "ignore"}
    assert derived.to_values() == config.to_values() | expected
    assert predicting_contexts(config).keyword_epochs == 0


def test_each_epoch_splits_the_answers_anew(monkeypatch):
    config = Config.preset("tiny", **SMALL | {"predict": "beginning", "teacher_forcing_epochs": 2})
    pairs, model = random_pairs(10), toy_keywords()
    training = AdversarialTraining(config, build(config, VOCABULARY), pairs, pairs[:4])
    training.split_words = model.candidates
    made = []

    class DrawnError(Exception):
        pass

    def remembered(*arguments):
        made.append(beginnings(*arguments))
        raise DrawnError

    monkeypatch.setattr("keras_gca.training.adversarial.beginnings", remembered)
    for epoch in range(2):
        training._position = epoch
        with pytest.raises(DrawnError):
            next(iter(training))
    assert (made[0].answers != made[1].answers).any()
    for part in made:
        assert model.candidates[part.answers[:, 0]].sum() == np.isin(pairs.answers, model.words).any(axis=1).sum()


def test_a_run_folder_stores_keywords_and_refuses_damaged_ones(tmp_path):
    agent = make_agent()
    config, words = agent.config.changed(keyword_epochs=1), agent.vocabulary
    pairs = random_pairs(4, vocabulary=len(words), length=agent.longest)
    dataset = Dataset(words, pairs, pairs, ["text"], True, keywords=toy_keywords(len(words)).arrays)
    for settings in (config, predicting_beginnings(config)):
        read = GCARun.create(tmp_path / settings.predict, settings, dataset_of(dataset), {}).dataset()
        for before, after in zip(dataset.keywords, read.keywords, strict=True):
            np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(read.training.answers, pairs.answers)
    assert GCARun.create(tmp_path / "plain", agent.config, dataset, {}).dataset().keywords is None
    missing = GCARun.create(tmp_path / "missing", config, dataclasses.replace(dataset, keywords=None), {})
    with pytest.raises(UserError, match="keywords have 7 arrays, but 0 are stored"):
        missing.dataset()
    other = dataclasses.replace(dataset, keywords=toy_keywords(12).arrays)
    with pytest.raises(UserError, match="the keywords and the vocabulary differ in the number of tokens"):
        GCARun.create(tmp_path / "other", config, other, {}).dataset()
    assert with_keywords(dataset, agent.config).keywords is None


@pytest.mark.thorough
def test_a_run_ends_with_a_bot_that_speaks_about_keywords(run, capsys):
    agent, inner = Agent.load(run.path), GCARun.open(run.path / BEGINNINGS_FOLDER)
    assert run.is_finished()
    assert inner.config().predict == "beginning"
    assert len((inner.path / "log.csv").read_text().splitlines()) == 3  # a header and two epochs
    model = KeywordModel.of_arrays(agent.seq2bf.keywords)
    names = {agent.vocabulary.tokens[word] for word in model.words}
    assert {"london", "paris", "madrid", "ducks", "horses", "rabbits"} <= names
    assert agent.keyword("Do you like Madrid?") == "Madrid"
    for options in ([], ["--greedy"]):
        assert chat.main([str(run.path), "--say", "Do you like ducks?", *options]) == 0
        assert "ducks" in capsys.readouterr().out.lower()


@pytest.mark.thorough
def test_an_interrupted_training_is_resumed_with_the_same_bits(run, source, tmp_path, monkeypatch, capsys):
    walk = BeginningsSession.walk
    with monkeypatch.context() as patch:
        patch.setattr(BeginningsSession, "walk", lambda self, minutes: walk(self, 0.0))  # stops after one step
        session = pipeline.train_agent(Config.preset("tiny", **SETTINGS), source, tmp_path / "run")
    assert not session.finished
    assert session.training.finished
    assert f"train --resume {tmp_path / 'run'}\n" in capsys.readouterr().out
    stopped = GCARun.open(tmp_path / "run")
    assert not stopped.is_finished()
    assert Agent.load(stopped.path).seq2bf is None  # one can chat with it, but without keywords
    assert pipeline.resume(stopped.path).finished
    first, second = (Agent.load(path).seq2bf for path in (stopped.path, run.path))
    for a, b in zip((*first.keywords, *first.network), (*second.keywords, *second.network), strict=True):
        np.testing.assert_array_equal(a, b)
    assert stopped.is_finished()


@pytest.mark.thorough
def test_a_run_with_keywords_can_start_from_a_generator(run, tmp_path, monkeypatch):
    monkeypatch.setattr(BeginningsSession, "walk", lambda self, minutes: None)
    session = pipeline.start_from(run.path, {"keyword_epochs": 1}, tmp_path / "again")
    assert not session.finished
    inner = GCARun.open(tmp_path / "again" / BEGINNINGS_FOLDER)
    assert inner.config().teacher_forcing_epochs == 1
    plain = pipeline.start_from(run.path, {"keyword_epochs": 0}, tmp_path / "plain")
    assert plain.finished
    assert Agent.load(tmp_path / "plain").seq2bf is None


@pytest.mark.thorough
def test_the_estimate_has_an_item_for_the_keywords(run, monkeypatch):
    config, dataset = run.config(), run.dataset()
    asked = []

    def estimated(settings, words, training, validation, stages):
        asked.append((settings.predict, training.tokens, len(stages)))
        return seq2bf.in_turn([])._replace(seconds={"teacher forcing": 5.0})

    monkeypatch.setattr(seq2bf, "estimate", estimated)
    finished = Seq2BFSession.of(run, config, dataset)
    assert finished.seq2bf is not None
    assert not asked
    finished.seq2bf = None
    assert finished.cost([]).seconds["keywords"] == 5.0
    ((predict, tokens, stages),) = asked
    assert (predict, stages) == ("beginning", 2)
    assert tokens < dataset.training.tokens
