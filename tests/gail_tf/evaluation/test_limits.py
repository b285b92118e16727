"""A limit of time holds for the training runs and the measurements of experiments. The tests set the clock."""

import dataclasses
from types import SimpleNamespace

import pytest

from gail_tf import evaluate, quality_diversity
from gail_tf.data.source import Source
from gail_tf.evaluation import ablations, experiments, report
from gail_tf.evaluation import quality_diversity as of_grid
from gail_tf.evaluation.results_file import Options
from gail_tf.evaluation.variants import Experiment
from gail_tf.training import pipeline
from gail_tf.training.run_folder import GAILRun
from glove.cost import TimeLimit
from keras_gca.errors import UserError
from keras_gca.evaluation.provenance import Outcome
from keras_gca.storage.config_file import write_settings
from keras_gca.storage.run_folder import CHECKPOINT


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def setup(tmp_path):
    return experiments.Setup(tmp_path, (3, 4), "tiny", {}, Source())


@pytest.fixture(autouse=True)
def _pair(monkeypatch):
    """An experiment that compares two variants: "mle" starts from "pretrained", and "gail" from "mle"."""
    monkeypatch.setitem(experiments.EXPERIMENTS, "pair", Experiment("which is better?", ("mle", "gail")))


@pytest.fixture
def asked(clock, monkeypatch):
    """Replace training runs: each takes 10 minutes, or less if it is limited. The list has their names and limits."""
    calls, finished = [], set()

    def train(path, minutes, config=None, source=None):
        path.mkdir(parents=True, exist_ok=True)
        (path / CHECKPOINT).touch()
        if config is not None:
            write_settings(path / "config.json", config, source.names())
        calls.append((f"{path.parent.name} {path.name[-1]}", minutes))
        ends = minutes is None or minutes >= 10
        clock.now += 60 * (10 if ends else minutes)
        if ends:
            finished.add(path)
        return SimpleNamespace(training=SimpleNamespace(finished=ends))

    monkeypatch.setattr(
        pipeline, "train_agent", lambda config, source, path, strategy, minutes: train(path, minutes, config, source)
    )
    monkeypatch.setattr(pipeline, "resume", lambda path, strategy, minutes: train(path, minutes))
    monkeypatch.setattr(GAILRun, "is_finished", lambda run: run.path in finished)
    monkeypatch.setattr(experiments, "_exported", lambda *_: "a folder")
    return calls


