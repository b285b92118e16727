import json
import math

import numpy as np
import pytest

from keras_gca.evaluation import statistics
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


def test_the_jackknife_of_a_mean_is_its_standard_error():
    """Leaving out single values gives deviation / sqrt(n), exactly."""
    values = np.array([1.0, 4.0, 2.0, 7.0])
    found = statistics.jackknife(lambda kept: values[kept].mean(), np.arange(4))
    reach = 3.182446 * values.std(ddof=1) / 2  # t with 3 degrees of freedom
    assert found == pytest.approx((3.5, 3.5 - reach, 3.5 + reach), abs=1e-5)
    logarithms = statistics.jackknife(lambda kept: np.exp(values[kept].mean()), np.arange(4), logarithm=True)
    assert np.log(logarithms) == pytest.approx((3.5, 3.5 - reach, 3.5 + reach), abs=1e-5)
    assert statistics.jackknife(lambda kept: values[kept].mean(), np.zeros(4)) == (3.5, None, None)


def test_the_jackknife_leaves_out_whole_groups():
    """Ten equal members in each group give the same interval as one member."""
    values = np.random.default_rng(0).normal(size=60)
    once = statistics.jackknife(lambda kept: values[kept].mean(), np.arange(60))
    repeated = np.repeat(values, 10)
    often = statistics.jackknife(lambda kept: repeated[kept].mean(), np.repeat(np.arange(60), 10))
    assert often == pytest.approx(once)


def test_the_jackknife_covers_the_truth_in_95_of_100_cases():
    draw = np.random.default_rng(1)
    covered = 0
    for _ in range(300):
        values = draw.exponential(size=200)
        found = statistics.jackknife(lambda kept, values=values: values[kept].mean(), np.arange(200))
        covered += found.low < 1 < found.high
    assert 0.91 < covered / 300 < 0.98
