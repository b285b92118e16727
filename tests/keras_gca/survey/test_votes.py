import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_gca.errors import UserError
from keras_gca.survey.questionnaire import Survey
from keras_gca.survey.votes import LONGEST_NAME, NO_DIFFERENCE, Votes
from tests.factories.surveys import make_survey


@pytest.fixture
def survey():
    return make_survey([(0.4, 0.6)] * 12, dialogues=3)


@pytest.fixture
def votes(tmp_path, survey):
    return Votes.create(tmp_path / "votes.sqlite", survey)


def test_a_volunteer_is_known_by_the_token_alone(votes, survey):
    one, other = votes.enrol("Ann"), votes.enrol("Ann")
    assert one != other
    assert len(one) >= 20
    ann = votes.volunteer(one)
    votes.record(ann, {0: 1, 3: 0})
    votes.record(ann, {0: NO_DIFFERENCE})
    again = Votes.create(votes.path, survey)
    assert again.of(again.volunteer(one)) == {0: NO_DIFFERENCE, 3: 0}
    assert again.of(again.volunteer(other)) == {}
    assert again.volunteer("' OR 1 = 1 --") is None
    assert again.ballots().shape == (1, 12)
    np.testing.assert_array_equal(again.ballots()[0, :5], [2, np.nan, np.nan, 0, np.nan])


def test_a_vote_that_does_not_exist_stores_nothing(votes):
    volunteer = votes.volunteer(votes.enrol(""))
    for choices in ({0: 1, 12: 0}, {0: 1, -1: 0}, {0: 1, 1: 3}):
        with pytest.raises(ValueError, match="is invalid"):
            votes.record(volunteer, choices)
    assert votes.of(volunteer) == {}


def test_names_are_cut_and_tidied(votes):
    name = votes.volunteer(votes.enrol("  Ann\n\x07 " + "x" * 500)).name
    assert name.startswith("Ann xxx")
    assert len(name) == LONGEST_NAME


def test_no_vote_is_lost_when_many_vote_at_the_same_time(tmp_path, survey):
    path, volunteers = tmp_path / "votes.sqlite", 8
    Votes.create(path, survey)
    start = threading.Barrier(volunteers)

    def vote(number):
        own = Votes.open(path, survey)
        volunteer = own.volunteer(own.enrol(f"volunteer {number}"))
        start.wait()
        for line in range(12):
            own.record(volunteer, {line: (line + number) % 3})
        return volunteer, number

    with ThreadPoolExecutor(volunteers) as pool:
        done = list(pool.map(vote, range(volunteers)))
    votes = Votes.open(path, survey)
    assert votes.ballots().shape == (volunteers, 12)
    for volunteer, number in done:
        assert votes.of(volunteer) == {line: (line + number) % 3 for line in range(12)}


def test_a_file_of_something_else_is_left_as_it_is(tmp_path, survey):
    text, database = tmp_path / "text", tmp_path / "other.sqlite"
    text.write_text("not a database, but long enough to be taken for one" * 20)
    connection = sqlite3.connect(database)
    connection.execute("CREATE TABLE plants (name)")
    connection.close()
    for path in (text, database):
        before = path.read_bytes()
        with pytest.raises(UserError, match="not a file of votes"):
            Votes.create(path, survey)
        assert path.read_bytes() == before
    with pytest.raises(UserError, match="no such file"):
        Votes.open(tmp_path / "none", survey)
    assert not (tmp_path / "none").exists()
    with pytest.raises(UserError, match="folder does not exist"):
        Votes.create(tmp_path / "none" / "votes", survey)


def test_votes_belong_to_one_survey(votes, survey):
    other = Survey(survey.models, survey.dialogues[:2], survey.source)
    with pytest.raises(UserError, match="another survey"):
        Votes.open(votes.path, other)


def test_a_survey_is_read_as_it_was_written_and_not_overwritten(tmp_path, survey):
    path = tmp_path / "survey.json"
    survey.write(path)
    assert Survey.read(path) == survey
    assert Survey.read(path).fingerprint == survey.fingerprint
    with pytest.raises(UserError, match="already exists"):
        survey.write(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"format"', "format", "valid JSON is expected"),
        ("survey 1", "survey 9", "not a survey that this version can read"),
        ('"adversarial"', '"teacher_forcing"', "two models with different names"),
        ('"score": 0.4', '"score": 1.4', "line 1: scores in [0, 1] are expected"),
        ('"score": 0.4', '"score": "high"', "damaged"),
        ('"text": "Answer 0 of P."', '"text": 5', "line 1: two answers are expected"),
        ('"human"', '"machine"', "damaged"),
    ],
)
def test_a_damaged_survey_gets_one_line(tmp_path, survey, old, new, message):
    path = tmp_path / "survey.json"
    assert old in survey.to_json()
    path.write_text(survey.to_json().replace(old, new))
    with pytest.raises(UserError) as caught:
        Survey.read(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
