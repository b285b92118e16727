"""/v1 of the local server: with the public `openai` client, and requests that it refuses."""

import argparse
import json
import re
from pathlib import Path

import pytest

from keras_gca.agent import Decoding
from keras_gca.safety.crisis import NOTE, note_on
from keras_gca.serving import chat_command, local_server
from keras_gca.serving.access import WRONG_TOKENS_PER_MINUTE
from keras_gca.serving.completions import LONGEST_HISTORY, LONGEST_UTTERANCE, add_completions
from keras_gca.serving.local_server import PEOPLE_AT_AN_ADDRESS
from keras_gca.serving.protocol import Answer, Decodings
from keras_gca.serving.shared_batches import BusyError, SharedBatches
from keras_gca.serving.web import create_app

CRISIS = "I want to kill myself."


class Parrot:
    """An agent without a model: it repeats what it read. `read` has the conversations that reached it."""

    description = "a parrot"

    def __init__(self):
        self.read = []

    def answers_to_all(self, histories, context_utterances, decoding, seeds):
        self.read.extend(histories)
        return [[Answer("parrot", " / ".join(history), 1.0, 1.0, 1.0, 1.0, (), ())] for history in histories]

    def crisis_note(self, message):
        return note_on(message)

    def tokenise(self, utterances):
        return [utterance.replace("*", " ").split() for utterance in utterances]


@pytest.fixture
def parrot():
    return Parrot()


def app_of(agent, token=None, per_minute=1000):
    batches = SharedBatches(agent, Decoding())
    app = create_app(batches, "bot", token=token)
    add_completions(app, batches, "bot", per_minute)
    return app


def messages(*texts):
    """A conversation of the user and the assistant in turn, in which the user speaks last."""
    roles = ["user", "assistant"] * len(texts)
    return [{"role": role, "content": text} for role, text in zip(roles[(len(texts) + 1) % 2 :], texts, strict=False)]


@pytest.fixture
def client(parrot):
    return app_of(parrot).test_client()


def ask(client, *texts, **others):
    headers = others.pop("headers", {})
    return client.post("/v1/chat/completions", json={"messages": messages(*texts), **others}, headers=headers)


def said(response):
    return response.json["choices"][0]["message"]["content"]


def test_the_public_client_chats_streams_and_lists_models(agent, serve):
    openai = pytest.importorskip("openai", reason="the client openai is not installed")
    address = serve(app_of(agent, token="secret"))
    conversation = messages("Hello.", "Hi there, Tom!", "How are you?")
    expected = agent.reply(["Hello.", "Hi there, Tom!", "How are you?"])
    with openai.OpenAI(base_url=f"{address}v1", api_key="secret", max_retries=0) as client:
        assert [model.id for model in client.models.list()] == ["bot"]
        completion = client.chat.completions.create(model="bot", messages=conversation, temperature=0.5)
        assert completion.choices[0].message.content == expected
        assert completion.choices[0].finish_reason == "stop"
        chunks = list(client.chat.completions.create(model="bot", messages=conversation, stream=True))
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected
        assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
        completion = client.chat.completions.create(model="bot", messages=messages(CRISIS))
        assert completion.choices[0].message.content == NOTE
        with pytest.raises(openai.BadRequestError, match="There are no words to answer"):
            client.chat.completions.create(model="bot", messages=messages("***"))
    with (
        openai.OpenAI(base_url=f"{address}v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError, match="This server requires its token"),
    ):
        client.models.list()


def test_the_reply_is_the_agents(client):
    assert said(ask(client, "How are you?", "Fine.", "Hello there!")) == "How are you? / Fine. / Hello there!"
    parts = [{"type": "text", "text": "Hello\x00"}, {"type": "text", "text": "there."}]
    conversation = [{"role": "system", "content": "Be nice."}, {"role": "user", "content": parts}]
    response = client.post("/v1/chat/completions", json={"messages": conversation})
    assert said(response) == "Hello  there."
    assert response.json["object"] == "chat.completion"


def test_a_stream_has_the_whole_reply_and_ends(client):
    response = ask(client, "Hello  there, Tom.", stream=True, stream_options={"include_usage": True})
    assert response.mimetype == "text/event-stream"
    *events, done = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert done == "[DONE]"
    *chunks, last = map(json.loads, events)
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hello  there, Tom."
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert (last["choices"], last["usage"]["total_tokens"]) == ([], 0)


def test_the_crisis_check_is_first(parrot, client):
    for stream in (False, True):
        response = ask(client, "Hello.", "Hi.", CRISIS, stream=stream)
        assert "crisis" in response.text
        assert "content_filter" in response.text
    assert parrot.read == []
    assert said(ask(client, "Hello.", "Hi.", CRISIS, NOTE, "How are you?")) == "Hello. / Hi. / How are you?"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "application/json"),
        ([], "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "Hello"}, "messages"),
        ({"messages": ["Hello"]}, "roles"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "roles"),
        ({"messages": [{"role": ["user"], "content": "x"}]}, "roles"),
        ({"messages": [{"role": "user"}]}, "content of a message"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "content of a message"),
        ({"messages": messages("x" * (LONGEST_UTTERANCE + 1))}, "content of a message"),
        ({"messages": [{"role": "assistant", "content": "Hello"}]}, "The last message"),
        ({"messages": messages("Hello"), "n": 2}, "only one choice"),
        ({"messages": messages("*** \x00")}, "no words"),
    ],
)
def test_what_is_no_conversation_is_refused_in_a_sentence(client, content, problem):
    response = client.post("/v1/chat/completions", json=content)
    assert response.status_code == 400
    assert problem in response.json["error"]["message"]
    assert response.json["error"]["type"] == "invalid_request_error"


