"""The study of settings of adversarial training: which cells it trains, and how they are measured and compared."""

import dataclasses
import json
import os
from types import SimpleNamespace

import numpy as np
import pytest

from glove.cost import TimeLimit
from keras_gca import studies
from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.data.source import Source
from keras_gca.errors import UserError
from keras_gca.evaluation import adversarial_cells, judges
from keras_gca.evaluation.adversarial_cells import DRAWS, FILE, as_diverse_as, measure, run_cells
from keras_gca.evaluation.adversarial_report import TEMPERATURES, best_cells, tables
from keras_gca.evaluation.provenance import read_experiment, run_all
from keras_gca.evaluation.study_trainings import Setup, first_of
from keras_gca.evaluation.variants import CELLS, TEACHER_FORCED
from keras_gca.evaluation.word_model import WordModel
from keras_gca.storage import json_files
from keras_gca.storage.config_file import write_settings
from keras_gca.storage.run_folder import CHECKPOINT
from keras_gca.training import pipeline
from keras_gca.training.after_line_3 import AFTER_LINE_3
from keras_gca.training.run_folder import GCARun

FIRST, SECOND = "author_greedy_linear_squared", "human_sampled_hidden_log"


def gain(value):
    return {"difference": value, "p_value": 0.5, "units": 4, "low": None, "high": None, "detectable": None}


def results_of(cell, seed, on_validation, on_test):
    terms = {f"{term}_{what}": 0.75 for term in ("context", "answer", "token") for what in ("gap", "auc")}
    part = {
        "log S": {"adversarial": on_test - 1, "teacher_forcing": -1.0, "human": -0.5},
        "first": 0.6,
        "distinct-2": {"adversarial": 0.3, "teacher_forcing": 0.31, "human": 0.5},
        "word perplexity": {"adversarial": 80.0, "teacher_forcing": 90.0, "human": 70.0},
    }
    return {
        "cell": cell,
        "judges": DRAWS,
        "seed": seed,
        "terms": {"discriminator": terms, "generator": terms | {"token_gap": 0.14}},
        "decoding": {"adversarial": 1.0, "teacher_forcing": 0.9, "edge": False},
        "validation": part | {"gain": gain(on_validation)},
        "test": part | {"gain": gain(on_test)},
    }


def test_the_cells_are_all_combinations():
    assert len(CELLS) == 3 * 2 * 2 * 2
    assert len({json.dumps(changes, sort_keys=True) for changes in CELLS.values()}) == len(CELLS)
    for changes in CELLS.values():
        assert set(changes) <= set(AFTER_LINE_3)
        Config.preset("default", **changes)
    assert CELLS["utterances_sampled_linear_log"] == {
        "self_conversation_turns": 2, "machine_contexts": "utterances", "machine_temperature": 1.0,
        "discriminator_hidden_size": None, "generator_tokens": "probabilities", "generator_loss": "log",
    }  # fmt: skip


@pytest.fixture
def trained(monkeypatch):
    """Replace training runs and measurements, and record them."""
    asked = SimpleNamespace(trained=[], measured=[], configs={}, ends=True)

    def session(path, config, what):
        path.mkdir(parents=True)
        for name in (CHECKPOINT, "bot.h5"):
            (path / name).touch()
        write_settings(path / "config.json", config, Source().names())
        asked.trained.append((path.parent.name, *what))
        asked.configs[path] = config
        return SimpleNamespace(finished=asked.ends)

    def start_from(first, changes, run, strategy, minutes):
        return session(run, asked.configs[first].changed(**changes), (first,))

    def measured(cell, run, setup, sampled):
        asked.measured.append(cell)
        place = list(CELLS).index(cell)
        values = results_of(cell, int(run.name[-1]), place / 100, -place / 100)
        (run / FILE).write_text(json.dumps(values))
        return values

    monkeypatch.setattr(
        pipeline, "train_agent", lambda config, source, run, strategy, minutes: session(run, config, ())
    )
    monkeypatch.setattr(pipeline, "start_from", start_from)
    monkeypatch.setattr(adversarial_cells, "_measured", measured)
    monkeypatch.setattr(GCARun, "is_finished", lambda run: asked.ends)
    return asked


@pytest.fixture
def setup(tmp_path):
    return Setup(tmp_path / "runs", (3,), "tiny", {"machine_pairs": 40, "label_smoothing": 0.1}, Source())


