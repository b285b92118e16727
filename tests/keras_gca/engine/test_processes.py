"""Tasks run in turn, and a time limit stops them after the first piece of new work."""

import itertools

import pytest

from glove.cost import TimeLimit
from keras_gca.engine import processes
from keras_gca.engine.processes import Processes, TimeOverError


@pytest.fixture
def seconds(monkeypatch):
    """A clock that advances by 20 seconds each time that it is read."""
    clock = itertools.count(0, 20)
    monkeypatch.setattr(processes, "TimeLimit", lambda minutes=None: TimeLimit(minutes, lambda: next(clock)))
    return clock


def test_results_come_in_the_order_of_the_tasks_and_few_are_submitted_ahead():
    submitted, prepared = [], []
    with Processes(1, lambda: prepared.append(True)) as pool:

        def square(number):
            submitted.append(number)
            return number**2

        results = pool.in_turn(pool.submit(square, number) for number in range(9))
        assert next(results) == 0
        assert submitted == [0, 1, 2]
        assert list(results) == [number**2 for number in range(1, 9)]
    assert prepared == [True]


def test_the_time_counts_from_the_first_new_task(seconds):
    done = []
    with Processes(1, lambda: None, minutes=1) as pool:
        assert len(list(pool.in_turn(pool.submit(abs, number, is_new=False) for number in range(50)))) == 50
        assert next(seconds) == 0  # nobody has read the clock
        results = pool.in_turn(pool.submit(done.append, number) for number in range(50))
        next(results)
        assert done == [0, 1, 2]
        with pytest.raises(TimeOverError):
            next(results)
        assert done == [0, 1, 2]


def test_without_a_limit_no_time_is_over(seconds):
    with Processes(1, lambda: None) as pool:
        assert len(list(pool.in_turn(pool.submit(abs, number) for number in range(50)))) == 50


def test_an_error_of_a_task_is_raised():
    with Processes(1, lambda: None) as pool, pytest.raises(ValueError, match="invalid literal"):
        list(pool.in_turn(pool.submit(int, text) for text in ("1", "one")))
