"""Which variants a study trains and measures again. test_commands.py runs whole studies."""

import dataclasses
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from glove.cost import Estimate, TimeLimit
from keras_gca import mmi, studies
from keras_gca.data.source import Source
from keras_gca.errors import UserError
from keras_gca.evaluation import growth, replies, reply_grid, reranking, study_trainings, system_studies
from keras_gca.evaluation import studies as of_studies
from keras_gca.evaluation.decoding_grid import grid
from keras_gca.evaluation.provenance import read_experiment, table_of
from keras_gca.evaluation.quality_diversity import Part, Speaker
from keras_gca.evaluation.studies import run_study
from keras_gca.evaluation.study_trainings import Setup, cost
from keras_gca.evaluation.variants import WITHOUT_GRID
from keras_gca.storage.config_file import write_settings
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training import pipeline
from keras_gca.training.run_folder import GCARun


@pytest.fixture
def setup(tmp_path):
    return Setup(tmp_path, (3,), "tiny", {"machine_pairs": 40}, Source())


@pytest.fixture
def trained(monkeypatch):
    """Replace training: record the runs that a study starts, and write their files. `ends` says whether they finish."""
    asked = SimpleNamespace(calls=[], minutes=[], ends=True)

    def session(path, *what, minutes, config=None, source=None):
        path.mkdir(parents=True, exist_ok=True)
        if config is not None:
            write_settings(path / "config.json", config, source)
        (path / CHECKPOINT).touch()
        (path / "bot.h5").touch()
        asked.calls.append((*what, path.parent.name))
        asked.minutes.append(minutes)
        return SimpleNamespace(finished=asked.ends)

    def start_from(first, changes, run, strategy, minutes, **others):
        before = GCARun.open(first)
        what = "start_from", first.parent.name, changes, *others.items()
        return session(run, *what, minutes=minutes, config=before.config().changed(**changes), source=before.source())

    def train_agent(config, source, run, strategy, minutes):
        return session(run, config, minutes=minutes, config=config, source=source.names())

    monkeypatch.setattr(pipeline, "train_agent", train_agent)
    monkeypatch.setattr(pipeline, "start_from", start_from)
    monkeypatch.setattr(pipeline, "resume", lambda run, strategy, minutes: session(run, "resume", minutes=minutes))
    monkeypatch.setattr(GCARun, "is_finished", lambda run: True)
    return asked


def reply_figures(*systems):
    titles = ("distinct-1", "distinct-2", "tokens", "repeated", "most frequent", "entropy, bits", "BLEU")
    return {system: dict.fromkeys(titles, 0.5) for system in systems}


def figures(run, vectors=None):
    """Replace evaluations by metrics that cost no time. They are written to the same file as real ones."""
    chosen = {"wins": {"a": 1}, "shares": {"a": 1.0}, "ties": 0, "shorter": 0.5, "human_first": 0.5}
    judged = {"scores": {"a": 0.4, "human": 0.6}, "equations": {"Eq. 9": chosen, "Eq. 10": chosen}}
    found = {
        "tokens": 9,
        "unknown_share": 0.1,
        "perplexity": {"a": 7.0},
        "shuffled": {"a": 12.0},
        "replies": {each: {**of, "BLEU signature": "x"} for each, of in reply_figures("a", "human").items()},
        "table_1": {"independent": judged},
        "parts": {"answers that are not in training": {"pairs": 9, "perplexity": {"a": 7.5}, "BLEU": {"a": 1.0}}},
        "vectors": str(vectors or replies.OWN_VECTORS),
    }
    (run / replies.STUDIED).write_text(json.dumps(found))
    return found


@pytest.fixture
def evaluated(monkeypatch):
    """Replace the evaluation, and record the runs that are measured."""
    calls = []

    def evaluate_run(run, vectors=None, file=None):
        calls.append(run.parent.name)
        return figures(run, vectors)

    monkeypatch.setattr(replies, "evaluate_run", evaluate_run)
    return calls


