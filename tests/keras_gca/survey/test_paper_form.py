import csv
import json

import pytest

from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.survey import __main__ as survey_command
from keras_gca.survey.paper_form import COLUMNS, read_form, write_forms
from keras_gca.survey.questionnaire import Line, MachineAnswer, Survey
from keras_gca.survey.votes import NO_DIFFERENCE, Votes
from tests.factories.surveys import MODELS, make_survey


@pytest.fixture
def survey():
    return make_survey([(0.4, 0.6)] * 6, dialogues=2)


def fill(form, target, marks, delimiter=","):
    """Fill a form as a volunteer does with a spreadsheet program. `marks` is {number of the line, from 1: mark}."""
    rows = list(csv.DictReader(form.read_text(encoding="utf-8-sig").splitlines()))
    for row in rows:
        row["vote"] = marks.get(int(row["line"]), "")
    with target.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
    return target


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_filled_form_comes_back_as_votes_for_the_models(tmp_path, survey, delimiter):
    _, form = write_forms(survey, tmp_path)
    filled = fill(form, tmp_path / "ann.csv", {1: "1", 2: "1", 3: " 0 ", 4: "2"}, delimiter)
    # Every second line shows the second model first.
    assert read_form(filled, survey) == {0: 0, 1: 1, 2: NO_DIFFERENCE, 3: 0}


def test_the_forms_show_every_line_and_no_model(tmp_path, survey):
    html, form = write_forms(survey, tmp_path / "new")
    for path in (html, form):
        text = path.read_text(encoding="utf-8")
        assert all(answer.text in text for line in survey.lines for answer in line.answers)
        assert not any(model in text for model in MODELS)
        assert text.index("Answer 1 of Q.") < text.index("Answer 1 of P.")


def test_text_is_neither_markup_nor_a_formula(tmp_path):
    answers = (MachineAnswer("=1+1", 0.1, 0.1), MachineAnswer("<b>@x</b>", 0.2, 0.2))
    survey = Survey(MODELS, ((Line(("-2, or so?",), answers, (0, 1)),),), {})
    html, form = write_forms(survey, tmp_path)
    assert "&lt;b&gt;@x&lt;/b&gt;" in html.read_text()
    row = next(csv.DictReader(form.read_text(encoding="utf-8-sig").splitlines()))
    assert [row[column] for column in COLUMNS[3:6]] == ["'-2, or so?", "'=1+1", "<b>@x</b>"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (",first answer", ",first", None),
        ("survey,dialogue", "serial,dialogue", ":1: the column 'survey' is missing"),
        ("survey-", "survey-0", ":2: the form belongs to another survey"),
        (",1\r\n", ",better\r\n", ":2: the vote is 'better'; 1, 2, 0 (no difference) or an empty field is expected"),
        (",1,1,", ",1,7,", ":2: there is no line '7'; a number from 1 to 6 is expected"),
        (",1,1,", ",1,2,", ":3: there is a second vote on line 2; one vote"),
        (",1\r\n", ",\r\n", ": there are no votes in this form"),
        ("Question 0?", '"' + "x" * 200_000, ": the line cannot be read as CSV"),
        ("Question 0?", "\udce4", ": the line is not UTF-8 text"),
    ],
)
def test_bad_forms_get_one_line_that_names_the_place(tmp_path, survey, old, new, message):
    _, form = write_forms(survey, tmp_path)
    filled = fill(form, tmp_path / "ann.csv", {1: "1", 2: "1"})
    text = filled.read_bytes().decode()
    assert old in text
    filled.write_bytes(text.replace(old, new).encode(errors="surrogateescape"))
    if message is None:
        assert read_form(filled, survey) == {0: 0, 1: 1}
        return
    with pytest.raises(UserError) as caught:
        read_form(filled, survey)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(filled))
    assert "\n" not in str(caught.value)


@pytest.fixture
def command(tmp_path, monkeypatch, survey, capsys):
    """A function: command(*arguments) runs the command in a folder with a survey.json.

    It returns the exit status, the output and the errors.
    """
    monkeypatch.chdir(tmp_path)
    survey.write("survey.json")

    def run(*arguments):
        try:
            status = command_line.run(survey_command.main, "survey", list(arguments))
        except SystemExit as error:
            status = error.code
        return status, *capsys.readouterr()

    return run


TABLES = ["tables.md", "tables.tex", "tables.json", "table1.csv", "table2.csv", "lines.csv"]


def test_from_paper_to_tables(tmp_path, command, survey):
    status, out, _ = command("print", "survey.json", "--folder", "forms")
    assert status == 0
    assert "form.html" in out
    form = tmp_path / "forms" / "form.csv"
    fill(form, tmp_path / "ann.csv", dict.fromkeys(range(1, 7), "1"))
    fill(form, tmp_path / "bob.csv", {1: "0", 2: "2", 3: "1"})
    status, out, _ = command("import", "survey.json", "ann.csv", "bob.csv")
    assert (status, out) == (0, "ann: 6 of 6 lines\nbob: 3 of 6 lines\n")
    fill(form, tmp_path / "bob.csv", {1: "0", 3: "1"})
    command("import", "survey.json", "bob.csv")
    assert Votes.open("votes.sqlite", survey).ballots().shape == (2, 6)
    status, out, _ = command("tabulate", "survey.json")
    assert status == 0
    assert "volunteers: 2; votes: 7; marked as no difference: 1; lines judged: 6 of 6\n" in out
    assert "| adversarial | 3 (50.00 %) | 6 (100.00 %) |" in " ".join(out.split())
    assert (tmp_path / "tables" / "tables.tex").exists()
    status, document, err = command("tabulate", "survey.json", "--json")
    assert (status, err) == (0, out)  # what is printed for people goes to standard error
    parsed = json.loads(document)
    assert parsed["command"] == "python -m keras_gca.survey tabulate survey.json --json"
    assert parsed["results"] == json.loads((tmp_path / "tables" / "tables.json").read_text())
    assert parsed["written"] == [f"tables/{file}" for file in TABLES]
    assert {path.name for path in (tmp_path / "tables").iterdir()} == set(TABLES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tabulate", "survey.json"], "votes.sqlite: no such file of votes"),
        (["tabulate", "none.json"], "none.json: cannot be read"),
        (["serve", "votes.csv"], "votes.csv: cannot be read"),
        (["serve", "survey.json", "--votes", "none/votes"], "none/votes: its folder does not exist"),
        (["serve", "survey.json", "--port", "x"], "argument --port: invalid int value: 'x'"),
        (["import", "survey.json", "none.csv"], "none.csv: cannot be read"),
        (
            ["import", "survey.json", "a/ann.csv", "ann.csv"],
            "two forms are named ann; give each form its own file name",
        ),
        (["make", "a", "b", "c"], "3 bots are given; give one or two"),
        (["make", "a", "--output", "survey.json"], "survey.json already exists"),
        (["make", "a", "--output", "none/survey.json"], "its folder does not exist"),
        (["make", "a", "--lines", "0", "--output", "x.json"], "0 is too small; at least 1 is expected"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_errors_of_the_command_are_one_line_and_status_2(command, arguments, message):
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_survey_without_votes_has_no_tables(command, survey):
    Votes.create("votes.sqlite", survey).enrol("Ann")
    assert command("tabulate", "survey.json", "--json") == (2, "", "survey: votes.sqlite: there are no votes yet\n")
    assert command("tabulate", "survey.json") == (2, "", "survey: votes.sqlite: there are no votes yet\n")
