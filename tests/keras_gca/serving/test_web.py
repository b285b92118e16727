"""The server of the chat page: its answers as JSON, the requests that it refuses, and its settings."""

import dataclasses
import http.client
import json
import math
import re
import socket
import threading
from urllib.parse import urlsplit

import pytest

from keras_gca.agent import Decoding
from keras_gca.serving import local_server
from keras_gca.serving.local_server import PEOPLE_AT_AN_ADDRESS
from keras_gca.serving.shared_batches import BusyError, SharedBatches
from keras_gca.serving.web import LONGEST_HISTORY, LONGEST_UTTERANCE, VISITORS_PER_MINUTE, ChatPage, create_app
from tests.answers import assert_same_answers
from tests.factories.chats import CRISIS, DECODINGS, NOTE, Gated, Halting, Noting, page_of, until


@pytest.fixture
def client(agent):
    return create_app(SharedBatches(agent, Decoding()), "A <b>bot</b>").test_client()


def test_the_answers_are_the_agents(agent, client):
    history = ["Hello there, Tom!", "How are you, zyzzyva?"]
    response = client.post("/answers", json={"history": history})
    assert response.status_code == 200
    assert response.json["unknown"] == ["zyzzyva"]
    expected = agent.answers(history)
    assert [answer["text"] for answer in response.json["answers"]] == [answer.text for answer in expected]
    for sent, answer in zip(response.json["answers"], expected, strict=True):
        assert sent["generator"] == answer.generator.replace("_", " ")
        assert sent["figures"] == agent.figures(answer)
        assert [(token["text"], token["human"]) for token in sent["tokens"]] == list(answer.token_scores)
        assert [token["probability"] for token in sent["tokens"]] == list(answer.token_probabilities)


def events(response):
    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    *parts, end = response.text.split("\n\n")
    assert end == ""
    return [json.loads(part.removeprefix("data: ")) for part in parts]


def test_a_streamed_reply_has_the_words_and_then_what_is_returned_otherwise(agent, client):
    history = ["Hello there, Tom!", "How are you?"]
    *parts, last = events(client.post("/answers", json={"history": history, "stream": True}))
    assert last == {"whole": client.post("/answers", json={"history": history}).json}
    assert all(set(part) == {"word"} for part in parts)
    reply = agent.answers(history)[0].text
    assert "".join(part["word"] for part in parts) == reply
    assert len(parts) == len(reply.split(" ")) > 1
    generator = agent.answers(history)[1].generator.replace("_", " ")
    chosen = events(client.post("/answers", json={"history": history, "stream": True, "generator": generator}))
    assert "".join(part["word"] for part in chosen[:-1]) == agent.answers(history)[1].text


def test_a_note_is_the_only_event_of_its_stream(agent):
    noting = Noting(agent)
    response = page_of(noting).test_client().post("/answers", json={"history": [CRISIS], "stream": True})
    assert events(response) == [{"whole": {"note": NOTE}}]
    assert noting.batches == []


