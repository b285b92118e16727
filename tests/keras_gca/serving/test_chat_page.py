"""The chat page in a browser."""

import dataclasses
import re

import pytest

from keras_gca.agent import Decoding
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.serving.web import LONGEST_UTTERANCE, create_app
from tests.factories.chats import (
    CRISIS,
    NOTE,
    Gated,
    Halting,
    Noting,
    converse,
    full_page_of,
    page_of,
    send,
    until,
    visiting,
)

pytestmark = pytest.mark.thorough  # each test opens a page in a browser


class Changed(Gated):
    """An agent with an open gate whose answers have some other parts."""

    def __init__(self, agent, **changes):
        super().__init__(agent)
        self.changes = changes
        self.gate.set()

    def answers_to_all(self, *arguments):
        found = super().answers_to_all(*arguments)
        return [[dataclasses.replace(answer, **self.changes) for answer in answers] for answers in found]


def texts(page, kind):
    return page.locator(f"{kind} > .text").all_inner_texts()


def test_a_conversation_in_a_browser(agent, browser, serve):
    lines = ["Hello, Tom!", "<img src=x onerror='document.title=1'> How are you?"]
    first = agent.answers(lines[:1])
    expected = agent.answers([lines[0], first[0].text, lines[1]])
    with visiting(browser, serve(page_of(agent))) as page:
        converse(page, *lines)
        assert texts(page, ".you") == lines
        assert page.locator("img").count() == 0
        assert page.title() == "bot"
        assert texts(page, ".bot") == [first[0].text, expected[0].text]
        page.locator(".thoughts > summary").first.click()
        bubble = page.locator(".bot").first
        bubble.locator(".answer").nth(1).wait_for()  # the event `toggle` comes after the click
        assert bubble.locator(".answer").count() == 2
        tokens = bubble.locator(".answer").first.locator(".token")
        bands = [int(token.get_attribute("data-band")) for token in tokens.all()]
        assert bands == [min(9, int(score * 10)) for _, score in first[0].token_scores]
        for token, (_, score) in zip(tokens.all(), first[0].token_scores, strict=True):
            assert f"D {score:.2f}" in token.inner_text()  # numbers can be read without colours
        page.click("#again")
        assert page.locator("article").count() == 0


def test_a_page_with_a_token_is_opened_by_the_printed_address(agent, browser, serve):
    address = serve(page_of(agent, token="secret"))
    with visiting(browser, f"{address}?token=secret") as page:
        assert page.url == address
        converse(page, "Hello, Tom!")
        page.reload()
        assert texts(page, ".you") == ["Hello, Tom!"]
        page.context.clear_cookies()
        send(page, "Hello again.")
        page.get_by_text("This server requires its token").first.wait_for()


def test_what_a_model_writes_is_shown_and_not_run(agent, browser, serve):
    harm = "<script>document.title=1</script><img src=x onerror='document.title=1'>"
    parts = {"text": harm, "generator": harm, "token_scores": ((harm, 0.5),), "token_probabilities": (0.5,)}
    harmful = Changed(agent, **parts)
    harmful.unknown_words = lambda utterance: [harm]
    with visiting(browser, serve(page_of(harmful))) as page:
        converse(page, "Hello")
        assert texts(page, ".bot") == [harm]
        page.click(".thoughts > summary")
        assert page.locator(".token").first.inner_text().startswith(harm)
        assert page.locator(".unknown").inner_text() == f"Words that the bot does not know: {harm}"
        assert page.locator("img").count() == 0
        assert page.title() == "bot"


def test_details_that_the_user_opens_are_scrolled_into_view(agent, browser, serve):
    seen = """() => {
        const box = [...document.querySelectorAll(".thoughts")].at(-1).getBoundingClientRect();
        const frame = document.getElementById("scroller").getBoundingClientRect();
        return box.bottom <= frame.bottom + 1 || box.top <= frame.top + 1;
    }"""
    with visiting(browser, serve(page_of(agent)), viewport={"width": 700, "height": 420}) as page:
        converse(page, "Hello", "How are you?")
        page.locator(".thoughts > summary").last.click()
        page.wait_for_function(seen)


