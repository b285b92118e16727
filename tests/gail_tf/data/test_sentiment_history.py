"""The course of a user's sentiment, compared with NumPy and with an independent VADER."""

import numpy as np
import pytest

from gail_tf.data.sentiment_history import LEVELS, TRENDS, course, words_of
from tests.oracles.vader import compound

SAD, PLAIN, GLAD = "I lost my dog. I am so sad.", "The train leaves at ten.", "I love my new job!"


def test_the_course_of_three_turns():
    history = (SAD, "Oh no.", PLAIN, "I see.")
    scores = [compound(text) for text in (SAD, PLAIN, GLAD)]
    slope = np.polyfit([0, 1, 2], scores, 1)[0]
    expected = [np.mean(scores), (scores[2] - scores[1]) / 2, slope / 2, (max(scores) - min(scores)) / 2]
    np.testing.assert_allclose(course(history, GLAD), expected, atol=1e-9)
    assert words_of(history, GLAD)[0] == "rising"


def test_the_listeners_turns_do_not_count():
    assert course((SAD, GLAD), PLAIN) == course((SAD, SAD), PLAIN)
    # Roles alternate from the prompt backwards, so the first utterance here is the listener's.
    assert course((GLAD, SAD, GLAD), PLAIN) == course((SAD, GLAD), PLAIN)


@pytest.mark.parametrize("history", [(), ("Hello.",)])
def test_a_single_turn_has_no_course(history):
    assert course(history, SAD) == (pytest.approx(compound(SAD)), 0, 0, 0)
    assert words_of(history, SAD) == ()


@pytest.mark.parametrize(
    ("turns", "trend", "level"),
    [
        ((SAD, GLAD), "rising", None),
        ((GLAD, SAD), "falling", None),
        ((PLAIN, PLAIN), "steady", "even"),
        ((GLAD, GLAD), "steady", "high"),
        ((SAD, SAD), "steady", "low"),
        ((SAD, GLAD, SAD), "steady", "low"),
    ],
)
def test_the_course_in_words(turns, trend, level):
    history = [text for turn in turns[:-1] for text in (turn, "I see.")]
    found = words_of(history, turns[-1])
    assert found[0] == trend
    assert found[1] == level or level is None
    assert (found[0] in TRENDS, found[1] in LEVELS) == (True, True)


def test_all_numbers_are_from_minus_1_to_1():
    worst, best = "Terrible, horrible, awful, I hate it! " * 9, "Wonderful, great, I love it! " * 9
    for turns in ((worst, best), (best, worst), (worst, best, worst, best)):
        history = [text for turn in turns[:-1] for text in (turn, "I see.")]
        assert np.abs(course(history, turns[-1])).max() <= 1
