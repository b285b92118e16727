import csv

import numpy as np
import pytest

from benchmarks import judging
from keras_gca.errors import UserError
from keras_gca.evaluation import provenance
from keras_gca.serving.protocol import Answer

PROMPTS = [{"prompt": text, "sensible": f"about {text}"} for text in "abc"]


class Parrot:
    """Gives two answers: the prompt in capital letters, which the discriminator prefers, and the prompt itself."""

    generators = ("teacher_forcing", "adversarial")

    def answers_to_all(self, histories, context_utterances, decoding, seeds):
        assert context_utterances is None
        assert seeds == list(range(5, 5 + len(histories)))
        given = {"adversarial": str.upper, "teacher_forcing": str}
        return [[Answer(name, say(text), 1, 1, 1, 1, (), ()) for name, say in given.items()] for text in histories]


def replies(*texts):
    return [{**row, "reply": text} for row, text in zip(PROMPTS, texts, strict=True)]


@pytest.mark.parametrize(("generator", "expected"), [(None, "ABC"), ("teacher_forcing", "abc")])
def test_the_first_column_is_answered(generator, expected):
    assert judging.answer(PROMPTS, Parrot(), None, generator, seed=5) == replies(*expected)


def test_an_unknown_generator_is_refused():
    with pytest.raises(UserError, match="--generator mle: the bot's generators are teacher_forcing, adversarial"):
        judging.answer(PROMPTS, Parrot(), None, "mle")


def test_a_sheet_has_every_reply_once_and_the_key_names_its_systems():
    systems = {"old": replies("1", "2", "3"), "new": replies("1", "4", "5")}
    sheet, key = judging.make_sheet(systems, np.random.default_rng(0))
    assert [list(row) for row in sheet] == [["row", "prompt", "sensible", "reply", "judgement"]] * 5
    assert {row["judgement"] for row in sheet} == {""}
    assert "old" not in str(sheet)
    by_row = {row["row"]: row for row in sheet}
    given = {(row["system"], row["prompt"]): by_row[row["row"]] for row in key}
    assert len(given) == len(key) == 6
    for name, rows in systems.items():
        for number, row in enumerate(rows, start=1):
            assert given[name, str(number)]["reply"] == row["reply"]
            assert given[name, str(number)]["prompt"] == row["prompt"]


def test_systems_with_other_prompts_are_refused():
    other = [{**row, "prompt": "x"} for row in replies("1", "2", "3")]
    with pytest.raises(UserError, match="old, new: these are not replies to the same prompts"):
        judging.make_sheet({"old": replies("1", "2", "3"), "new": other}, np.random.default_rng(0))


def write(path, rows):
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def filled(folder, accepted):
    """Fill the sheets of both readers; accepted: for each reader the replies that get a 1."""
    for number, good in enumerate(accepted, start=1):
        path = folder / f"reader_{number}.csv"
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        write(path, [{**row, "judgement": str(int(row["reply"] in good))} for row in rows])


def test_sheets_are_made_and_counted(tmp_path, capsys):
    for name, rows in {"old": replies("1", "2", "3"), "new": replies("1", "4", "5")}.items():
        write(tmp_path / f"{name}.csv", rows)
    sheets = tmp_path / "sheets"
    arguments = ["sheets", str(tmp_path / "old.csv"), str(tmp_path / "new.csv"), "--folder", str(sheets)]
    assert judging.main(arguments) == 0
    orders = [[row["reply"] for row in judging.read(sheets / f"reader_{number}.csv")] for number in (1, 2)]
    assert orders[0] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1])
    with pytest.raises(UserError, match=r"reader_1, row 1: the judgement is ''; 0 or 1 is expected"):
        judging.main(["count", str(sheets)])
    filled(sheets, ["145", "124"])
    capsys.readouterr()
    counts, table = tmp_path / "counts.json", tmp_path / "replies.md"
    assert judging.main(["count", str(sheets), "--experiment", str(counts), "--table", str(table)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "| system | reader_1 | reader_2 | lower |"
    # The readers agree on 1, 3 and 4: old 1, 3 and new 1, 4, which are 4 of 6 replies.
    assert [line.replace(" ", "") for line in out[2:4]] == ["|old|1|2|1|", "|new|3|2|2|"]
    assert out[5] == "The readers agree on 66.7% of the replies."
    experiment = provenance.read_experiment(counts)
    assert experiment["command"].startswith("python -m benchmarks.judging count")
    assert experiment["tables"][0]["rows"] == [["old", "1", "2", "1"], ["new", "3", "2", "2"]]
    facts = experiment["results"]
    assert facts["sensible"] == {"old": {"reader_1": 1, "reader_2": 2}, "new": {"reader_1": 3, "reader_2": 2}}
    assert facts["agreement"] == 0.6667
    assert table.read_text().splitlines() == [
        "| message | old | new |",
        "| --- | --- | --- |",
        "| a | 1 (1, 1) | 1 (1, 1) |",
        "| b | 2 (0, 1) | 4 (1, 1) |",
        "| c | 3 (0, 0) | 5 (1, 0) |",
    ]


def test_missing_files_are_one_line(tmp_path):
    with pytest.raises(UserError, match=r"none\.csv: no such file"):
        judging.main(["sheets", str(tmp_path / "none.csv"), "--folder", str(tmp_path)])
