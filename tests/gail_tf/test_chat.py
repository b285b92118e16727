"""The chat command of the second paper answers a message about a crisis with the note, however the message arrives."""

import json

import numpy as np
import pytest

from gail_tf import chat
from gail_tf.agent import GAILAgent
from gail_tf.data.listening import Profile
from gail_tf.policies.answers import answer_of
from gail_tf.policies.replying import Replying
from keras_gca.safety.crisis import FIRST_USE_NOTICE, NOTE
from keras_gca.serving.protocol import Answer
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
    assert "The discriminator judges complete answers, not single words" in app.test_client().get("/").text


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
    assert answer_of(agent.tokenizer, "imitation", "text", tokens, np.ones(3, bool), logs, logs).ended == ended


# Calibration


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    """The run folder of a bot that was trained with profiles."""
    folder = tmp_path_factory.mktemp("listener") / "run"
    gail_agents.write_run(folder, listener_profile="on", sentiment_history="on")
    return folder


@pytest.fixture(scope="module")
def listening_agent(listener):
    return GAILAgent.load(listener)


@pytest.fixture
def asked(listening_agent, monkeypatch):
    """The conversations with which the models were asked, and the profiles. The models have one answer."""
    pairs = []

    def answer(self, histories, utterances, decoding, seeds):
        pairs.extend((history, decoding.profile) for history in histories)
        return [[Answer("imitation", "Fine.", 0.5, 0.5, 0.5, 0.5, (("Fine.", 0.5),), (0.5,))] for _ in histories]

    monkeypatch.setattr(GAILAgent, "load", lambda path, agreed=False: listening_agent)
    monkeypatch.setattr(GAILAgent, "answers_to_all", answer)
    return pairs


def typing(monkeypatch, *lines):
    rest = iter(lines)

    def next_line(prompt):
        line = next(rest, None)
        if line is None:
            raise EOFError
        return line

    monkeypatch.setattr("builtins.input", next_line)


def test_a_profile_is_asked_for_kept_applied_and_deleted(listener, asked, capsys, monkeypatch):
    file = listener / "listener_profile.json"
    typing(monkeypatch, "yes", "", "", "no advice", "", "1", "", "I lost my job.", "/quit")
    assert chat.main([str(listener), "--calibrate", "--no-transcript"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(FIRST_USE_NOTICE)
    assert f"Your profile applies: ask yes, advise no, length short ({file})" in out
    assert file.stat().st_mode & 0o777 == 0o600
    expected = Profile(ask="yes", advise="no", length="short")
    assert asked == [(["I lost my job."], expected)]
    assert chat.main([str(listener), "--say", "Hello"]) == 0
    assert asked[1] == (["Hello"], expected)
    capsys.readouterr()
    assert chat.main([str(listener), "--delete-profile"]) == 0
    assert capsys.readouterr().out == f"deleted: {file}\n"
    assert not file.exists()
    assert chat.main([str(listener), "--say", "Hello"]) == 0
    assert asked[2] == (["Hello"], None)


def test_an_answer_to_a_question_gets_the_note_and_nothing_is_kept(listener, asked, capsys, monkeypatch):
    typing(monkeypatch, "yes", CRISIS, "Hello.", "/quit")
    assert chat.main([str(listener), "--calibrate", "--no-transcript", "--crisis-line", LINE]) == 0
    out = capsys.readouterr().out
    assert out.count(f"note> {NOTE}\n{LINE}\n") == 1
    assert out.index("note> ") < out.index("bot> ")
    assert asked == [(["Hello."], None)]
    assert not (listener / "listener_profile.json").exists()


def test_what_cannot_be_calibrated_is_said_in_one_line(bot, listener, said, tmp_path):
    assert "this bot was trained without listener profiles" in said(chat.main, "chat", bot, "--calibrate")
    assert "leave out one of them" in said(chat.main, "chat", listener, "--calibrate", "--say", "Hello")
    message = said(chat.main, "chat", listener, "--delete-profile")
    assert message == f"chat: {listener / 'listener_profile.json'}: there is no profile to delete\n"
    message = said(chat.main, "chat", listener, "--profile", tmp_path / "p.json", "--say", "Hello")
    assert message == f"chat: {tmp_path / 'p.json'}: no such file; --calibrate asks the questions and writes it\n"
    (tmp_path / "p.json").write_text('{"format": "calibration 1", "answers": {"ask": "maybe"}}')
    message = said(chat.main, "chat", listener, "--profile", tmp_path / "p.json", "--say", "Hello")
    assert message == f"chat: {tmp_path / 'p.json'}: ask: 'maybe' is not one of yes, no\n"


def test_a_page_that_others_reach_does_not_use_the_profile_of_this_computers_user(listener, asked, monkeypatch):
    served = []

    def serve(agent, decodings, options, name, utterances, listening, notice, examples, calibration):
        served.append((decodings.usual.profile, calibration.file))
        listening.close()
        return 0

    monkeypatch.setattr("keras_gca.serving.chat_command.serve", serve)
    file = listener / "listener_profile.json"
    file.write_text('{"format": "calibration 1", "answers": {"ask": "no"}}')
    for host in ("127.0.0.1", "0.0.0.0"):
        assert chat.main([str(listener), "--web", "--port", "0", "--host", host]) == 0
    file.unlink()
    assert served[0][0] == Profile(ask="no")
    assert served[0][1].path == file
    assert served[1] == (None, None)
