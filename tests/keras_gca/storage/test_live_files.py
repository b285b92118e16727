import pytest

from keras_gca.errors import UserError
from keras_gca.storage.live_files import LONGEST_QUESTION, Exchange, Judged, LiveFiles, checked_questions


def test_what_is_written_is_read(tmp_path):
    files = LiveFiles(tmp_path)
    assert files.questions() is None
    files.ask(["Wie geht's?", "Naïve?"])
    assert files.questions() == ["Wie geht's?", "Naïve?"]
    said = Judged("Fine.", 0.5, (("fine", 0.25), (".", 1.0)))
    files.write(3, "line 9", [Exchange("How?", said), Exchange("x", None, note="n")], [Exchange("c", said, said)])
    judged = {"text": "Fine.", "score": 0.5, "tokens": [["fine", 0.25], [".", 1.0]]}
    assert files.read(3) == {
        "row": 3,
        "stage": "line 9",
        "asked": [
            {"context": "How?", "reply": judged, "human": None, "note": None},
            {"context": "x", "reply": None, "human": None, "note": "n"},
        ],
        "samples": [{"context": "c", "reply": judged, "human": judged, "note": None}],
    }
    assert files.read(2) is None


def test_rows_are_in_order_and_later_ones_can_be_removed(tmp_path):
    files = LiveFiles(tmp_path)
    files.ask(["Hello?"])
    for row in (12, 2, 10_000):
        files.write(row, "stage", [], [])
    assert files.rows() == [2, 12, 10_000]
    files.remove(after=2)
    assert files.rows() == [2]
    assert files.questions() == ["Hello?"]


@pytest.mark.parametrize(
    "values", [None, [], "Hello?", ["a"] * 4, [1], ["a" * (LONGEST_QUESTION + 1)], ["  "], ["?!"], ["\u200b"]]
)
def test_what_is_not_a_question(values):
    with pytest.raises(ValueError, match="question"):
        checked_questions(values)


def test_control_characters_become_spaces():
    assert checked_questions([" a\x1b[31mb\n"]) == ["a [31mb"]


@pytest.mark.parametrize("text", ["", "{", "[]", '["a", 1]', '"a"'])
def test_damaged_questions_are_named(text, tmp_path):
    files = LiveFiles(tmp_path)
    files.ask(["Hello?"])
    files.questions_file.write_text(text)
    with pytest.raises(UserError, match=r"questions\.json"):
        files.questions()
