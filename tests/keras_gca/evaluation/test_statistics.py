import json
import math

import pytest

from keras_gca.evaluation.statistics import as_json, over_runs, summarise
from keras_gca.evaluation.tables import Table


def test_mean_deviation_and_interval_by_hand():
    found = summarise([1, 2, 3])
    assert (found.mean, found.deviation, found.runs) == (2, 1, 3)
    reach = 4.302653 / math.sqrt(3)  # Student's t for 2 degrees of freedom, from a table
    assert (found.low, found.high) == pytest.approx((2 - reach, 2 + reach), abs=1e-6)
    assert f"{found:.2f}" == "2.00 ± 1.00"
    assert f"{found:.1%}" == "200.0% ± 100.0%"


def test_one_run_has_no_spread():
    found = summarise([4.0])
    assert found == (4, 0, None, None, 1)
    assert f"{found:.1f}" == "4.0"
    with pytest.raises(ValueError, match="no values"):
        summarise([])


def test_what_is_undefined_in_one_run_is_undefined_over_all():
    assert math.isnan(summarise([1.0, math.nan]).mean)


def test_a_tree_of_figures():
    tree = over_runs([{"a": {"x": 1}, "name": "n"}, {"a": {"x": 3}, "name": "m"}])
    assert tree["name"] == "n"
    assert tree["a"]["x"].mean == 2
    assert json.loads(json.dumps(as_json(tree)))["a"]["x"]["runs"] == 2


def test_tables():
    table = Table(None, "Who scored", ("", "score"), [("people", "1"), ("D", None)])
    assert table.to_text() == "        score\npeople      1\nD"
    grid = "|        | score |\n| ------ | ----: |\n| people |     1 |\n| D      |       |\n"
    assert table.to_markdown() == f"Who scored\n\n{grid}"
    assert Table(3, "Of them", table.header, table.rows).to_markdown() == f"Table 3: Of them\n\n{grid}"
    assert Table(None, "", table.header, table.rows).to_markdown() == grid
    digits = Table(None, "", ("who", "of", "score"), [("a, b", "c", 0.1 + 0.2), ("d", "", None)], 2)
    assert digits.to_csv() == 'who,of,score\n"a, b",c,0.30000000000000004\nd,,\n'
    assert digits.to_text().splitlines()[1:] == ["a, b  c   0.30000000000000004", "d"]
