import numpy as np
import pytest

from keras_gca.models.scoring import (
    best,
    is_tie,
    is_tie_of_logs,
    jaccard_index,
    log_human_probability,
    log_score,
    winner,
)

NAN = np.nan


def test_equations_9_and_10_by_hand():
    log_l = np.log([[0.5, 0.8, NAN], [0.9, NAN, NAN], [0.2, 0.2, 0.2]])
    np.testing.assert_allclose(np.exp(log_human_probability(log_l)), [0.4, 0.9, 0.008])
    np.testing.assert_allclose(np.exp(log_score(log_l)), [0.4**0.5, 0.9, 0.2])


def test_fifty_small_outputs_stay_finite():
    log_l = np.log(np.full((1, 50), 1e-12))
    assert log_human_probability(log_l)[0] == pytest.approx(50 * np.log(1e-12))
    assert np.exp(log_score(log_l)[0]) == pytest.approx(1e-12)


def test_an_answer_without_tokens_has_no_score():
    with pytest.raises(ValueError, match="without tokens"):
        log_score(np.array([[NAN, NAN]]))


@pytest.mark.parametrize(
    ("first", "second", "tie"),
    [(0.5, 0.52, True), (0.52, 0.5, True), (0.5, 0.526, False), (0.5, 0.5, True), (0, 0.1, False)],
)
def test_a_difference_below_5_percent_of_the_smaller_score_is_a_tie(first, second, tie):
    assert is_tie(first, second) == tie
    if first:
        assert is_tie_of_logs(np.log(first) - 5000, np.log(second) - 5000) == tie


def test_the_highest_score_wins_and_a_tie_goes_to_the_likelier():
    assert best([0.5, 0.6], [0.9, 0.1]) == 1
    assert best([0.59, 0.6], [0.9, 0.1]) == 0
    assert best([0.0, 0.0], [0.1, 0.2]) == 1
    assert best([0.3], [0.1]) == 0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0.5, 0.6, 1), (0.6, 0.5, 0), (0.5, 0.52, None), (0.5, 0.525, 1), (0.0, 0.0, None), (0.0, 1e-9, 1)],
)
def test_the_winner_of_a_line(first, second, expected):
    assert winner(first, second) == expected


def test_equation_11_by_hand():
    humans = [0, 1, 1, None, None, 0]
    judged = [0, 0, 1, 1, None, None]
    assert jaccard_index(humans, judged) == pytest.approx(2 / 5)
    assert jaccard_index([1, 1], [1, 1]) == 1
    assert np.isnan(jaccard_index([None], [None]))
    with pytest.raises(ValueError, match="longer"):
        jaccard_index([1], [1, 1])
