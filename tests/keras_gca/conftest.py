"""Fixtures of the first paper's tests: toy networks, pairs and an agent."""

import pytest

from keras_gca.config import Config
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
