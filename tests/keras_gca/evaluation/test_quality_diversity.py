"""The comparison of best points: values by hand, and the value of chance for systems that do not differ."""

import dataclasses
import math

import numpy as np
import pytest

from glove import cost
from glove.cost import TimeLimit
from keras_gca import quality_diversity as command
from keras_gca.evaluation import grid_report, reply_grid, reply_metrics
from keras_gca.evaluation.decoding_grid import Setting, grid
from keras_gca.evaluation.quality_diversity import (
    DISTINCT,
    MAUVE,
    NATS,
    PERPLEXITY,
    Part,
    Speaker,
    averaged,
    choose,
    compare,
    distance,
    figures,
    spoken,
)
from keras_gca.evaluation.statistics import Estimate

SETTINGS = grid((0.5, 1.0, 1.5), (1.0,))
WORDS = [f"w{i}" for i in range(60)]


@pytest.fixture(autouse=True)
def few_orders(monkeypatch):
    monkeypatch.setattr(reply_metrics, "ORDERS", 1)


def at(perplexity, distinct, mauve=None):
    measured = {PERPLEXITY: Estimate(perplexity), DISTINCT: Estimate(distinct)}
    return measured if mauve is None else measured | {MAUVE: Estimate(mauve)}


def drawn(count, width, seed):
    """Draw replies of six words among the first `width` words."""
    draw = np.random.default_rng(seed)
    return [" ".join(draw.choice(WORDS[:width], 6)) for _ in range(count)]


