"""The project's pages in their parts, and the files that a name on a page means."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.places import PROJECT

FOLDERS = ("keras_gca", "gail_tf", "glove", "tests", "benchmarks", "docs", "notebooks")
# What a run writes and what others publish: pages name these files, which are not the project's.
OUTSIDE = {
    "log.csv", "curves.png", "samples/", "tensorboard/", "table3.md",
    "train.csv", "valid.csv", "dialogues_train.txt", "dialogues_validation.txt",
}  # fmt: skip
PATH = re.compile(r"[\w./-]*\w(?:\.(?:py|md|ipynb|html|txt|csv|png|svg)|/)")
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


class Part(NamedTuple):
    """A heading, a paragraph, an item, a row of a table, or a line of code.

    around: texts that may name the folder of a file, the nearest first: the part itself, the headings and the
    introduction of its section, the beginning of the page. header: of the table that a row is in.
    """

    kind: str
    text: str
    around: tuple[str, ...]
    header: str

    @property
    def spans(self) -> list[str]:
        """What stands in backticks."""
        return [self.text] if self.kind == "code" else SPAN.findall(self.text)


@cache
def parts(page: Path) -> list[Part]:
    """All parts of a page, in their order."""
    made: list[Part] = []
    beginning, sections, introduction, header = "", ["", ""], "", ""
    for kind, text in blocks(page.read_text(encoding="utf-8")):
        if kind == "heading" and text.startswith("##"):
            sections = [sections[0], text] if text.startswith("###") else [text, ""]
            introduction = ""
        if kind == "text" and sections == ["", ""]:
            beginning += text
        elif kind == "text":
            introduction += text
        if kind == "row" and (not made or made[-1].kind != "row"):
            header = text
        if page.name == "CHANGELOG.md" and kind == "row":
            text = re.sub(r"`\w+` -> ", "", text.strip().strip("|").rpartition("|")[2])  # what is now
        made.append(Part(kind, text, (text, " ".join([*sections, introduction]), beginning), header))
    return made


def blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the text of each part."""
    made: list[tuple[str, str]] = []
    fenced, blank = False, True
    for line in text.splitlines():
        if line.startswith("```"):
            fenced, blank = not fenced, True
            continue
        if fenced or (line.startswith("    ") and (blank or made[-1][0] == "code")):
            made.append(("code", line))
        elif line.startswith("#"):
            made.append(("heading", line))
        elif line.startswith("|"):
            made.append(("row", line))
        elif line.strip() and not blank and made[-1][0] == "text" and not line.startswith("- "):
            made[-1] = ("text", f"{made[-1][1]} {line.strip()}")
        elif line.strip():
            made.append(("text", line.strip()))
        blank = not line.strip()
    return made


# Files


@cache
def tree() -> frozenset[str]:
    """All paths of the project from its root; folders end with a slash."""
    paths = [path for path in PROJECT.iterdir() if path.is_file()]
    for folder in map(PROJECT.joinpath, (*FOLDERS, ".ci", ".github")):
        paths += [folder, *folder.rglob("*")] if folder.is_dir() else []
    here = (path for path in paths if "__pycache__" not in path.parts)
    return frozenset(path.relative_to(PROJECT).as_posix() + "/" * path.is_dir() for path in here)


def ends(name: str) -> list[str]:
    """The paths that a name may mean: itself from the root, or else those that end so."""
    return [name] if name in tree() else sorted(path for path in tree() if path.endswith(f"/{name}"))


def folders(text: str) -> set[str]:
    """The folders that a text names, and those of the files that it names by their whole paths."""
    names = {name for name in PATH.findall(text) if name not in OUTSIDE}
    whole = {path for name in names if len(ends(name)) == 1 for path in ends(name) if "/" in name}
    return {path if path.endswith("/") else path.rpartition("/")[0] + "/" for path in whole}


def meant(name: str, part: Part) -> list[str]:
    """The paths that a name may mean where it stands; one, if it is as it should be."""
    candidates = ends(name)
    if len(candidates) < 2 or candidates == [f"gail_tf/{name}", f"keras_gca/{name}"]:
        return candidates[:1]
    for text in part.around:
        named = folders(text)
        directly = [path for path in candidates if path.removesuffix(name) in named]
        if near := directly or [path for path in candidates if path.startswith(tuple(named))]:
            return near
    return candidates