def test_a_body_that_is_no_json_is_refused(client):
    for kind, body in (("text/plain", '{"messages": []}'), ("application/json", "[" * 100_000)):
        response = client.post("/v1/chat/completions", data=body, content_type=kind)
        assert response.status_code == 400
        assert "The body must" in response.json["error"]["message"]


@pytest.mark.parametrize(
    ("spoken", "read"),
    [
        ("user: My dog died. / user: I miss him.", ["My dog died. I miss him."]),
        ("user: Hi. / assistant:  / user: Are you there?", ["Hi. Are you there?"]),
        ("assistant: Hello. / assistant: I am Tom. / user: Hi.", ["Hello. I am Tom.", "Hi."]),
        ("user: Hi. / assistant: Hello. / system: x / user: Bye.", ["Hi.", "Hello.", "Bye."]),
    ],
)
def test_the_agent_reads_two_speakers_who_take_turns(spoken, read, parrot, client):
    said = [dict(zip(("role", "content"), each.split(": ", 1), strict=True)) for each in spoken.split(" / ")]
    assert client.post("/v1/chat/completions", json={"messages": said}).status_code == 200
    assert parrot.read == [read]


def test_only_the_last_utterances_are_read(parrot, client):
    assert ask(client, *["Hello."] * 41).status_code == 200
    assert [len(history) for history in parrot.read] == [LONGEST_HISTORY]


def test_other_sites_are_refused_and_may_read_nothing(client):
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ):
        assert ask(client, "Hello.", headers=headers).status_code == 403
    assert client.get("/v1/models", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    answered = ask(client, "Hello."), client.get("/v1/models"), client.options("/v1/chat/completions")
    for response in answered:
        assert not [name for name in dict(response.headers) if name.lower().startswith("access-control")]


def test_a_token_is_needed_where_others_can_reach_the_server(parrot):
    client = app_of(parrot, "secret").test_client()
    for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer sécret"}, {"Authorization": ""}):
        response = ask(client, "Hello.", headers=given)
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert response.json["error"]["type"] == "authentication_error"
        assert client.get("/v1/models", headers=given).status_code == 401
    assert ask(client, "Hello.", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_an_address_may_send_so_many_messages_a_minute(parrot, monkeypatch):
    monkeypatch.setattr("keras_gca.serving.local_server.time.monotonic", lambda: 610.5)
    client = app_of(parrot, per_minute=2).test_client()
    assert [ask(client, "Hello.").status_code for _ in range(4)] == [200, 200, 429, 429]
    refused = ask(client, "Hello.")
    assert refused.headers["Retry-After"] == "50"
    assert refused.json["error"]["type"] == "rate_limit_error"
    client = app_of(parrot, token="secret", per_minute=1).test_client()
    statuses = [client.get("/v1/models").status_code for _ in range(WRONG_TOKENS_PER_MINUTE + 2)]
    assert statuses == [401] * WRONG_TOKENS_PER_MINUTE + [429] * 2
    statuses = [
        ask(client, "Hello.", headers={"Authorization": "Bearer secret"}).status_code
        for _ in range(PEOPLE_AT_AN_ADDRESS + 1)
    ]
    assert statuses == [200] * PEOPLE_AT_AN_ADDRESS + [429]


def test_a_busy_agent_says_so(client, monkeypatch):
    def busy(*_, **__):
        raise BusyError("Too many people are chatting right now.")

    monkeypatch.setattr(SharedBatches, "answers", busy)
    response = ask(client, "Hello.")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json["error"] == {
        "message": "Too many people are chatting right now.", "type": "server_error", "param": None, "code": None,
    }  # fmt: skip


@pytest.mark.parametrize(("host", "printed"), [("127.0.0.1", 0), ("0.0.0.0", 1)])
def test_the_chat_serves_it_and_prints_a_token_once_beyond_loopback(parrot, host, printed, monkeypatch, capsys):
    apps = []
    monkeypatch.setattr(local_server, "serve_until_stopped", lambda server, give_up: (server.close(), give_up()))
    made = local_server.LocalServer
    monkeypatch.setattr(local_server, "LocalServer", lambda app, *rest: apps.append(app) or made(app, *rest))
    options = argparse.Namespace(
        web=True, host=host, port=0, messages_per_minute=5, seed=0, verbose=False, transcript=None
    )
    listening = chat_command.listen(options, Path("bot.h5"))
    decodings = Decodings(None, "as it is", False, lambda temperature: None)
    assert chat_command.serve(parrot, decodings, options, "first", None, listening) == 0
    words = re.findall(r"\?token=(\S+)", capsys.readouterr().out)
    assert len(words) == printed
    client = apps[0].test_client()
    assert client.get("/v1/models").status_code == (401 if printed else 200)
    headers = {"Authorization": f"Bearer {words[0]}"} if printed else {}
    assert client.get("/v1/models", headers=headers).json["data"][0]["id"] == "first"


@pytest.mark.parametrize("spoken", [[CRISIS, "Are you there?"], ["I want to", "kill myself."]])
def test_a_crisis_in_any_message_since_the_last_reply_gets_the_note(spoken, parrot, client):
    conversation = [*messages("Hello.", "Hi.", spoken[0]), {"role": "user", "content": spoken[1]}]
    response = client.post("/v1/chat/completions", json={"messages": conversation})
    assert said(response) == NOTE
    assert parrot.read == []
