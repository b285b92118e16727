"""Runs with topics: the settings, the bot, the exported SavedModel, and a training run that is resumed."""

import dataclasses

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.bot import Bot
from keras_gca.config import Config
from keras_gca.data.dataset import Dataset
from keras_gca.data.source import Source
from keras_gca.errors import UserError
from keras_gca.models.text_replies import TextReplies
from keras_gca.training import pipeline
from keras_gca.training.run_folder import GCARun
from tests.factories.gca import make_agent, random_pairs

HISTORIES = [["hello there"], ["how are you ?"], ["fine , tom ."]]


@pytest.fixture(scope="module")
def agent():
    return make_agent(topics=3, topic_words=4)


@pytest.mark.parametrize("changes", [{"padding": "original"}, {"predict": "context"}, {"predict": "unconditional"}])
def test_topics_need_masked_padding_and_answers(changes):
    with pytest.raises(UserError, match="--topics works only with --padding masked and --predict answer"):
        Config(topics=3, **changes)


def test_older_settings_have_no_topics():
    values = Config().to_values()
    del values["topics"], values["topic_words"]
    assert Config.from_values(values).topics is None


def test_a_bot_keeps_its_topics_also_in_half_precision(agent, tmp_path):
    for weight_format in ("float32", "float16"):
        agent.save(tmp_path / "bot.h5", weight_format)
        loaded = Agent.load(tmp_path / "bot.h5")
        for before, after in zip(agent.topics, loaded.topics, strict=True):
            np.testing.assert_array_equal(before, after)
        first, second = (one.networks.decoders["adversarial"].gca.topic_variables for one in (agent, loaded))
        for before, after in zip(first, second, strict=True):
            np.testing.assert_array_equal(before.numpy(), after.numpy())
        assert [tuple(variable.shape) for variable in first] == [(16, 3), (3,), (3, 4)]


def test_bots_whose_topics_do_not_fit_are_refused(agent):
    parts = agent.config, agent.vocabulary, agent.weights, agent.discriminator, None, None
    with pytest.raises(ValueError, match="disagree on whether the run has topics"):
        Bot(*parts).refuse_misfits()
    fewer = [agent.topics[0][:-1], agent.topics[1]]
    with pytest.raises(ValueError, match="the topic model has the shape"):
        Bot(*parts, fewer).refuse_misfits()
    with pytest.raises(ValueError, match="disagree on whether the run has topics"):
        Bot(agent.config.changed(topics=None), *parts[1:], agent.topics).refuse_misfits()


def test_a_run_folder_stores_topics_beside_links_between_contexts(agent, tmp_path):
    pairs, links = random_pairs(4, vocabulary=len(agent.vocabulary), length=agent.longest), np.array([[0, 1], [1, 0]])
    dataset = Dataset(agent.vocabulary, pairs, pairs, [], True, paraphrases=links, topics=agent.topics)
    read = GCARun.create(tmp_path / "run", agent.config, dataset, {}).dataset()
    np.testing.assert_array_equal(read.paraphrases, links)
    for before, after in zip(agent.topics, read.topics, strict=True):
        np.testing.assert_array_equal(before, after)
    missing = GCARun.create(tmp_path / "missing", agent.config, dataclasses.replace(dataset, topics=None), {})
    with pytest.raises(UserError, match="a topic model has 2 arrays, but 0 are stored"):
        missing.dataset()
    fewer = [agent.topics[0][:-1], agent.topics[1]]
    other = GCARun.create(tmp_path / "other", agent.config, dataclasses.replace(dataset, topics=fewer), {})
    with pytest.raises(UserError, match="the topic model and the vocabulary differ in the number of tokens"):
        other.dataset()


@pytest.mark.thorough
def test_the_saved_model_answers_as_the_agent_does(agent):
    networks = agent.networks
    replies = TextReplies(
        [decoder.gca for decoder in networks.decoders.values()], networks.judging, agent.vocabulary, "split", 2, False
    )
    answered = replies.reply(np.array(["\n".join(history) for history in HISTORIES]))["reply"].numpy()
    expected = [agent.reply(history) for history in HISTORIES]
    assert [text.decode() for text in answered] == expected


@pytest.mark.thorough
def test_a_run_with_topics_is_trained_resumed_and_loaded(tmp_path, capsys):
    corpus, run = tmp_path / "corpus.txt", tmp_path / "run"
    food, weather = "hot soup and fresh bread", "cold rain and grey clouds"
    talks = [f"I like {one} .\nSo do I .\nMore {one} ?\nYes , {one} !\n" for one in (food, weather)]
    other = "Where is the old station ?\nBehind the green bridge .\nThank you .\nGoodbye .\n"
    corpus.write_text("\n".join([*talks, other, other, other, other] * 12))
    config = Config.preset(
        "tiny",
        topics=2,
        topic_words=3,
        minimum_count=1,
        teacher_forcing_epochs=1,
        adversarial_epochs=0,
        ranking_epochs=1,
        batch_size=64,
    )
    session = pipeline.train_agent(config, Source(corpus), run)
    assert session.finished
    assert "topics:     2, fitted to" in capsys.readouterr().out
    topics = GCARun(run).dataset().topics
    resumed = pipeline.resume(run, teacher_forcing_epochs=2).training
    assert resumed.history[1]["val_perplexity"] < resumed.history[0]["val_perplexity"]
    agent = Agent.load(run)
    for before, after in zip(topics, agent.topics, strict=True):
        np.testing.assert_array_equal(before, after)
    first, second = agent.topics[0][agent.vocabulary.encode(["soup", "rain"])]
    assert np.argmax(first) != np.argmax(second)
    assert agent.backward is not None
    assert agent.answers("More soup ?", decoding=agent.usual_decoding)[0].text
