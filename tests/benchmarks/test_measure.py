import argparse
import json

import pytest

from benchmarks import measure


@pytest.fixture
def clock(monkeypatch):
    """A clock that is moved by hand: clock(seconds)."""
    now = [0.0]
    monkeypatch.setattr(measure.time, "perf_counter", lambda: now[0])

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def test_a_phase_within_another_interrupts_it(clock):
    watch = measure.Stopwatch()
    step = watch.timed("inner", clock)
    with watch.during("outer"):
        clock(1)
        step(10)
        with watch.during("middle"):
            clock(100)
            step(1000)
        step(20)
        clock(2)
    assert watch.lap() == {"outer": 3, "middle": 100, "inner": 1030}
    step(5)
    assert watch.lap() == {"inner": 5}


def test_contestants_take_turns_and_the_first_turn_is_not_counted(clock):
    turns = []

    def contestant(name: str, seconds: list[float]):
        def work() -> int:
            turns.append(name)
            clock(seconds.pop(0))
            return 12

        return work

    results: dict = {}
    contestants = {"a": contestant("a", [50, 2, 3, 4]), "b": contestant("b", [60, 1, 2, 6])}
    measure.compete(results, "work", contestants, rounds=3)
    assert turns == ["a", "b"] * 4
    assert results == {"work": {"a": 4, "b": 6}}


def test_parts_run_in_their_own_order_and_results_are_written(tmp_path, capsys):
    ran = []

    def part(name: str):
        return lambda: ran.append(name) or {"of": name}

    options = argparse.Namespace(parts=["c", "a"], output=tmp_path / "results.json")
    results: dict = {}
    measure.run_parts({name: part(name) for name in "abc"}, options, results)
    assert ran == ["a", "c"]
    assert json.loads(options.output.read_text()) == results == {"a": {"of": "a"}, "c": {"of": "c"}}
    options.parts = ["d"]
    with pytest.raises(SystemExit, match="d: there is no such part; the parts are a, b, c"):
        measure.run_parts({name: part(name) for name in "abc"}, options, {})


def test_whether_a_module_is_installed():
    assert measure.installed("json.decoder")
    assert not measure.installed("json.nothing")
    assert not measure.installed("no_such_package.part")
