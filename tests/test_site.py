"""The documentation site is complete, and its links lead to its own pages. (`.ci/run` builds it, not these tests.)"""

import importlib
import re

import pytest
import yaml

from docs import site_pages
from tests.places import PROJECT

SETTINGS = yaml.safe_load((PROJECT / "mkdocs.yml").read_text(encoding="utf-8"))


def folders_with_modules(package: str) -> set[str]:
    """Return the rooms of a package. They are found in another way than by `site_pages.rooms`."""
    modules = (path.relative_to(PROJECT / package).parts for path in (PROJECT / package).rglob("*.py"))
    return {parts[0] for parts in modules if len(parts) > 1}


def test_the_navigation_names_every_page():
    named = [place for entry in SETTINGS["nav"] for place in entry.values()]
    pages = PROJECT / "docs"
    written = [path.relative_to(pages).as_posix() for path in pages.rglob("*.md")]
    assert sorted(named) == sorted([*written, "index.md", "contributing.md", "changelog.md"])


@pytest.mark.parametrize("package", ["keras_gca", "gail_tf", "glove"])
def test_every_module_is_on_one_api_page(package):
    pages = {page.place: page.text for page in site_pages.api_pages(package)}
    expected = {f"api/{package}/{room}.md" for room in folders_with_modules(package)}
    assert set(pages) == expected | {f"api/{package}/index.md"}
    shown = [name for text in pages.values() for name in re.findall(r"^::: (\S+)$", text, re.MULTILINE)]
    assert len(shown) == len(set(shown))
    for path in (PROJECT / package).rglob("*.py"):
        name = ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
        command = f"`python -m {name.removesuffix('.__main__')}`"
        assert name in shown or command in pages[f"api/{package}/index.md"] or name.endswith(".__main__")


@pytest.mark.parametrize("package", ["keras_gca", "gail_tf", "glove"])
def test_the_public_face_shows_every_public_name(package):
    named = dict(site_pages.public_names(package))
    assert set(named) == set(importlib.import_module(package).__all__)
    text = site_pages.public_face(package)
    for name, home in named.items():
        assert re.search(rf"^\| \[`{name}`\]\[{home}\.{name}\] \| \S.* \|$", text, re.MULTILINE), name


@pytest.mark.parametrize(
    ("link", "page", "expected"),
    [
        ("docs/results.md", "README.md", "results.md"),
        ("docs/performance.md#several-devices", "README.md", "performance.md#several-devices"),
        ("README.md", "CONTRIBUTING.md", "index.md"),
        ("../CONTRIBUTING.md#bits", "docs/results.md", "contributing.md#bits"),
        ("metrics.md", "docs/architecture.md", "metrics.md"),
        ("docs/figure2.png", "README.md", "figure2.png"),
        ("keras_gca/models/networks.py", "README.md", "api/keras_gca/models.md#keras_gca.models.networks"),
        ("../gail_tf/imitation/ppo.py", "docs/results.md", "api/gail_tf/imitation.md#gail_tf.imitation.ppo"),
        ("keras_gca/config.py", "README.md", "api/keras_gca/index.md#keras_gca.config"),
        ("keras_gca/train.py", "README.md", "api/keras_gca/index.md"),
        ("keras_gca/original/", "README.md", "api/keras_gca/original.md"),
        ("keras_gca/serving/static", "README.md", None),
        ("glove", "README.md", "api/glove/index.md"),
        ("../notebooks/02_adversarial_training.ipynb", "docs/results.md", "notebooks/02_adversarial_training.ipynb"),
        ("first_messages.csv", "docs/judging/replies.md", "first_messages.csv"),
        ("../corpus.md#sizes", "docs/judging/replies.md", "../corpus.md#sizes"),
        ("../../README.md", "docs/judging/replies.md", "../index.md"),
        ("judging/rubric.md", "docs/results.md", "judging/rubric.md"),
        (
            "../../keras_gca/models/networks.py",
            "docs/judging/rubric.md",
            "../api/keras_gca/models.md#keras_gca.models.networks",
        ),
        ("notebooks", "README.md", None),
        ("setup.cfg", "README.md", None),
    ],
)
def test_links_lead_to_pages_of_the_site(link, page, expected):
    assert site_pages.site_link(link, page) == expected


def test_only_links_to_the_repository_change():
    text = (
        "[a page](docs/fidelity.md), [a heading](#start), [a paper](https://arxiv.org/abs/1711.10122),\n"
        "[`tests/`](tests), ![a picture](docs/survey.png), [![both](docs/house.svg)](docs/house.svg)\n"
        "```python\nagent.reply[0](docs)\n```\n[`glove/`](glove)\n"
    )
    assert site_pages.site_markdown(text, "README.md") == (
        "[a page](fidelity.md), [a heading](#start), [a paper](https://arxiv.org/abs/1711.10122),\n"
        "`tests/`, ![a picture](survey.png), [![both](house.svg)](house.svg)\n"
        "```python\nagent.reply[0](docs)\n```\n[`glove/`](api/glove/index.md)\n"
    )


@pytest.mark.parametrize("page", [*PROJECT.glob("docs/*.md"), *PROJECT.glob("*.md")], ids=lambda path: path.name)
def test_a_wrapped_line_does_not_begin_a_list(page):
    """MkDocs takes a number and a full stop at a line's beginning for an item of a list, even inside a sentence."""
    expected = 1
    for line in re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL).splitlines():
        if match := re.match(r"\s*(\d+)\. ", line):
            assert int(match[1]) in (1, expected), line
            expected = int(match[1]) + 1


def test_a_page_loads_nothing_from_outside():
    assert SETTINGS["theme"]["font"] is False
    outside = [name for name in ("repo_url", "extra_javascript") if name in SETTINGS]
    assert outside == []
    for name in SETTINGS["extra_css"]:
        assert not re.search(r"@import|url\(|https?:", (PROJECT / "docs" / name).read_text(encoding="utf-8"))