def test_a_variant_after_line_3_starts_from_the_default_one(setup, trained, evaluated, capsys):
    assert run_study("pairs", setup)
    (config, name), second = trained.calls
    assert (config.seed, config.machine_pairs, name) == (3, 40, "default")
    assert second == ("start_from", "default", {"self_conversation_turns": 1}, "human_contexts")
    assert evaluated == ["default", "human_contexts"]
    table = (setup.runs / "pairs.md").read_text()
    assert table.startswith("Machine-generated answers to generated contexts, or to human contexts?\n\n| variant ")
    assert json.loads((setup.runs / "pairs.json").read_text())["default"]["perplexity"]["a"]["mean"] == 7
    assert capsys.readouterr().out.endswith(f"wrote {setup.runs}/pairs.md and {setup.runs}/pairs.json\n")


def test_studies_of_contexts_show_the_perplexity_by_turn(setup, trained, evaluated, monkeypatch):
    def evaluate_run(run, vectors=None, file=None):
        perplexity = 8.0 if run.parent.name == "one_utterance" else 9.0
        turns = {turn: {"pairs": 9, "perplexity": {"a": perplexity}, "BLEU": {"a": 1.0}} for turn in replies.TURNS[:2]}
        return {**figures(run, vectors), "parts": turns}

    monkeypatch.setattr(replies, "evaluate_run", evaluate_run)
    _, by_turn, *_ = run_study("context", setup).tables
    assert by_turn.header == (
        *("variant", "replies of"), *replies.TURNS[:2], "contexts shuffled"
    )  # fmt: skip
    assert by_turn.rows[:2] == [
        ("one utterance", "a", "8.00", "8.00", "12.00"),
        ("two utterances", "a", "9.00", "9.00", "12.00"),
    ]


def test_what_is_there_is_used_again_until_the_bot_is_newer(setup, trained, evaluated, tmp_path):
    run_study("training", setup)
    folder = setup.folder("default", 3)
    os.utime(folder / "bot.h5", (1, 1))
    run_study("training", setup)
    assert (len(trained.calls), evaluated) == (1, ["default"])
    os.utime(folder / "bot.h5")
    os.utime(folder / replies.STUDIED, (1, 1))
    run_study("training", setup)
    assert evaluated == ["default"] * 2


def test_runs_with_other_settings_or_files_are_not_used(setup, trained, evaluated, tmp_path):
    run_study("training", setup)
    settings = {"machine_pairs": 50, "teacher_forcing_epochs": 7}
    message = (
        r"default/seed_3: this run was trained with --teacher-forcing-epochs 2, not 7, --machine-pairs 40, not 50; "
    )
    with pytest.raises(UserError, match=message + "give the options with which it was trained, or another folder"):
        run_study("training", dataclasses.replace(setup, settings=settings))
    (tmp_path / "v.txt").touch()
    with pytest.raises(UserError, match=r"--glove fitted to the training text, not v\.txt"):
        run_study("training", dataclasses.replace(setup, source=Source(glove=tmp_path / "v.txt")))
    with pytest.raises(UserError, match="--machine-pairs 40, not 50"):  # also of runs that are not finished
        run_study("training", dataclasses.replace(setup, settings={"machine_pairs": 50}))
    run_study("training", dataclasses.replace(setup, settings={"machine_pairs": 40, "checkpoint_minutes": 1.0}))
    assert (len(trained.calls), evaluated) == (1, ["default"])


def test_an_evaluation_with_other_replies_is_not_used(setup, trained, evaluated):
    """`keras_gca.evaluate RUN --temperature 1` writes evaluation.json."""
    run_study("training", setup)
    folder = setup.folder("default", 3)
    (folder / replies.STUDIED).rename(folder / replies.FILE)
    run_study("training", setup)
    assert evaluated == ["default"] * 2


