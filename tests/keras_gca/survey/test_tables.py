import csv
import json
from math import comb, nan

import numpy as np
import pytest

from keras_gca.survey import report
from keras_gca.survey.tables import agreement, tabulate
from tests.factories.surveys import make_ballots, make_survey

FIRST, SECOND, TIE = (0.9, 0.5), (0.5, 0.9), (0.5, 0.51)


@pytest.fixture(scope="module")
def paper():
    """Make a survey and the ballots of 25 volunteers, with the counts of the paper's Tables 1 and 2.

    The volunteers prefer the first model on lines 0 to 25, the second on lines 26 to 86, and none on lines 87 to 99. D
    prefers the first model on lines 0 to 34, the second on lines 35 to 91, and none on the others. By Eq. 9 all lines
    are ties.
    """
    survey = make_survey([FIRST] * 35 + [SECOND] * 57 + [TIE] * 8)
    votes = [(8, 1)] * 21 + [(8, 0)] * 5 + [(1, 9)] * 44 + [(0, 9)] * 17 + [(0, 0)] * 13
    return survey, make_ballots(votes, 25)


def test_tables_1_and_2_of_the_paper(paper):
    results = tabulate(*paper)
    assert results.best_answers["humans"].wins == (26, 61)
    assert results.best_answers["Eq. 10"].wins == (35, 57)
    assert results.votes.wins == (252, 570)
    # The paper prints 26 / 87 = 29.885 % as 29.88 %. It rounds its other percentages.
    for comparison, percentages in (
        (results.best_answers["humans"], (29.88, 70.11)),
        (results.best_answers["Eq. 10"], (38.04, 61.96)),
        (results.votes, (30.66, 69.34)),
    ):
        np.testing.assert_allclose(100 * np.array(comparison.shares), percentages, atol=0.0051)
    assert (results.volunteers, results.judgements) == (25, 2500)
    assert results.no_difference == 2500 - 822
    assert results.p_value == pytest.approx(2 * sum(comb(87, k) for k in range(61, 88)) / 2**87)


def test_equation_11_by_hand(paper):
    results = tabulate(*paper)
    # Both choose the first model on lines 0-25 and the second on lines 35-86. Somebody votes on lines 0-91.
    assert results.jaccard["Eq. 10"].value == pytest.approx((26 + 52) / 92)
    assert results.jaccard["Eq. 9"].value == 0
    low, high = results.jaccard["Eq. 10"].interval
    assert low < 78 / 92 < high
    assert results.best_answers["Eq. 9"].total == 0
    assert np.isnan(results.best_answers["Eq. 9"].shares).all()


def test_a_line_without_majority_has_no_winner():
    survey = make_survey([TIE] * 4, [FIRST] * 4)
    results = tabulate(survey, np.array([[0, 1, 2, nan], [1, 1, 2, nan], [nan, 2, 0, nan]]))
    assert results.winners.humans == [None, 1, 0, None]
    assert results.winners.human == [0] * 4
    assert results.winners.score == [None] * 4
    assert results.by_line.tolist() == [[1, 1, 0], [0, 2, 1], [1, 0, 2], [0, 0, 0]]
    assert results.votes.wins == (2, 3)
    # Nobody judges the last line, so that it does not count.
    assert results.best_answers["Eq. 9"].wins == (3, 0)
    assert results.jaccard["Eq. 9"].value == pytest.approx(1 / 3)
    assert results.jaccard["Eq. 10"].value == 0


def test_nothing_but_ties_leaves_shares_and_tests_undefined(tmp_path):
    survey = make_survey([TIE] * 2)
    results = tabulate(survey, np.array([[2.0, 2.0]]))
    assert np.isnan([results.p_value, results.alpha, *results.votes.shares, *results.votes.interval]).all()
    assert np.isnan(results.jaccard["Eq. 10"].value)
    report.write(survey, results, tmp_path)
    facts = json.loads((tmp_path / "tables.json").read_text(), parse_constant=pytest.fail)
    assert facts["krippendorff_alpha"] is None
    assert facts["table_2"]["adversarial"] == {"count": 0, "share": None}
    assert "0 (undefined)" in (tmp_path / "tables.md").read_text()


