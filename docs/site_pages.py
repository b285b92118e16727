"""Generates pages of the documentation site, and converts links to the repository's files to links within the site.

The API section follows the source tree: it has one page for each package's public face and one for each room. The pages
are Markdown in which `::: module` is replaced by the documentation of a module (mkdocstrings). This file does not
import MkDocs.
"""

import ast
import posixpath
import re
from pathlib import Path
from typing import NamedTuple

from docs import house

ROOT = house.ROOT
PACKAGES = ("keras_gca", "gail_tf", "glove")
# The pages in the repository's root, by their paths on the site.
ROOT_PAGES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```$)", re.DOTALL | re.MULTILINE)


class ApiPage(NamedTuple):
    """A page in the API section: its path on the site, its title in the navigation, and its Markdown."""

    place: str
    title: str
    text: str


# The API section


def api_pages(package: str) -> list[ApiPage]:
    """The page for a package's public face, then the pages for its rooms in the order of the floors from the top."""
    return [
        ApiPage(f"api/{package}/index.md", package, public_face(package)),
        *(ApiPage(f"api/{package}/{room}.md", room, room_page(package, room)) for room in rooms(package)),
    ]


def rooms(package: str) -> list[str]:
    """The folders in a package that contain modules."""
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    floors = [name for floor in house.layers(package) for name in floor] if package in house.TITLES else []
    return sorted(folders, key=lambda name: (floors.index(name) if name in floors else len(floors), name))


def room_page(package: str, room: str) -> str:
    """The Markdown of a room's page: the purpose of the room, then all of its modules."""
    modules = [f"{package}.{room}.{path.stem}" for path in house.files(package, room) if not path.stem.startswith("_")]
    introduction = _module(f"{package}.{room}", "heading_level: 1", "members: false")
    return "\n".join([introduction, *map(_module, modules)])


def public_face(package: str) -> str:
    """The Markdown for a public face: the package's docstring, public names, commands, and the modules at its root."""
    parts = [_module(package, "heading_level: 1", "members: false")]
    parts += ["## Public names\n", "| name | what it is |", "| --- | --- |"]
    parts += [
        f"| [`{name}`][{home}.{name}] | {house.cell(_summary_of(home, name))} |" for name, home in public_names(package)
    ]
    files = sorted((ROOT / package).glob("*.py"))
    commands = [path for path in files if is_command(path)]
    if commands:
        parts += ["\n## Commands\n", "| command | what it does |", "| --- | --- |"]
        for path in commands:
            name = package if path.stem == "__main__" else f"{package}.{path.stem}"
            summary = house.summary(path).removeprefix(f"`python -m {name}`: ")
            parts.append(f"| `python -m {name}` | {house.cell(summary)} |")
    parts.append("")
    parts += [
        _module(f"{package}.{path.stem}") for path in files if path not in commands and not path.stem.startswith("_")
    ]
    return "\n".join(parts)


def public_names(package: str) -> list[tuple[str, str]]:
    """The public names of a package, each with the module that contains it."""
    made = {}
    for node in ast.parse((ROOT / package / "__init__.py").read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{package}."):
            made |= {alias.name: node.module for alias in node.names}
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["_HOMES"]:
            made |= {name: f"{package}.{home}" for name, home in ast.literal_eval(node.value).items()}
    return sorted((name, home) for name, home in made.items() if home != f"{package}.public_names")


def is_command(path: Path) -> bool:
    """Whether `python -m` runs a file."""
    return re.search(r'^if __name__ == "__main__":$', path.read_text(encoding="utf-8"), re.MULTILINE) is not None


def _module(name: str, *options: str) -> str:
    lines = [f"::: {name}"]
    if options:
        lines += ["    options:", *(f"      {option}" for option in options)]
    return "\n".join([*lines, ""])


def _summary_of(module: str, name: str) -> str:
    """The first paragraph of the docstring of a class or function."""
    tree = ast.parse(ROOT.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8"))
    (node,) = (node for node in tree.body if getattr(node, "name", None) == name)
    return " ".join((ast.get_docstring(node) or "").split("\n\n")[0].split())


# Links


def site_markdown(text: str, page: str) -> str:
    """Convert the links to the repository's files in a page into links within the site, except inside code blocks.

    Args:
        text: The Markdown.
        page: The page's file, relative to the project's root, for example `docs/results.md`.
    """
    pieces = FENCE.split(text)
    return "".join(piece if piece.startswith("```") else _linked(piece, page) for piece in pieces)


def _linked(text: str, page: str) -> str:
    def on_site(match: re.Match) -> str:
        mark, words, link = match.groups()
        if re.match(r"\w+:|#", link):
            return match[0]
        if "[" in words:  # a picture that is a link
            words = _linked(words, page)
        target = site_link(link, page)
        return f"{mark}[{words}]({target})" if target else words

    return LINK.sub(on_site, text)


def site_link(link: str, page: str) -> str | None:
    """The link within the site that corresponds to a relative link on a page in the repository.

    Returns:
        The link, relative to the page's path on the site, or None if the site does not contain the file or folder.
    """
    name, _, heading = link.partition("#")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), name))
    target = _place(path)
    if target is None:
        return None
    folder = posixpath.dirname(_place(page) or "")
    relative = posixpath.relpath(target, folder) if folder else target
    return f"{relative}#{heading}" if heading and "#" not in relative else relative


def _place(path: str) -> str | None:
    """The path on the site of a file or folder in the repository."""
    places = {file: place for place, file in ROOT_PAGES.items()} | {file: file for file in downloads()}
    if path in places:
        return places[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return _api_link(path) if path.split("/")[0] in PACKAGES else None


def _api_link(path: str) -> str | None:
    """The path on the site of the documentation for a folder or module in a package, or None if there is none."""
    package, *inside = path.removesuffix(".py").split("/")
    room = inside[0] if inside and inside[0] in rooms(package) else "index"
    if not path.endswith(".py"):
        return f"api/{package}/{room}.md" if [room] == (inside or ["index"]) else None
    anchor = "" if is_command(ROOT / path) else "#" + ".".join([package, *inside])
    return f"api/{package}/{room}.md{anchor}"


def downloads() -> list[str]:
    """The files that the site offers for download, unchanged."""
    paths = [ROOT / "CITATION.cff", *sorted((ROOT / "notebooks").glob("*.ipynb"))]
    return [path.relative_to(ROOT).as_posix() for path in paths]