def test_a_stopped_training_stops_the_study_and_is_gone_on_with(setup, trained, evaluated, monkeypatch, capsys):
    trained.ends = False
    assert not run_study("pairs", setup)
    assert capsys.readouterr().out.endswith(f"next: the same command continues with {setup.folder('default', 3)}\n")
    assert evaluated == []
    trained.ends = True
    finished = iter((False, True, True))
    monkeypatch.setattr(GCARun, "is_finished", lambda run: next(finished))
    assert run_study("pairs", setup)
    assert [call[0] for call in trained.calls[1:]] == ["resume", "start_from"]


def test_a_limit_of_time_holds_for_trainings_and_evaluations(setup, trained, evaluated, monkeypatch, capsys):
    now = 0.0

    def after(minutes, replaced):
        def replacement(*arguments, **others):
            nonlocal now
            now += 60 * minutes
            return replaced(*arguments, **others)

        return replacement

    for module, name in ((pipeline, "train_agent"), (pipeline, "start_from"), (replies, "evaluate_run")):
        monkeypatch.setattr(module, name, after(10, getattr(module, name)))

    def study(minutes):
        return run_study("pairs", setup, limit=TimeLimit(minutes, lambda: now))

    assert not study(8)
    assert trained.minutes == [8]
    assert capsys.readouterr().out.endswith(f"continues with {setup.folder('human_contexts', 3)}\n")
    assert not study(20)  # after 10 minutes of training and 10 of an evaluation
    assert (trained.minutes, evaluated) == ([8, 20], ["default"])
    assert capsys.readouterr().out.endswith("the same command continues with the evaluations\n")
    os.utime(setup.folder("default", 3) / "bot.h5", (1, 1))
    assert study(15)
    assert evaluated == ["default", "human_contexts"]


def test_the_cost_is_that_of_the_trainings_that_are_lacking(setup, tmp_path, monkeypatch):
    asked, corpus = [], tmp_path / "corpus.txt"
    corpus.write_text("\n".join(f"Hello number {i}.\nHow are you?\nFine.\n" for i in range(20)))

    def estimate(config, vocabulary, training, validation, stages):
        asked.append((config.algorithm, config.seed, stages[0].phase))
        assert min(vocabulary, len(training), len(validation)) > 0
        return Estimate({"line": 60.0 * len(asked)}, 2e9, "is fast")

    monkeypatch.setattr(study_trainings, "estimate", estimate)
    two = dataclasses.replace(setup, seeds=(3, 4), source=Source(corpus))
    made = cost(["default", "reinforce"], two)
    assert asked == [
        ("backpropagation", 3, "teacher_forcing"), ("backpropagation", 4, "teacher_forcing"),
        ("reinforce", 3, "self_conversation"), ("reinforce", 4, "self_conversation"),
    ]  # fmt: skip
    assert made == ({"default": 180, "reinforce": 420}, 2e9, "is fast")
    started = [setup.folder("default", seed) / CHECKPOINT for seed in (4, 3)]
    for file, lacking in zip(started, ([3], []), strict=True):
        file.parent.mkdir(parents=True)
        file.touch()
        asked.clear()
        assert cost(["default"], two).total == sum(60.0 * (i + 1) for i in range(len(lacking)))
        assert [seed for _, seed, _ in asked] == lacking


def test_systems_are_tested_by_seeds(setup, trained, evaluated):
    outcome = run_study("pairs", dataclasses.replace(setup, seeds=range(6)))
    _, tests = outcome.tables
    assert {(row[0], row[2], row[-1]) for row in tests.rows} == {
        ("default, a minus human contexts, a", "all", "6 seeds")
    }
    assert {row[5] for row in tests.rows} == {"1.0000"}  # the replaced evaluations are all alike
    assert "log perplexity" in [row[1] for row in tests.rows]
    assert outcome.seeds == {"runs": list(range(6)), "evaluation": 0}
    assert len(run_study("pairs", setup).tables) == 1  # one seed has no tests


