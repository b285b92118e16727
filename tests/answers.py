"""An assertion that tests of both agents share: two lists of answers are the same."""

import pytest


def assert_same_answers(answers, expected):
    """Assert equal texts and tokens in the same order, and equal numbers except for rounding of float32."""
    for answer, other in zip(answers, expected, strict=True):
        assert (answer.generator, answer.text) == (other.generator, other.text)
        assert [token for token, _ in answer.token_scores] == [token for token, _ in other.token_scores]
        scores, others = ([score for _, score in each.token_scores] for each in (answer, other))
        assert scores == pytest.approx(others, rel=1e-3, nan_ok=True)
        assert answer.token_probabilities == pytest.approx(other.token_probabilities, rel=1e-3)
        for figure in ("probability", "probability_of_words", "human", "score"):
            assert getattr(answer, figure) == pytest.approx(getattr(other, figure), rel=1e-3)
