"""Every entrance to both agents answers a message about a crisis with the note, before any model runs."""

import json

import pytest

import gail_tf.chat
import keras_gca.chat
from gail_tf.agent import Replying
from keras_gca.agent import Agent, Decoding
from keras_gca.original import agent as original
from keras_gca.safety.crisis import FIRST_USE_NOTICE, NOTE
from keras_gca.serving.completions import add_completions
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.serving.web import create_app
from tests.factories import gail_agents, small_runs
from tests.factories.gca import make_agent, make_original_agent

CRISIS, HARMLESS = "I want to kill myself.", "How are you?"
CHATS = {"keras_gca": keras_gca.chat, "gail_tf": gail_tf.chat}


@pytest.fixture(scope="module")
def bots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bots")
    make_agent().save(folder / "keras_gca.h5")
    gail_agents.of_gpt2(small_runs.config()).save(folder / "gail_tf.h5")
    return folder


@pytest.fixture(params=CHATS)
def agent(request):
    return make_agent() if request.param == "keras_gca" else gail_agents.of_gpt2(small_runs.config())


@pytest.fixture
def asked(agent, monkeypatch):
    """The histories that reached the models of `agent`."""
    histories = []
    answers_to_all = agent.answers_to_all

    def recorded(asked, *arguments):
        histories.extend(asked)
        return answers_to_all(asked, *arguments)

    monkeypatch.setattr(agent, "answers_to_all", recorded)
    return histories


@pytest.fixture
def typed(monkeypatch):
    """A function: typed(lines) makes the next chat read these lines, and then the end of input."""

    def types(*lines):
        rest = iter(lines)

        def next_line(prompt):
            line = next(rest, None)
            if line is None:
                raise EOFError
            return line

        monkeypatch.setattr("builtins.input", next_line)

    return types


@pytest.mark.thorough
@pytest.mark.parametrize("package", CHATS)
def test_the_terminal(package, bots, typed, tmp_path, capsys):
    bot, said = bots / f"{package}.h5", tmp_path / "said.txt"
    typed(HARMLESS, CRISIS, HARMLESS)
    assert CHATS[package].main([str(bot), "--transcript", str(said)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(FIRST_USE_NOTICE)
    assert (out.count("bot> "), out.count(f"note> {NOTE}")) == (2, 1)
    assert f"you> {CRISIS}\nnote> {NOTE}\n" in said.read_text()
    typed(CRISIS)
    assert CHATS[package].main([str(bot), "--no-transcript", "--no-crisis-note"]) == 0
    out = capsys.readouterr().out
    assert (out.count("bot> "), out.count("note> ")) == (1, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("package", CHATS)
def test_one_reply_for_a_script(package, bots, capsys):
    arguments = [str(bots / f"{package}.h5"), "--say", HARMLESS, "--say", CRISIS]
    assert CHATS[package].main([*arguments, "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["answers"]
    assert second == {"said": CRISIS, "note": NOTE}
    assert CHATS[package].main(arguments) == 0
    assert capsys.readouterr().out.endswith(f"{NOTE}\n")


@pytest.mark.thorough
def test_the_terminal_with_the_authors_files(typed, tmp_path, capsys):
    original.write(tmp_path, make_original_agent())
    typed(CRISIS, HARMLESS)
    assert keras_gca.chat.main(["--original", str(tmp_path), "--no-transcript"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(FIRST_USE_NOTICE)
    assert (out.count("bot> "), out.count(f"note> {NOTE}")) == (1, 1)


def test_the_protocol_of_other_front_ends(agent, asked):
    batches = SharedBatches(agent, Decoding() if isinstance(agent, Agent) else Replying())
    app = create_app(batches, "bot")
    add_completions(app, batches, "bot")
    client = app.test_client()
    for stream in (False, True):
        messages = [{"role": "user", "content": CRISIS}]
        response = client.post("/v1/chat/completions", json={"messages": messages, "stream": stream})
        assert response.status_code == 200
        assert "crisis" in response.text
    assert asked == []


@pytest.mark.thorough
def test_the_page(agent, asked):
    decoding = Decoding() if isinstance(agent, Agent) else Replying()
    client = create_app(SharedBatches(agent, decoding), "bot").test_client()
    again = {"turn": 1, "attempt": 2, "generator": agent.generators[-1].replace("_", " ")}
    for history in ([CRISIS], [HARMLESS, "Fine.", CRISIS]):
        for choices in ({}, again):  # an edited message is sent as a new one, and another reply is asked for by `again`
            response = client.post("/answers", json={"history": history, **choices})
            assert (response.status_code, response.json) == (200, {"note": NOTE})
    assert asked == []
    assert client.post("/answers", json={"history": [HARMLESS]}).json["answers"]
    agent.notes_crises = False
    assert client.post("/answers", json={"history": [CRISIS]}).json["answers"]
    assert asked == [[HARMLESS], [CRISIS]]
