"""The comparison of answers with topics: the share of topic words, the study, and runs that do not fit together."""

import json

import numpy as np
import pytest

from glove.cost import TimeLimit
from keras_gca.errors import UserError
from keras_gca.evaluation import system_studies, topic_systems
from keras_gca.evaluation.variants import STUDIES, TOPIC_AWARE
from keras_gca.storage.atomic import write_text
from tests.factories.gca import make_agent, write_run

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
