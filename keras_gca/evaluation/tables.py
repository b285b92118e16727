"""A table of a paper, or like one, as Markdown and LaTeX."""

from collections.abc import Sequence
from dataclasses import dataclass


def columns(rows: Sequence[Sequence[str]]) -> str:
    """A table as text for a terminal, its first column flush left and the others flush right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *rest in rows:
        cells = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """The same rows, the first of them the heading, as a Markdown table."""
    heading, *rest = rows
    lines = [heading, ["---"] * len(heading), *rest]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
}


@dataclass(frozen=True)
class Table:
    """One table of a report.

    number: as in the paper, None for a table that it does not have. caption: a sentence.
    header and rows: cells as text, the first columns being words and the others numbers. words: how many are words.
    """

    number: int | None
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int = 1

    def to_markdown(self) -> str:
        """The table with aligned columns, which reads well in a terminal too."""
        cells = [[cell.replace("|", r"\|") for cell in row] for row in (self.header, *self.rows)]
        widths = [max(3, *map(len, column)) for column in zip(*cells, strict=True)]
        rules = ["-" * width if i < self.words else "-" * (width - 1) + ":" for i, width in enumerate(widths)]
        lines = [
            [cell.ljust(width) if i < self.words else cell.rjust(width) for i, (cell, width) in enumerate(pairs)]
            for pairs in (zip(row, widths, strict=True) for row in cells)
        ]
        title = self.caption if self.number is None else f"Table {self.number}: {self.caption}"
        return f"{title}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in (lines[0], rules, *lines[1:]))

    def to_latex(self, label: str) -> str:
        """A floating table that needs no package; LaTeX numbers it."""
        rows = [r" & ".join(map(_latex, row)) + r" \\" for row in (self.header, *self.rows)]
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                rf"\caption{{{_latex(self.caption)}}}",
                rf"\label{{{label}}}",
                rf"\begin{{tabular}}{{{'l' * self.words}{'r' * (len(self.header) - self.words)}}}",
                r"\hline",
                rows[0],
                r"\hline",
                *rows[1:],
                r"\hline",
                r"\end{tabular}",
                r"\end{table}",
                "",
            ]
        )


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)