def test_all_studies_of_a_command_are_one_experiment(setup, trained, evaluated, tmp_path, monkeypatch):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(f"Hello number {i}.\nHow are you?\nFine.\n" for i in range(20)))
    arguments = ["training", "--seeds", "3", "--runs", str(tmp_path / "r"), "--experiment", str(tmp_path / "e.json")]
    arguments += ["--data", str(corpus)]
    assert studies.main(arguments) == 0
    values = read_experiment(tmp_path / "e.json")
    assert values["command"] == f"python -m keras_gca.studies {' '.join(arguments)}"
    assert values["seeds"] == {"runs": [3], "evaluation": 0}
    assert values["results"]["training"]["default"]["perplexity"]["a"]["mean"] == 7
    assert table_of(values).to_markdown().startswith("Teacher forcing or adversarial training?\n\n| variant")


def test_studies_without_a_grid_are_those_with_measurements_of_their_own():
    assert set(WITHOUT_GRID) == {*system_studies.MEASURED, "mmi"}


def test_generators_are_compared_over_a_grid(setup, trained, evaluated, monkeypatch):
    asked = []

    def speakers(run):
        asked.append(run)
        part = Part(
            ["a b"] * 4, np.arange(4), lambda name, at: ["a b"] * 4, lambda texts, of: np.ones((4, 2)), str.split
        )
        return [Speaker("adversarial", 3, part, part)]

    monkeypatch.setattr(reply_grid, "speakers", speakers)
    outcome = run_study("pairs", dataclasses.replace(setup, settings_of_grid=grid((1.0,), (1.0,))))
    assert asked == [setup.folder(variant, 3) for variant in ("default", "human_contexts")]
    assert set(outcome.results["grid"]["best"]) == {"default, adversarial", "human_contexts, adversarial"}
    assert "Best points on test conversations" in (setup.runs / "pairs.md").read_text()


def test_a_limit_of_time_holds_for_the_grid(setup, trained, evaluated, monkeypatch, capsys):
    now = 0.0

    def speakers(run):
        nonlocal now
        now += 60
        return []

    monkeypatch.setattr(reply_grid, "speakers", speakers)
    monkeypatch.setattr(of_studies, "compare", lambda systems, settings, limit: None if limit.is_over else 1 / 0)
    with_grid = dataclasses.replace(setup, settings_of_grid=grid((1.0,), (1.0,)))
    assert run_study("training", with_grid, limit=TimeLimit(1, lambda: now)) is None
    assert evaluated == ["default"]
    assert capsys.readouterr().out.endswith("the same command continues with the evaluations\n")
    assert not (setup.runs / "training.md").exists()


def test_dialogue_rewards_start_from_two_utterances_of_context_and_read_the_backward_run(setup, trained, monkeypatch):
    monkeypatch.setitem(system_studies.MEASURED, "dialogue_rewards", lambda folders, limit: ([], {}))
    run_study("dialogue_rewards", setup)
    assert [call[-1] for call in trained.calls] == ["backward", "teacher_forced", "dialogue_rewards"]
    kind, first, changes, backward, _ = trained.calls[-1]
    assert (kind, first) == ("start_from", "teacher_forced")
    assert backward == ("backward", setup.folder("backward", 3))
    assert changes["algorithm"] == "dialogue_rewards"
    made = setup.config("dialogue_rewards", 3)
    assert (made.context_utterances, made.adversarial_epochs, made.machine_pairs) == (2, 4, 40)


def test_reranking_takes_the_runs_of_its_three_variants(setup, trained, monkeypatch):
    calls = []

    def rerank(*runs, file):
        calls.append([run.parent.name for run in runs])
        return reply_figures("human", "beam search")

    monkeypatch.setattr(reranking, "rerank", rerank)
    assert run_study("mmi", setup)
    assert calls == [["default", "language_model", "backward"]]
    assert [call[0].predict for call in trained.calls] == ["answer", "unconditional", "context"]
    assert "| beam search |" in (setup.runs / "mmi.md").read_text()