def test_each_word_is_sent_when_it_is_made(agent, serve, monkeypatch):
    halting = Halting()
    monkeypatch.setattr("keras_gca.serving.streaming.words", halting)
    address = urlsplit(serve(page_of(agent)))
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    body = json.dumps({"history": ["Hello there, Tom!"], "stream": True})
    connection.request("POST", "/answers", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    first = json.loads(response.readline().removeprefix(b"data: "))  # while the server waits for the others
    assert first == {"word": agent.reply("Hello there, Tom!").split(" ")[0]}
    halting.gate.set()
    assert b'"whole"' in response.read()
    connection.close()


def test_only_the_last_n_u_utterances_are_answered(agent):
    client = create_app(SharedBatches(agent, Decoding(), context_utterances=1), "bot").test_client()
    long, short = (client.post("/answers", json={"history": h}).json for h in (["Fine.", "Hello"], ["Hello"]))
    assert long == short


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"history": []},
        {"history": "Hello"},
        {"history": [1]},
        {"history": ["Hello"] * (LONGEST_HISTORY + 1)},
        {"history": ["x" * (LONGEST_UTTERANCE + 1)]},
        {"history": ["*** \x00"]},
        {"history": [""]},
        {"history": [" \t\n\u200b\ud800"]},
        {"history": ["Hello"], "turn": -1},
        {"history": ["Hello"], "turn": True},
        {"history": ["Hello"], "turn": 1.0},
        {"history": ["Hello"], "attempt": 1_000},
        {"history": ["Hello"], "temperature": 0.7},
        {"history": ["Hello"], "temperature": []},
        {"history": ["Hello"], "generator": "human"},
        {"history": ["Hello"], "generator": ["adversarial"]},
        {"history": ["Hello"], "stream": 1},
        {"history": ["*"], "stream": True},
    ],
)
def test_what_is_no_conversation_is_refused_in_a_sentence(client, content):
    response = client.post("/answers", json=content)
    assert response.status_code == 400
    assert response.mimetype == "text/plain"
    assert response.text.endswith(".")


@pytest.mark.parametrize(
    "body", ["[" * 100_000, '{"history": ["Hello"', "\udcff", '{"history": [1' + "0" * 9999 + "]}"]
)
def test_what_is_no_json_is_refused_in_a_sentence(client, body):
    body = body.encode("utf-8", "surrogateescape")
    response = client.post("/answers", data=body, content_type="application/json")
    assert response.status_code == 400
    assert response.text.endswith(".")


def test_control_characters_are_spaces_to_the_agent(agent, client):
    response = client.post("/answers", json={"history": ["Hello\x00\x1b\u202ethere,\ud800Tom!"]})
    assert [each["text"] for each in response.json["answers"]] == [a.text for a in agent.answers(["Hello there, Tom!"])]


def visitor_of(app):
    client = app.test_client()
    assert client.get("/").status_code == 200
    return client


def hello(client, **options):
    return client.post("/answers", json={"history": ["Hello"]}, **options)


@pytest.fixture
def noon(monkeypatch):
    """Stop the clock. noon[0] is the time in seconds, which a test may change."""
    time = [0.0]
    monkeypatch.setattr("keras_gca.serving.local_server.time.monotonic", lambda: time[0])
    return time


