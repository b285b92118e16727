import numpy as np
import pytest

from benchmarks import judging, preferences
from keras_gca.errors import UserError
from keras_gca.evaluation import provenance

PROMPTS = [f"prompt {i}" for i in range(30)]


def replies(name):
    return [{"prompt": prompt, "sensible": "", "reply": f"{name} to {prompt}"} for prompt in PROMPTS]


def test_a_sheet_shows_both_replies_in_a_random_order_and_no_names():
    sheet, key = preferences.make_sheet({"old": replies("x"), "new": replies("y")}, np.random.default_rng(0))
    assert sorted(row["prompt"] for row in sheet) == sorted(PROMPTS)
    assert [row["prompt"] for row in sheet] != PROMPTS
    assert "old" not in str(sheet)
    for row, sides in zip(sheet, key, strict=True):
        assert row["row"] == sides["row"]
        assert row["preference"] == ""
        for side in "AB":
            assert row[side] == f"{'x' if sides[side] == 'old' else 'y'} to {row['prompt']}"
    assert {row["A"] for row in key} == {"old", "new"}


def test_preferences_are_counted_for_each_reader(tmp_path, capsys):
    for name in ("old", "new"):
        judging.write(tmp_path / f"{name}.csv", replies(name))
    paths = [str(tmp_path / f"{name}.csv") for name in ("old", "new")]
    assert preferences.main(["sheets", *paths, "--folder", str(tmp_path / "sheets")]) == 0
    sheets, key = judging.read_sheets(tmp_path / "sheets")
    for reader, wins in (("reader_1", 20), ("reader_2", 12)):  # the other prompts: one tie, and the old system
        sides = [row for row in key if row["reader"] == reader]
        for number, (row, side) in enumerate(zip(sheets[reader], sides, strict=True)):
            new = "A" if side["A"] == "new" else "B"
            row["preference"] = "tie" if number == 29 else new if number < wins else "BA"[new == "B"]
        judging.write(tmp_path / "sheets" / f"{reader}.csv", sheets[reader])
    capsys.readouterr()
    assert preferences.main(["count", str(tmp_path / "sheets"), "--experiment", str(tmp_path / "found.json")]) == 0
    said = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert ["new", "20", "12", "12"] in said
    assert ["old", "9", "17", "9"] in said
    assert ["tie", "1", "1", "1"] in said
    assert provenance.read_experiment(tmp_path / "found.json")


def test_unfit_replies_and_preferences_are_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(UserError, match="old, new: these are not replies to the same prompts"):
        preferences.make_sheet({"old": replies("x"), "new": replies("y")[::-1]}, generator)
    with pytest.raises(UserError, match="1 files of replies; two with different names are expected"):
        preferences.make_sheet({"old": replies("x")}, generator)
    with pytest.raises(UserError, match="reader_1, row 3: the preference is 'C'; A, B or tie is expected"):
        preferences.count(
            {"reader_1": [{"row": "3", "preference": "C"}]}, [{"reader": "reader_1", "row": "3", "A": "x", "B": "y"}]
        )
