"""Writes the form of a survey for printing and as CSV, and reads filled-in CSV forms."""

import csv
import itertools
import os
from pathlib import Path

from jinja2 import Environment, PackageLoader

from glove.text_files import BadLines
from keras_gca.corpora.conversation import Reading
from keras_gca.corpora.tables import csv_fault
from keras_gca.errors import UserError
from keras_gca.survey.questionnaire import Survey
from keras_gca.survey.votes import NO_DIFFERENCE

COLUMNS = ("survey", "dialogue", "line", "context", "first answer", "second answer", "vote")
FORMULA = ("=", "+", "-", "@", "\t")  # the characters that begin a formula in spreadsheet programs


def write_forms(survey: Survey, folder: str | os.PathLike) -> tuple[Path, Path]:
    """Write form.html for printing, and form.csv, whose last column a volunteer fills in.

    Args:
        survey: The survey.
        folder: The folder to write to. It is created if it does not exist.

    Returns:
        The paths of both files.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    html, table = folder / "form.html", folder / "form.csv"
    environment = Environment(loader=PackageLoader("keras_gca.survey"), autoescape=True, trim_blocks=True)
    html.write_text(environment.get_template("printed.html").render(survey=survey), encoding="utf-8")
    with table.open("w", encoding="utf-8-sig", newline="") as stream:  # the BOM tells Excel that this is UTF-8
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for dialogue in range(len(survey.dialogues)):
            for number, line in survey.numbered(dialogue):
                texts = (" / ".join(line.context), *line.shown)
                writer.writerow([survey.fingerprint, dialogue + 1, number + 1, *map(_plain, texts), ""])
    return html, table


def read_form(path: str | os.PathLike, survey: Survey) -> dict[int, int]:
    """Read the votes from a form.csv that a volunteer has filled in.

    In the column `vote`, 1 stands for the first answer, 2 for the second answer, and 0 for no difference. An empty
    field means that the volunteer did not vote on the line. Because spreadsheet programs save CSV files in different
    ways, the columns may be in any order and may be separated by commas, semicolons or tabs.

    Args:
        path: The form.
        survey: The survey that the form belongs to.

    Returns:
        The votes by line number; see `votes.py`.

    Raises:
        UserError: The form is damaged or belongs to another survey. The message names the file and the line.
    """
    reading = Reading(BadLines(error=UserError, hint="; save the form as CSV in UTF-8"))
    lines = (line for _, line in reading.lines(Path(path)))
    head = next(lines, "")
    rows = csv.DictReader(itertools.chain([head], lines), delimiter=max(",;\t", key=head.count), restval="")
    try:
        missing = [name for name in ("survey", "line", "vote") if name not in (rows.fieldnames or ())]
        if missing:
            raise UserError(
                f"{path}:1: the column {missing[0]!r} is missing; a form has the columns {', '.join(COLUMNS)}"
            )
        return _choices(path, rows, survey)
    except csv.Error as error:
        raise UserError(f"{path}:{rows.line_num}: the line cannot be read as CSV ({csv_fault(error)})") from None


def _choices(path: str | os.PathLike, rows: csv.DictReader, survey: Survey) -> dict[int, int]:
    choices: dict[int, int] = {}
    numbers = {str(line + 1): line for line in range(len(survey.lines))}
    for row in rows:
        where = f"{path}:{rows.line_num}"
        vote = row["vote"].strip()
        if not vote:
            continue
        if row["survey"].strip() != survey.fingerprint:
            raise UserError(f"{where}: the form belongs to another survey ({row['survey']!r})")
        number = row["line"].strip()
        if number not in numbers:
            raise UserError(f"{where}: there is no line {number!r}; a number from 1 to {len(numbers)} is expected")
        line = numbers[number]
        if line in choices:
            raise UserError(f"{where}: there is a second vote on line {number}; one vote per line is expected")
        if vote not in ("0", "1", "2"):
            raise UserError(f"{where}: the vote is {vote!r}; 1, 2, 0 (no difference) or an empty field is expected")
        choices[line] = NO_DIFFERENCE if vote == "0" else survey.lines[line].order[int(vote) - 1]
    if not choices:
        raise UserError(f"{path}: there are no votes in this form")
    return choices


def _plain(text: str) -> str:
    """Escape a text that a spreadsheet program would read as a formula."""
    return f"'{text}" if text.startswith(FORMULA) else text