def test_a_reply_without_details_is_the_reply_alone(agent, browser, serve):
    with visiting(browser, serve(full_page_of(agent))) as page:
        converse(page, "Hello")
        assert not page.locator(".answer").first.is_visible()
        page.click("#settings > summary")
        page.check("#verbose")
        page.locator(".answer").nth(1).wait_for()
        assert page.locator(".answer").first.is_visible()
        page.uncheck("#verbose")
        assert not page.locator(".answer").first.is_visible()
    with visiting(browser, serve(full_page_of(agent, verbose=True))) as page:
        converse(page, "Hello")
        page.locator(".answer").nth(1).wait_for()


def test_what_is_refused_is_said_in_the_page_and_can_be_sent_again_without_copies(agent, browser, serve):
    gated = Gated(agent)
    batches = SharedBatches(gated, Decoding(), waiting=1, patience=0.2)
    with visiting(browser, serve(create_app(batches, "bot", messages_per_minute=3))) as page:
        send(page, "Hello")
        page.locator(".wrong").wait_for()
        assert page.locator(".wrong").inner_text().startswith("The answer took too long")
        assert page.input_value("#text") == "Hello"
        batches.patience = 30
        gated.gate.set()
        page.press("#text", "Enter")
        page.locator(".bot").wait_for()
        assert page.input_value("#text") == ""
        assert (texts(page, ".you"), page.locator(".wrong").count()) == (["Hello"], 0)
        page.context.set_offline(True)
        send(page, "Tom?")
        page.locator(".wrong").wait_for()
        assert page.locator(".wrong").inner_text() == "The server cannot be reached."
        for _ in range(3):
            page.get_by_role("button", name="Try again").click()
            page.locator(".wrong").wait_for()
        assert (texts(page, ".you"), page.locator(".wrong").count()) == (["Hello", "Tom?"], 1)
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").click()
        page.locator(".bot").nth(1).wait_for()
        assert texts(page, ".you") == ["Hello", "Tom?"]
        send(page, "Fine.")
        page.locator(".wrong").wait_for()
        assert re.fullmatch(r"That is more than 3 messages .*", page.locator(".wrong").inner_text())
    assert gated.batches[-1] == [["Hello", gated.agent.answers(["Hello"])[0].text, "Tom?"]]


def test_a_reply_that_comes_after_start_again_is_not_shown(agent, browser, serve):
    gated = Gated(agent)
    with visiting(browser, serve(page_of(gated))) as page:
        send(page, "Hello")
        page.locator(".pending").wait_for()
        page.click("#again")
        assert page.locator("article").count() == 0
        with page.expect_response("**/answers"):
            send(page, "Tom?")
            gated.gate.set()
        page.locator(".bot").wait_for()
        assert texts(page, ".you") == ["Tom?"]
        assert texts(page, ".bot") == [agent.answers(["Tom?"])[0].text]
        assert gated.batches == [[["Hello"]], [["Tom?"]]]


