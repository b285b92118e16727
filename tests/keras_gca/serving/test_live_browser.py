"""The live view in a browser: what the page shows while the run grows, and whether it follows axe-core's rules."""

import pytest

from keras_gca.safety.crisis import NOTE
from keras_gca.serving.live_page import create_app
from keras_gca.storage.live_files import LiveFiles
from tests.factories.chats import visiting
from tests.factories.watched import write_log, write_run, write_view

pytestmark = pytest.mark.thorough  # each test opens a page in a browser


def test_the_page_follows_the_training_and_takes_questions(browser, serve, tmp_path):
    run = write_run(tmp_path, stages=2)
    with visiting(browser, serve(create_app(run)), viewport={"width": 1280, "height": 800}) as page:
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.locator("#asked tbody tr").nth(1).wait_for()
        assert "2 epochs and updates are done" in page.locator("#status").inner_text()
        titles = page.locator("figcaption").all_inner_texts()
        assert titles == [
            "Perplexity of the generator",
            "Share of tokens that the discriminator classifies correctly",
        ]
        assert (
            page.locator("figure")
            .first.get_by_role("img")
            .get_attribute("aria-label")
            .endswith("The last values: perplexity 900, held-out perplexity 1000.")
        )
        assert page.locator("#asked thead th").all_inner_texts() == [
            "After",
            "How are you?",
            "What's new?",
            "<b>Bold?</b>",
        ]
        assert page.locator("#phases").inner_text() == "teacher forcing 1, discriminator 2"
        newest = page.locator("#asked tbody tr").first.locator("td").all_inner_texts()
        assert newest == ["I am fine 2. D 0.61", "I am fine 2. D 0.61", "A note."]
        boxes = page.locator("#samples .token").all_inner_texts()
        assert [text.split() for text in boxes] == [
            ["i", "D", "0.20"], ["am", "D", "0.95"], ["end", "D", "0.50"], ["morning", "D", "0.90"]
        ]  # fmt: skip

        write_log(run, 3)  # the training goes on
        write_view(run, 3)
        page.locator("#asked tbody tr").nth(2).wait_for()
        assert "row 3" in page.locator("#view option").first.inner_text()
        page.select_option("#view", "1")
        assert "I am fine 1." in page.locator("#samples").inner_text()

        page.locator("#ask input").first.fill("Who are you?")
        page.locator("#ask input").nth(1).fill("I want to die")
        page.locator("#ask input").nth(2).fill("")
        page.click("#send")
        page.locator("#note").wait_for()
        assert page.locator("#note").inner_text() == NOTE
        assert LiveFiles(run).questions() == ["Who are you?", "I want to die"]
        page.locator("#ask input").first.fill("?")
        page.click("#send")
        page.locator("#hint.wrong").wait_for()
        (run / "bot.h5").touch()
        page.get_by_text("3 epochs and updates are done, and the bot has been written.").wait_for()
        assert errors == []
        page.context.set_offline(True)
        page.get_by_text(f"python -m keras_gca.watch {run}.").wait_for()
        assert page.locator("figure").count() == 2  # what was shown stays


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_axe_is_violated_and_the_page_is_not_wider_than_its_window(scheme, browser, serve, tmp_path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    (tmp_path / "new").mkdir()
    addresses = [serve(create_app(folder)) for folder in (write_run(tmp_path), tmp_path / "new")]
    for width, height in ((1280, 800), (390, 844)):
        for address in addresses:
            options = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
            with visiting(browser, address, **options) as page:
                page.wait_for_load_state("networkidle")
                checked = axe.Axe().run(page)
                assert checked.violations_count == 0, checked.generate_report()
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                assert page.evaluate("asked.scrollWidth <= asked.clientWidth")  # no reply is beside the window
                assert page.locator("#view").is_visible() == (address == addresses[0])