def test_every_cell_starts_from_one_generator_and_is_stored(setup, trained, capsys):
    outcome = run_cells(list(CELLS), setup)
    base = setup.folder(TEACHER_FORCED, 3)
    assert trained.trained == [(TEACHER_FORCED,), *((cell, base) for cell in CELLS)]
    assert trained.measured == list(CELLS)
    config = trained.configs[base]
    assert (config.context_utterances, config.adversarial_epochs) == (2, 0)
    config = trained.configs[setup.folder("utterances_sampled_hidden_log", 3)]
    assert (config.context_utterances, config.adversarial_epochs, config.label_smoothing) == (2, 1, 0.1)
    assert (config.machine_contexts, config.generator_tokens) == ("utterances", "straight_through")
    names = list(CELLS)[::-1]  # the later ones have higher gains on validation conversations
    assert outcome.results["best"] == names
    assert capsys.readouterr().out.endswith(f"--cells {' '.join(names[:4])} --seeds 4 5 6 7 8 9 10 11\n")
    assert outcome.tables[0].rows[0][:4] == names[0].split("_")
    stored = json.loads((setup.runs / "adversarial.json").read_text())
    assert [one["cell"] for one in stored["cells"]] == list(CELLS)
    assert (
        (setup.runs / "adversarial.md")
        .read_text()
        .startswith("Each cell starts from the same teacher-forced generator")
    )
    # what is stored is used again, unless it was measured with another number of judges
    trained.measured.clear()
    assert run_cells(list(CELLS), setup).results == outcome.results
    assert (len(trained.trained), trained.measured) == (25, [])
    os.utime(setup.folder(FIRST, 3) / FILE, (1, 1))
    run_cells([FIRST], setup)
    assert trained.measured == [FIRST]
    file = setup.folder(SECOND, 3) / FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | {"judges": DRAWS - 1}))
    run_cells([FIRST, SECOND], setup)
    assert trained.measured == [FIRST, SECOND]


def test_other_settings_start_from_the_same_generators(setup, trained, tmp_path):
    run_cells([FIRST], setup)
    settings = {"adversarial_epochs": 3, "replay": 0.5}
    other = Setup(tmp_path / "other", (3,), "tiny", settings, Source(), teacher_forced=setup.runs)
    run_cells([FIRST], other)
    assert trained.trained[-1] == (FIRST, setup.folder(TEACHER_FORCED, 3))
    config = trained.configs[other.folder(FIRST, 3)]
    assert (config.adversarial_epochs, config.replay) == (3, 0.5)
    same = Setup(setup.runs, (3,), "tiny", {"label_smoothing": 0.2}, Source())
    with pytest.raises(UserError, match=r"seed_3: this run was trained with --label-smoothing 0\.1, not 0\.2"):
        run_cells([FIRST], same)
    without = dataclasses.replace(other, settings={"adversarial_epochs": 3})
    with pytest.raises(UserError, match=r"seed_3: this run was trained with --replay 0\.5, not 0\.0"):
        run_cells([FIRST], without)
    with pytest.raises(UserError, match=r"teacher_forced/seed_3: .* --teacher-forcing-epochs 2, not 9"):
        run_cells([SECOND], dataclasses.replace(other, settings={**settings, "teacher_forcing_epochs": 9}))


def test_a_stopped_training_stops_the_study(setup, trained, capsys):
    trained.ends = False
    assert run_cells([FIRST], setup) is None
    assert capsys.readouterr().out.endswith(f"next: the same command continues with {setup.folder(FIRST, 3)}\n")
    assert trained.measured == []


@pytest.mark.parametrize("cause", ["limit", "training", "end of training", "measurement"])
def test_the_finished_cells_of_a_stopped_study_are_reported(setup, trained, monkeypatch, capsys, tmp_path, cause):
    cells, now, measured = list(CELLS)[:4], 0.0, adversarial_cells._measured

    def stopped_at_the_third(cell, run, setup, sampled):
        nonlocal now
        if cause == "measurement" and cell == cells[2]:
            raise KeyboardInterrupt
        now += 60
        if cell == cells[1]:
            trained.ends = cause not in ("training", "end of training")
        return measured(cell, run, setup, sampled)

    monkeypatch.setattr(adversarial_cells, "_measured", stopped_at_the_third)

    def resume(run, strategy, minutes):
        if cause == "end of training" and not trained.ends:
            raise KeyboardInterrupt  # while the bot is written, the training loop does not handle Ctrl-C
        return SimpleNamespace(finished=trained.ends)

    monkeypatch.setattr(pipeline, "resume", resume)
    limit = TimeLimit(2 if cause == "limit" else None, lambda: now)
    file = tmp_path / "e.json"
    assert run_all(["adversarial"], lambda name: run_cells(cells, setup, limit=limit), file, "the command") == 130
    out = capsys.readouterr().out
    assert f"next: the same command continues with {setup.folder(cells[2], 3)}\n" in out
    assert "other seeds" not in out
    values = read_experiment(file)
    assert [one["cell"] for one in values["results"]["adversarial"]["cells"]] == cells[:2]
    assert values["results"]["adversarial"]["left"] == 2
    assert values["tables"][0]["caption"].startswith("Unfinished: 2 of 4 results. Each cell starts from")
    assert json.loads((setup.runs / "adversarial.json").read_text()) == values["results"]["adversarial"]
    # the same command finishes the study
    monkeypatch.setattr(adversarial_cells, "_measured", measured)
    trained.ends = True
    assert run_all(["adversarial"], lambda name: run_cells(cells, setup), file, "the command") == 0
    values = read_experiment(file)
    assert len(values["tables"][0]["rows"]) == 4
    assert (values["results"]["adversarial"]["left"], "Unfinished" in values["tables"][0]["caption"]) == (0, False)


