"""The agreement of measures with people's ratings: values by hand and by SciPy, and the value of chance."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from keras_gca.errors import UserError
from keras_gca.evaluation import human_ratings
from keras_gca.evaluation.human_ratings import LENGTH, RANDOM, Rated, agreements, read_ratings, split_half, unseen
from tests.factories import ratings


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch):
    monkeypatch.setattr(human_ratings, "RESAMPLES", 300)


def of(context, response, *scores):
    return Rated((context,), response, "s", scores)


def test_a_file_is_read(tmp_path):
    made, _ = ratings.rated(3, 0.1)
    assert read_ratings(ratings.write(tmp_path / "a.jsonl", made)) == made


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 2: valid JSON is expected"),
        ("[]", "line 2: a JSON object is expected"),
        ({"context": "a"}, "line 2: context is 'a'; a list of strings is expected"),
        ({"context": [""]}, r"line 2: context is \[''\]; a list of strings is expected"),
        ({"response": 1}, "line 2: response is 1; a string is expected"),
        ({"scores": [1]}, r"line 2: scores is \[1\]; a list of two or more numbers is expected"),
        ({"scores": [1, "2"]}, "line 2: scores is .* a list of two or more numbers is expected"),
        ({"scores": [1, math.nan]}, "line 2: scores is .* a list of two or more numbers is expected"),
    ],
)
def test_wrong_lines_are_refused(tmp_path, line, message):
    good = {"context": ["a"], "response": "b", "system": "c", "scores": [1, 2]}
    line = line if isinstance(line, str) else json.dumps(good | line)
    (tmp_path / "a.jsonl").write_text(json.dumps(good) + "\n" + line + "\n")
    with pytest.raises(UserError, match=rf"a\.jsonl, {message}"):
        read_ratings(tmp_path / "a.jsonl")


def test_files_without_ratings_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none: cannot be read"):
        read_ratings(tmp_path / "none")
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(UserError, match=r"empty: the file has no ratings"):
        read_ratings(tmp_path / "empty")


def test_contexts_of_the_training_files_are_left_out():
    some = [Rated(("Hi !", "How are you ?"), "Fine.", "s", (1.0, 2.0)), Rated(("Hi!", "Bye."), "Bye.", "s", (1.0, 2.0))]
    assert unseen(some, [["Well.", "hi", "how are YOU?", "Fine."]]) == some[1:]
    assert unseen(some, [["Hi", "Well.", "How are you?"]]) == some  # other utterances are between them


def test_correlation_and_choices_by_hand():
    some = [of("x", "a", 1, 1), of("x", "b b", 2, 2), of("y", "c c c", 5, 5), of("y", "d", 4, 4), of("z", "e", 3, 3)]
    # Ranks of people: 1 2 5 4 3. The measure's: 1 2 5 3 4. d = 0 0 0 1 1: 1 - 6 * 2 / (5 * 24) = 0.9.
    measure = np.array([0.1, 0.2, 0.9, 0.3, 0.4])
    result = agreements(some, {"m": measure})
    assert result["m"].spearman == pytest.approx(0.9)
    assert result["m"].jaccard == 1  # it chooses b and c, as people do
    assert result["m"].chance == 0.5
    assert result[LENGTH].jaccard == 1
    assert result[LENGTH].beats_length is None
    wrong = agreements(some, {"m": -measure})["m"]
    assert (wrong.spearman, wrong.jaccard) == (pytest.approx(-0.9), 0)
    # A tie in one of the two lines: one of two voted lines agrees; by chance half a line of two.
    tied = agreements(some, {"m": np.array([0.1, 0.2, 0.7, 0.7, 0.4])})["m"]
    assert (tied.jaccard, tied.chance) == (0.5, 0.25)


def test_the_pairs_of_a_context_are_not_independent():
    # 60 contexts with 6 responses each; the measure orders all pairs of a context rightly or all wrongly. Over
    # contexts, the share of right ones has the standard error sqrt(0.25 / 60) = 0.0645.
    some = [of(str(context), f"{i}", i, i) for context in range(60) for i in range(1, 7)]
    measure = np.array([i if context % 2 else -i for context in range(60) for i in range(1, 7)], np.float64)
    found = agreements(some, {"m": measure})["m"]
    assert found.jaccard == 0.5
    assert (found.jaccard_low, found.jaccard_high) == pytest.approx(
        (0.5 - 1.96 * 0.0645, 0.5 + 1.96 * 0.0645), abs=0.02
    )


def test_scores_of_the_discriminator_tie_within_five_per_cent():
    some = [of("x", "a", 1, 1), of("x", "b", 2, 2), of("y", "c", 5, 5), of("y", "d", 4, 4)]
    logs = np.log([0.50, 0.52, 0.9, 0.5])
    assert agreements(some, {"D": logs})["D"].jaccard == 1
    assert agreements(some, {"D": logs}, ["D"])["D"].jaccard == 0.5


def test_correlation_is_scipys_with_ties():
    draw = np.random.default_rng(0)
    first, second = draw.integers(5, size=(2, 60))
    expected = stats.spearmanr(first, second).statistic
    assert human_ratings._spearman(first, second) == pytest.approx(expected)
    assert math.isnan(human_ratings._spearman(np.ones(3), np.arange(3)))


def test_a_good_measure_beats_length_and_permuted_labels_are_chance():
    made, good = ratings.rated(150, 0.5)
    permuted = np.random.default_rng(1).permutation(good)
    result = agreements(made, {"good": good, "permuted": permuted})
    assert result["good"].spearman > 0.9
    assert result["good"].low > 0.85
    assert result["good"].beats_length is True
    for name in ("permuted", RANDOM):
        assert abs(result[name].spearman) < 0.15
        assert result[name].low < 0 < result[name].high
        assert result[name].jaccard_low < result[name].chance < result[name].jaccard_high
        assert result[name].beats_length is False


def test_split_half_is_the_correlation_of_two_halves():
    """With a variance of 1 and noise of variance v, two halves of 5 raters correlate as 1 / (1 + v / 5)."""
    made, _ = ratings.rated(600, 2.0)
    assert split_half(made, splits=10) == pytest.approx(1 / (1 + 4 / 5), abs=0.05)
    nothing = [of(f"{i}", "a", *np.random.default_rng(i).normal(size=10)) for i in range(400)]
    assert abs(split_half(nothing, splits=10)) < 0.1  # raters who answer at random


def test_the_table_says_who_does_not_beat_length(tmp_path):
    made, good = ratings.rated(60, 0.5)
    results = human_ratings.compare(tmp_path / "f.jsonl", made, made[4:], {"good": good[4:], "same": np.ones(116)}, 0)
    json.dumps(results, allow_nan=False)
    assert (results["responses"], results["left out"], results["contexts"]) == (116, 4, 58)
    lines = {line.split("|")[1].strip(): line for line in human_ratings.report(results).to_markdown().splitlines()[2:]}
    assert lines["good"].split("|")[3].strip() == "yes"
    assert lines["same"].split("|")[2].strip() == ""  # a constant has no rank correlation
    assert lines["same"].split("|")[3].strip() == "no"
    assert "one half of the raters (ceiling)" in lines


@pytest.mark.parametrize(("name", "reliability"), [("dailydialog", 0.3), ("empatheticdialogues", 0.1)])
def test_the_ceilings_of_public_ratings(name, reliability, shared_file):
    path = shared_file(f"data/human_ratings/{name}.jsonl")
    assert split_half(read_ratings(path), splits=20) == pytest.approx(reliability, abs=0.05)
