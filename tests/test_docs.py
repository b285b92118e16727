"""The pages describe the project as it is: the files, modules, names, options and numbers that they mention exist.

A page may name a file by the end of its path (`models/test_forward.py`) if only one path ends so. It may also do so if
the same row, its section or the beginning of the page names the folder, or if each package has such a file at the same
place.
"""

import argparse
import ast
import importlib
import inspect
import re
import sys
from functools import cache, reduce
from pathlib import Path

import pytest

from docs import house
from gail_tf.config import GAILConfig
from keras_gca.config import Config
from tests.pages import FOLDERS, OUTSIDE, PATH, SPAN, ends, meant, parts, tree
from tests.places import PROJECT

PAGES = [
    *sorted(PROJECT.glob("docs/*.md")),
    *(path for name in ("README", "CONTRIBUTING", "CHANGELOG") if (path := PROJECT / f"{name}.md").exists()),
]
# Programs of others. Their options are not checked.
PROGRAMS = ("pip", "jupyter", "pytest", "git", "ruff", "pre-commit", "lint-imports", "pyright", "tensorboard", "mkdocs")

PACKAGE = rf"(?:{'|'.join(FOLDERS)})"
DOTTED = re.compile(rf"({PACKAGE}(?:\.\w+)+)(?:\(.*\))?", re.DOTALL)
CONTENTS = re.compile(rf"`({PACKAGE}(?:\.\w+)+)` \(([^)]*)\)")  # in the changelog's table: the names in a module
CLASS = re.compile(r"([A-Z]\w*[a-z]\w*[A-Z]\w*)(?:\.(\w+))?")
COMMAND = re.compile(rf"python3? -m ({PACKAGE}[\w.]*)")
OPTION = re.compile(r"(?<![\w-])--[a-zA-Z][\w-]*")
LINK = re.compile(r"\]\(([^)\s]+)\)")
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)


def wrong_paths(page: Path) -> list[str]:
    """Return the files and folders in backticks that do not exist, or that may be one of several."""
    wrong = []
    for part in parts(page):
        names = PATH.findall(part.text) if part.kind == "code" else filter(PATH.fullmatch, part.spans)
        for name in names:
            if name in OUTSIDE or (part.kind == "code" and not name.endswith(".py")):
                continue
            candidates = ends(name)[:1] if part.kind == "code" else meant(name, part)
            if len(candidates) != 1:
                wrong.append(f"{name}: {' or '.join(candidates) or 'no such file'} ({part.text[:60]})")
    return wrong


def wrong_links(page: Path) -> list[str]:
    """Return the links to files or headings that do not exist."""
    wrong = []
    for part in parts(page):
        for link in LINK.findall(part.text):
            name, _, heading = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            if re.match(r"\w+:", link):
                continue
            if not target.exists() or (heading and heading not in anchors(target)):
                wrong.append(link)
    return wrong


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings."""
    titles = (part.text.lstrip("# ").lower() for part in parts(page) if part.kind == "heading")
    return {re.sub(r"[^\w\- ]", "", title).replace(" ", "-") for title in titles}


# Modules, names, options


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something that a module defines."""
    *parents, last = name.split(".")
    try:
        importlib.import_module(name)
        return True
    except ModuleNotFoundError as error:
        if not parents or not name.startswith(error.name or "-"):
            raise
    if len(parents) > 1 and not resolves(".".join(parents)):
        return False
    owner = sys.modules.get(".".join(parents)) or attribute(".".join(parents))
    return hasattr(owner, last)


def attribute(name: str) -> object:
    """Return the object that a dotted name refers to; `resolves` must be true for this name."""
    module, _, last = name.rpartition(".")
    return getattr(sys.modules.get(module) or attribute(module), last)