def test_growth_trains_with_every_number_of_pairs_that_the_corpus_has(setup, trained, monkeypatch, capsys, tmp_path):
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("\n".join(f"Hello number {i}.\nHow are you?\nFine.\n" for i in range(40)))
    monkeypatch.setitem(study_trainings.VARIANTS, "pairs_5000", {"training_pairs": 30, "adversarial_epochs": 0})
    monkeypatch.setitem(study_trainings.VARIANTS, "pairs_15000", {"training_pairs": 72, "adversarial_epochs": 0})

    def evaluate_growth(run):
        few = run.parent.name == "pairs_5000"
        sizes = {"training pairs": 30 if few else 72, "training tokens": 9, "held-out pairs": 8, "held-out tokens": 9}
        perplexity = {"teacher_forcing": 9.0 if few else 7.0, "Kneser-Ney trigram, discount 0.1": 8.0}
        return sizes | {"unknown share": 0.0, "held out": "same", "epochs": 2, "perplexity": perplexity}

    monkeypatch.setattr(growth, "evaluate_growth", evaluate_growth)
    of_corpus = dataclasses.replace(setup, settings={}, source=Source([corpus]))
    outcome = run_study("growth", of_corpus)
    out = capsys.readouterr().out
    assert "leaving out pairs_15000, pairs_50000: the corpus has 72 pairs to train on\n" in out
    assert [(name, config.training_pairs, config.adversarial_epochs) for config, name in trained.calls] == [
        ("pairs_5000", 30, 0), ("all_pairs", None, 0)
    ]  # fmt: skip
    assert [row[0] for row in outcome.tables[0].rows] == ["30", "72"]
    assert outcome.results["pairs_5000"]["perplexity"]["teacher_forcing"]["mean"] == 9
    assert json.loads((setup.runs / "growth.json").read_text()) == outcome.results
    assert run_study("growth", of_corpus) == outcome  # what is stored is used again
    assert len(trained.calls) == 2


def test_the_cost_depends_on_the_number_of_pairs(setup, tmp_path, monkeypatch):
    asked, corpus = [], tmp_path / "corpus.txt"
    corpus.write_text("\n".join(f"Hello number {i}.\nHow are you?\nFine.\n" for i in range(40)))
    monkeypatch.setitem(study_trainings.VARIANTS, "pairs_5000", {"training_pairs": 30, "adversarial_epochs": 0})

    def estimate(config, vocabulary, training, validation, stages):
        asked.append((len(training), len(validation)))
        return Estimate({"line": 1.0}, 2e9, "is fast")

    monkeypatch.setattr(study_trainings, "estimate", estimate)
    cost(["pairs_5000", "all_pairs"], dataclasses.replace(setup, settings={}, source=Source(corpus)))
    assert asked == [(30, 8), (72, 8)]


@pytest.mark.parametrize(
    ("main", "name", "arguments", "message"),
    [
        (studies.main, "studies", ["training", "--seed", "1"], "--seed: a study takes several seeds; use --seeds"),
        (studies.main, "studies", ["training", "--seeds", "0", "1", "0"], "--seeds: 0 is given twice; give different"),
        (studies.main, "studies", ["topics", "--grid"], "--grid: the study topics has measurements of its own"),
        (studies.main, "studies", ["training", "--batch-size", "0"], "--batch-size: 0 is out of range"),
        (studies.main, "studies", ["training", "--data", "none.txt"], "none.txt: no such file or folder"),
        (mmi.main, "mmi", ["r", "--language-model", "u", "--backward", "b", "--weights", "1"],
         "--weights [1.0]: values of at least 0 and less than 1 are expected"),
    ],
)  # fmt: skip
def test_errors_are_one_line(said, main, name, arguments, message):
    assert message in said(main, name, *arguments)


def test_an_unknown_study(setup):
    with pytest.raises(UserError, match="'why' is not a study; choose from architecture, training"):
        run_study("why", setup)
