"""The examples in the docstrings of public names give the results that they show."""

import doctest
import importlib
import inspect
import os
from pathlib import Path

import pytest

import gail_tf
import keras_gca
from tests.factories import gail_agents, gca

PACKAGES = {"keras_gca": keras_gca, "gail_tf": gail_tf}
# The names that a newcomer meets first. Each of them must have an example.
MAIN = {
    "keras_gca": {"Agent", "Config", "Decoding", "GCARun", "Source", "UserError", "Vocabulary", "log_score"},
    "gail_tf": {"GAILAgent", "GAILConfig", "GAILRun", "Replying", "Source"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Make the folder in which the examples run. It has toy runs with the names that the examples use."""
    path = tmp_path_factory.mktemp("examples")
    before = Path.cwd()
    os.chdir(path)
    gca.write_run("runs/first")
    gail_agents.write_run("runs/gail")
    yield path
    os.chdir(before)


NAMES = [(package, name) for package, module in PACKAGES.items() for name in module.__all__]


@pytest.mark.parametrize(("package", "name"), NAMES, ids=".".join)
def test_examples(package, name, folder):
    value = getattr(PACKAGES[package], name)
    home = importlib.import_module(value.__module__)
    tests = doctest.DocTestFinder(recurse=False).find(value, name, home, {})
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said = []
    for test in tests:
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)
    if name in MAIN[package]:
        assert runner.tries, f"{package}.{name} has no example"


def test_the_main_names_are_public():
    for package, names in MAIN.items():
        assert names <= set(PACKAGES[package].__all__)
        assert all(inspect.getdoc(getattr(PACKAGES[package], name)) for name in names)
