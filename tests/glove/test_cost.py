"""The estimate of a long command, and the limit of its time, with a clock that the tests set."""

import pytest

from glove.cost import Estimate, TimeLimit, in_turn, median_rate


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def test_a_limit_is_over_when_its_minutes_have_passed():
    clock = Clock()
    limit = TimeLimit(2, clock)
    assert (limit.is_over, limit.remaining) == (False, 2)
    clock.now += 90
    assert (limit.is_over, limit.remaining) == (False, 0.5)
    clock.now += 30
    assert (limit.is_over, limit.remaining) == (True, 0)
    clock.now += 30
    assert (limit.is_over, limit.remaining) == (True, 0)


def test_without_a_limit_the_time_is_never_over():
    clock = Clock()
    limit = TimeLimit(None, clock)
    clock.now += 1e12
    assert (limit.is_over, limit.remaining) == (False, None)


def test_the_line_names_minutes_and_memory_and_leaves_out_parts_that_cost_nothing():
    made = Estimate({"line_one": 600, "line two": 0, "line three": 930}, 3.26e9, "is fast")
    assert (made.total, made.is_long) == (1530, True)
    assert str(made) == (
        "estimate: about 26 minutes (line one 10, line three 16) and 3.3 GB of memory; this machine is fast"
    )
    assert not Estimate({"a": 40, "b": 19.9}, 1, "").is_long
    assert Estimate({"a": 40, "b": 20}, 1, "").is_long


def test_estimates_of_parts_are_added_and_the_largest_memory_decides():
    added = in_turn([Estimate({"a": 40, "b": 2}, 3e9, "is fast"), Estimate({"a": 30, "c": 5}, 1e9, "was not measured")])
    assert added == ({"a": 70, "b": 2, "c": 5}, 3e9, "is fast")
    assert added.is_long
    assert in_turn([]).total == 0


def test_a_rate_is_the_median_of_twelve_measurements():
    clock, calls = Clock(), []

    def work():
        calls.append(len(calls))
        clock.now += 1000 if calls[-1] < 2 else calls[-1]  # the first two are slow; the others take 2 to 11 seconds

    # Sorted: 2 3 4 5 6 7 8 9 10 11 1000 1000, so the median is 7.5 seconds.
    assert median_rate(work, 15, clock) == pytest.approx(2)