def test_finished_cells_that_come_after_the_one_that_is_lacking_are_reported(setup, trained, monkeypatch):
    run_cells([SECOND], setup)
    monkeypatch.setattr(pipeline, "resume", lambda run, strategy, minutes: SimpleNamespace(finished=False))
    trained.ends = False
    assert [row[:4] for row in run_cells([FIRST, SECOND], setup).tables[0].rows] == [SECOND.split("_")]


def test_a_file_without_results(setup, trained):
    run_cells([FIRST], setup)
    (setup.folder(FIRST, 3) / FILE).write_text("{}")
    with pytest.raises(UserError, match=r"cell.json: the file does not contain the results of a cell; delete it"):
        run_cells([FIRST], setup)


def test_cells_start_from_the_variant_without_iterations():
    assert [first_of(variant) for variant in (FIRST, "default", "reinforce", "canonical")] == [
        TEACHER_FORCED, None, "default", None
    ]  # fmt: skip


def test_tables_of_several_seeds_by_hand():
    results = [results_of(FIRST, seed, 0.1, 0.01 * seed) for seed in (1, 2, 3)]
    results += [results_of(SECOND, seed, 0.2, 0.02) for seed in (1, 2, 3)]
    assert best_cells(results) == [SECOND, FIRST]
    cells, tests = tables(results)
    assert [row[:4] for row in cells.rows] == [SECOND.split("_"), FIRST.split("_")]
    values = dict(zip(cells.header, cells.rows[1], strict=True))
    assert values["gain, validation"] == "+0.1000 ± +0.0000"
    assert values["gain, test"] == "+0.0200 ± +0.0100"
    assert (values["AUC, context"], values["gap, p"]) == ("0.750 ± 0.000", "+0.140 ± +0.000")
    first, _ = tests.rows
    assert first[0] == "author greedy linear squared minus teacher forcing"
    assert (first[3].split(" ")[0], first[4], first[-1]) == ("+0.02", "0.2500", "3 seeds")
    assert tables(results[:1])[1].rows[0][2] == "1"  # by conversations of one seed


def test_the_temperature_of_equal_diversity():
    def sample(temperature):  # the share of new words grows with the temperature
        return [[f"w{i % max(1, round(40 * temperature - 10))}", "x"] for i in range(60)]

    for temperature in (0.7, 1.0):
        assert as_diverse_as(sample(temperature), sample) == temperature
    assert as_diverse_as([["a", "a"]] * 60, sample) == TEMPERATURES[0]


