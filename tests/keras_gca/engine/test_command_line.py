"""Functions that all commands share, tested without a command."""

import configparser
import re

import pytest

from keras_gca.engine import command_line
from keras_gca.errors import UserError
from tests.places import PROJECT


def test_what_is_not_installed_is_named_with_a_command_that_works():
    """The command must not use the package index: the project is not on it, and anybody could register its name."""
    with pytest.raises(UserError) as caught, command_line.needs_extra("web"):
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
