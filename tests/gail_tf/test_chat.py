"""The chat command of the second paper answers a message about a crisis with the note, however the message arrives."""

import json

import numpy as np
import pytest

from gail_tf import chat
from gail_tf.agent import GAILAgent, Replying
from keras_gca.safety.crisis import FIRST_USE_NOTICE, NOTE
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.serving.web import create_app
from tests.factories import gail_agents, small_runs
from tests.factories.chats import converse, send, visiting

CRISIS = "I want to kill myself."
LINE = "Samaritans (UK): 116 123"
pytestmark = pytest.mark.thorough  # makes and compiles agents, and opens pages in a browser


@pytest.fixture(scope="module")
def bot(tmp_path_factory):
    path = tmp_path_factory.mktemp("bot") / "bot.h5"
    gail_agents.of_gpt2(small_runs.config()).save(path)
    return path


@pytest.fixture
def read(monkeypatch):
    """The conversations that the models have read."""
    conversations = []
    answers_to_all = GAILAgent.answers_to_all

    def keep(self, histories, *others):
        conversations.extend(map(list, histories))
        return answers_to_all(self, histories, *others)

    monkeypatch.setattr(GAILAgent, "answers_to_all", keep)
    return conversations


def test_say_shows_the_note_and_the_local_lines_and_asks_no_model(bot, read, capsys):
    arguments = [str(bot), "--say", "Hello", "--say", CRISIS, "--say", "Fine.", "--crisis-line", LINE]
    assert chat.main([*arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    first, note, last = map(json.loads, out.splitlines())
    assert note == {"said": CRISIS, "note": f"{NOTE}\n{LINE}"}
    assert read == [["Hello"], ["Hello", first["answers"][0]["text"], "Fine."]]
    assert {answer["generator"] for answer in last["answers"]} == {"maximum likelihood", "imitation"}
    assert FIRST_USE_NOTICE in err
    assert chat.main([str(bot), "--say", CRISIS]) == 0
    assert capsys.readouterr().out == f"{NOTE}\n"


@pytest.mark.parametrize("message", [CRISIS, f"/{CRISIS}", f"/undo {CRISIS}", f"/help {CRISIS}"])
def test_a_line_in_the_terminal_gets_the_note_even_if_it_looks_like_a_command(message, bot, read, capsys, monkeypatch):
    typed = iter([message, "/quit"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(typed))
    assert chat.main([str(bot), "--no-transcript"]) == 0
    assert f"note> {NOTE}\n" in capsys.readouterr().out
    assert read == []


@pytest.fixture
def app(bot):
    agent = GAILAgent.load(bot)
    agent.crisis_lines = [LINE]
    return create_app(SharedBatches(agent, Replying()), "bot", FIRST_USE_NOTICE)


@pytest.mark.parametrize("more", [{}, {"attempt": 1}, {"turn": 3, "attempt": 2}, {"generator": "imitation"}])
def test_the_page_gets_the_note_for_a_first_and_for_another_answer(more, app, read):
    client = app.test_client()
    for message in (CRISIS, "I want to\nkill myself.", "I want\tto kill\u2028myself."):
        response = client.post("/answers", json={"history": ["Hello", "Hi.", message], **more})
        assert response.json == {"note": f"{NOTE}\n{LINE}"}
    assert read == []


def test_the_page_says_that_the_discriminator_judges_whole_responses(app):
    assert "The discriminator judges whole answers, not single words" in app.test_client().get("/").text


def test_a_message_that_is_edited_into_a_crisis_gets_the_note(app, browser, serve, read):
    with visiting(browser, serve(app)) as page:
        converse(page, "Hello")
        page.get_by_role("button", name="Edit").click()
        send(page, CRISIS)
        page.locator(".note").wait_for()
        assert page.locator(".note > .text").inner_text() == f"{NOTE}\n{LINE}"
        assert page.locator(".bot").count() == 0
    assert read == [["Hello"]]
    assert all("kill" not in text for conversation in read for text in conversation)


@pytest.mark.parametrize("ended", [True, False])
def test_a_response_without_its_end_was_cut(ended, bot):
    agent = GAILAgent.load(bot)
    tokens = np.array([5, 6, agent.tokenizer.end if ended else 7])
    logs = np.log(np.array([0.5, 0.5, 0.5], np.float32))
    assert agent._answer("imitation", "text", tokens, np.ones(3, bool), logs, logs).ended == ended