@pytest.mark.parametrize("size", [(1280, 800), (390, 844), (320, 480)])
def test_the_own_line_is_seen_while_the_reply_is_awaited_and_the_page_says_so(size, agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    viewport = {"width": size[0], "height": size[1]}
    with visiting(browser, serve(full_page_of(gated, "A long notice. " * 30)), viewport=viewport) as page:
        converse(page, *["Hello"] * 5)
        gated.gate.clear()
        send(page, "How are you?")
        form = page.locator("#line").bounding_box()
        for shown in (page.locator(".you > .text").last, page.locator(".pending")):
            box = shown.bounding_box()
            assert 0 <= box["y"] < box["y"] + box["height"] <= form["y"]
        assert page.locator(".pending").inner_text() == "The bot is answering …"
        assert page.locator("#said").inner_text() == "The bot is answering."
        gated.gate.set()
        page.locator(".bot").nth(5).wait_for()
        assert page.locator("#said").inner_text() == f"The bot says: {texts(page, '.bot')[-1]}"


@pytest.mark.parametrize("width", [1280, 390])
def test_long_words_do_not_make_the_page_wider(width, agent, browser, serve):
    long = "x" * 600
    parts = {"text": long, "token_scores": ((long, 0.5),), "token_probabilities": (0.5,), "generator": long}
    wordy = Changed(agent, **parts)
    wordy.unknown_words = lambda utterance: [long]
    page = create_app(SharedBatches(wordy, Decoding()), long, long)
    with visiting(browser, serve(page), viewport={"width": width, "height": 800}) as page:
        converse(page, long)
        page.click(".thoughts > summary")
        inner = "() => [document.documentElement.scrollWidth, document.getElementById('scroller').scrollWidth]"
        assert max(page.evaluate(inner)) <= width


def test_long_messages_are_not_cut_without_a_word(agent, browser, serve):
    with visiting(browser, serve(page_of(agent))) as page:
        send(page, "a" * (LONGEST_UTTERANCE + 1))
        assert page.locator("#hint").inner_text() == "Your message has 2,001 characters; at most 2,000 can be sent."
        assert page.locator("article").count() == 0
        assert len(page.input_value("#text")) == LONGEST_UTTERANCE + 1
        converse(page, "hello " * 100)
        expected = f"The bot reads only the last {agent.longest} of the 100 tokens in this message."
        assert page.locator(".remark").inner_text() == expected


@pytest.mark.parametrize("ended", [True, False])
def test_a_reply_that_was_cut_has_a_mark(ended, agent, browser, serve):
    with visiting(browser, serve(page_of(Changed(agent, ended=ended)))) as page:
        converse(page, "Hello")
        assert page.locator(".cut").all_inner_texts() == ["… The reply was cut off here, at the length limit."][ended:]


def test_the_page_requests_nothing_that_is_missing(agent, browser, serve):
    context = browser.new_context()
    page, statuses, said = context.new_page(), {}, []
    page.on("response", lambda response: statuses.update({response.url: response.status}))
    page.on("console", lambda message: said.append(message.text))
    page.goto(serve(full_page_of(agent)), wait_until="networkidle")
    converse(page, "Hello")
    assert set(statuses.values()) == {200}
    assert said == []
    context.close()


def test_another_answer_replaces_the_last_one_and_is_drawn_with_another_seed(agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    with visiting(browser, serve(full_page_of(gated, seed=7))) as page:
        converse(page, "Hello", "How are you?")
        assert page.get_by_role("button", name="Another answer").count() == 1  # only of the last reply
        for wanted in (3, 4):
            page.get_by_role("button", name="Another answer").click()
            until(lambda wanted=wanted: len(gated.batches) == wanted)
            page.locator(".bot").nth(1).wait_for()
        assert len(texts(page, ".bot")) == 2
    histories = [batch[0] for batch in gated.batches]
    assert histories[1] == histories[2] == histories[3]
    assert [seeds[0] for seeds in gated.seeds] == [7, 8, 10_008, 20_008]
    assert gated.decodings == [Decoding(beam=2), Decoding(beam=2), Decoding(0.7), Decoding(0.7)]


def test_a_message_can_be_edited_and_sent_again(agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    with visiting(browser, serve(page_of(gated))) as page:
        converse(page, "Hello", "How are you?", "Tom?")
        page.get_by_role("button", name="Edit").nth(1).click()
        assert page.input_value("#text") == "How are you?"
        page.press("#text", "Escape")
        assert (page.input_value("#text"), len(texts(page, ".you"))) == ("", 3)
        page.get_by_role("button", name="Edit").nth(1).click()
        send(page, "Who are you?")
        until(lambda: len(gated.batches) == 4)
        page.locator(".bot").nth(1).wait_for()
        assert texts(page, ".you") == ["Hello", "Who are you?"]
        assert gated.batches[-1] == [["Hello", texts(page, ".bot")[0], "Who are you?"]]
        page.press("#text", "ArrowUp")
        assert page.input_value("#text") == "Who are you?"


def test_another_answer_to_the_message_that_is_edited_ends_the_edit(agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    with visiting(browser, serve(page_of(gated))) as page:
        converse(page, "Hello", "How are you?")
        page.get_by_role("button", name="Edit").nth(1).click()
        page.get_by_role("button", name="Another answer").click()
        until(lambda: len(gated.batches) == 3)
        page.get_by_role("button", name="Another answer").wait_for()
        send(page, "Tom?")
        until(lambda: len(gated.batches) == 4)
        assert texts(page, ".you") == ["Hello", "How are you?", "Tom?"]


@pytest.mark.parametrize("key", [None, "Escape"])
def test_a_reply_can_be_stopped(key, agent, browser, serve):
    gated = Gated(agent)
    with visiting(browser, serve(page_of(gated))) as page:
        send(page, "Hello")
        page.locator(".pending").wait_for()
        page.click("#stop") if key is None else page.press("#text", key)
        page.locator(".wrong").wait_for()
        assert page.locator(".wrong").inner_text() == "The reply was stopped."
        assert (page.locator(".pending").count(), page.input_value("#text")) == (0, "Hello")
        gated.gate.set()
        converse(page, "Tom?")
        assert texts(page, ".you") == ["Tom?"]


@pytest.fixture
def halting(monkeypatch):
    """Replies of which only the first word comes until the gate is opened."""
    halting = Halting()
    monkeypatch.setattr("keras_gca.serving.streaming.words", halting)
    return halting


def test_the_words_of_a_reply_are_shown_when_they_come(halting, agent, browser, serve):
    line = "Hello there, Tom!"
    reply = agent.reply(line)
    with visiting(browser, serve(page_of(agent))) as page:
        send(page, line)
        page.locator(".pending > .text").wait_for()
        assert texts(page, ".pending") == [reply.split(" ")[0]]
        assert page.locator(".bot").count() == 0
        halting.gate.set()
        page.locator(".bot").wait_for()
        assert (texts(page, ".bot"), page.locator(".pending").count()) == ([reply], 0)


def test_a_reply_can_be_stopped_while_its_words_come(halting, agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    with visiting(browser, serve(page_of(gated))) as page:
        send(page, "Hello there, Tom!")
        page.locator(".pending > .text").wait_for()
        first = texts(page, ".pending")
        page.click("#stop")
        page.locator(".wrong").wait_for()
        assert page.locator(".wrong").inner_text() == "The reply was stopped."
        assert (texts(page, ".partial"), page.locator(".pending").count()) == (first, 0)
        assert page.input_value("#text") == "Hello there, Tom!"
        page.reload()
        assert page.locator(".partial").count() == 0
        halting.gate.set()
        converse(page, "How are you?")
        assert texts(page, ".you") == ["How are you?"]
        halting.gate.clear()
        reply = texts(page, ".bot")
        page.get_by_role("button", name="Another answer").click()
        page.locator(".pending > .text").wait_for()
        page.click("#stop")
        page.locator(".wrong").wait_for()
        assert (texts(page, ".bot"), page.locator(".partial").count()) == (reply, 0)  # the earlier reply stays
        page.get_by_role("button", name="Try again").click()
        page.locator(".pending > .text").wait_for()
        page.click("#again")
        assert page.locator("article").count() == 0
        halting.gate.set()
        converse(page, "Tom?")
        assert texts(page, ".you") == ["Tom?"]
    assert [batch[0] for batch in gated.batches if len(batch[0]) > 1] == []  # no part of a reply becomes history


def test_replies_can_be_copied_and_the_transcript_downloaded(agent, browser, serve):
    address = serve(page_of(Noting(agent)))
    with visiting(browser, address, permissions=["clipboard-read", "clipboard-write"]) as page:
        converse(page, "Hello")
        reply = texts(page, ".bot")[0]
        page.get_by_role("button", name="Copy").click()
        page.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == reply
        send(page, CRISIS)
        page.locator(".note").wait_for()
        page.click("#settings > summary")
        with page.expect_download() as download:
            page.click("#download")
        saved = download.value.path().read_text(encoding="utf-8")
        assert saved == f"you> Hello\nbot> {reply}\nyou> {CRISIS}\nnote> {NOTE}\n"


def test_the_empty_page_has_examples(agent, browser, serve):
    with visiting(browser, serve(full_page_of(agent))) as page:
        assert page.locator(".example").all_inner_texts() == ["Hello, Tom!", "How are you?"]
        page.locator(".example").nth(1).click()
        page.locator(".bot").wait_for()
        assert texts(page, ".you") == ["How are you?"]
        assert not page.locator("#examples").is_visible()
        page.click("#again")
        assert page.locator("#examples").is_visible()


def test_a_message_may_have_several_lines(agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    with visiting(browser, serve(page_of(gated))) as page:
        page.fill("#text", "Hello")
        height = page.locator("#text").bounding_box()["height"]
        page.press("#text", "Shift+Enter")
        page.type("#text", "Tom?")
        assert page.locator("#text").bounding_box()["height"] > height
        page.press("#text", "Enter")
        page.locator(".bot").wait_for()
        assert texts(page, ".you") == ["Hello\nTom?"]
    assert gated.batches == [[["Hello Tom?"]]]


def test_the_conversation_is_kept_when_the_page_is_loaded_again(agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    with visiting(browser, serve(full_page_of(gated))) as page:
        converse(page, "Hello")
        page.click("#settings > summary")
        page.select_option("#decoding", "random")
        page.select_option("#temperature", "1.1")
        replies = texts(page, ".bot")
        page.reload()
        assert (texts(page, ".you"), texts(page, ".bot")) == (["Hello"], replies)
        converse(page, "Tom?")
        assert gated.batches[-1] == [["Hello", replies[0], "Tom?"]]
        assert gated.decodings[-1] == Decoding(1.1)
        gated.gate.clear()
        send(page, "Fine.")
        page.locator(".pending").wait_for()
        page.reload()
        assert page.locator(".wrong").inner_text() == "The page was reloaded before the reply arrived."
        gated.gate.set()
        page.get_by_role("button", name="Try again").click()
        page.locator(".bot").nth(2).wait_for()
        page.click("#again")
        page.reload()
        assert page.locator("article").count() == 0


def test_the_generator_whose_reply_is_shown_can_be_chosen(agent, browser, serve):
    answers = {
        answer.generator.replace("_", " "): answer.text for answer in agent.answers(["Hello"], None, Decoding(beam=2))
    }
    assert len(set(answers.values())) == 2
    for name, text in answers.items():
        with visiting(browser, serve(full_page_of(agent))) as page:
            page.click("#settings > summary")
            page.select_option("#generator", name)
            converse(page, "Hello")
            assert texts(page, ".bot") == [text]


def test_no_way_to_send_a_message_goes_round_the_crisis_note(agent, browser, serve):
    noting = Noting(agent)
    with visiting(browser, serve(full_page_of(noting))) as page:
        send(page, CRISIS)
        page.locator(".note").wait_for()
        assert page.locator(".note > .text").inner_text() == NOTE
        assert page.get_by_role("alert").inner_text().endswith(NOTE)
        sizes = [
            page.locator(f"{kind} > .text").evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
            for kind in (".note", ".you")
        ]
        assert sizes[0] > sizes[1]
        assert page.get_by_role("button", name="Another answer").count() == 0
        page.reload()
        assert page.locator(".note > .text").inner_text() == NOTE
        page.get_by_role("button", name="Edit").click()
        converse(page, "Hello")
        page.get_by_role("button", name="Edit").click()
        send(page, f"Tom?\n{CRISIS}")
        page.locator(".note").wait_for()
        converse(page, "Tom?")
    assert noting.batches == [[["Hello"]], [["Tom?"]]]  # the model has never read the message
