"""The questions of a calibration in the terminal, the file that keeps the answers, and the form of the page."""

import json
import os
import re
import stat

import pytest

from keras_gca.errors import UserError
from keras_gca.serving.calibration import AnswersFile, Calibration, ask, checked, described, note_on_answers
from keras_gca.serving.protocol import Answer, Decodings
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.serving.web import ChatPage, create_app
from tests.factories.chats import CRISIS, NOTE, QUESTIONS, Noting, full_page_of, until, visiting


def note(text):
    return NOTE if CRISIS in text else None


def answered(*lines):
    """Return the answers to lines that are typed one after the other, and then the end of the input."""
    rest = iter(lines)
    return ask(QUESTIONS, note, lambda: next(rest, None))


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("1", "3"), {"ask": "yes", "length": "long"}),
        (("no questions", "SHORT"), {"ask": "no", "length": "short"}),
        (("y", "m"), {"ask": "yes", "length": "medium"}),
        (("", "  "), {}),
        (("", "no preference"), {}),
        (("maybe", "4", "no", ""), {"ask": "no"}),
        (("1",), None),
        (("1", "/quit"), None),
        ((), None),
    ],
)
def test_how_questions_are_answered(lines, expected, capsys):
    assert answered(*lines) == expected
    out = capsys.readouterr().out
    remark = "(not understood; type 1 or 2, type the first letters of an answer, or press Enter)"
    assert out.count(remark) == 2 * ("maybe" in lines)
    assert ("no answers were saved" in out) == (expected is None)


@pytest.mark.parametrize("lines", [(CRISIS,), ("1", CRISIS, "2"), ("what?", f"no, {CRISIS}")])
def test_an_answer_about_a_crisis_gets_the_note_and_ends_the_questions(lines, capsys):
    assert answered(*lines) is None
    out = capsys.readouterr().out
    assert out.endswith(f"note> {NOTE}\n")


def test_only_the_owner_can_read_the_file(tmp_path):
    file = AnswersFile(tmp_path / "profile.json", QUESTIONS)
    assert file.read() == {}
    mask = os.umask(0)
    try:
        file.write({"ask": "no"})
        assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
        (tmp_path / ".profile.json.part").write_text("left by a process that was killed")
        os.chmod(file.path, 0o644)
        file.write({"length": "long"})
    finally:
        os.umask(mask)
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert file.read() == {"length": "long"}
    assert [path.name for path in tmp_path.iterdir()] == ["profile.json"]
    file.delete()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UserError, match=r"profile.json: there is no profile to delete$"):
        file.delete()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "the file is damaged; valid JSON is expected"),
        ("[]", "the content is not a JSON object"),
        ("{}", "the file is not a profile; choose a file written by chat --calibrate"),
        (
            '{"format": "calibration 1", "answers": []}',
            "the file is not a profile; choose a file written by chat --calibrate",
        ),
        ('{"format": "calibration 1", "answers": {"ask": "maybe"}}', "ask: 'maybe' is not one of yes, no"),
        ('{"format": "calibration 1", "answers": {"ask": ["yes"]}}', r"ask: \['yes'\] is not one of yes, no"),
        (
            '{"format": "calibration 1", "answers": {"x": "y"}}',
            "there is no question 'x'; the questions are ask, length",
        ),
    ],
)
def test_a_damaged_file_is_named(content, message, tmp_path):
    path = tmp_path / "profile.json"
    path.write_text(content)
    with pytest.raises(UserError, match=f"^{re.escape(str(path))}: {message}"):
        AnswersFile(path, QUESTIONS).read()


def test_a_folder_that_is_missing_is_named(tmp_path):
    with pytest.raises(UserError, match=r"none/profile.json: the profile cannot be written \(No such file"):
        AnswersFile(tmp_path / "none" / "profile.json", QUESTIONS).write({})


def test_answers_are_in_the_order_of_the_questions():
    assert list(checked({"length": "long", "ask": "no"}, QUESTIONS)) == ["ask", "length"]
    assert described({"ask": "no", "length": "long"}) == "ask no, length long"
    assert described({}) == "no preferences"


@pytest.mark.parametrize("answers", [CRISIS, {"ask": CRISIS}, {CRISIS: "yes"}, {"ask": ["yes"], "length": CRISIS}])
def test_any_text_of_a_page_is_checked(answers):
    assert note_on_answers(answers, note) == NOTE


@pytest.mark.parametrize("answers", [None, [], {}, {"ask": "yes"}, {"ask": 3}])
def test_harmless_answers_have_no_note(answers):
    assert note_on_answers(answers, note) is None


# The page


ANSWER = Answer("bot", "Fine.", 0.5, 0.5, 0.5, 0.5, (("Fine.", 0.5),), (0.5,))


class Kept:
    """A page with a calibration. Its decodings are pairs of a decoding and the wishes, and its model has one answer."""

    def __init__(self, agent, file):
        self.agent = Noting(agent)
        self.given = []
        self.agent.answers_to_all = self._answers_to_all
        decodings = Decodings(("usual", None), "usual", True, lambda temperature: (temperature, None))
        self.batches = SharedBatches(self.agent, decodings.usual)
        calibration = Calibration(QUESTIONS, lambda decoding, wishes: (decoding[0], tuple(wishes.items())), file)
        page = ChatPage(decodings=decodings, calibration=calibration)
        self.client = create_app(self.batches, "bot", chat_page=page).test_client()

    def _answers_to_all(self, histories, utterances, decoding, seeds):
        self.given.append(decoding)
        return [[ANSWER] for _ in histories]


