"""Divides the project's pages into their parts, and finds the files to which a name on a page refers."""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from tests.places import PROJECT

FOLDERS = ("keras_gca", "gail_tf", "glove", "tests", "benchmarks", "docs", "notebooks")
# Files that a run writes or that others publish. Pages name them, but they do not belong to the project.
OUTSIDE = {
    "log.csv", "curves.png", "samples/", "tensorboard/", "table3.md",
    "train.csv", "valid.csv", "dialogues_train.txt", "dialogues_validation.txt", "tokenizer/", "00000.txt",
}  # fmt: skip
PATH = re.compile(r"[\w./-]*\w(?:\.(?:py|md|ipynb|html|txt|csv|png|svg)|/)")
SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")


class Part(NamedTuple):
    """A heading, a paragraph, an item, a row of a table, or a line of code.

    Attributes:
        around: Texts that may name the folder of a file, the nearest first: the part itself, the headings and the
            introduction of its section, and the beginning of the page.
        header: The header of the table to which a row belongs.
    """

    kind: str
    text: str
    around: tuple[str, ...]
    header: str

    @property
    def spans(self) -> list[str]:
        """Return the texts in backticks."""
        return [self.text] if self.kind == "code" else SPAN.findall(self.text)


@cache
def parts(page: Path) -> list[Part]:
    """Return all parts of a page, in order."""
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
    """Yield the kind and the text of each part."""
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
    """Return all paths of the project, relative to its root. Folders end with a slash."""
    paths = [path for path in PROJECT.iterdir() if path.is_file()]
    for folder in map(PROJECT.joinpath, (*FOLDERS, ".ci", ".github")):
        paths += [folder, *folder.rglob("*")] if folder.is_dir() else []
    here = (path for path in paths if "__pycache__" not in path.parts)
    return frozenset(path.relative_to(PROJECT).as_posix() + "/" * path.is_dir() for path in here)


def ends(name: str) -> list[str]:
    """Return the paths that a name may mean: the path from the root, or else all paths that end with the name."""
    return [name] if name in tree() else sorted(path for path in tree() if path.endswith(f"/{name}"))


def folders(text: str) -> set[str]:
    """Return the folders that a text names, and the folders of the files that it names by their whole paths."""
    names = {name for name in PATH.findall(text) if name not in OUTSIDE}
    whole = {path for name in names if len(ends(name)) == 1 for path in ends(name) if "/" in name}
    return {path if path.endswith("/") else path.rpartition("/")[0] + "/" for path in whole}


def meant(name: str, part: Part) -> list[str]:
    """Return the paths that a name in this part may mean. A correct name means exactly one path."""
    candidates = ends(name)
    if len(candidates) < 2 or candidates == [f"gail_tf/{name}", f"keras_gca/{name}"]:
        return candidates[:1]
    for text in part.around:
        named = folders(text)
        directly = [path for path in candidates if path.removesuffix(name) in named]
        if near := directly or [path for path in candidates if path.startswith(tuple(named))]:
            return near
    return candidates