def test_krippendorffs_alpha_by_hand():
    # Both judge three lines alike and one line differently. The coincidences are o01 = o10 = 1, n0 = 3, n1 = 5, n = 8.
    # The observed disagreement is 2 / 8, and the expected one is 2 * 3 * 5 / (8 * 7).
    ballots = np.array([[0, 0, 1, 1, nan], [0, 1, 1, 1, 2]], float)
    assert agreement(ballots) == pytest.approx(1 - (2 / 8) / (30 / 56))
    # "No difference" is a category. Of three volunteers' two lines, one has all three marks, and one has no
    # disagreement.
    # Each pair of the three different marks has the weight 1 / 2. The observed disagreement is 6 * (1 / 2) / 6, with
    # n0 = 4, n1 = n2 = 1 and n = 6.
    ballots = np.array([[0, 0], [1, 0], [2, 0]], float)
    assert agreement(ballots) == pytest.approx(1 - (3 / 6) / ((2 * 4 + 2 * 4 + 2 * 1) / (6 * 5)))
    assert np.isnan(agreement(np.array([[0, 1, 1.0]])))
    assert np.isnan(agreement(np.array([[1, nan, 1], [1, 0, 1]])))


def test_intervals_are_of_the_expected_width_and_repeat_with_the_seed():
    survey = make_survey([FIRST] * 50 + [SECOND] * 50)
    ballots = make_ballots([(0, 1)] * 100, 1)
    results = tabulate(survey, ballots, seed=3)
    assert results.best_answers["humans"].interval == results.votes.interval == (1, 1)
    low, high = results.best_answers["Eq. 10"].interval
    half = 1.96 * (0.25 / 100) ** 0.5  # half the interval of a proportion of one half among 100 lines
    assert low == pytest.approx(0.5 - half, abs=0.015)
    assert high == pytest.approx(0.5 + half, abs=0.015)
    assert tabulate(survey, ballots, seed=3).best_answers == results.best_answers


def test_lines_that_are_ties_for_all_do_not_move_the_interval_of_equation_11():
    survey = make_survey([FIRST] * 20 + [TIE] * 20)
    results = tabulate(survey, make_ballots([(2, 0)] * 20 + [(1, 1)] * 20, 3))
    assert results.jaccard["Eq. 10"].value == 1
    assert results.jaccard["Eq. 10"].interval == (1, 1)


def test_every_format_holds_the_tables(paper, tmp_path):
    survey, ballots = paper
    results = tabulate(survey, ballots)
    paths = report.write(survey, results, tmp_path / "new" / "tables")
    texts = {path.name: path.read_text() for path in paths}
    markdown = " ".join(texts["tables.md"].split())
    assert "volunteers: 25; votes: 822; marked as no difference: 1,678; lines judged: 100 of 100" in markdown
    assert "| teacher forcing | 26 (29.89 %) | 35 (38.04 %) | 0 (undefined) |" in markdown
    assert "| adversarial | 61 (70.11 %) | 57 (61.96 %) | 0 (undefined) |" in markdown
    assert "| adversarial | 570 (69.34 %) |" in markdown
    assert "| ties | 13 | 8 | 100 |" in markdown  # 100 lines without those that have a winner
    assert "| no difference | 1,678 |" in markdown
    assert markdown.endswith(report.about_ties())
    assert "| J(H, A), D by Eq. 10 | 0.85 | 0." in markdown
    assert r"\caption{The number of best machine-generated answers.}" in texts["tables.tex"]
    assert "Table 1: The number of best machine-generated answers. | training method |" in markdown
    assert r"teacher forcing & 252 (30.66 \%) \\" in texts["tables.tex"]
    assert texts["tables.tex"].count(r"\begin{tabular}") == texts["tables.tex"].count(r"\end{tabular}") == 3
    rows = {name: list(csv.DictReader(texts[name].splitlines())) for name in texts if name.endswith(".csv")}
    assert rows["table1.csv"][1]["humans_best_answers"] == "61"
    assert rows["table1.csv"][1]["eq10_percent"] == "61.96"
    assert rows["table2.csv"][0] == {"model": "teacher_forcing", "votes": "252", "percent": "30.66"}
    assert rows["lines.csv"][30] == {
        "dialogue": "1",
        "line": "31",
        "votes_teacher_forcing": "1",
        "votes_adversarial": "9",
        "no_difference": "15",
        "humans": "adversarial",
        "eq9": "",
        "eq10": "teacher_forcing",
    }
    facts = json.loads(texts["tables.json"])
    assert facts["table_1"]["humans"]["teacher_forcing"] == {"count": 26, "share": 26 / 87}
    assert facts["survey"] == survey.fingerprint


def test_names_of_models_do_no_harm_to_latex_and_markdown():
    table = report.Table(None, "Of 95 %", ("a_b", "c|d"), [(r"runs\x_1", "{5} %")])
    assert r"runs\textbackslash{}x\_1 & \{5\} \% \\" in table.to_latex("tab:x")
    assert r"c\|d" in table.to_markdown()
