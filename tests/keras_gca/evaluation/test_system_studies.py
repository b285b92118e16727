"""Studies with metrics of their own: what is measured, what is read again, and the tests by seeds."""

import math

import pytest

from glove.cost import TimeLimit
from keras_gca.evaluation import personas, subject_changes, system_studies
from keras_gca.evaluation.variants import STUDIES
from keras_gca.storage import json_files

SEEDS = 2


@pytest.fixture
def folders(tmp_path):
    made = {
        variant: [tmp_path / variant / f"seed_{seed}" for seed in range(SEEDS)]
        for variant in STUDIES["dynamic_context"].variants
    }
    for runs in made.values():
        for run in runs:
            run.mkdir(parents=True)
            (run / "bot.h5").touch()
    return made


def of_run(run):
    """Return metrics in which one utterance of context has a perplexity of 10 and others have 20, plus the seed."""
    value = (10 if "one_utterance" in str(run) else 20) + int(run.name[-1])
    by_distance = {"1 utterance": float(value), "2 utterances": 30.0}
    if run.name == "seed_1":
        del by_distance["2 utterances"]  # a small run may have no such answer
    pairs = {distance: 3 if distance in by_distance else 0 for distance in subject_changes.DISTANCES}
    return {
        "pairs": pairs,
        "perplexity": {"teacher_forcing": {"joined": by_distance, "alone": by_distance}},
    }


def test_changes_are_measured_once_and_tested_by_seeds(folders, monkeypatch):
    asked = []
    monkeypatch.setattr(subject_changes, "evaluate_subject_changes", lambda run: asked.append(run) or of_run(run))
    tables, facts = system_studies.after_changes(folders, TimeLimit())
    assert len(asked) == SEEDS * len(folders)
    assert "20.50 ± 0.71" in tables[0].to_text()
    first = next(test for test in facts["tests"] if test["systems"][0].startswith("one_utterance"))
    assert first["figure"] == "log perplexity, joined, after 1 utterance"
    assert first["difference"] == pytest.approx((math.log(10 / 20) + math.log(11 / 21)) / 2)
    assert not [test for test in facts["tests"] if "2 utterances" in test["figure"]]
    system_studies.after_changes(folders, TimeLimit())
    assert len(asked) == SEEDS * len(folders)  # stored metrics are read again
    assert json_files.read_object(asked[0] / subject_changes.STUDIED) == of_run(asked[0])


def test_personas_are_compared_with_nobody_and_others(folders, monkeypatch):
    overlaps = {key: {"teacher_forcing": 0.5} for key in ("same speaker", "nobody", "other speakers")}
    perplexity = {"own": 10.0, "nobody": 12.0, "another": 15.0}
    made = {"answers": 3, "perplexity": {"teacher_forcing": perplexity}, **overlaps}
    monkeypatch.setattr(personas, "evaluate_personas", lambda run: made)
    tables, facts = system_studies.of_personas({"persona": folders["dynamic_context"]}, TimeLimit())
    assert "12.00" in tables[0].to_text()
    assert "own" in tables[0].to_text()
    own = next(test for test in facts["tests"] if test["systems"][1].startswith("judged as nobody"))
    assert own["difference"] == pytest.approx(math.log(10 / 12))


def test_nothing_is_measured_after_the_time_limit(folders):
    limit = TimeLimit(0)
    assert limit.is_over
    assert system_studies.after_changes(folders, limit) is None
    assert system_studies.of_personas(folders, limit) is None