def test_the_gain_is_that_of_log_s_by_the_judges(agent, monkeypatch):
    """A judge gives l = 0.5 to every token of the adversarial replies from which it learned, 0.25 to all others.

    The first draw of adversarial replies differs from the others, which are equal.
    """
    words = [4, 5, 6, 7, 8, 9, 10, 11]
    replies = {"adversarial": [[a, b] for a in words for b in words][:20], "teacher_forcing": [[4, 5]] * 20}
    contexts = pad_contexts([[4], [5]] * 10, 8)
    pairs = Pairs(contexts, frame_answers([[4, 6]] * 20, 8), np.arange(20, dtype=np.int32) // 2)
    asked = []

    def answers_to(agent, system, contexts, decoding, seed):
        asked.append((system, decoding.temperature, seed))
        other = round(10 * decoding.temperature) % 10
        of = replies[system] if other == 0 else [[4, 5 + i % (other + 1)] for i in range(20)]
        if system == "adversarial" and seed % DRAWS:
            of = [row[::-1] for row in of]
        return frame_answers(of[: len(contexts)], 8)

    class Judge:
        def __init__(self, agent, pairs, answers, seed):
            assert set(answers) == {"adversarial", "teacher_forcing"}
            self.adversarial = answers["adversarial"]

        def judge(self, contexts, answers):
            l = 0.5 if np.array_equal(answers, self.adversarial) else 0.25  # noqa: E741
            return np.where(answers[:, 1:] != 0, np.log(l), np.nan)

    monkeypatch.setattr(adversarial_cells, "answers_to", answers_to)
    monkeypatch.setattr(judges, "CrossFitted", Judge)
    model, sampled = WordModel([["hello", "there"], ["i", "'m", "fine"]]), {}
    found = measure(agent, (pairs, pairs), model, sampled)
    draws = [agent.config.seed * DRAWS + number for number in range(DRAWS)]
    chosen = found["decoding"]["teacher_forcing"]
    assert [each for each in asked if each[0] == "adversarial"] == [
        ("adversarial", 1.0, draw) for _ in range(2) for draw in draws
    ]
    assert (
        [each[1:] for each in asked if each[0] == "teacher_forcing"]
        == [
            *((temperature, draws[0]) for temperature in TEMPERATURES),  # on validation pairs
            *((chosen, draw) for draw in draws[1:]),
            *((chosen, draw) for draw in draws),  # on test pairs
        ]
    )
    assert found["judges"] == DRAWS
    others = DRAWS - 1
    for part in ("validation", "test"):
        assert found[part]["gain"]["difference"] == pytest.approx(np.log(2) * (1 + others**2) / DRAWS**2)
        assert found[part]["gains of judges"] == pytest.approx(
            [np.log(2) / DRAWS, *[np.log(2) * others / DRAWS] * others]
        )
        assert found[part]["gain"]["units"] == 10
        assert found[part]["first"] == 1
        assert found[part]["log S"]["human"] == pytest.approx(np.log(0.25))
        shares = np.array([1, *[others] * others]) / DRAWS  # of the judges that learned from these replies
        expected = shares * np.log(0.5) + (1 - shares) * np.log(0.25)
        np.testing.assert_allclose(found[part]["log S of draws"]["adversarial"], expected)
        assert found[part]["log S"]["adversarial"] == pytest.approx(expected.mean())
    json_files.plain(found)
    count = len(asked)
    measure(agent, (pairs, pairs), model, sampled)
    assert len(asked) == count + 2 * DRAWS  # only the adversarial replies are drawn anew


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["training", "--cells", FIRST], "--cells, --teacher-forced: only the study adversarial has these options"),
        (["training", "--ratings", "r.jsonl"], "--ratings: only the study adversarial has this option"),
        (["adversarial", "--ratings", "r.jsonl"], "r.jsonl: no such file or folder"),
        (["adversarial", "--grid"], "--grid: the study adversarial compares its generators at equal diversity"),
    ],
)
def test_errors_are_one_line(said, arguments, message):
    assert message in said(studies.main, "studies", *arguments)


def test_a_study_of_nothing_learned(setup):
    nothing = Setup(setup.runs, (3,), "tiny", {"discriminator_epochs": 0}, Source())
    with pytest.raises(UserError, match=r"--discriminator-epochs, --generator-epochs: each must be at least 1"):
        run_cells([FIRST], nothing)


@pytest.mark.slow
def test_a_cell_from_the_training_to_its_table(tmp_path, capsys):
    cell, runs = "utterances_sampled_hidden_log", tmp_path / "runs"
    arguments = (
        f"adversarial --preset tiny --max-pairs 150 --vocabulary-size 150 --seeds 0 --cells {cell} --runs {runs} "
    )
    arguments += "--teacher-forcing-epochs 1 --adversarial-epochs 2 --discriminator-epochs 1 --machine-pairs 40 "
    arguments += "--replay 0.5 --label-smoothing 0.1 --instance-noise 0.1 --spectral-normalisation on"
    assert studies.main(arguments.split()) == 0
    run = runs / cell / "seed_0"
    values = json.loads((run / FILE).read_text())
    assert values["settings"]["replay"] == 0.5
    for phase in ("discriminator", "generator"):
        assert all(0 <= values["terms"][phase][f"{term}_auc"] <= 1 for term in ("context", "answer", "token"))
    for part in ("validation", "test"):
        assert np.isfinite(values[part]["gain"]["difference"])
        assert all(0 < value <= 1 for value in values[part]["distinct-2"].values())
    matrices = [array for array in Agent.load(run).discriminator[1:] if array.ndim == 2]
    assert max(np.linalg.svd(matrix, compute_uv=False)[0] for matrix in matrices) < 1.02
    capsys.readouterr()
    assert studies.main(arguments.split()) == 0
    assert "held-out perplexity" not in capsys.readouterr().out  # everything is stored
    assert json.loads((runs / "adversarial.json").read_text())["best"] == [cell]
