"""`python -m docs.house`: draws docs/house.svg, and lists the current files in docs/architecture.md.

The rooms have the same order as in the import contracts in pyproject.toml, which CI checks. The purpose of a room or a
file is the first sentence of its docstring. `tests/test_docs.py` checks that the picture and the list are up to date.
"""

import ast
import sys
import tomllib
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PICTURE, PAGE = ROOT / "docs" / "house.svg", ROOT / "docs" / "architecture.md"
BEGIN, END = "<!-- files: python -m docs.house -->", "<!-- end of files -->"
TITLES = {"gail_tf": "gail_tf/  the second paper: EmpathyGAIL", "keras_gca": "keras_gca/  the first paper: GCA"}
# The rooms and files in the first paper's package that both papers use.
SHARED = {
    "evaluation",
    "data",
    "corpora",
    "serving",
    "safety",
    "sharing",
    "engine",
    "storage",
    "settings",
    "errors",
    "public_names",
}
COLOURS = {"door": "#ffe9a8", "room": "#ffffff", "shared": "#cfe8cf", "file": "#e4e4ee"}
WIDTH, ROW, GAP, LETTER = 560, 22, 8, 6.15  # in pixels; all letters have the same width


def layers(package: str) -> list[list[str]]:
    """The floors of a package from the top: for each floor, the names of its files and folders."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    (contract,) = (each for each in contracts["contracts"] if each["id"] == package)
    return [[name.strip() for name in floor.split("|")] for floor in contract["layers"]]


def summary(path: Path) -> str:
    """The first paragraph of the docstring of a file, or of a folder's `__init__.py`, in one line."""
    file = path / "__init__.py" if path.is_dir() else path
    paragraph = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n\n")[0]
    return " ".join(paragraph.split())


def files(package: str, name: str) -> list[Path]:
    """The modules in a room, or the file with this name."""
    folder = ROOT / package / name
    if not folder.is_dir():
        return [folder.with_suffix(".py")]
    return sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")


# The picture


def picture() -> str:
    """The house as SVG: both papers next to each other, with the floors from top to bottom."""
    columns, height = [], 0
    for place, package in enumerate(TITLES):
        drawn, bottom = _package(package, 20 + place * (WIDTH + 60))
        columns.append(drawn)
        height = max(height, bottom)
    legend = [
        ("door", "doors: python -m ..., a parser and one call"),
        ("room", "a room"),
        ("shared", "a room that both papers use"),
        ("file", "one file"),
    ]
    parts = [
        f'<rect x="{20 + i * 300}" y="{height + 8}" width="16" height="16" fill="{COLOURS[kind]}" stroke="#555"/>'
        f'<text x="{42 + i * 300}" y="{height + 20}">{escape(words)}</text>'
        for i, (kind, words) in enumerate(legend)
    ]
    floor = height + 36
    total = 2 * WIDTH + 100
    parts.append(
        f'<rect x="20" y="{floor}" width="{total - 40}" height="34" fill="{COLOURS["room"]}" stroke="#333"/>'
        f'<text x="32" y="{floor + 21}" class="name">glove/  word vectors, the white block of both papers; '
        "imports nothing from the others</text>"
    )
    body = "\n".join([*columns, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{total}" height="{floor + 50}" '
        f'viewBox="0 0 {total} {floor + 50}">\n'
        "<style>text{font:10.5px monospace;fill:#222}.name{font-weight:bold}.title{font:bold 15px sans-serif}</style>\n"
        f'<rect width="100%" height="100%" fill="#fafafa"/>\n{body}\n</svg>\n'
    )


def _package(package: str, left: int) -> tuple[str, int]:
    """The SVG of a package as a stack of its floors, and the y coordinate at which the stack ends."""
    parts, top = [f'<text x="{left}" y="28" class="title">{escape(TITLES[package])}</text>'], 40
    for number, floor in enumerate(layers(package)):
        if number == 0:
            lines = _wrapped("  ".join(f"{name}" for name in floor), WIDTH - 24)
            parts.append(_box(left, top, WIDTH, "door", "doors", lines))
            top += _height(lines) + GAP
            continue
        share = (WIDTH - GAP * (len(floor) - 1)) // len(floor)
        boxes = [_room(package, name, share) for name in floor]
        tallest = max(_height(lines) for _, _, lines in boxes)
        for place, (kind, title, lines) in enumerate(boxes):
            parts.append(_box(left + place * (share + GAP), top, share, kind, title, lines, tallest))
        top += tallest + GAP
    return "\n".join(parts), top


def _room(package: str, name: str, width: int) -> tuple[str, str, list[str]]:
    """The kind of a room or file (which determines the colour of its box), the box's title, and its lines of text."""
    if not (ROOT / package / name).is_dir():
        kind = "shared" if package == "keras_gca" and name in SHARED else "file"
        return kind, f"{name}.py", []
    kind = "shared" if package == "keras_gca" and name in SHARED else "room"
    inside = "  ".join(path.stem for path in files(package, name))
    return kind, f"{name}/", _wrapped(inside, width - 24)


def _wrapped(text: str, width: int) -> list[str]:
    lines, most = [""], int(width / LETTER)
    for word in text.split():
        if len(lines[-1]) + len(word) + 2 > most and lines[-1]:
            lines.append("")
        lines[-1] += ("  " if lines[-1] else "") + word
    return lines


def _height(lines: list[str]) -> int:
    return ROW + 4 + 14 * len(lines)


def _box(left: int, top: int, width: int, kind: str, title: str, lines: list[str], height: int | None = None) -> str:
    shape = (
        f'<rect x="{left}" y="{top}" width="{width}" height="{height or _height(lines)}" rx="4" '
        f'fill="{COLOURS[kind]}" stroke="#333"/>'
    )
    texts = [f'<text x="{left + 12}" y="{top + 17}" class="name">{escape(title)}</text>']
    texts += [
        f'<text x="{left + 12}" y="{top + 34 + 14 * i}" xml:space="preserve">{escape(line)}</text>'
        for i, line in enumerate(lines)
    ]
    return "\n".join([shape, *texts])


# The list of files


def listing() -> str:
    """A table of all files for each package, in the order of the floors from top to bottom."""
    parts = []
    for package in TITLES:
        parts.append(f"### {package}/\n\n| file | what it holds |\n| --- | --- |")
        for floor in layers(package):
            for name in floor:
                for path in files(package, name):
                    parts.append(f"| `{path.relative_to(ROOT / package)}` | {cell(summary(path))} |")
        parts.append("")
    parts.append("### glove/\n\n| file | what it holds |\n| --- | --- |")
    parts += [f"| `{path.name}` | {cell(summary(path))} |" for path in sorted((ROOT / "glove").glob("[!_]*.py"))]
    parts.append(f"| `__main__.py` | {cell(summary(ROOT / 'glove' / '__main__.py'))} |")
    return "\n".join(parts)


def cell(text: str) -> str:
    """The text as a cell of a Markdown table."""
    return text.replace("|", "\\|")


def page() -> str:
    """docs/architecture.md with the current list of files."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{listing()}\n\n{END}{after}"


def main() -> int:
    """Write the picture and the page, and return the exit status."""
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PICTURE.relative_to(ROOT)} and the list of files in {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
