"""The form in a real browser: headless Chromium, driven by Playwright."""

import re

import pytest

from keras_gca.engine import command_line
from keras_gca.survey import __main__ as survey_command
from keras_gca.survey.server import create_app
from keras_gca.survey.votes import NO_DIFFERENCE, Volunteer, Votes
from tests.factories.surveys import make_survey

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

HARM = "<script>window.hacked=1</script>"


@pytest.fixture
def survey():
    """A survey with eight lines in two dialogues. D prefers the second model on all lines."""
    return make_survey([(0.4, 0.6)] * 8, dialogues=2)


@pytest.fixture
def votes(tmp_path, survey):
    return Votes.create(tmp_path / "votes.sqlite", survey)


@pytest.fixture
def address(serve, survey, votes):
    return serve(create_app(survey, votes))


@pytest.fixture
def volunteer(browser, address):
    """A function: volunteer(name, **options) begins in a new browser, and returns the page of the first dialogue."""
    contexts = []

    def begin(name, **options):
        context = browser.new_context(**options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(address)
        page.get_by_label("Your name").fill(name)
        page.get_by_role("button", name="Begin").click()
        page.wait_for_selector("form fieldset")
        return page

    yield begin
    for context in contexts:
        context.close()


def mark(page, line, answer):
    """Mark an answer, and check that the page says it is saved. `answer` is "P" or "Q" (the models) or None."""
    field = page.locator(f"#line-{line}")
    label = "no difference" if answer is None else f"Answer {line} of {answer}."
    field.get_by_text(label, exact=True).click()
    sync_api.expect(field.get_by_role("status")).to_have_text("saved")


def progress(page):
    return page.locator("#progress").inner_text()


@pytest.mark.thorough
def test_two_volunteers_at_the_same_time_of_whom_one_goes_on_later(volunteer, browser, votes, tmp_path, survey, capsys):
    ann, bob = volunteer("Ann"), volunteer(HARM)
    for line in range(4):
        mark(ann, line, "Q")
        mark(bob, line, "P" if line < 2 else "Q")
    mark(bob, 3, "P")
    assert progress(ann) == progress(bob) == "4 of 8 lines"

    bob.locator("summary").click()
    link = bob.locator("#link").inner_text()
    bob.context.close()
    later = browser.new_context().new_page()
    later.goto(link)
    assert later.locator("header strong").inner_text() == "Dialogue 2 of 2"
    assert progress(later) == "4 of 8 lines"
    later.get_by_role("link", name="1", exact=True).click()
    checked = later.eval_on_selector_all("input:checked", "marks => marks.map(mark => mark.value)")
    assert len(checked) == 4

    ann.get_by_role("button", name="Save and go on").click()
    ann.wait_for_selector("#line-4")
    later.get_by_role("link", name="2", exact=True).click()
    later.wait_for_selector("#line-4")
    for line in range(4, 8):
        mark(later, line, None)
        mark(ann, line, "Q")
    for page in (ann, later):
        page.get_by_role("button", name="Save and finish").click()
        sync_api.expect(page.locator("main")).to_contain_text("You have judged all 8 lines")

    expected = [[1] * 8, [0, 0, 1, 0] + [NO_DIFFERENCE] * 4]
    assert votes.ballots().tolist() == expected
    survey.write(tmp_path / "survey.json")
    arguments = ["tabulate", tmp_path / "survey.json", "--votes", votes.path, "--folder", tmp_path / "tables"]
    assert command_line.run(survey_command.main, "survey", list(map(str, arguments))) == 0
    out = " ".join(capsys.readouterr().out.split())
    # Lines 0, 1 and 3 have one vote for each model, and no winner; the other five go to the second model.
    assert "| teacher forcing | 0 (0.00 %) | 0 (0.00 %) |" in out
    assert "| adversarial | 5 (100.00 %) | 8 (100.00 %) |" in out
    assert "| teacher forcing | 3 (25.00 %) | | adversarial | 9 (75.00 %) |" in out
    assert "| J(H, A), D by Eq. 10 | 0.62 |" in out


def test_a_script_as_a_name_is_shown_and_not_run(volunteer, address):
    page = volunteer(HARM)
    problems = []
    page.on("console", lambda message: problems.append(message.text))
    page.on("pageerror", lambda error: problems.append(str(error)))
    requested = []
    page.on("request", lambda request: requested.append(request.url))
    page.reload()
    assert HARM in page.locator("summary").inner_text()
    mark(page, 0, "P")
    assert page.evaluate("window.hacked") is None
    assert problems == []
    assert all(url.startswith((address, "data:")) for url in requested)


def test_without_javascript_the_button_saves(volunteer, votes):
    page = volunteer("Ann", java_script_enabled=False)
    page.locator("#line-0").get_by_text("Answer 0 of P.").click()
    page.locator("#line-2").get_by_text("no difference").click()
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_selector("#line-4")
    assert progress(page) == "2 of 8 lines"
    assert votes.ballots()[0, :4].tolist()[::2] == [0, NO_DIFFERENCE]


def test_a_vote_that_cannot_be_saved_is_said_so_and_the_button_saves_it(volunteer, votes):
    page = volunteer("Ann")
    page.context.set_offline(True)
    page.locator("#line-0").get_by_text("Answer 0 of P.").click()
    sync_api.expect(page.locator("#line-0").get_by_role("status")).to_contain_text("Not saved")
    page.context.set_offline(False)
    mark(page, 1, "P")
    assert progress(page) == "1 of 8 lines"
    page.get_by_role("button", name="Save and go on").click()
    page.wait_for_selector("#line-4")
    assert progress(page) == "2 of 8 lines"
    assert votes.ballots()[0, :2].tolist() == [0, 0]


def test_marks_beyond_the_limit_are_said_to_be_not_saved(browser, serve, survey, votes):
    page = browser.new_page()
    page.goto(serve(create_app(survey, votes, marks_per_minute=1)))
    page.get_by_label("Your name").fill('<img src=x onerror="window.hacked=1">')
    page.get_by_role("button", name="Begin").click()
    page.wait_for_selector("form fieldset")
    mark(page, 0, "P")
    page.locator("#line-1").get_by_text("Answer 1 of P.").click()
    state = page.locator("#line-1").get_by_role("status")
    sync_api.expect(state).to_contain_text(re.compile(r"Not saved: .* mark this line again in \d+ seconds\."))
    assert page.locator("img").count() == 0
    assert page.evaluate("window.hacked") is None
    assert (votes.ballots()[0, 0], len(votes.of(Volunteer(1, "")))) == (0, 1)
    page.close()


def test_on_a_phone_nothing_is_wider_than_the_screen(volunteer):
    page = volunteer("x" * 80, viewport={"width": 360, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.thorough
def test_keys_mark_the_current_line_and_go_to_the_next_open_one(volunteer, votes):
    page = volunteer("Ann")
    assert page.locator("fieldset.current").get_attribute("id") == "line-0"
    mark(page, 2, "Q")
    page.locator("#line-0 input").first.focus()
    for key, current in (("1", "line-1"), ("0", "line-3")):
        page.keyboard.press(key)
        sync_api.expect(page.locator("fieldset.current")).to_have_attribute("id", current)
    page.keyboard.press("2")
    sync_api.expect(page.locator("fieldset.current")).to_have_count(0)
    sync_api.expect(page.locator("#progress")).to_have_text("4 of 8 lines")
    assert page.evaluate("document.activeElement.tagName") == "BUTTON"
    # The first line shows P (model 0) first, and the lines with odd numbers show Q (model 1) first.
    assert votes.of(Volunteer(1, "Ann")) == {0: 0, 1: NO_DIFFERENCE, 2: 1, 3: 0}
    page.keyboard.press("Control+1")
    page.locator(".keep summary").focus()
    page.keyboard.press("1")
    assert page.locator("#line-3 input:checked").get_attribute("value") == "second"


@pytest.mark.thorough
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_rule_of_axe_is_violated(scheme, browser, serve, survey, votes):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    address = serve(create_app(survey, votes, asked_by="Ann", organiser="secret"))
    for width in (1000, 390):
        context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
        page = context.new_page()

        def check(page=page, width=width):
            found = axe.Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= width

        page.goto(address)
        check()
        page.get_by_role("button", name="Begin").click()
        page.wait_for_selector("fieldset.current")
        mark(page, 0, "P")
        check()
        page.goto(f"{page.url.rpartition('/')[0]}/thanks")
        check()
        page.goto(f"{address}organiser/secret")
        check()
        context.close()
