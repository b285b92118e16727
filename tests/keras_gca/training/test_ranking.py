import dataclasses

import numpy as np
import pytest

from glove.cost import Estimate
from keras_gca.agent import Agent
from keras_gca.config import Config, predicting_contexts
from keras_gca.data.conversations import Conversation
from keras_gca.data.dataset import prepare
from keras_gca.data.source import Source
from keras_gca.errors import UserError
from keras_gca.training import pipeline, ranking
from keras_gca.training.ranking import BackwardSession, RankedSession, dataset_of
from keras_gca.training.run_folder import BACKWARD_FOLDER, GCARun
from keras_gca.training.schedule import schedule
from tests.factories.gca import SMALL, toy_topics

SETTINGS = {**SMALL, "teacher_forcing_epochs": 1, "adversarial_epochs": 0, "ranking_epochs": 2}


def corpus(speakers=False):
    names = ("Ann", "Tom", "Ann") if speakers else None
    texts = [(f"Do you know number {i}?", f"Yes, I know {i}.", "Good.") for i in range(20)]
    return [Conversation(lines, speakers=names) if names else Conversation(lines) for lines in texts]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("corpus") / "corpus.txt"
    path.write_text("\n\n".join("\n".join(conversation.utterances) for conversation in corpus()))
    return Source(path)


@pytest.fixture(scope="module")
def run(source, tmp_path_factory):
    """A finished run with a generator for p(x|y)."""
    path = tmp_path_factory.mktemp("runs") / "run"
    assert pipeline.train_agent(Config.preset("tiny", **SETTINGS), source, path).finished
    return GCARun.open(path)


@pytest.mark.parametrize("settings", [{}, {"encoder": "hierarchical", "context_utterances": 2}])
def test_the_data_are_those_of_a_run_that_predicts_contexts(settings, tmp_path):
    config = Config.preset("tiny", **settings)
    found = dataset_of(prepare(corpus(), config), config, tmp_path)
    expected = prepare(corpus(), predicting_contexts(config))
    for name in ("training", "validation"):
        for a, b in zip(getattr(found, name).arrays(), getattr(expected, name).arrays(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_speakers_are_left_out(tmp_path):
    config = Config.preset("tiny", persona_size=3)
    dataset = prepare(corpus(speakers=True), config)
    found = dataset_of(dataset, config, tmp_path)
    assert found.vocabulary.speakers == ()
    assert found.training.answers.max() < len(dataset.vocabulary)
    assert found.training.contexts.shape[1] == config.sentence_length
    assert not predicting_contexts(config).names_speakers


def test_topics_are_left_out(tmp_path):
    config = Config.preset("tiny", topics=2, topic_words=3)
    dataset = prepare(corpus(), config)
    with_topics = dataclasses.replace(dataset, topics=toy_topics(2, vocabulary=len(dataset.vocabulary)).weights)
    found, settings = dataset_of(with_topics, config, tmp_path), predicting_contexts(config)
    assert found.topics is None
    assert settings.topics is None
    stored = GCARun.create(tmp_path / "run", settings, found, {}).dataset()
    assert stored.topics is None
    np.testing.assert_array_equal(stored.training.contexts, dataset_of(dataset, config, tmp_path).training.contexts)


@pytest.mark.thorough
def test_a_run_ends_with_a_generator_that_learned_to_predict_contexts(run):
    agent = Agent.load(run.path)
    backward = GCARun.open(run.path / BACKWARD_FOLDER)
    assert run.is_finished()
    assert backward.config().predict == "context"
    assert len((backward.path / "log.csv").read_text().splitlines()) == 3  # a header and two epochs
    stored = Agent.load(backward.path).weights["teacher_forcing"]
    for a, b in zip(agent.backward, stored, strict=True):
        np.testing.assert_array_equal(a, b)
    assert agent.answers("Do you know number 3?", decoding=agent.usual_decoding)[0].text


@pytest.mark.thorough
def test_the_estimate_has_an_item_for_the_ranking(run, source, tmp_path, monkeypatch):
    config = Config.preset("tiny", **SETTINGS)
    dataset = prepare(source.read()[0], config)
    left = schedule(config)
    toy = Estimate({"teacher forcing": 2.0, "discriminator": 3.0}, 1.0, "is a toy")
    monkeypatch.setattr(ranking, "estimate", lambda *of_p_x_given_y: toy)
    with_ranking = RankedSession.of(GCARun(tmp_path), config, dataset).cost(left)
    without = RankedSession.of(GCARun(tmp_path), config.changed(ranking_epochs=0), dataset).cost(left)
    assert with_ranking.seconds == {**without.seconds, "ranking": 5.0}
    finished = RankedSession.of(run, config, dataset)
    assert "ranking" not in finished.cost(left).seconds


@pytest.mark.thorough
def test_a_finished_run_stays_as_it_is_and_says_how_to_train_further(run, capsys):
    before = Agent.load(run.path).backward
    assert pipeline.resume(run.path).finished
    assert "--teacher-forcing-epochs N  (N above 1)" in capsys.readouterr().out
    for a, b in zip(Agent.load(run.path).backward, before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.thorough
def test_it_starts_from_the_word_vectors_of_line_3_and_then_learns(run):
    agent = Agent.load(run.path)
    learned = agent.weights["teacher_forcing"][0]
    moved = np.abs(agent.backward[0] - learned).max(axis=1)
    assert (
        0 < moved.max() < 0.5
    )  # two short epochs change the vectors a little; new random vectors would differ by more
    assert np.corrcoef(agent.backward[0].ravel(), learned.ravel())[0, 1] > 0.9


@pytest.mark.thorough
def test_an_interrupted_training_is_resumed_with_the_same_bits(run, source, tmp_path, monkeypatch, capsys):
    walk = BackwardSession.walk

    def interrupted(self, minutes):
        walk(self, 0.0)  # stops after one step

    with monkeypatch.context() as patch:
        patch.setattr(BackwardSession, "walk", interrupted)
        session = pipeline.train_agent(Config.preset("tiny", **SETTINGS), source, tmp_path / "run")
    assert not session.finished
    assert session.training.finished
    assert f"train --resume {tmp_path / 'run'}\n" in capsys.readouterr().out
    stopped = GCARun.open(tmp_path / "run")
    assert not stopped.is_finished()
    assert Agent.load(stopped.path).backward is None
    assert pipeline.resume(stopped.path).finished
    for a, b in zip(Agent.load(stopped.path).backward, Agent.load(run.path).backward, strict=True):
        np.testing.assert_array_equal(a, b)
    assert stopped.is_finished()


@pytest.mark.thorough
def test_a_run_killed_before_the_first_checkpoint_starts_again(run, source, tmp_path, monkeypatch):
    def killed(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(BackwardSession, "begin", killed)
        with pytest.raises(KeyboardInterrupt):
            pipeline.train_agent(Config.preset("tiny", **SETTINGS), source, tmp_path / "run")
    assert pipeline.resume(tmp_path / "run").finished
    for a, b in zip(Agent.load(tmp_path / "run").backward, Agent.load(run.path).backward, strict=True):
        np.testing.assert_array_equal(a, b)


def test_only_a_run_that_answers_can_rank_answers():
    with pytest.raises(UserError, match="--ranking-epochs ranks answers, but --predict context generates none"):
        Config.preset("tiny", predict="context", ranking_epochs=1)
    assert Config.preset("default", predict="context").ranking_epochs == 0 < Config.preset("default").ranking_epochs
