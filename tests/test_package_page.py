"""The README for a package index has no relative links, and the package's metadata name both papers."""

import configparser
import re
import sys

import pytest

from docs.package_page import absolute, main
from docs.site_pages import LINK
from tests.places import PROJECT

ADDRESS = "https://code.example/owner/name"


def test_links_and_pictures_become_absolute_and_code_stays():
    text = (
        "[a page](docs/fidelity.md#x), [here](#start), [paper](https://arxiv.org/abs/1711.10122),\n"
        "![a picture](docs/a.png) [![both](docs/b.svg)](docs/b.svg)\n```python\nf[0](docs)\n```\n"
    )
    assert absolute(text, ADDRESS) == (
        f"[a page]({ADDRESS}/blob/main/docs/fidelity.md#x), [here](#start), [paper](https://arxiv.org/abs/1711.10122),\n"
        f"![a picture]({ADDRESS}/raw/main/docs/a.png) "
        f"[![both]({ADDRESS}/raw/main/docs/b.svg)]({ADDRESS}/blob/main/docs/b.svg)\n"
        "```python\nf[0](docs)\n```\n"
    )  # fmt: skip


def test_the_readme_of_the_package_has_no_relative_link(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["package_page", ADDRESS + "/"])
    assert main() == 0
    links = [link for _, _, link in LINK.findall(re.sub(r"```.*?```", "", capsys.readouterr().out, flags=re.DOTALL))]
    assert len(links) > 20
    assert [link for link in links if not re.match(r"https://|#", link)] == []


@pytest.mark.parametrize("arguments", [[], ["ftp://x"], [ADDRESS, ADDRESS]])
def test_without_an_address_it_says_what_is_expected(arguments, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["package_page", *arguments])
    assert main() == 2
    assert "address of the repository" in capsys.readouterr().err


def test_the_package_names_both_papers_and_the_readme_is_short_before_more():
    settings = configparser.ConfigParser()
    settings.read(PROJECT / "setup.cfg", encoding="utf-8")
    urls = settings["metadata"]["project_urls"]
    assert "https://arxiv.org/abs/1711.10122" in urls
    assert "https://arxiv.org/abs/2105.13328" in urls
    readme = (PROJECT / "README.md").read_text(encoding="utf-8")
    before, _, more = readme.partition("\n## More\n")
    assert more.count("@misc{") == 2
    assert before.count("\n") <= 80  # two screens
    assert len(re.findall(r"^\| (?!question|---)", before, flags=re.MULTILINE)) == 6
