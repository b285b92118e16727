import re

import pytest

from keras_gca.errors import UserError
from keras_gca.serving.local_server import make_local_server
from keras_gca.survey.questionnaire import Line, MachineAnswer, Survey
from keras_gca.survey.server import ENROLMENTS_PER_MINUTE, create_app
from keras_gca.survey.votes import NO_DIFFERENCE, Votes
from tests.factories.surveys import MODELS, make_survey

HARM = "<script>window.hacked=1</script>"


@pytest.fixture
def survey():
    return make_survey([(0.4, 0.6)] * 6, dialogues=2)


@pytest.fixture
def votes(tmp_path, survey):
    return Votes.create(tmp_path / "votes.sqlite", survey)


@pytest.fixture
def client(survey, votes):
    return create_app(survey, votes).test_client()


def begin(client, name=""):
    """Enrol a volunteer, and return the secret token."""
    reply = client.post("/volunteers", data={"name": name})
    assert reply.status_code == 303
    return re.fullmatch(r"/form/([\w-]{20,})/1", reply.location)[1]


def test_a_mark_is_a_vote_for_the_model_that_stands_there(client, votes, survey):
    token = begin(client)
    for line, mark in enumerate(["first", "second", "none", "first"]):
        reply = client.post(f"/form/{token}/votes", data={"line": line, "choice": mark})
        assert reply.json["done"] == line + 1
    assert reply.json == {"done": 4, "total": 6, "left": [0, 2]}
    # Every second line shows the second model first.
    assert votes.of(votes.volunteer(token)) == {0: 0, 1: 0, 2: NO_DIFFERENCE, 3: 1}
    page = client.get(f"/form/{token}/1").text
    assert page.index("Answer 0 of P.") < page.index("Answer 0 of Q.") < page.index("Answer 1 of Q.")
    assert page.index("Answer 1 of Q.") < page.index("Answer 1 of P.")
    assert re.findall(r'name="line-(\d)" value="(\w+)" checked', page) == [
        ("0", "first"),
        ("1", "second"),
        ("2", "none"),
    ]
    assert "4 of 6 lines" in page


def test_the_form_works_without_javascript_and_resumes_at_the_first_open_line(client, votes):
    token = begin(client, "Ann")
    reply = client.post(f"/form/{token}/1", data={"line-0": "first", "line-1": "none"})
    assert (reply.status_code, reply.location) == (303, f"/form/{token}/2")
    assert client.get(f"/form/{token}").location == f"/form/{token}/1"
    client.post(f"/form/{token}/1", data={"line-0": "second", "line-2": "first", "line-5": "first"})
    assert votes.of(votes.volunteer(token)) == {0: 1, 1: NO_DIFFERENCE, 2: 0}
    assert client.get(f"/form/{token}").location == f"/form/{token}/2"
    reply = client.post(f"/form/{token}/2", data={f"line-{i}": "first" for i in (3, 4, 5)}, follow_redirects=True)
    assert "You have judged all 6 lines" in reply.text
    assert client.get(f"/form/{token}").location == f"/form/{token}/thanks"


def test_text_of_volunteers_and_models_is_escaped(tmp_path):
    answers = (MachineAnswer(HARM, 0.1, 0.1), MachineAnswer('" autofocus onfocus="x', 0.2, 0.2))
    survey = Survey(MODELS, ((Line((HARM, HARM), answers, (0, 1)),),), {})
    client = create_app(survey, Votes.create(tmp_path / "votes.sqlite", survey)).test_client()
    token = begin(client, HARM)
    page = client.get(f"/form/{token}/1").text
    assert page.count("&lt;script&gt;window.hacked=1&lt;/script&gt;") == 4
    assert "<script>" not in page
    assert '" autofocus' not in page
    assert "<script>" not in client.get(f"/form/{HARM}/1").text


