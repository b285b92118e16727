"""The questions of the second paper's chat cover every property of a profile."""

from gail_tf.data.calibration import profile_of_answers, questions
from gail_tf.data.listening import VALUES, Profile


def test_there_is_one_question_for_each_property():
    asked = questions()
    assert len(asked) <= 7
    assert {question.name: tuple(question.answers) for question in asked} == VALUES
    assert all(question.text.endswith(("?", ")")) for question in asked)
    assert asked[3].answers["no"] == "no advice"
    assert asked[5].answers["medium"] == "medium"


def test_the_answers_are_a_profile():
    assert profile_of_answers({}) is None
    assert profile_of_answers({"ask": "no", "length": "short"}) == Profile(ask="no", length="short")
