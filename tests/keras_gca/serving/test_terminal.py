"""A chat in the terminal prepares its agent while the user types."""

import sys
import threading
from types import SimpleNamespace

import pytest

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
