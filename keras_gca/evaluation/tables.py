"""Formats a table as text for a terminal, Markdown, LaTeX, or CSV."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

_LATEX = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
}

Cell = str | float | None


@dataclass(frozen=True)
class Table:
    """A table of a report.

    A cell is a string, or None if it is empty. In tables that are only written as CSV, cells may also be numbers; in
    all other tables, numbers are already formatted as strings.

    Args:
        number: The number of the table in the paper, or None if the paper does not have this table.
        caption: The caption, or "" for no caption.
        header: The column titles.
        rows: The cells of each row, with text columns before number columns.
        words: The number of text columns.
    """

    number: int | None
    caption: str
    header: Sequence[Cell]
    rows: Sequence[Sequence[Cell]]
    words: int = 1

    def to_text(self) -> str:
        """Format the cells for a terminal: left-aligned text, right-aligned numbers, and no trailing line break."""
        return "\n".join("  ".join(line).rstrip() for line in self._aligned(self._texts()))

    def to_markdown(self) -> str:
        """Format caption and cells as Markdown, with aligned columns that are also readable in a terminal."""
        cells = [[cell.replace("|", r"\|") for cell in row] for row in self._texts()]
        heading, *lines = self._aligned(cells, narrowest=3)
        rules = ["-" * len(cell) if i < self.words else "-" * (len(cell) - 1) + ":" for i, cell in enumerate(heading)]
        title = self.caption if self.number is None else f"Table {self.number}: {self.caption}"
        grid = "".join(f"| {' | '.join(line)} |\n" for line in (heading, rules, *lines))
        return f"{title}\n\n{grid}" if title else grid

    def to_latex(self, label: str) -> str:
        """Format the table as a LaTeX float that needs no packages; LaTeX assigns the table number."""
        rows = [r" & ".join(map(_latex, row)) + r" \\" for row in self._texts()]
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

    def to_csv(self) -> str:
        """Format the cells as CSV, with all digits of the numbers."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.header, *self.rows])
        return text.getvalue()

    def _texts(self) -> list[list[str]]:
        return [["" if cell is None else str(cell) for cell in row] for row in (self.header, *self.rows)]

    def _aligned(self, cells: list[list[str]], narrowest: int = 0) -> list[list[str]]:
        """Pad the cells of each row to the widths of their columns."""
        widths = [max(narrowest, *map(len, column)) for column in zip(*cells, strict=True)]
        return [
            [cell.ljust(width) if i < self.words else cell.rjust(width) for i, (cell, width) in enumerate(filled)]
            for filled in (zip(row, widths, strict=True) for row in cells)
        ]


def _latex(text: str) -> str:
    return "".join(_LATEX.get(c, c) for c in text)
