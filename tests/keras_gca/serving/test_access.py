"""The token of servers that others can reach. Chat and survey are started by their commands, on real sockets."""

import argparse
import http.cookiejar
import json
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from flask import Flask

from keras_gca.safety.crisis import note_on
from keras_gca.serving import chat_command, local_server
from keras_gca.serving.access import WRONG_TOKENS_PER_MINUTE, make_token, require_token
from keras_gca.serving.local_server import protect
from keras_gca.serving.protocol import Answer, Decodings
from keras_gca.survey import __main__ as survey_command
from tests.factories.surveys import make_survey


class Parrot:
    """An agent without a model: it repeats the last utterance."""

    description, generators, judges_words, longest = "a parrot", ("parrot",), True, 20

    def answers_to_all(self, histories, context_utterances, decoding, seeds):
        return [[Answer("parrot", history[-1], 1.0, 1.0, 1.0, 1.0, (), ())] for history in histories]

    def crisis_note(self, message):
        return note_on(message)

    def tokenise(self, utterances):
        return [utterance.split() for utterance in utterances]

    def unknown_words(self, line):
        return []

    def figures(self, answer):
        return ""


class Visitor:
    """A browser, or a program if it has a bearer token: it keeps cookies, and follows redirections."""

    def __init__(self, port, bearer=None, cookies=True):
        self.site = f"http://127.0.0.1:{port}"
        self.jar = http.cookiejar.CookieJar()
        handlers = [urllib.request.HTTPCookieProcessor(self.jar)] if cookies else []
        self.opener = urllib.request.build_opener(*handlers)
        self.headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}

    def open(self, path, content=None, **headers):
        """Return the status, the text and the last address; `content` is posted, as JSON or as a form."""
        is_form = isinstance(content, str)
        kind = {"Content-Type": "application/x-www-form-urlencoded" if is_form else "application/json"}
        data = None if content is None else (content if is_form else json.dumps(content)).encode()
        request = urllib.request.Request(self.site + path, data, self.headers | kind | headers)
        try:
            response = self.opener.open(request, timeout=20)
        except urllib.error.HTTPError as error:
            response = error
        with response:
            return response.status, response.read().decode(), response.url.removeprefix(self.site)


@pytest.fixture
def served(monkeypatch, capsys):
    """A function: served(start, visit) starts a command, and calls visit(port, token) while its server runs.

    The token is None if the command prints none.
    """

    def run(start, visit):
        printed, problems = [], []

        def serve(server, give_up=lambda: None):
            thread = threading.Thread(target=server.serve)
            thread.start()
            printed.append(capsys.readouterr().out)
            tokens = re.findall(r"token=(\S+)", printed[0])
            try:
                visit(server.port, tokens[0] if tokens else None)
            except AssertionError as error:  # the command may not end before its server has
                problems.append(error)
            finally:
                server.stop()
                thread.join()
                give_up()

        monkeypatch.setattr(local_server, "serve_until_stopped", serve)
        assert start() == 0
        if problems:
            raise problems[0]
        return printed[0] + capsys.readouterr().out

    return run


def chat_at(host):
    def start():
        options = argparse.Namespace(
            web=True, host=host, port=0, messages_per_minute=50, seed=0, verbose=False, transcript=None
        )
        listening = chat_command.listen(options, Path("bot.h5"))
        decodings = Decodings(None, "as it is", False, lambda temperature: None)
        return chat_command.serve(Parrot(), decodings, options, "first", None, listening)

    return start


def survey_at(host, folder):
    file = folder / "survey.json"
    if not file.exists():
        make_survey([(0.4, 0.6)] * 2).write(file)
    votes = str(folder / "votes.sqlite")
    return lambda: survey_command.main(["serve", str(file), "--votes", votes, "--host", host, "--port", "0"])


HELLO = {"history": ["Hello!"]}
ASKED = {"messages": [{"role": "user", "content": "Hello!"}]}


def test_the_chat_beyond_loopback_answers_only_those_who_have_the_token(served):
    def visit(port, token):
        stranger = Visitor(port)
        for path, content in (("/", None), ("/answers", HELLO), ("/static/chat.js", None), ("/none", None)):
            status, text, _ = stranger.open(path, content)
            assert (status, "This server requires its token" in text) == (401, True)
        for path, content in (("/v1/models", None), ("/v1/chat/completions", ASKED)):
            status, text, _ = stranger.open(path, content)
            assert (status, json.loads(text)["error"]["type"]) == (401, "authentication_error")
        assert stranger.open(f"/?token={token[:-1]}")[0] == 401
        assert not list(stranger.jar)

        browser = Visitor(port)
        status, text, address = browser.open(f"/?token={token}")
        assert (status, address) == (200, "/")
        assert token not in text
        kept = next(cookie for cookie in browser.jar if cookie.value == token)
        assert kept.has_nonstandard_attr("HttpOnly")
        assert kept.get_nonstandard_attr("SameSite") == "Lax"
        assert browser.open("/static/chat.js")[0] == 200
        status, text, _ = browser.open("/answers", HELLO)
        assert (status, json.loads(text)["answers"][0]["text"]) == (200, "Hello!")
        assert browser.open("/answers", HELLO, Origin="http://evil.example")[0] == 403

        program = Visitor(port, bearer=token)
        assert json.loads(program.open("/v1/models")[1])["data"][0]["id"] == "first"
        assert program.open("/v1/chat/completions", ASKED)[0] == 200
        status, text, _ = program.open("/v1/chat/completions", ASKED | {"stream": True})
        assert (status, text.endswith("data: [DONE]\n\n")) == (200, True)

    printed = served(chat_at("0.0.0.0"), visit)
    assert len(re.findall("token=", printed)) == 1
    assert printed.count(re.search(r"token=(\S+)", printed)[1]) == 1


