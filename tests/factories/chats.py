"""Agents and pages for tests of chats."""

import contextlib
import threading
from pathlib import Path

from keras_gca.agent import Decoding
from keras_gca.serving import streaming
from keras_gca.serving.calibration import AnswersFile, Calibration, Question
from keras_gca.serving.protocol import Decodings
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.serving.web import ChatPage, create_app

CRISIS = "I want to die"
NOTE = "Please call a crisis line.\nThe line of this town: 123"
QUESTIONS = (
    Question("ask", "Should I ask?", {"yes": "yes, ask me", "no": "no questions"}),
    Question("length", "How long?", {"short": "short", "medium": "medium", "long": "long"}),
)
DECODINGS = Decodings(Decoding(beam=2), "a beam search of width 2", False, lambda temperature: Decoding(temperature))


class Gated:
    """An agent that answers only when its gate is open, and stores the questions."""

    def __init__(self, agent):
        self.agent, self.gate, self.begun, self.batches = agent, threading.Event(), threading.Event(), []
        self.seeds, self.decodings = [], []

    def __getattr__(self, name):
        return getattr(self.agent, name)

    def answers_to_all(self, histories, utterances, decoding, seeds):
        self.batches.append(histories)
        self.seeds.append(seeds)
        self.decodings.append(decoding)
        self.begun.set()
        assert self.gate.wait(30)
        return self.agent.answers_to_all(histories, utterances, decoding, seeds)


class Noting(Gated):
    """An agent with an open gate that shows a note in place of a reply to CRISIS."""

    def __init__(self, agent):
        super().__init__(agent)
        self.gate.set()

    def crisis_note(self, message):
        return NOTE if CRISIS in message else None


class Halting:
    """The words of replies. The first word comes at once, and the others come when the gate is open."""

    def __init__(self):
        self.gate, self.words = threading.Event(), streaming.words

    def __call__(self, reply):
        words = self.words(reply)
        yield next(words)
        assert self.gate.wait(30)
        yield from words


def page_of(agent, **options):
    return create_app(SharedBatches(agent, Decoding()), "bot", **options)


def full_page_of(agent, notice="A notice.", **choices):
    """Make a page that has every element that a page can have."""
    file = AnswersFile(Path("profile.json"), QUESTIONS)  # it is written only if a test keeps answers
    choices = {"calibration": Calibration(QUESTIONS, lambda decoding, wishes: decoding, file)} | choices
    chat_page = ChatPage(examples=("Hello, Tom!", "How are you?"), decodings=DECODINGS, **choices)
    return create_app(SharedBatches(agent, DECODINGS.usual), "bot", notice, chat_page=chat_page)


def until(condition):
    wait = threading.Event()
    for _ in range(1000):
        if condition():
            return
        wait.wait(0.01)
    raise AssertionError("it did not happen")


@contextlib.contextmanager
def visiting(browser, address, **options):
    """Open a page in a window of its own, which keeps nothing of other windows."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    yield page
    context.close()


def send(page, line):
    page.fill("#text", line)
    page.press("#text", "Enter")


def converse(page, *lines):
    """Send each line and wait for its reply."""
    for line in lines:
        replies = page.locator(".bot").count()
        send(page, line)
        page.locator(".bot").nth(replies).wait_for()
