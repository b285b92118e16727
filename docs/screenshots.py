"""`python -m docs.screenshots RUN`: takes the screenshots for the documentation in headless Chromium.

The chats use the bots that come with the packages, and the survey is made from a run of the first paper. The program
needs the extras `web` and `test`, and Chromium on the path. It writes docs/chat_page.png, docs/survey.png and
docs/empathy_chat_page.png.
"""

import shutil
import sys
import tempfile
import threading
from pathlib import Path

from flask import Flask
from playwright.sync_api import Page, sync_playwright

from gail_tf import chat as gail_command
from gail_tf.agent import GAILAgent, Replying
from keras_gca import chat as gca_command
from keras_gca.agent import Agent
from keras_gca.safety.crisis import FIRST_USE_NOTICE
from keras_gca.serving import web
from keras_gca.serving.local_server import make_local_server
from keras_gca.serving.shared_batches import SharedBatches
from keras_gca.survey import __main__ as survey_command
from keras_gca.survey.questionnaire import Survey
from keras_gca.survey.server import create_app
from keras_gca.survey.votes import Votes

DOCS = Path(__file__).parent
LINES = ["Nice to meet you. Where are you from?", "What do you do for a living?"]
EMPATHY_LINES = ["My best friend is moving to Canada.", "We have known each other since school."]


def address_of(app: Flask) -> str:
    server = make_local_server(app, "127.0.0.1", 0)
    threading.Thread(target=server.serve, daemon=True).start()
    return f"http://127.0.0.1:{server.port}/"


def shipped_chat(batches: SharedBatches) -> Flask:
    batches.warm_up()
    return web.create_app(batches, "A chat with the shipped bot", FIRST_USE_NOTICE)


def take_chat(page: Page, app: Flask, lines: list[str], picture: Path) -> None:
    page.goto(address_of(app))
    for number, line in enumerate(lines):
        page.fill("#text", line)
        page.press("#text", "Enter")
        page.locator(".bot").nth(number).wait_for()
    page.locator(".another").last.wait_for(state="visible")  # the last reply is complete
    page.screenshot(path=picture, full_page=True)
    print(f"wrote {picture}")


def main(run: str) -> None:
    agent = Agent.load(gca_command.SHIPPED)
    chat = shipped_chat(SharedBatches(agent, agent.usual_decoding))
    empathy_chat = shipped_chat(SharedBatches(GAILAgent.load(gail_command.SHIPPED), Replying()))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "survey.json"
        survey_command.main(["make", run, "--dialogues", "2", "--lines", "4", "--output", str(path)])
        survey = Survey.read(path)
        form = create_app(survey, Votes.create(Path(folder) / "votes.sqlite", survey))

        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 760, "height": 540}, device_scale_factor=0.8)
        take_chat(page, chat, LINES, DOCS / "chat_page.png")
        take_chat(page, empathy_chat, EMPATHY_LINES, DOCS / "empathy_chat_page.png")
        page.goto(address_of(form))
        page.get_by_role("button").first.click()
        page.locator("main").wait_for()
        page.screenshot(path=DOCS / "survey.png", full_page=True)
        print(f"wrote {DOCS / 'survey.png'}")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