def test_the_survey_beyond_loopback_is_begun_with_the_token_and_continued_with_the_personal_link(served, tmp_path):
    links = []

    def visit(port, token):
        stranger = Visitor(port)
        assert stranger.open("/")[0] == 401
        status, text, _ = stranger.open("/volunteers", "name=Eve")
        assert (status, "This server requires its token" in text) == (401, True)
        assert stranger.open("/form/guessed/1")[0] == 404
        volunteer = Visitor(port)
        assert volunteer.open(f"/?token={token}")[::2] == (200, "/")
        status, text, address = volunteer.open("/volunteers", "name=Ann")
        assert (status, token in text) == (200, False)
        links.append(address)

    def return_later(port, token):
        other_device = Visitor(port)
        assert other_device.open(links[0])[0] == 200
        assert other_device.open(links[0], "line-0=first")[0] == 200
        assert other_device.open("/static/form.css")[0] == 200
        assert other_device.open("/")[0] == 401

    first, second = (served(survey_at("0.0.0.0", tmp_path), each) for each in (visit, return_later))
    tokens = [re.findall(r"token=(\S+)", printed) for printed in (first, second)]
    assert [len(printed) for printed in tokens] == [1, 1]
    assert tokens[0] != tokens[1]


def test_on_loopback_no_token_is_needed(served, tmp_path):
    def visit_chat(port, token):
        assert token is None
        assert Visitor(port).open("/answers", HELLO)[0] == 200
        assert Visitor(port).open("/v1/models")[0] == 200

    def visit_survey(port, token):
        assert token is None
        assert Visitor(port).open("/volunteers", "name=Ann")[0] == 200

    served(chat_at("127.0.0.1"), visit_chat)
    served(survey_at("127.0.0.1", tmp_path), visit_survey)


def test_tokens_are_made_where_others_can_reach_the_server():
    for host in ("127.0.0.1", "127.5.0.1", "::1", "localhost"):
        assert make_token(host) is None
    tokens = {make_token(host) for host in ("0.0.0.0", "192.0.2.1", "::", "", "localhost.example")}
    assert len(tokens) == 5
    assert min(map(len, tokens)) >= 40


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr("keras_gca.serving.local_server.time.monotonic", lambda: 610.5)
    app = Flask(__name__)
    protect(app, 1000)
    require_token(app, "secret", ["open"])
    app.add_url_rule("/", "page", lambda: "a secret page")
    app.add_url_rule("/open", "open", lambda: "an open page")
    return app.test_client()


def test_tokens_are_compared_in_constant_time(client, monkeypatch):
    compared = []
    monkeypatch.setattr(
        "keras_gca.serving.access.hmac.compare_digest", lambda given, token: bool(compared.append((given, token)))
    )
    assert client.get("/?token=sécret", headers={"Authorization": "Bearer s"}).status_code == 401
    assert compared == [(b"s", b"secret"), ("sécret".encode(), b"secret"), (b"", b"secret")]


def test_only_the_address_of_the_page_gives_the_cookie(client):
    for path in ("/?token=wrong", "/?token=", "/none?token=secret", "//evil.example?token=secret"):
        response = client.get(path)
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert "Set-Cookie" not in response.headers
    assert client.post("/?token=secret").status_code == 401
    assert client.get("/open").text == "an open page"
    response = client.get("/?token=secret&other=x")
    assert (response.status_code, response.location) == (303, "/")
    assert client.get("/").text == "a secret page"


def test_tokens_cannot_be_tried_without_end_but_the_right_one_is_always_taken(client):
    statuses = [client.get("/?token=wrong").status_code for _ in range(WRONG_TOKENS_PER_MINUTE + 1)]
    assert statuses == [401] * WRONG_TOKENS_PER_MINUTE + [429]
    assert client.get("/", headers={"Authorization": "Bearer secret"}).text == "a secret page"
    others = client.get("/", environ_overrides={"REMOTE_ADDR": "192.0.2.1"})
    assert others.status_code == 401


def test_two_servers_of_one_computer_have_cookies_of_different_names():
    names = set()
    for _ in range(2):
        app = Flask(__name__)
        protect(app, 1000)
        require_token(app, "secret")
        app.add_url_rule("/", "page", lambda: "a page")
        names.add(app.test_client().get("/?token=secret").headers["Set-Cookie"].partition("=")[0])
    assert len(names) == 2


def test_without_a_token_only_names_of_this_computer_are_answered():
    app = Flask(__name__)
    protect(app, 1000)
    require_token(app, None)
    app.add_url_rule("/", "page", lambda: "a page", methods=["GET", "POST"])
    client = app.test_client()
    for host in ("localhost", "127.0.0.1:8000", "127.5.0.1", "[::1]:8000"):
        assert client.get("/", headers={"Host": host}).text == "a page"
    for host in ("evil.example:8000", "127.0.0.1.evil.example", "192.0.2.1", "localhost.evil.example"):
        for send in (client.get, client.post):
            response = send("/", headers={"Host": host})
            assert (response.status_code, "this computer only" in response.text) == (403, True)