def test_a_visitor_may_send_so_many_messages_a_minute_and_others_are_not_refused_for_it(agent, noon):
    app = page_of(agent, messages_per_minute=3)
    one, other = visitor_of(app), visitor_of(app)
    noon[0] = 610.5
    assert [hello(one).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = hello(one)
    assert refused.text == "That is more than 3 messages within a minute. Please wait 50 seconds."
    assert refused.headers["Retry-After"] == "50"
    assert hello(other).status_code == 200
    noon[0] = 660
    assert hello(one).status_code == 200


def test_all_who_make_up_cookies_at_an_address_are_one_visitor(agent, noon):
    app = page_of(agent, messages_per_minute=6)
    client = app.test_client(use_cookies=False)
    made_up = ["session=x", f"session={'a' * 40}", "session=eyJ2aXNpdG9yIjoieCJ9.aa.bb", ""]
    statuses = [hello(client, headers={"Cookie": made_up[i % 4]}).status_code for i in range(9)]
    assert statuses == [200] * 6 + [429] * 3
    elsewhere = {"REMOTE_ADDR": "192.0.2.1"}
    assert hello(client, environ_overrides=elsewhere).status_code == 200
    # A visitor can write any address into this header.
    assert hello(client, headers={"X-Forwarded-For": "192.0.2.2"}).status_code == 429
    assert hello(visitor_of(app)).status_code == 200


def test_an_address_has_a_class_of_new_visitors_but_not_without_end(agent, noon):
    app = page_of(agent)
    old = visitor_of(app)
    statuses = [app.test_client().get("/").status_code for _ in range(VISITORS_PER_MINUTE + 1)]
    assert statuses == [200] * (VISITORS_PER_MINUTE - 1) + [429] * 2
    assert old.get("/").status_code == 200


@pytest.mark.thorough
def test_an_address_may_send_so_many_messages_with_all_its_visitors(agent, noon):
    app = page_of(agent, messages_per_minute=1)
    statuses = [hello(visitor_of(app)).status_code for _ in range(PEOPLE_AT_AN_ADDRESS + 2)]
    assert statuses == [200] * PEOPLE_AT_AN_ADDRESS + [429] * 2


def test_cookies_cannot_be_guessed_and_scripts_cannot_read_them(agent, noon):
    first, other = page_of(agent), page_of(agent)
    names, signed = set(), set()
    for _ in range(50):
        client = first.test_client()
        cookie = client.get("/").headers["Set-Cookie"]
        assert re.fullmatch(r"session=[\w.-]{60,}; HttpOnly; Path=/; SameSite=Strict", cookie)
        with client.session_transaction() as session:
            names.add(session["visitor"])
        signed.add(client.get_cookie("session").value)
        assert "Set-Cookie" not in client.get("/").headers  # the same visitor
    assert len(names) == len(signed) == 50
    assert all(len(name) == 22 for name in names)  # 128 bits
    stranger = other.test_client()  # as if in another process, which has another key
    stranger.set_cookie("session", signed.pop())
    assert "Set-Cookie" in stranger.get("/").headers


def ask_together(batches, questions):
    """Ask each question in a thread of its own. Return the threads, and the list that will have the answers."""
    found = {}

    def ask(question):
        try:
            found[question] = batches.answers([question], 1)
        except BusyError as error:
            found[question] = str(error)

    threads = [threading.Thread(target=ask, args=[question]) for question in questions]
    for thread in threads:
        thread.start()
    return threads, found


def test_those_who_wait_while_the_model_works_share_a_batch(agent):
    gated = Gated(agent)
    batches = SharedBatches(gated, Decoding())
    first, found = ask_together(batches, ["Hello."])
    assert gated.begun.wait(30)
    questions = ["How are you?", "Tom?", "I'm fine.", *(f"{'Hello ' * i}there." for i in range(20))]
    threads, others = ask_together(batches, questions)
    until(lambda: len(batches._waiting) == len(questions))
    gated.gate.set()
    for thread in (*first, *threads):
        thread.join()
    assert [len(each) for each in gated.batches] == [1, 16, 16]  # 7 messages are filled up to 16
    sizes = "8.00 messages in a batch on average and 16 at most"
    assert batches.summary == f"24 messages were answered in 3 batches, with {sizes}"
    for question, answers in (found | others).items():
        assert_same_answers(answers, agent.answers([question], None, Decoding(), 1))


def test_a_message_is_answered_before_the_larger_batches_are_prepared(agent):
    gated = Gated(agent)
    batches = SharedBatches(gated, Decoding())
    prepared = batches.warm_up()
    assert gated.begun.wait(30)
    assert not prepared.done()  # the page can be opened meanwhile
    [thread], found = ask_together(batches, ["How are you?"])
    until(lambda: len(batches._waiting) == 1)
    gated.gate.set()
    thread.join()
    assert found["How are you?"][0].text
    until(lambda: len(gated.batches) == 4)
    assert [len(each) for each in gated.batches] == [1, 1, 4, 16]
    assert gated.batches[:2] == [[["Hello."]], [["How are you?"]]]
    assert batches.summary.startswith("1 message was answered")  # those of the preparation do not count


def test_too_many_and_too_late_are_said_so(agent):
    gated = Gated(agent)
    batches = SharedBatches(gated, Decoding(), waiting=2, patience=0.5)
    first, found = ask_together(batches, ["Hello."])
    assert gated.begun.wait(30)
    threads, others = ask_together(batches, ["How are you?", "Tom?"])
    until(lambda: len(batches._waiting) == 2)
    client = create_app(batches, "bot").test_client()
    refused = hello(client)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
    assert refused.text == "Too many people are chatting right now. Please send your message again in a moment."
    for thread in (*first, *threads):
        thread.join()
    late = "The answer took too long and was stopped. Please send your message again."
    assert found | others == dict.fromkeys(["Hello.", "How are you?", "Tom?"], late)
    batches.patience = 30
    gated.gate.set()
    assert hello(client).status_code == 200
    assert [len(each) for each in gated.batches] == [1, 1]  # messages whose senders have given up are not answered


def test_a_chat_that_is_closed_gives_up_who_waits(agent):
    gated = Gated(agent)
    batches = SharedBatches(gated, Decoding())
    first, found = ask_together(batches, ["Hello."])
    assert gated.begun.wait(30)
    threads, others = ask_together(batches, ["How are you?"])
    until(lambda: len(batches._waiting) == 1)
    batches.close()
    threads[0].join()
    assert others == {"How are you?": "The chat is being closed."}
    gated.gate.set()
    first[0].join()
    assert found["Hello."] == agent.answers(["Hello."], None, Decoding(), 1)
    with pytest.raises(BusyError, match="being closed"):
        batches.answers(["Tom?"], 1)


def test_an_error_of_the_agent_is_said_in_a_sentence_and_logged_without_the_address(agent, caplog):
    class Broken(Gated):
        def answers_to_all(self, *arguments):
            raise RuntimeError("broken")

    response = hello(page_of(Broken(agent)).test_client())
    assert (response.status_code, response.mimetype) == (500, "text/plain")
    assert "broken" not in response.text
    assert response.headers["Content-Security-Policy"]
    assert "Error at POST /answers" in caplog.text
    assert "RuntimeError: broken" in caplog.text


@pytest.mark.thorough
def test_slow_and_silent_clients_keep_nobody_waiting(agent, serve, monkeypatch):
    monkeypatch.setattr("keras_gca.serving.local_server.SLOWEST_REQUEST", 0)
    address = urlsplit(serve(page_of(agent)))
    slow = [http.client.HTTPConnection(address.hostname, address.port, timeout=30) for _ in range(60)]
    for connection in slow:  # more connections than the server has threads
        connection.connect()
        connection.sock.sendall(b"POST /answers HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    reader = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
    reader.request("GET", "/")
    response = reader.getresponse()
    assert (response.status, response.headers["Server"]) == (200, None)
    assert slow[0].sock.recv(1) == b""  # the server has closed the connection without an answer
    for connection in slow:
        connection.close()


def test_other_sites_large_requests_and_other_ways_are_refused(client):
    good = {"history": ["Hello"]}
    assert client.post("/answers", json=good, headers={"Origin": "http://elsewhere.example"}).status_code == 403
    assert client.post("/answers", json=good, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert client.get("/", headers={"Host": "evil.example:8000"}).status_code == 403
    assert client.post("/answers", json={"history": ["x" * 10**6]}).status_code in (400, 413)
    assert client.get("/answers").status_code == 405
    assert client.get("/nowhere").status_code == 404


def test_the_page_escapes_its_title_and_loads_nothing_from_outside(client):
    response = client.get("/")
    assert "A &lt;b&gt;bot&lt;/b&gt;" in response.text
    assert "//" not in response.text.replace("<!doctype html>", "")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_every_message_and_every_attempt_has_a_seed_of_its_own_above_that_of_the_user(agent):
    gated = Gated(agent)
    gated.gate.set()
    client = page_of(gated, chat_page=ChatPage(seed=100)).test_client()
    for numbers in ({}, {"turn": 1}, {"turn": 2}, {"turn": 1, "attempt": 1}, {"turn": 1, "attempt": 2}):
        assert client.post("/answers", json={"history": ["Hello"], **numbers}).status_code == 200
    assert [seeds[0] for seeds in gated.seeds] == [100, 101, 102, 10_101, 20_101]


def test_only_a_decoding_that_is_not_random_is_replaced_for_another_answer(agent):
    gated = Gated(agent)
    gated.gate.set()
    for is_random, expected in ((False, Decoding(0.7)), (True, Decoding())):
        decodings = dataclasses.replace(DECODINGS, is_random=is_random)
        client = page_of(gated, chat_page=ChatPage(decodings=decodings)).test_client()
        assert client.post("/answers", json={"history": ["Hello"], "attempt": 1}).status_code == 200
        assert gated.decodings[-1] == expected
    assert client.post("/answers", json={"history": ["Hello"], "temperature": 0.9}).status_code == 200
    assert gated.decodings[-1] == Decoding(0.9)
    refused = client.post("/answers", json={"history": ["Hello"], "temperature": 0.8})
    assert (refused.status_code, len(gated.batches)) == (400, 3)


def test_messages_with_other_decodings_wait_for_another_batch(agent):
    gated = Gated(agent)
    batches = SharedBatches(gated, Decoding())
    first, _ = ask_together(batches, ["Hello."])
    assert gated.begun.wait(30)
    warm = Decoding(0.7)
    threads = []
    for number, decoding in enumerate((None, warm, None, warm, warm)):
        threads.append(threading.Thread(target=batches.answers, args=[["Tom?"] * (number + 1), 1, decoding]))
        threads[-1].start()
        until(lambda number=number: len(batches._waiting) == number + 1)
    gated.gate.set()
    for thread in (*first, *threads):
        thread.join()
    assert gated.decodings == [Decoding(), Decoding(), warm]
    assert [len(histories) for histories in gated.batches[1:]] == [4, 4]  # 2 and 3 messages, filled up
    assert [len(history) for history in gated.batches[1][:2]] == [1, 3]
    assert [len(history) for history in gated.batches[2][:3]] == [2, 4, 5]


def test_a_transcript_is_kept_only_if_it_is_named_and_the_page_says_so(agent, tmp_path):
    path = tmp_path / "said.txt"
    noting = Noting(agent)
    client = page_of(noting, chat_page=ChatPage(transcript=path)).test_client()
    said = "Everything that is written here is saved"
    assert said in client.get("/").text
    assert said not in page_of(noting).test_client().get("/").text
    reply = hello(client).json["answers"][0]
    client.post("/answers", json={"history": [CRISIS]})
    end = "" if reply["ended"] else " [cut off at the length limit]"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.read_text() == f"you> Hello\nbot> {reply['text']}{end}\nyou> {CRISIS}\nnote> {NOTE}\n"


def test_the_legend_speaks_of_what_the_discriminator_judges(agent):
    whole = Gated(agent)
    whole.judges_words = False
    assert (
        "Each box is one word of the answer. D is the discriminator's probability"
        in page_of(agent).test_client().get("/").text
    )
    text = page_of(whole).test_client().get("/").text
    assert "Each box is one word" not in text
    assert "The discriminator judges complete answers, not single words" in text


def test_numbers_that_json_does_not_have_are_null(agent):
    class Vague(Gated):
        def answers_to_all(self, *arguments):
            found = super().answers_to_all(*arguments)
            return [[dataclasses.replace(answer, human=math.nan, score=math.inf) for answer in each] for each in found]

    vague = Vague(agent)
    vague.gate.set()
    shown = hello(page_of(vague).test_client()).json["answers"][0]
    assert (shown["human"], shown["score"]) == (None, None)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", "http://127.0.0.1:80/"),
        (
            "0.0.0.0",
            f"http://{socket.gethostname()}:80/ (on this computer, you can also use 127.0.0.1 instead of "
            f"{socket.gethostname()})",
        ),
    ],
)
def test_the_address_that_is_printed_can_be_opened(host, expected):
    assert local_server.addresses(host, 80) == expected
