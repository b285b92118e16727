"""`python -m docs.screenshots RUN`: the pictures of the README, taken in headless Chromium of a trained run's pages.

Needs the extras `web` and `test`, and Chromium on the path. Writes docs/chat_page.png and docs/survey.png.
"""

import shutil
import sys
import tempfile
import threading
from pathlib import Path

from flask import Flask
from playwright.sync_api import sync_playwright

from keras_gca import chat_page
from keras_gca.agent import CHAT_BEAM, Agent, Decoding
from keras_gca.local_server import make_local_server
from keras_gca.survey import __main__ as survey_command
from keras_gca.survey.questionnaire import Survey
from keras_gca.survey.server import create_app
from keras_gca.survey.votes import Votes

DOCS = Path(__file__).parent
LINES = ["Good morning. Can I help you?", "I'd like a cup of tea, please."]


def address_of(app: Flask) -> str:
    server = make_local_server(app, "127.0.0.1", 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.port}/"


def main(run: str) -> None:
    chat = chat_page.create_app(Agent.load(run), Decoding(beam=CHAT_BEAM), f"A chat with {Path(run).name}")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "survey.json"
        survey_command.main(["make", run, "--dialogues", "2", "--lines", "4", "--output", str(path)])
        survey = Survey.read(path)
        form = create_app(survey, Votes.create(Path(folder) / "votes.sqlite", survey))

        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 860, "height": 840})
        page.goto(address_of(chat))
        for number, line in enumerate(LINES):
            page.fill("#text", line)
            page.press("#text", "Enter")
            page.locator(".bot").nth(number).wait_for()
        page.screenshot(path=DOCS / "chat_page.png", full_page=True)
        page.goto(address_of(form))
        page.get_by_role("button").first.click()
        page.locator("main").wait_for()
        page.screenshot(path=DOCS / "survey.png", full_page=True)
        browser.close()
    print(f"wrote {DOCS / 'chat_page.png'} and {DOCS / 'survey.png'}")


if __name__ == "__main__":
    main(*sys.argv[1:])
