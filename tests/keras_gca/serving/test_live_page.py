"""The live view's server: the state that it gives, and the requests that it refuses."""

import json
import os
import socket
import urllib.request

import pytest

import keras_gca.watch
from keras_gca.safety.crisis import NOTE
from keras_gca.serving import live_page, live_view
from keras_gca.serving.live_curves import PANELS
from keras_gca.storage.live_files import Exchange, Judged, LiveFiles
from keras_gca.storage.run_folder import RunFolder
from tests.factories.watched import QUESTIONS, write_log, write_run, write_view


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path)


@pytest.fixture
def client(run):
    client = live_page.create_app(run).test_client()
    client.environ_base["HTTP_HOST"] = "127.0.0.1:8001"
    return client


def test_the_state_of_a_run(client, run):
    state = client.get("/state").json
    assert [row["phase"] for row in state["rows"]] == ["teacher_forcing"] * 3 + ["discriminator"] * 3
    assert state["rows"][1]["val_perplexity"] == 500.0
    assert state["views"] == [1, 2, 3, 4, 5, 6]
    assert state["questions"] == QUESTIONS
    assert state["panels"][0]["columns"] == ["perplexity", "val_perplexity"]
    assert len(state["panels"]) == len(PANELS["keras_gca"])
    assert client.get("/views/6").json == LiveFiles(run).read(6)


def test_a_state_that_the_page_has_already_is_not_sent_again(client, run):
    tag = client.get("/state").json["tag"]
    again = client.get("/state", query_string={"tag": tag}).json
    assert set(again) == {"tag", "age", "has_bot"}
    write_log(run, 7)
    write_view(run, 7)
    later = client.get("/state", query_string={"tag": tag}).json
    assert (len(later["rows"]), later["views"][-1]) == (7, 7)


def test_a_bot_that_is_older_than_the_log_does_not_count(client, run):
    assert not client.get("/state").json["has_bot"]
    (run / "bot.h5").touch()
    assert client.get("/state").json["has_bot"]
    later = (run / "bot.h5").stat().st_mtime + 1
    os.utime(run / "log.csv", (later, later))  # the run is trained further
    assert not client.get("/state").json["has_bot"]


def test_replies_to_rows_that_are_trained_anew_are_not_shown(client, run):
    write_log(run, 4)
    assert client.get("/state").json["views"] == [1, 2, 3, 4]


def test_values_that_json_does_not_have_are_left_out(client, run):
    RunFolder(run).write_log([{"phase": "imitation", "epoch": 1, "reward": float("nan"), "kl": 0.5}])
    assert json.loads(client.get("/state").text, parse_constant=pytest.fail)["rows"] == [
        {"phase": "imitation", "epoch": 1, "kl": 0.5}
    ]


def test_questions_that_are_nested_too_deeply_are_refused(client):
    response = client.post("/questions", data="[" * 3000, content_type="application/json")
    assert (response.status_code, "cannot be asked" in response.text) == (400, True)


def test_a_run_that_has_not_begun(tmp_path):
    state = live_page.create_app(tmp_path).test_client().get("/state").json
    assert (state["rows"], state["views"], state["questions"], state["age"]) == ([], [], [], None)


def test_questions_are_stored_for_the_training(client, run):
    response = client.post("/questions", json={"questions": ["Who are you?", " a\tb "]})
    assert response.json == {"questions": ["Who are you?", "a b"], "note": None}
    assert LiveFiles(run).questions() == ["Who are you?", "a b"]


def test_a_question_about_a_crisis_gets_the_note_and_reaches_no_network(client, run):
    response = client.post("/questions", json={"questions": ["How are you?", "I want to kill myself."]})
    assert response.json["note"] == NOTE
    received = []

    def answer(questions):
        received.extend(questions)
        return [Exchange(question, Judged("Fine.")) for question in questions], []

    live_view.record(run, 7, "stage", answer)
    assert received == ["How are you?"]
    asked = LiveFiles(run).read(7)["asked"]
    assert [(e["context"], e["note"]) for e in asked] == [("How are you?", None), ("I want to kill myself.", NOTE)]


@pytest.mark.parametrize("content", [None, [], {}, {"questions": []}, {"questions": ["a"] * 4}, {"questions": [""]}])
def test_what_cannot_be_asked_is_refused_and_the_old_questions_stay(content, client, run):
    response = client.post("/questions", json=content)
    assert response.status_code == 400
    assert "question" in response.text
    assert LiveFiles(run).questions() == QUESTIONS


def test_other_sites_and_other_names_are_refused(client):
    other = {"Origin": "http://evil.example"}
    assert client.post("/questions", json={"questions": ["a"]}, headers=other).status_code == 403
    for host in ("evil.example", "evil.example:8001", "127.0.0.1.evil.example:8001"):
        response = client.get("/state", headers={"Host": host})
        assert (response.status_code, "this computer only" in response.text) == (403, True)
    assert client.get("/state", headers={"Host": "localhost:8001"}).status_code == 200


def test_pages_have_the_headers_of_all_pages_and_reads_are_limited(client, monkeypatch, run):
    assert "default-src 'none'" in client.get("/").headers["Content-Security-Policy"]
    monkeypatch.setattr(live_page, "READS_PER_MINUTE", 2)
    limited = live_page.create_app(run).test_client()
    codes = {limited.get("/state").status_code for _ in range(6)}  # a minute may end among them
    assert codes == {200, 429}


def test_damaged_files_are_named(client, run):
    (run / "live" / "0006.json").write_text("[")
    assert "0006.json" in client.get("/views/6").text
    assert client.get("/views/99").status_code == 404
    (run / "log.csv").write_text("a,b\n1,2\n")
    assert "log.csv" in client.get("/state").text


def test_damaged_questions_do_not_stop_a_training(run, capsys):
    LiveFiles(run).questions_file.write_text("{")
    live_view.record(run, 7, "stage", lambda questions: pytest.fail("nothing to answer"))
    assert "questions.json" in capsys.readouterr().err
    assert LiveFiles(run).read(7) is None


def test_nobody_watches(tmp_path):
    live_view.record(tmp_path, 1, "stage", lambda questions: pytest.fail("nobody has asked"))
    assert list(tmp_path.iterdir()) == []


def test_the_page_is_served_on_the_loopback_address_while_the_block_runs(run, capsys):
    listening = live_page.take_port(0)
    assert listening.getsockname()[0] == "127.0.0.1"
    with live_page.showing(run, listening, ["Who?"]) as server:
        address = f"http://127.0.0.1:{server.port}/"
        assert capsys.readouterr().out == f"live view: {address}\n"
        assert b"Your questions" in urllib.request.urlopen(address).read()
        assert LiveFiles(run).questions() == ["Who?"]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


def test_questions_of_the_run_are_kept_and_a_new_run_gets_some(run, tmp_path):
    with live_page.showing(run, live_page.take_port(0)):
        assert LiveFiles(run).questions() == QUESTIONS
    new = tmp_path / "new"
    new.mkdir()
    with live_page.showing(new, live_page.take_port(0)):
        assert LiveFiles(new).questions() == live_page.FIRST_QUESTIONS


def test_mistakes_of_the_command(said, tmp_path):
    assert "no run here" in said(keras_gca.watch.main, "watch", tmp_path / "nothing")
    assert "--ask: a question needs" in said(keras_gca.watch.main, "watch", tmp_path, "--ask", "?")
    assert "1 to 3 questions" in said(keras_gca.watch.main, "watch", tmp_path, *["--ask", "a"] * 4)