def test_no_page_names_a_model(client):
    token = begin(client)
    client.post(f"/form/{token}/1", data={"line-0": "first"})
    for path in ("/", f"/form/{token}/1", f"/form/{token}/2", f"/form/{token}/thanks", "/static/form.js"):
        page = client.get(path).text
        assert page
        for model in MODELS:
            assert model not in page
            assert model.replace("_", " ") not in page


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost"}, 200),
        ({"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://localhost:8001"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_votes_come_from_the_own_pages_only(client, votes, headers, status):
    token = begin(client)
    reply = client.post(f"/form/{token}/votes", data={"line": 0, "choice": "first"}, headers=headers)
    assert reply.status_code == status
    assert len(votes.of(votes.volunteer(token))) == (status == 200)


@pytest.mark.parametrize(
    ("path", "marks", "status"),
    [
        ("/form/guessed/votes", {"line": 0, "choice": "first"}, 404),
        ("/form/guessed/1", {"line-0": "first"}, 404),
        ("/form/TOKEN/votes", {"line": 6, "choice": "first"}, 400),
        ("/form/TOKEN/votes", {"line": -1, "choice": "first"}, 400),
        ("/form/TOKEN/votes", {"line": "x", "choice": "first"}, 400),
        ("/form/TOKEN/votes", {"line": 0, "choice": "adversarial"}, 400),
        ("/form/TOKEN/votes", {"line": 0}, 400),
        ("/form/TOKEN/1", {"line-0": "third"}, 400),
        ("/form/TOKEN/3", {"line-0": "first"}, 404),
        ("/form/TOKEN/0", {"line-0": "first"}, 404),
        ("/form/TOKEN/1", {"line-0": "x" * 100_000}, 413),
    ],
)
def test_bad_requests_store_nothing(client, votes, path, marks, status):
    token = begin(client)
    reply = client.post(path.replace("TOKEN", token), data=marks)
    assert reply.status_code == status
    assert "That did not work" in reply.text
    assert votes.of(votes.volunteer(token)) == {}


@pytest.fixture
def noon(monkeypatch):
    """Stop the clock, so that the test determines the time."""
    monkeypatch.setattr("keras_gca.serving.local_server.time.monotonic", lambda: 610.5)


def test_a_volunteer_may_give_so_many_marks_a_minute_and_others_are_not_refused_for_it(survey, votes, noon):
    client = create_app(survey, votes, marks_per_minute=2).test_client()
    ann, bob = begin(client), begin(client)
    vote = {"line": 0, "choice": "first"}
    assert [client.post(f"/form/{ann}/votes", data=vote).status_code for _ in range(3)] == [200, 200, 429]
    refused = client.post(f"/form/{ann}/1", data={"line-0": "second"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "50")
    assert "That is more than 2 marks within a minute. Please wait 50 seconds." in refused.text
    assert client.post(f"/form/{bob}/votes", data=vote).status_code == 200
    assert votes.of(votes.volunteer(ann)) == {0: 0}


def test_an_address_enrols_a_class_but_not_without_end(client, votes, noon):
    statuses = [client.post("/volunteers").status_code for _ in range(ENROLMENTS_PER_MINUTE + 2)]
    assert statuses == [303] * ENROLMENTS_PER_MINUTE + [429] * 2
    assert client.post("/volunteers", environ_overrides={"REMOTE_ADDR": "192.0.2.1"}).status_code == 303


def test_links_cannot_be_guessed(client, votes):
    tokens = {votes.enrol("") for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(r"[\w-]{22}", token) for token in tokens)  # 128 bits
    letters = "".join(tokens)
    assert len(set(letters)) == 64
    token = tokens.pop()
    for wrong in (token[:-1], token + "A", token.swapcase(), "%", "1", "' OR 1=1 --", "\x00", "x" * 5000):
        assert client.get(f"/form/{wrong}/1").status_code == 404
        assert client.post(f"/form/{wrong}/votes", data={"line": 0, "choice": "first"}).status_code == 404
    assert not len(votes.ballots())


def test_an_error_is_logged_without_the_secret_link(client, votes, monkeypatch, caplog):
    token = begin(client)
    monkeypatch.setattr(Votes, "record", lambda *_: 1 / 0)
    reply = client.post(f"/form/{token}/votes", data={"line": 0, "choice": "first"})
    assert reply.status_code == 500
    assert "That did not work" in reply.text
    assert "ZeroDivisionError" in caplog.text
    assert "/form/<token>/votes" in caplog.text
    assert token not in caplog.text


def test_pages_may_load_nothing_from_outside_and_are_not_kept(client):
    token = begin(client)
    for reply in (client.get("/"), client.get(f"/form/{token}/1"), client.get("/none"), client.get("/form/x")):
        policy = reply.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy
        assert reply.headers["Referrer-Policy"] == "same-origin"
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Cache-Control"] == "no-store"
        assert not re.search(r"(src|href)=\"(https?:)?//", reply.text)
        assert "style=" not in reply.text


def test_an_address_that_is_taken_gets_one_line(client):
    server = make_local_server(client.application, "127.0.0.1", 0)
    with pytest.raises(UserError, match=f"cannot serve at 127.0.0.1, port {server.port}: "):
        make_local_server(client.application, "127.0.0.1", server.port)
    server.close()
    for host, port, message in (("no such host", 0, "cannot serve"), ("127.0.0.1", 70000, "a number from 0 to 65535")):
        with pytest.raises(UserError, match=message):
            make_local_server(client.application, host, port)


def test_the_first_page_says_how_long_what_for_what_is_stored_and_who_asks(client, survey, votes):
    text = " ".join(client.get("/").text.split())
    assert "About 1 minute: 2 dialogues with 6 lines in all." in text
    for title in ("How long it takes", "What it is for", "What is stored"):
        assert f"<dt>{title}</dt>" in text
    assert "Who is asking" not in text
    asking = create_app(survey, votes, asked_by=f"Ann, {HARM}").test_client().get("/").text
    assert "<dd>Ann, &lt;script&gt;" in asking
    long = make_survey([(0.4, 0.6)] * 100)
    votes = Votes.create(votes.path.with_name("long.sqlite"), long)
    assert "About 20 minutes: 1 dialogue with" in " ".join(create_app(long, votes).test_client().get("/").text.split())


def test_only_the_organiser_sees_how_far_the_volunteers_are_and_not_what_they_marked(survey, votes):
    client = create_app(survey, votes, organiser="secret").test_client()
    assert "0 volunteers have begun" in client.get("/organiser/secret").text
    token = begin(client, f"Ann {HARM}")
    begin(client)
    pages = set()
    for choice in ("first", "second", "none"):
        client.post(f"/form/{token}/votes", data={"line": "0", "choice": choice})
        text = " ".join(client.get("/organiser/secret").text.split())
        pages.add(re.sub(r"\d\d:\d\d", "", text))
    assert len(pages) == 1
    assert "2 volunteers have begun; 0 of them have marked all 6 lines; 1 mark in all." in text
    assert "Ann &lt;script&gt;" in text
    assert ("1 of 6" in text, "0 of 6" in text, token in text) == (True, True, False)
    assert [(one.volunteer.name, one.done, one.last is None) for one in votes.progress()][1:] == [("", 0, True)]
    for other in ("wrong", "sécret", token):
        assert client.get(f"/organiser/{other}").status_code == 404
    assert create_app(survey, votes).test_client().get("/organiser/None").status_code == 404


def test_the_organiser_needs_no_token_of_the_server_and_nobody_enters_with_a_wrong_link(survey, votes):
    client = create_app(survey, votes, organiser="secret", token="of the server").test_client()
    assert client.get("/organiser/secret").status_code == 200
    assert client.get("/organiser/wrong").status_code == 404
    assert [client.get("/").status_code, client.post("/volunteers", data={"name": "Ann"}).status_code] == [401, 401]
