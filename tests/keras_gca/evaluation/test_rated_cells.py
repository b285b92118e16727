"""How the discriminators of the study of adversarial training are compared with human ratings."""

import json
import os

import pytest

from keras_gca.errors import UserError
from keras_gca.evaluation import human_ratings, rated_answers, rated_cells
from keras_gca.evaluation.rated_answers import measures
from tests.factories import gca, ratings

EQ_9, EQ_10 = "D, Eq. 9", "D, Eq. 10"
CELLS = ["author_greedy_linear_squared", "author_greedy_linear_log", "human_sampled_hidden_log"]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(human_ratings, "RESAMPLES", 20)
    monkeypatch.setattr(human_ratings, "SPLITS", 2)
    return ratings.write(tmp_path / "people.jsonl", ratings.rated(12, 0.5)[0])


def test_a_run_is_rated_once_for_each_file(file, tmp_path, monkeypatch):
    run = tmp_path / "run"
    gca.write_run(run)
    calls, evaluate = [], rated_answers.evaluate_ratings
    monkeypatch.setattr(
        rated_answers, "evaluate_ratings", lambda *given, **named: calls.append(given) or evaluate(*given, **named)
    )
    assert not rated_cells.is_rated(run, [file])
    found = rated_cells.rate(run, file)
    agent = gca.make_agent()  # that of the run
    kept = rated_answers.unseen(agent, gca.GCARun.open(run).dataset(), human_ratings.read_ratings(file))
    assert len(kept) == found["responses"]
    expected = human_ratings.agreements(kept, measures(agent, kept, only_discriminator=True), (EQ_9, EQ_10))
    assert list(found["measures"]) == [EQ_9, EQ_10, "length", "random numbers"]
    for name in (EQ_9, EQ_10):
        assert found["measures"][name]["spearman"] == pytest.approx(expected[name].spearman)
        assert found["measures"][name]["jaccard"] == pytest.approx(expected[name].jaccard, nan_ok=True)
    assert json.loads((run / "ratings_people.json").read_text()) == found
    assert rated_cells.is_rated(run, [file])
    assert rated_cells.rate(run, file) == found
    assert len(calls) == 1
    monkeypatch.setattr(rated_answers, "evaluate_ratings", lambda *given, **named: calls.append(given) or {})
    ratings.write(file, ratings.rated(13, 0.5)[0])  # another file of the same name
    assert not rated_cells.is_rated(run, [file])
    rated_cells.rate(run, file)
    os.utime(run / "ratings_people.json", (1, 1))  # older than the bot
    rated_cells.rate(run, file)
    assert len(calls) == 3
    assert list(rated_cells.stored({("a", 0): run, ("b", 0): tmp_path / "none"}, file)) == [("a", 0)]


def agreement(spearman, jaccard, chance=0.4, beats=True):
    ends = {"low": spearman - 0.1, "high": spearman + 0.1, "jaccard_low": jaccard - 0.1, "jaccard_high": jaccard + 0.1}
    return {"spearman": spearman, "jaccard": jaccard, "chance": chance, "beats_length": beats, **ends}


def of_run(spearman, jaccard):
    measured = {
        EQ_9: agreement(0.0, 0.25),
        EQ_10: agreement(spearman, jaccard),
        "length": agreement(0.05, 0.45, beats=None),
        "random numbers": agreement(-0.01, 0.35, beats=False),
    }
    return {"file": "people.jsonl", "responses": 24, "contexts": 12, "split-half": 0.3, "measures": measured}


def test_the_tables_by_hand():
    rated = {(cell, 0): of_run(0.1 * i, 0.5 + 0.1 * i) for i, cell in enumerate(CELLS)}
    cells, means = rated_cells.tables(rated)
    assert cells.header[-5:] == ["Spearman", "beats length", "Jaccard (Eq. 11)", "by chance", "Jaccard, Eq. 9"]
    assert cells.rows[1] == [
        "author", "greedy", "linear", "log",
        "+0.100 [+0.000, +0.200]", "yes", "0.600 [0.500, 0.700]", "0.400", "0.250 [0.150, 0.350]",
    ]  # fmt: skip
    blanks = ["", "", ""]
    assert cells.rows[3:] == [
        ["length", *blanks, "+0.050 [-0.050, +0.150]", "", "0.450 [0.350, 0.550]", "0.400", ""],
        ["random numbers", *blanks, "-0.010 [-0.110, +0.090]", "", "0.350 [0.250, 0.450]", "0.400", ""],
        ["one half of the raters (ceiling)", *blanks, "+0.300", "", "", "", ""],
    ]
    assert cells.caption.startswith("people.jsonl: agreement of each cell's D with people's ratings of 24 responses")
    assert means.rows == [
        ["author", "greedy", "2", "+0.050", "0.550", "0.400"],
        ["human", "sampled", "1", "+0.200", "0.700", "0.400"],
    ]
    assert rated_cells.tables({}) == []


def test_several_seeds_have_means_and_no_intervals():
    rated = {(CELLS[0], seed): of_run(0.1 * seed, 0.5) for seed in (1, 2, 3)}
    rated[CELLS[0], 3]["measures"][EQ_10]["beats_length"] = False
    cells, _ = rated_cells.tables(rated)
    assert cells.rows[0][4:] == ["+0.200 ± +0.100", "2 of 3", "0.500 ± 0.000", "0.400 ± 0.000", "0.250 ± 0.000"]
    assert "means over seeds" in cells.caption
    rated[CELLS[0], 3]["measures"][EQ_10]["spearman"] = None  # undefined, because D gives all answers the same score
    assert rated_cells.tables(rated)[0].rows[0][4] == ""


def test_unusable_files(file, tmp_path):
    rated_cells.refuse_unusable([file])
    (tmp_path / "other").mkdir()
    same = ratings.write(tmp_path / "other" / "people.jsonl", ratings.rated(2, 0.5)[0])
    with pytest.raises(UserError, match="--ratings: two files have the same name"):
        rated_cells.refuse_unusable([file, same])
    same.write_text("{}\n")
    with pytest.raises(UserError, match=r"people\.jsonl, line 1: context is None; a list of strings is expected"):
        rated_cells.refuse_unusable([same])
