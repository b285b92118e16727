"""The chat page with axe-core: none of its rules is violated, in any state, light or dark, on a desktop or a phone."""

import pytest

from tests.factories.chats import CRISIS, Gated, Halting, Noting, converse, full_page_of, send, visiting

pytestmark = pytest.mark.thorough  # each test opens a page in a browser


def empty(page, agent):
    assert page.locator(".example").first.is_visible()


def pending(page, agent):
    agent.gate.clear()
    send(page, "Hello")
    page.locator(".pending").wait_for()


def streaming(page, agent):
    agent.halting.gate.clear()
    send(page, "Hello")
    page.locator(".pending > .text").wait_for()


def stopped(page, agent):
    streaming(page, agent)
    page.click("#stop")
    page.locator(".partial").wait_for()


def crisis(page, agent):
    converse(page, "Hello")
    send(page, CRISIS)
    page.locator(".note").wait_for()


def details(page, agent):
    converse(page, "Hello, zyzzyva")
    page.click(".thoughts > summary")
    page.locator(".answer").nth(1).wait_for()


def error(page, agent):
    page.context.set_offline(True)
    send(page, "Hello")
    page.locator(".problem").wait_for()


def settings(page, agent):
    page.click("#settings > summary")
    page.select_option("#decoding", "random")


def calibration(page, agent):
    page.click("#calibration > summary")
    page.select_option("#wish-ask", "no")


def edit(page, agent):
    converse(page, "Hello")
    page.press("#text", "ArrowUp")


STATES = [empty, pending, streaming, stopped, crisis, details, error, settings, calibration, edit]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_no_rule_of_axe_is_violated(state, scheme, agent, browser, serve, monkeypatch):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    noting = Noting(agent)
    noting.halting = Halting()
    monkeypatch.setattr("keras_gca.serving.streaming.words", noting.halting)
    address = serve(full_page_of(noting, "This is a notice."))
    for width, height in ((1280, 800), (390, 844)):
        options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}
        with visiting(browser, address, color_scheme=scheme, **options) as page:
            noting.gate.set()
            noting.halting.gate.set()
            state(page, noting)
            found = axe.Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            checked = {rule["id"] for rule in found.response["passes"]}
            assert "color-contrast" in checked
            noting.gate.set()
            noting.halting.gate.set()


def test_what_a_screen_reader_hears_and_what_the_keyboard_reaches(agent, browser, serve):
    gated = Gated(agent)
    gated.gate.set()
    with visiting(browser, serve(full_page_of(gated))) as page:
        converse(page, "Hello")
        assert page.get_by_role("log", name="Conversation").count() == 1
        assert page.locator(".who").all_inner_texts() == ["You", "Bot"]
        reply = page.locator(".bot > .text").inner_text()
        assert page.get_by_role("status").all_inner_texts() == [f"The bot says: {reply}", ""]
        assert page.evaluate("document.activeElement.id") == "text"
        reached = []
        for _ in range(6):
            page.keyboard.press("Shift+Tab")
            reached.append(page.evaluate("document.activeElement.textContent.trim().split('\\n')[0]"))
        assert reached == ["Details", "Another answer", "Copy", "Edit", reached[4], "Settings"]
        page.keyboard.press("Enter")
        assert page.locator("#verbose").is_visible()
        page.keyboard.press("Escape")
        assert not page.locator("#verbose").is_visible()
        assert page.evaluate("document.activeElement.textContent") == "Settings"


def test_a_screen_reader_hears_a_streamed_reply_once_and_whole(agent, browser, serve, monkeypatch):
    halting = Halting()
    monkeypatch.setattr("keras_gca.serving.streaming.words", halting)
    with visiting(browser, serve(full_page_of(agent))) as page:
        page.evaluate(
            """() => {
                window.heard = [];
                for (const live of document.querySelectorAll('[role="status"]'))
                    new MutationObserver(() => window.heard.push(live.textContent))
                        .observe(live, { childList: true, characterData: true, subtree: true });
            }"""
        )
        send(page, "Hello there, Tom!")
        page.locator(".pending > .text").wait_for()
        live = "e => e.closest('[aria-live]').getAttribute('aria-live')"
        assert page.locator(".pending > .text").evaluate(live) == "off"
        halting.gate.set()
        page.locator(".bot").wait_for()
        reply = page.locator(".bot > .text").inner_text()
        heard = [text for text in page.evaluate("window.heard") if text]
        assert heard == ["The bot is answering.", f"The bot says: {reply}"]
