"""Answers with topics and seq2BF are compared: shares of words, the study, and runs that do not fit together."""

import json

import numpy as np
import pytest

from glove.cost import TimeLimit
from keras_gca.data.dataset import Dataset
from keras_gca.errors import UserError
from keras_gca.evaluation import system_studies, topic_systems
from keras_gca.evaluation.variants import SEQ2BF, STUDIES, TOPIC_AWARE
from keras_gca.storage.atomic import write_text
from keras_gca.training.run_folder import GCARun
from tests.factories.gca import WORDS, make_agent, make_keyword_agent, random_pairs, write_run

SYSTEMS = (topic_systems.HUMAN, "plain, greedy", "topics, greedy")


def test_the_share_of_topic_words_is_that_of_the_words_of_answers():
    answers = np.array([[1, 7, 8, 7, 2, 0], [1, 9, 3, 2, 0, 0]])  # 5 words, of which the unknown word is one
    assert topic_systems.topic_share(answers, np.array([[7, 5], [8, 2]])) == pytest.approx(2 / 5)
    assert topic_systems.topic_share(answers, np.array([[5, 6], [9, 1]])) == pytest.approx(1 / 5)
    assert np.isnan(topic_systems.topic_share(np.array([[1, 2, 0]]), np.array([[7]])))


@pytest.fixture
def folders(tmp_path):
    made = {
        variant: [tmp_path / variant / f"seed_{seed}" for seed in range(2)] for variant in STUDIES["topics"].variants
    }
    for run in (run for runs in made.values() for run in runs):
        run.mkdir(parents=True)
        (run / "bot.h5").touch()
    return made


def test_the_study_measures_each_seed_once_and_tests_by_seeds(folders, monkeypatch):
    asked = []

    def measured(runs):
        asked.append(dict(runs))
        value = len(asked) / 10
        of_system = dict.fromkeys(topic_systems.SHOWN, value)
        systems = dict.fromkeys(SYSTEMS, of_system) | {
            "topics, greedy": of_system | {"tokens": value + 2.0},
            topic_systems.HUMAN: {key: value for key in topic_systems.SHOWN if key != "perplexity"},
        }
        write_text(runs[TOPIC_AWARE] / topic_systems.STUDIED, json.dumps({"contexts": 3, "systems": systems}))

    monkeypatch.setattr(topic_systems, "evaluate_topics", measured)
    assert system_studies.of_topics(folders, TimeLimit(0)) is None
    tables, facts = system_studies.of_topics(folders, TimeLimit())
    assert [runs[TOPIC_AWARE].name for runs in asked] == ["seed_0", "seed_1"]
    assert set(asked[0]) == set(STUDIES["topics"].variants)
    tokens = next(test for test in facts["tests"] if test["figure"] == "tokens")
    assert abs(tokens["difference"]) == pytest.approx(2.0)
    assert "topics, greedy" in tables[0].to_text()
    assert "2.15 ± 0.0707" in tables[0].to_text()
    system_studies.of_topics(folders, TimeLimit())
    assert len(asked) == 2  # the stored metrics are read again


@pytest.mark.thorough
def test_runs_with_other_words_or_without_topics_are_refused(tmp_path):
    for name in STUDIES["topics"].variants:
        write_run(tmp_path / name)
    runs = {name: tmp_path / name for name in STUDIES["topics"].variants}
    other = make_agent(words=["other", "words"])
    other.save(runs["backward"] / "bot.h5")
    with pytest.raises(UserError, match=r"backward: its vocabulary differs from that of .*default; use the same"):
        topic_systems.evaluate_topics(runs)
    make_agent().save(runs["backward"] / "bot.h5")
    with pytest.raises(UserError, match="topic_aware: the run has no topics; train it with --topics"):
        topic_systems.evaluate_topics(runs)


# seq2BF


def test_the_share_of_keywords_is_that_of_the_answers_that_contain_them():
    answers = np.array([[1, 7, 8, 2], [1, 9, 3, 2], [1, 5, 2, 0], [1, 0, 0, 0]])
    assert topic_systems.keyword_share(answers, np.array([8, 7, 5, 0])) == pytest.approx(2 / 3)
    assert np.isnan(topic_systems.keyword_share(answers, np.zeros(4, int)))


def test_the_table_has_a_column_of_keywords_only_with_seq2bf():
    plain = {"systems": {"plain, greedy": dict.fromkeys(topic_systems.SHOWN, 0.25)}}
    assert "keywords" not in topic_systems.table({"topics": plain}).to_text()
    both = {"systems": {**plain["systems"], "seq2BF, greedy": {"tokens": 0.5, topic_systems.KEYWORD_SHARE: 0.75}}}
    table = topic_systems.table({SEQ2BF: both})
    assert "contain the keyword" in table.caption
    assert "0.75" in table.to_text()


def make_words():
    """Return more words than a beam has partial answers."""
    return [*WORDS, *(f"word{number}" for number in range(topic_systems.HOW.candidates))]


def bots_of_the_study(folder):
    """Write the run folders of the study `seq2bf`, with random weights."""
    words = make_words()
    agents = {
        "default": make_agent(words),
        "language_model": make_agent(words, predict="unconditional"),
        "backward": make_agent(words, predict="context"),
        TOPIC_AWARE: make_agent(words, topics=3, topic_words=4),
        SEQ2BF: make_keyword_agent(words=words),
    }
    assert tuple(agents) == STUDIES[SEQ2BF].variants
    for name, agent in agents.items():
        pairs = random_pairs(24, vocabulary=len(agent.vocabulary), length=agent.longest)
        dataset = Dataset(agent.vocabulary, pairs, pairs, [], True, topics=agent.topics)
        run = GCARun.create(folder / name, agent.config, dataset, {})
        run.write_checkpoint({"position": 0}, {})
        agent.save(run.bot)
    return {name: folder / name for name in agents}


@pytest.mark.slow
def test_seq2bf_says_its_keywords_and_is_compared_with_all_other_systems(tmp_path):
    runs = bots_of_the_study(tmp_path)
    figures = topic_systems.evaluate_topics(runs)
    assert json.loads((runs[SEQ2BF] / topic_systems.STUDIED_SEQ2BF).read_text()) == figures
    systems = figures["systems"]
    assert {"plain, greedy", "topics, greedy", "seq2BF, greedy", "plain, beam", "topics, beam"} < set(systems)
    for name, of_system in systems.items():
        share = of_system[topic_systems.KEYWORD_SHARE]
        assert share == 1 if name in topic_systems.SEQ2BF_DECODINGS else 0 <= share < 1
    make_agent(make_words()).save(runs[SEQ2BF] / "bot.h5")
    with pytest.raises(UserError, match="seq2bf: the run has no keywords; train it with --keyword-epochs"):
        topic_systems.evaluate_topics(runs)