def test_trainings_get_the_time_that_is_left(setup, asked, clock, monkeypatch, capsys):
    def run(minutes):
        return experiments.run_experiment("pair", setup, limit=TimeLimit(minutes, clock))

    assert run(15) is None
    assert asked == [("pretrained 3", 15), ("mle 3", 5)]
    assert capsys.readouterr().out.endswith(f"next: the same command resumes {setup.folder('mle', 3)}\n")
    asked.clear()
    assert run(10) is None
    assert asked == [("mle 3", 10)]  # it ends exactly in time, and nothing else begins
    asked.clear()
    assert run(40) is None
    assert asked == [("gail 3", 40), ("pretrained 4", 30), ("mle 4", 20), ("gail 4", 10)]
    assert capsys.readouterr().out.endswith("the same command continues the measurements\n")
    monkeypatch.setattr(ablations, "measure", lambda runs, how, limit: None if limit.is_over else 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(None)


def test_runs_with_other_settings_or_files_are_not_used(setup, asked, clock, tmp_path):
    def run(of):
        return experiments.run_experiment("pair", of, limit=TimeLimit(15, clock))

    run(setup)
    message = r"pretrained/seed_3: this run was trained with .*--pretraining-epochs \d+, not 9.*; give the options with"
    with pytest.raises(UserError, match=message):
        run(dataclasses.replace(setup, settings={"pretraining_epochs": 9}))
    (tmp_path / "talks.txt").touch()
    with pytest.raises(UserError, match=r"pretrained/seed_3: .* --data none, not talks\.txt; "):
        run(dataclasses.replace(setup, source=Source(data=[tmp_path / "talks.txt"])))
    with pytest.raises(UserError, match="pretrained/seed_3: this run was trained with "):
        run(dataclasses.replace(setup, scale="small"))
    assert [name for name, _ in asked] == ["pretrained 3", "mle 3"]


def test_the_trainings_that_are_not_started(setup, tmp_path):
    first, second = "mle", "gail"
    expected = {(variant, seed) for variant in ("pretrained", first, second) for seed in (3, 4)}
    assert set(experiments.not_started(["pair"], setup)) == expected
    (setup.folder(first, 4)).mkdir(parents=True)
    (setup.folder(first, 4) / CHECKPOINT).touch()
    assert set(experiments.not_started(["pair"], setup)) == expected - {(first, 4)}
    with_model = experiments.Setup(tmp_path, (3,), "paper", {}, Source(model="gpt2"))
    assert "pretrained" not in {variant for variant, _ in experiments.not_started(["table2"], with_model)}


def test_no_further_run_is_measured_when_the_time_is_over(clock, monkeypatch, capsys, tmp_path):
    measured = []

    def measure(run, *_):
        clock.now += 60
        measured.append(run.path.name)
        return SimpleNamespace()

    monkeypatch.setattr(GAILRun, "open", lambda path, command="": SimpleNamespace(path=tmp_path / path))
    for name in ("refuse_incomparable", "read_files"):
        monkeypatch.setattr(report, name, lambda *_: None)
    monkeypatch.setattr(report, "evaluate", measure)
    assert report.evaluate_runs(["a", "b", "c"], Options(), limit=TimeLimit(2, clock)) is None
    assert measured == ["a", "b"]
    out = capsys.readouterr().out
    assert out == (
        "the time limit has been reached; measured: 2 of 3 runs\n"
        f"next: the same command continues with {tmp_path / 'c'}\n"
    )
    monkeypatch.setattr(ablations, "evaluate", measure)
    runs = {"a variant": [SimpleNamespace(path=tmp_path)]}
    assert ablations.measure(runs, Options(), TimeLimit(0.0, clock)) is None


def test_a_grid_is_measured_within_the_limit(setup, asked, clock, monkeypatch, capsys):
    outcome = Outcome({}, {}, [])
    monkeypatch.setattr(experiments, "_compare", lambda *_: outcome)
    monkeypatch.setattr(experiments, "measure_policies", lambda systems, how, limit: None if limit.is_over else 1 / 0)
    with_grid = dataclasses.replace(setup, grid=True)
    assert experiments.run_experiment("pair", with_grid, limit=TimeLimit(60, clock)) is None  # six training runs
    assert capsys.readouterr().out.endswith("the same command continues the measurements\n")
    assert experiments.run_experiment("pair", setup, limit=TimeLimit(60, clock)) is outcome


def test_table_2_is_not_made_when_the_time_is_over(setup, monkeypatch):
    monkeypatch.setattr(experiments, "_train", lambda *_: True)
    monkeypatch.setattr(experiments, "evaluate_runs", lambda *_, **__: None)
    monkeypatch.setattr(GAILRun, "open", lambda path, command="": SimpleNamespace(path=path))
    assert experiments.run_experiment("table2", dataclasses.replace(setup, grid=True)) is None


def test_a_comparison_with_ratings_has_no_limit(said, tmp_path):
    (tmp_path / "ratings.jsonl").touch()
    message = said(evaluate.main, "evaluate", "a run", "--ratings", "ratings.jsonl", "--minutes", "5")
    assert message == "evaluate: a comparison with --ratings cannot be interrupted and resumed; leave out --minutes\n"


def test_an_evaluation_without_results_ends_as_after_an_interruption(monkeypatch):
    limits = []
    monkeypatch.setattr(report, "evaluate_runs", lambda *_, limit, **__: limits.append(limit.remaining))
    assert evaluate.main(["a run", "--minutes", "5", "--json"]) == 130
    assert 4 < limits[0] <= 5


def test_the_command_of_the_grid_says_that_the_time_is_over(monkeypatch, capsys):
    limits = []
    monkeypatch.setattr(of_grid, "measure_runs", lambda runs, how, limit: limits.append(limit.remaining))
    assert quality_diversity.main(["a run", "--minutes", "5"]) == 130
    message = "the time limit has been reached; next: the same command continues with the remaining points"
    assert capsys.readouterr().out == f"{message}\n"
    assert 4 < limits[0] <= 5
