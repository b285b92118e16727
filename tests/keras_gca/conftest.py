"""Fixtures of the first paper's tests: toy networks, pairs, an agent, and a browser and a server for web pages."""

import shutil
import threading

import pytest

from keras_gca.config import Config
from keras_gca.serving.local_server import make_local_server
from tests.factories.gca import CONVENTIONS, make_agent, random_pairs, toy_networks


@pytest.fixture
def gca():
    return toy_networks()


@pytest.fixture(params=CONVENTIONS)
def any_gca(request):
    """Networks of three kinds: with both conventions of padding, and with the canonical generator."""
    return toy_networks(**CONVENTIONS[request.param])


@pytest.fixture
def pairs():
    return random_pairs(24)


@pytest.fixture
def tiny():
    return Config.preset("tiny")


@pytest.fixture
def agent():
    return make_agent()


# Web pages


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, driven by Playwright. If either is missing, the test is skipped."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("no Chromium on the path")
    arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def serve():
    """A function: serve(app) serves a web application until the test ends, and returns its address."""
    servers = []

    def start(app):
        server = make_local_server(app, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve)
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.port}/"

    yield start
    for server, thread in servers:
        server.stop()
        thread.join()