@pytest.fixture
def file(tmp_path):
    return AnswersFile(tmp_path / "profile.json", QUESTIONS)


@pytest.fixture
def kept(agent, file):
    page = Kept(agent, file)
    yield page
    page.batches.close()


def selected(page):
    """The values that are selected in the form."""
    return re.findall(r'<option value="(\w+)" selected>', page)


def test_the_form_keeps_shows_and_deletes_answers(kept, file):
    response = kept.client.post("/profile", json={"answers": {"length": "long"}})
    assert response.json == {"said": f"Saved in {file.path}: length long."}
    assert json.loads(file.path.read_text())["answers"] == {"length": "long"}
    assert selected(kept.client.get("/").text) == ["long"]
    assert kept.client.post("/profile/delete").json == {"said": f"{file.path} has been deleted."}
    assert not file.path.exists()
    response = kept.client.post("/profile/delete")
    assert (response.status_code, response.text) == (400, f"{file.path}: there is no profile to delete")
    assert selected(kept.client.get("/").text) == []


def test_a_message_brings_its_wishes(kept):
    for more in ({}, {"wishes": {"ask": "no"}}, {"wishes": {"ask": "yes"}, "temperature": 0.5}):
        assert kept.client.post("/answers", json={"history": ["Hello there, Tom!"], **more}).status_code == 200
    assert kept.given == [("usual", ()), ("usual", (("ask", "no"),)), (0.5, (("ask", "yes"),))]


@pytest.mark.parametrize("sent", [{"ask": CRISIS}, {CRISIS: "yes"}])
def test_texts_of_the_form_get_the_note_before_anything_else(sent, kept, file):
    assert kept.client.post("/profile", json={"answers": sent}).json == {"note": NOTE}
    for stream in (False, True):
        response = kept.client.post("/answers", json={"history": ["Hello."], "wishes": sent, "stream": stream})
        assert NOTE.splitlines()[0] in response.text
    assert kept.client.post("/answers", json={"history": [CRISIS], "wishes": {"x": "y"}}).json == {"note": NOTE}
    assert kept.given == []
    assert not file.path.exists()


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ({"ask": "maybe"}, "ask: 'maybe' is not one of yes, no"),
        ({"x": "y"}, "there is no question 'x'; the questions are ask, length"),
        ([], "the answers must be an object that maps questions to values"),
    ],
)
def test_impossible_answers_are_refused_in_one_sentence(sent, sentence, kept, file):
    for response in (
        kept.client.post("/profile", json={"answers": sent}),
        kept.client.post("/answers", json={"history": ["Hello."], "wishes": sent}),
    ):
        assert (response.status_code, response.text) == (400, sentence)
    assert kept.client.post("/profile", data="[" * 5000, content_type="application/json").status_code == 400
    assert (kept.given, file.path.exists()) == ([], False)


def test_other_sites_cannot_change_a_profile(kept, file):
    elsewhere = {"Origin": "http://other.example"}
    for address in ("/profile", "/profile/delete"):
        assert kept.client.post(address, json={"answers": {}}, headers=elsewhere).status_code == 403
    assert not file.path.exists()


def test_a_page_that_others_reach_keeps_nothing(agent):
    page = Kept(agent, None)
    text = page.client.get("/").text
    assert "Your answers stay in this browser tab" in text
    assert 'id="keep"' not in text
    assert page.client.post("/profile", json={"answers": {}}).status_code == 404
    page.batches.close()


def test_a_page_without_a_calibration_has_no_form(agent):
    client = create_app(SharedBatches(agent, None), "bot").test_client()
    assert 'id="calibration"' not in client.get("/").text


@pytest.mark.thorough
def test_a_user_fills_in_the_form(agent, file, browser, serve):
    noting = Noting(agent)
    noting.answers_to_all = lambda histories, *others: [[ANSWER] for _ in histories]
    calibration = Calibration(QUESTIONS, lambda decoding, wishes: decoding, file)
    with visiting(browser, serve(full_page_of(noting, calibration=calibration))) as page:
        page.click("#calibration > summary")
        page.select_option("#wish-length", "long")
        page.click("#keep")
        page.locator("#wishes-said").get_by_text("length long").wait_for()
        assert file.read() == {"length": "long"}
        sent = []
        page.on("request", lambda request: sent.append(request) if request.url.endswith("/answers") else None)
        page.keyboard.press("Escape")
        assert not page.locator("#wish-ask").is_visible()
        page.fill("#text", "Hello")
        page.press("#text", "Enter")
        page.locator(".bot").wait_for()
        assert sent[0].post_data_json["wishes"] == {"length": "long"}
        page.reload()
        page.click("#calibration > summary")
        assert page.input_value("#wish-length") == "long"
        page.click("#forget")
        until(lambda: not file.path.exists())
        page.locator("#wishes-said").get_by_text("has been deleted").wait_for()
        assert page.input_value("#wish-length") == ""
