"""A chat in the terminal prepares its agent while the user types."""

import os
import sys
import threading
import time
from types import SimpleNamespace

import pytest

from keras_gca.engine import loading
from keras_gca.serving.exchange import respond
from keras_gca.serving.protocol import Answer
from keras_gca.serving.terminal import warming_up


def test_a_reply_waits_until_the_agent_is_prepared(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    typed, done = threading.Event(), []

    def warm_up():
        typed.wait(10)
        done.append("prepared")

    def reply(history, turn):
        done.append("replied")
        return []

    with warming_up(reply, warm_up) as ready:
        assert done == []  # the user can type meanwhile
        typed.set()
        assert ready(["Hello."], 0) == []
        assert done == ["prepared", "replied"]


@pytest.mark.parametrize("quick", [True, False])
def test_a_reply_that_waits_long_for_the_preparation_says_so(quick, monkeypatch, capfd):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr(os, "isatty", lambda descriptor: True)
    monkeypatch.setattr(loading, "SAY_AFTER", 0.05)
    began = threading.Event()

    def warm_up():
        began.wait(10)
        time.sleep(0 if quick else 0.2)

    with warming_up(lambda history, turn: [], warm_up) as ready:
        began.set()
        ready(["Hello."], 0)
        assert capfd.readouterr().err == ("" if quick else "preparing the model for its first reply ...\n")
        ready(["Hello."], 1)
    assert capfd.readouterr().err == ""


def test_the_end_of_a_chat_waits_for_the_preparation(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: True))
    done = []
    with pytest.raises(KeyboardInterrupt), warming_up(lambda history, turn: [], lambda: done.append("prepared")):
        raise KeyboardInterrupt
    assert done == ["prepared"]


def test_nothing_is_prepared_if_nobody_types(monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(isatty=lambda: False))

    def reply(history, turn):
        return []

    with warming_up(reply, lambda: pytest.fail("prepared")) as ready:
        assert ready is reply


def test_a_bot_cannot_change_the_settings_of_the_terminal():
    text = "\x1b[31mHello\x1b]0;owned\x07\n\x9b31m caf\u00e9 \U0001f600"
    agent = SimpleNamespace(
        crisis_note=lambda line: None,
        tokenise=lambda lines: [["hello"]],
        longest=10,
        unknown_words=lambda line: [],
    )
    answer = Answer("bot", text, 1.0, 1.0, 1.0, 1.0, (), ())
    [shown] = respond(agent, ["Hello"], lambda history: [answer]).answers
    assert shown.text == " [31mHello ]0;owned \n 31m caf\u00e9 \U0001f600"