@cache
def definitions() -> dict[str, str]:
    """Return the source of every class and every test of the project, by name."""
    found: dict[str, str] = {}
    for path in (path for path in tree() if path.endswith(".py")):
        source = (PROJECT / path).read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef) or (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")):
                found[node.name] = found.get(node.name, "") + (ast.get_source_segment(source, node) or "")
    return found


def wrong_names(page: Path) -> list[str]:
    """Return the dotted names, classes and tests in backticks, and the imports of examples, that do not exist."""
    wrong = []
    for part in parts(page):
        for span in part.spans if part.kind != "code" else ():
            if (match := DOTTED.fullmatch(span)) and not PATH.fullmatch(span) and not resolves(match[1]):
                wrong.append(span)
            if match := CLASS.fullmatch(span):
                source = definitions().get(match[1])
                if source is None or (match[2] and not re.search(rf"\b{match[2]}\b", source)):
                    wrong.append(span)
            if re.fullmatch(r"test_\w+", span) and span not in definitions():
                wrong.append(span)
        if page.name == "CHANGELOG.md" and part.kind == "row":
            for module, names in CONTENTS.findall(part.text):
                held = [f"{module}.{name}" for name in SPAN.findall(names) if name.isidentifier()]
                wrong += [name for name in held if not resolves(name)]
        if part.kind == "code" and (match := re.match(rf"from ({PACKAGE}[\w.]*) import ([\w, ]+)", part.text)):
            wrong += [part.text for name in match[2].split(", ") if not resolves(f"{match[1]}.{name}")]
    return wrong


def module_file(module: str) -> Path | None:
    """Return the file that `python -m` runs for a module."""
    path = PROJECT.joinpath(*module.split("."))
    return next((file for file in (path / "__main__.py", path.with_suffix(".py")) if file.exists()), None)


def commands() -> list[str]:
    """Return the modules that can be run according to some page."""
    return sorted({module for page in PAGES for part in parts(page) for module in COMMAND.findall(part.text)})


class ParserIsMadeError(Exception):
    """Raised as soon as a command has made its parser, so that the command does nothing else."""


@pytest.fixture(scope="module")
def options() -> dict[str, set[str]]:
    """Return the options of each command that has a parser, including those of its subcommands.

    `keras_gca` and `gail_tf` are the programs `gca` and `empathy-gail`, whose parser is that of `engine/commands.py`.
    """
    made: dict[str, set[str]] = {}
    action = argparse.Action.__init__

    def stop(*_: object, **__: object) -> None:
        raise ParserIsMadeError

    for module in [*commands(), "keras_gca", "gail_tf"]:
        file = module_file(module)
        if file is None or not re.search(r"[Pp]arser\(|commands\.run\(", file.read_text(encoding="utf-8")):
            continue
        names = made.setdefault(module, set())

        def note(self: argparse.Action, option_strings: list[str], *others, names: set[str] = names, **more) -> None:
            names.update(option_strings)
            action(self, option_strings, *others, **more)

        name = f"{module}.__main__" if file.name == "__main__.py" else module
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(argparse.Action, "__init__", note)
            patch.setattr(argparse.ArgumentParser, "parse_args", stop)
            patch.setattr(sys, "argv", [module])
            with pytest.raises(ParserIsMadeError):
                importlib.import_module(name).main()
    return made


def wrong_options(page: Path, known: dict[str, set[str]]) -> list[str]:
    """Return the options that no command has, or that the command beside them does not have."""
    wrong, every = [], set().union(*known.values())
    for part in parts(page):
        for span in part.spans:
            before, *calls = re.split(rf"(?={COMMAND.pattern.replace('(', '(?:', 1)})", span)
            own = before if not any(re.search(rf"(?<![\w-]){program} ", before) for program in PROGRAMS) else ""
            wrong += [option for option in OPTION.findall(own) if option not in every]
            for call in calls:
                module = COMMAND.match(call)[1]
                found = OPTION.findall(call.partition("#")[0])
                wrong += [f"{module} {option}" for option in found if option not in known.get(module, ())]
        if part.kind != "code":
            wrong += [option for option in OPTION.findall(SPAN.sub("", part.text)) if option not in every]
    return wrong


def wrong_settings(page: Path) -> list[str]:
    """Return the fields of settings that do not exist, or whose value is not the number in the last column."""
    wrong = []
    for part in parts(page):
        for kind in (Config, GAILConfig):
            if f"field of `{kind.__name__}`" not in part.header or part.kind != "row" or part.text == part.header:
                continue
            *_, named, value = part.text.strip().strip("|").split("|")
            names = [name for name in SPAN.findall(named) if re.fullmatch(r"[a-z_]+", name)]
            numbers = [float(number) for number in NUMBER.findall(value)]
            defaults = {field.name: field.default for field in kind.options()}
            wrong += [name for name in names if name not in defaults]
            if len(names) == len(numbers) and numbers != [defaults.get(name) for name in names]:
                wrong.append(part.text)
    return wrong


# Tests


@every_page
def test_files_and_folders_are_there(page):
    assert wrong_paths(page) == []


@every_page
def test_links_lead_somewhere(page):
    assert wrong_links(page) == []


@every_page
def test_names_are_there(page):
    assert wrong_names(page) == []


@pytest.mark.parametrize("module", commands())
def test_commands_can_be_run(module):
    file = module_file(module)
    assert file is not None
    assert re.search(r'^if __name__ == "__main__":$', file.read_text(encoding="utf-8"), re.MULTILINE)


@every_page
def test_options_are_those_of_a_command(page, options):
    assert wrong_options(page, options) == []


@every_page
def test_settings_have_the_numbers_that_are_given(page):
    assert wrong_settings(page) == []


def test_the_picture_and_the_list_of_files_are_those_of_the_tree():
    assert house.PICTURE.read_text(encoding="utf-8") == house.picture(), "python -m docs.house draws it anew"
    assert house.PAGE.read_text(encoding="utf-8") == house.page(), "python -m docs.house writes it anew"


def walks() -> list[list[tuple[str, str]]]:
    """Return the files and functions in docs/architecture.md's walks through a training step; a walk is a table."""
    page = house.PAGE.read_text(encoding="utf-8")
    section = page.partition("## A training step, file by file\n")[2].partition("\n## ")[0]
    tables = [part.splitlines() for part in section.split("\n\n") if part.startswith("|")]
    cells = [[row.split("|")[2:4] for row in table[2:]] for table in tables]
    return [[(SPAN.findall(file)[0], name) for file, names in table for name in SPAN.findall(names)] for table in cells]


def test_a_training_step_can_be_followed_through_functions_that_are_there():
    first, second = walks()
    for walk in (first, second):
        assert 6 <= len({file for file, _ in walk}) <= 8
        for file, name in walk:
            module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
            found = reduce(getattr, name.split("."), module)
            assert inspect.getmodule(found) is module, name


def test_no_compiled_function_hides_what_it_calls():
    """`self.compiled_draw = Compiled(self.draw)`, and a learner's steps."""
    steps = {"descend": "train_step", "measure": "test_step", "update": "apply_gradients"}
    paths = [path for package in ("keras_gca", "gail_tf") for path in (PROJECT / package).rglob("*.py")]
    sources = [path.read_text(encoding="utf-8") for path in paths if path.name != "compiled.py"]
    made = re.findall(r"(\S+) = (?:Compiled|tf\.function)\((?:\w+\.)*(\w+)", "\n".join(sources))
    assert len(made) > 12
    for name, method in made:
        assert name == f"self.{steps.get(method, f'compiled_{method}')}"


def test_names_of_outside_files_are_of_none_of_ours():
    said = {name for page in PAGES for part in parts(page) for name in part.spans}
    assert said >= OUTSIDE
    assert not any(ends(name) for name in OUTSIDE)


def test_what_is_wrong_is_seen(tmp_path, options):
    page = tmp_path / "page.md"
    page.write_text(
        "# A page\n\n"
        "`no_such.py`, `test_config.py` and `keras_gca/no_such/`, [a page](no_such.md), [a place](#nowhere),\n"
        "`keras_gca.no_such`, `keras_gca.config.NoSuch`, `NoSuchClass`, `Config.no_such`, `test_no_such`,\n"
        "`--no-such`, `python -m glove fit --preset`.\n\n"
        "| paper | field of `Config` | value |\n| --- | --- | --- |\n| N_u | `context_utterances` | 3 |\n",
        encoding="utf-8",
    )
    assert [line.partition(":")[0] for line in wrong_paths(page)] == [
        "no_such.py", "test_config.py", "keras_gca/no_such/",
    ]  # fmt: skip
    assert wrong_links(page) == ["no_such.md", "#nowhere"]
    assert wrong_names(page) == ["keras_gca.no_such", "keras_gca.config.NoSuch", "NoSuchClass", "test_no_such"]
    assert wrong_options(page, options) == ["--no-such", "glove --preset"]
    assert wrong_settings(page) == ["| N_u | `context_utterances` | 3 |"]

    changes = tmp_path / "CHANGELOG.md"
    changes.write_text(
        "| before | now |\n| --- | --- |\n| `old.py` | `keras_gca.config` (`OldConfig` -> `no_such`) |\n"
    )
    assert wrong_paths(changes) == []
    assert wrong_names(changes) == ["keras_gca.config.no_such"]
