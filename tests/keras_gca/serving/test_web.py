"""The chat page: its answers as JSON, the requests that it refuses, and the page in a browser."""

import dataclasses
import http.client
import re
import threading
from urllib.parse import urlsplit

import pytest

from keras_gca.agent import Decoding
from keras_gca.serving.local_server import PEOPLE_AT_AN_ADDRESS
from keras_gca.serving.shared_batches import BusyError, SharedBatches
from keras_gca.serving.web import LONGEST_HISTORY, LONGEST_UTTERANCE, VISITORS_PER_MINUTE, create_app
from tests.answers import assert_same_answers


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


def page_of(agent, **options):
    return create_app(SharedBatches(agent, Decoding()), "bot", **options)


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


class Gated:
    """An agent that answers only when its gate is open, and stores the questions."""

    def __init__(self, agent):
        self.agent, self.gate, self.begun, self.batches = agent, threading.Event(), threading.Event(), []

    def __getattr__(self, name):
        return getattr(self.agent, name)

    def answers_to_all(self, histories, *others):
        self.batches.append(histories)
        self.begun.set()
        assert self.gate.wait(30)
        return self.agent.answers_to_all(histories, *others)


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


def until(condition):
    wait = threading.Event()
    for _ in range(1000):
        if condition():
            return
        wait.wait(0.01)
    raise AssertionError("it did not happen")


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
    assert batches.summary == "24 messages were answered in 3 batches, of 8.00 on average, 16 at most"
    for question, answers in (found | others).items():
        assert_same_answers(answers, agent.answers([question], None, Decoding(), 1))


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
    assert refused.text == "Too many people are chatting just now. Please send your message again in a moment."
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
    assert client.post("/answers", json={"history": ["x" * 10**6]}).status_code in (400, 413)
    assert client.get("/answers").status_code == 405
    assert client.get("/nowhere").status_code == 404


def test_the_page_escapes_its_title_and_loads_nothing_from_outside(client):
    response = client.get("/")
    assert "A &lt;b&gt;bot&lt;/b&gt;" in response.text
    assert "//" not in response.text.replace("<!doctype html>", "")
    assert "default-src 'none'" in response.headers["Content-Security-Policy"]


def test_what_a_model_writes_is_shown_and_not_run(agent, browser, serve):
    harm = "<script>document.title=1</script><img src=x onerror='document.title=1'>"

    class Harmful(Gated):
        def answers_to_all(self, *arguments):
            found = self.agent.answers_to_all(*arguments)
            changes = {"text": harm, "generator": harm, "token_scores": ((harm, 0.5),), "token_probabilities": (0.5,)}
            return [[dataclasses.replace(answer, **changes) for answer in answers] for answers in found]

        def unknown_words(self, utterance):
            return [harm]

    page = browser.new_page()
    page.goto(serve(page_of(Harmful(agent))))
    page.fill("#text", "Hello")
    page.press("#text", "Enter")
    page.locator(".bot").wait_for()
    assert page.locator(".bot > p").inner_text() == harm
    assert page.locator(".token").nth(6).inner_text().startswith(harm)
    assert page.locator("#talk .notice").inner_text() == f"words that the bot does not know: {harm}"
    assert page.locator("img").count() == 0
    assert page.title() == "bot"
    page.close()


def test_what_is_refused_is_said_in_the_page_and_can_be_sent_again(agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    batches = SharedBatches(gated, Decoding(), waiting=1, patience=0.2)
    page = browser.new_page()
    page.goto(serve(create_app(batches, "bot", messages_per_minute=2)))

    def send(line):
        page.fill("#text", line)
        page.press("#text", "Enter")

    gated.gate.clear()
    send("Hello")
    page.locator(".wrong").wait_for()
    assert page.locator(".wrong").inner_text().startswith("The answer took too long")
    assert page.input_value("#text") == "Hello"
    batches.patience = 30
    gated.gate.set()
    send("Hello")
    page.locator(".bot").wait_for()
    assert page.input_value("#text") == ""
    send("Tom?")
    page.locator(".wrong").nth(1).wait_for()
    assert re.fullmatch(r"That is more than 2 messages .*", page.locator(".wrong").nth(1).inner_text())
    page.context.set_offline(True)
    send("Tom?")
    page.locator(".wrong").nth(2).wait_for()
    assert page.locator(".wrong").nth(2).inner_text() == "The server cannot be reached."
    page.close()


def test_a_conversation_in_a_browser(agent, browser, serve):
    page = browser.new_page()
    page.goto(serve(create_app(SharedBatches(agent, Decoding()), "bot")))
    lines = ["Hello, Tom!", "<img src=x onerror='document.title=1'> How are you?"]
    for number, line in enumerate(lines):
        page.fill("#text", line)
        page.press("#text", "Enter")
        page.locator(".bot").nth(number).wait_for()
    assert page.locator(".you").all_inner_texts() == lines
    assert page.locator("img").count() == 0
    assert page.title() == "bot"
    first = agent.answers(lines[:1])
    bubble = page.locator(".bot").first
    assert bubble.locator("p").inner_text() == first[0].text
    assert bubble.locator(".answer").count() == 2
    tokens = bubble.locator(".answer").first.locator(".token")
    bands = [int(token.get_attribute("data-band")) for token in tokens.all()]
    assert bands == [min(9, int(score * 10)) for _, score in first[0].token_scores]
    expected = agent.answers([lines[0], first[0].text, lines[1]])
    assert page.locator(".bot").nth(1).locator("p").inner_text() == expected[0].text
    page.click("#again")
    assert page.locator(".bot").count() == 0
    page.close()