def part(seed=0, count=80, ceiling=None, mauve=None):
    """A part whose human replies have 30 words. At a temperature T, a generator draws among 30 * T words.

    The cost of a word is its number divided by 10, so that rarer words are worse.
    """

    def sample(generator, setting):
        return drawn(count, round(30 * setting.temperature), [seed, len(generator), round(10 * setting.temperature)])

    def costs(texts, name):
        return np.array([(sum(int(word[1:]) / 10 for word in text.split()), len(text.split())) for text in texts])

    return Part(drawn(count, 30, 99 + seed), np.arange(count) // 2, sample, costs, str.split, mauve, ceiling)


def speaker(name="a", seed=0, **of_part):
    return Speaker(name, seed, part(seed, **of_part), part(1000 + seed, **of_part))


def test_the_nearest_point_by_hand():
    human = at(40, 0.5)
    assert distance(at(80, 0.25), human) == pytest.approx(2 * math.log(2))
    assert distance(at(40, math.nan), human) == math.inf
    points = {Setting(0.5, 1.0): at(10, 0.4), Setting(1.0, 1.0): at(44, 0.52), Setting(1.5, 1.0): at(300, 0.8)}
    assert choose(points, human) == (1.0, 1.0)
    by_mauve = {setting: at(10, 0.5, mauve) for setting, mauve in zip(points, (0.7, 0.6, 0.8), strict=True)}
    assert choose(by_mauve, human) == (1.5, 1.0)


def test_figures_by_hand():
    replies = ["w1 w2 w3", "w1 w2 w4", "w5 w5 w5", "w6 w7 w8"]
    of = Part(replies, np.arange(4), None, lambda texts, name: np.array([[3.0, 4]] * 4), str.split, ceiling=0.9)
    measured = figures(spoken(of, replies, "human"), tokens=12)
    assert measured[PERPLEXITY] == pytest.approx((math.exp(3 / 4),) * 3)  # all replies are alike
    assert measured[DISTINCT].value == pytest.approx(6 / 8)  # "w1 w2" and "w5 w5" twice
    assert measured[DISTINCT].low < 6 / 8 < measured[DISTINCT].high
    assert measured[MAUVE] == (0.9, None, None)


def test_seeds_are_averaged_with_their_own_interval():
    mean = averaged([at(10, 0.4), at(12, 0.5), at(14, 0.6)])
    # t with 2 degrees of freedom: 4.302653; deviation 2, standard error 2 / sqrt(3).
    reach = 4.302653 * 2 / 3**0.5
    assert mean[PERPLEXITY] == pytest.approx((12, 12 - reach, 12 + reach), abs=1e-4)
    assert averaged([at(10, 0.4)]) == at(10, 0.4)


def test_the_point_of_the_human_vocabulary_is_chosen_and_measured_on_the_test_part():
    results = compare({"a": [speaker("a")], "bb": [speaker("bb")]}, SETTINGS)
    assert {best.setting for best in results.best.values()} == {Setting(1.0, 1.0)}
    assert results.points["a"][Setting(0.5, 1.0)][PERPLEXITY].value < results.human[PERPLEXITY].value
    at_best = results.best["a"].figures
    assert at_best != results.points["a"][Setting(1.0, 1.0)]  # other conversations
    assert at_best[PERPLEXITY].low < results.human_test[PERPLEXITY].value < at_best[PERPLEXITY].high
    (test,) = results.tests
    assert (test.systems, test.seed, test.figure, test.comparison.units) == (("a", "bb"), 0, NATS, 40)


def test_no_further_point_is_measured_when_the_time_is_over():
    """Each point takes a minute. A system is measured at three points, and then at the best one."""
    now, sampled = 0.0, []

    def slow(of):
        def sample(generator, setting):
            nonlocal now
            now += 60
            sampled.append(setting)
            return of.sample(generator, setting)

        return dataclasses.replace(of, sample=sample)

    def measure(minutes):
        sampled.clear()
        one = speaker("a")
        systems = {"a": [Speaker("a", 0, slow(one.validation), slow(one.test))]}
        return compare(systems, SETTINGS, TimeLimit(minutes, lambda: now))

    for minutes, points in ((1.5, 2), (2, 2), (3, 3)):
        assert measure(minutes) is None
        assert len(sampled) == points
    assert measure(3.5).best["a"].setting == (1.0, 1.0)  # the last point began in time
    assert len(sampled) == 4


def test_the_cost_of_replies_that_are_not_stored_is_said_once(capsys):
    asked = []

    def with_cost(name, stored):
        def estimate(points):
            asked.append((name, points))
            return cost.Estimate({"replies": 60.0 * points}, 2e9, "is fast")

        one = speaker(name)
        validation = dataclasses.replace(one.validation, is_stored=lambda generator, setting: setting in stored)
        return dataclasses.replace(one, validation=validation, estimate=estimate)

    compare({"a": [with_cost("a", SETTINGS[:1])], "bb": [with_cost("bb", [])], "ccc": [speaker("ccc")]}, SETTINGS)
    assert asked == [("a", 2), ("bb", 3)]
    line = "estimate: about 5 minutes (replies 5) and 2.0 GB of memory; this machine is fast\n"
    assert capsys.readouterr().out == line
    asked.clear()
    compare({"a": [with_cost("a", SETTINGS)]}, SETTINGS)
    assert (asked, capsys.readouterr().out) == ([], "")


def test_the_command_says_that_the_time_is_over(monkeypatch, capsys):
    limits = []
    monkeypatch.setattr(reply_grid, "measure_runs", lambda runs, settings, seed, limit: limits.append(limit))
    assert command.main(["a run", "--minutes", "5"]) == 130
    message = "the time limit has been reached; next: the same command continues with the remaining points"
    assert capsys.readouterr().out == f"{message}\n"
    assert 4 < limits[0].remaining <= 5


@pytest.mark.thorough
def test_systems_that_do_not_differ_come_out_as_chance():
    """The control: both systems draw from the same words. About one test in twenty calls them different."""
    p_values = []
    for seed in range(30):
        results = compare({"a": [speaker("a", seed)], "bb": [speaker("bb", seed)]}, SETTINGS[1:2])
        p_values.append(results.tests[0].comparison.p_value)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.15
    assert 0.35 < np.mean(p_values) < 0.65


def test_a_worse_system_is_found():
    good, bad = speaker("a"), speaker("bb")
    rare = dataclasses.replace(bad.test, sample=lambda generator, setting: drawn(80, 60, 5))
    (test,) = compare({"a": [good], "bb": [Speaker("bb", 0, bad.validation, rare)]}, SETTINGS).tests
    assert test.comparison.difference < 0
    assert test.corrected < 0.01


def test_the_human_replies_of_a_seed_count_once():
    def systems(names):
        return {name: [speaker(name, seed, count=40) for seed in range(3)] for name in names}

    one, two = (compare(systems(names), SETTINGS[1:2]).human[PERPLEXITY] for names in (["a"], ["a", "bb"]))
    assert one == two


def test_seeds_are_compared_with_each_other():
    systems = {name: [speaker(name, seed, count=40) for seed in range(6)] for name in ("a", "bb")}
    results = compare(systems, SETTINGS[1:2])
    assert [test.seed for test in results.tests] == [*range(6), None, None]
    assert [test.figure for test in results.tests[-2:]] == ["log perplexity", DISTINCT]
    assert results.tests[-1].comparison.units == 6
    lonely = compare({"a": [speaker("a", 0)], "bb": [speaker("bb", 1)]}, SETTINGS[1:2])
    assert lonely.tests == []


def test_mauve_chooses_and_has_an_interval():
    def mauve(texts):
        """Replace MAUVE by the share of replies with a word from w40 on, which only the hottest point draws."""
        late = np.array([any(int(word[1:]) >= 40 for word in text.split()) for text in texts])
        return lambda kept: float(late[kept].mean())

    results = compare({"a": [speaker(mauve=mauve, ceiling=0.95)]}, SETTINGS)
    assert results.best["a"].setting == (1.5, 1.0)
    assert 0 < results.best["a"].figures[MAUVE].low < results.best["a"].figures[MAUVE].high
    assert results.human_test[MAUVE].value == 0.95


def test_the_report_says_how_points_were_chosen(tmp_path, capsys):
    results = compare({"teacher_forcing": [speaker("a")], "adversarial": [speaker("bb")]}, SETTINGS)
    best, tests, whole = grid_report.tables(results)
    assert "by the perplexity and distinct-2 nearest to those of the human replies" in best.caption
    assert [row[:3] for row in best.rows[:2]] == [
        ["teacher forcing", "T 1, top-p 1", "no"],
        ["adversarial", "T 1, top-p 1", "no"],
    ]
    assert best.rows[-1][0] == "human"
    assert tests.rows[0][0] == "teacher forcing minus adversarial"
    assert len(whole.rows) == 2 * 3 + 1
    grid_report.write(results, tmp_path)
    assert (tmp_path / "quality_diversity.png").read_bytes().startswith(b"\x89PNG")
    assert "Best points on test conversations" in capsys.readouterr().out
    values = grid_report.as_json(results)
    assert values["best"]["adversarial"]["temperature"] == 1.0
    coldest = results.points["adversarial"][SETTINGS[0]][PERPLEXITY].value
    assert values["grid"]["adversarial"][0][PERPLEXITY]["value"] == coldest
