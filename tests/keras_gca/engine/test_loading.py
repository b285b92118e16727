"""Loading TensorFlow and the packages of extras, tested without a command."""

import configparser
import os
import re
import sys
import time

import pytest

from keras_gca.engine import loading
from keras_gca.errors import UserError
from tests.places import PROJECT


def test_what_is_not_installed_is_named_with_a_command_that_works():
    """The command must not use the package index: the project is not on it, and anybody could register its name."""
    with pytest.raises(UserError) as caught, loading.needs_extra("web"):
        import a_package_that_nobody_has  # noqa: F401
    assert str(caught.value) == (
        "a_package_that_nobody_has is not installed; in a checkout of this project, pip install -e '.[web]' installs it"
    )


def test_nothing_tells_a_user_to_install_the_project_by_its_name():
    settings = configparser.ConfigParser()
    settings.read(PROJECT / "setup.cfg", encoding="utf-8")
    hint = re.compile(rf"pip3? install\b.*{re.escape(settings['metadata']['name'])}")
    kinds = (".py", ".md", ".ipynb", ".toml", ".yml", ".html")
    folders = ("keras_gca", "gail_tf", "glove", "docs", "notebooks", "benchmarks")
    files = [file for folder in folders for file in (PROJECT / folder).rglob("*") if file.suffix in kinds]
    files += PROJECT.glob("*.md")
    assert len(files) > 100
    assert [str(file) for file in files if hint.search(file.read_text(encoding="utf-8"))] == []


def test_optional_packages_of_keras_cannot_be_imported_while_it_is_imported(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    monkeypatch.setitem(sys.modules, "re", re)
    with loading._hidden("colorsys", "re"):
        with pytest.raises(ModuleNotFoundError):
            import colorsys
        assert __import__("re") is re  # it was imported before
    import colorsys

    assert colorsys.__name__ == "colorsys"


@pytest.mark.parametrize(("is_terminal", "seconds"), [(True, 0.3), (True, 0.0), (False, 0.3)])
def test_a_terminal_says_what_is_loaded_if_it_takes_long(is_terminal, seconds, monkeypatch, capfd):
    monkeypatch.setattr(loading, "SAY_AFTER", 0.1)
    monkeypatch.setattr(os, "isatty", lambda descriptor: is_terminal)
    with loading.quiet_imports("the bot \udcff"):
        os.write(2, b"a line of TensorFlow\n")
        time.sleep(seconds)
    err = capfd.readouterr().err
    assert err == ("loading the bot \\udcff ...\n" if is_terminal and seconds else "")
