"""The experiments of the second paper at toy sizes: what is trained, where it starts, and which files result."""

import json
import re
import shutil

import numpy as np
import pytest

from gail_tf import config
from gail_tf import experiments as command
from gail_tf.data.source import Source
from gail_tf.evaluation import experiments, variants
from glove.cost import TimeLimit
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.evaluation.decoding_grid import grid
from keras_gca.evaluation.provenance import Outcome, read_experiment, table_of
from keras_gca.evaluation.quality_diversity import Part, Speaker, compare
from keras_gca.evaluation.tables import Table


def run(capsys, *arguments):
    status = command_line.run(command.main, "experiments", list(map(str, arguments)))
    return status, *capsys.readouterr()


def trained(out, seed=3):
    return re.findall(rf"^== (.*), seed {seed}$", out, re.MULTILINE)


def test_a_scale_does_not_count_as_given(tmp_path):
    """A scale's warm-up may be shortened if the corpus is small. A warm-up that the user has given may not."""
    for settings, given in (({}, frozenset()), ({"warmup_steps": 7}, {"warmup_steps"})):
        setup = experiments.Setup(tmp_path, (0,), "small", settings, Source())
        made, _ = experiments._settings("pretrained", 0, setup)
        assert made.given == given


def test_the_results_of_all_experiments_are_one_file(tmp_path, monkeypatch, capsys):
    asked = []

    def outcome(name, setup, limit):
        asked.append((name, setup.encoder, setup.grid))
        return Outcome({"runs": [3]}, {"of": name}, [Table(None, f"About {name}.", ("", "x"), [("a", "1")])])

    monkeypatch.setattr(experiments, "run_experiment", outcome)
    arguments = ["all", "--scale", "tiny", "--grid", "--experiment", str(tmp_path / "e.json")]
    assert run(capsys, *arguments)[0] == 0
    assert asked == [(name, None, True) for name in experiments.EXPERIMENTS]
    values = read_experiment(tmp_path / "e.json")
    assert values["command"] == f"python -m gail_tf.experiments {' '.join(arguments)}"
    assert values["results"]["sentiment"] == {"of": "sentiment"}
    assert table_of(values, 1).to_markdown().startswith("About controls.")
    monkeypatch.setattr(experiments, "run_experiment", lambda name, setup, limit: None)  # interrupted
    assert run(capsys, "all", "--scale", "tiny")[0] == 130
    assert run(capsys, "all", "--scale", "tiny", "--experiment", str(tmp_path / "none" / "e.json"))[0] == 2


def test_the_last_policies_of_variants_are_compared_over_a_grid(tmp_path, monkeypatch, capsys):
    asked = []

    def measure_policies(by_system, how, limit):
        asked.append((by_system, how.encoder))
        part = Part(
            ["a b"] * 4, np.arange(4), lambda name, at: ["a b"] * 4, lambda texts, of: np.ones((4, 2)), str.split
        )
        return compare({system: [Speaker("imitation", 3, part, part)] for system in by_system}, grid((1.0,), (1.0,)))

    monkeypatch.setattr(experiments, "measure_policies", measure_policies)
    setup = experiments.Setup(tmp_path, (3,), "tiny", {}, Source(), "an encoder", True)
    before = Outcome({"runs": [3]}, {"metrics": 1}, [])
    runs = {"mle": ["run 1"], "no_sentiment": ["run 2"]}
    after = experiments._with_grid("sentiment", setup, runs, before, TimeLimit())
    assert asked == [({"mle": [("run 1", None)], "no sentiment": [("run 2", None)]}, "an encoder")]
    assert set(after.results) == {"metrics", "grid"}
    assert after.tables[0].caption.startswith("Best points on test conversations")
    assert (tmp_path / "sentiment_grid" / "quality_diversity.md").exists()


def test_the_wishes_of_trainings_with_profiles_are_measured_beside_the_other_metrics(tmp_path, monkeypatch, capsys):
    metrics = {"perplexity": 20.0, "BLEU": 1.0, "distinct-2": 0.2, "words": 9.0}
    measurements = {name: [metrics] for name in ("mle", "mle_with_profiles", "human")}
    shares = {"mle_with_profiles": [{"ask yes": {"without a wish": 0.25, "with the wish": 0.75, "human": 0.5}}]}
    monkeypatch.setattr(experiments.ablations, "measure", lambda runs, how, limit: measurements)
    monkeypatch.setattr(experiments.ablations, "histories", lambda runs: {})
    found = [shares, {}, None]
    monkeypatch.setattr(experiments.wishes, "measure", lambda runs, how, limit: found.pop(0))
    setup, how = experiments.Setup(tmp_path, (3,), "tiny", {}, Source()), experiments.Options()
    outcome = experiments._compare("profiles", setup, {}, how, TimeLimit())
    assert outcome.results["wishes"] == {"shares": shares, "tests": []}
    assert "ask yes" in capsys.readouterr().out
    written = (tmp_path / "profiles.md").read_text()
    row = r"^\| maximum likelihood, with profiles \| ask yes +\| +0.25 \| +0.75 \| +0.5 \|$"
    assert re.search(row, written, re.MULTILINE)
    outcome = experiments._compare("profiles", setup, {}, how, TimeLimit())
    assert set(outcome.results) == {"metrics", "tests"}
    assert experiments._compare("profiles", setup, {}, how, TimeLimit()) is None  # time has run out


@pytest.mark.thorough
def test_table_2_and_what_it_trains(small_experiments):
    folder, _, printed = small_experiments
    shared = ["pretrained", "mle", "rl seq2seq", "mle without sentiment", "textgail", "trpo", "gail"]
    assert trained(printed["table2"], 3) == trained(printed["table2"], 4) == shared
    textgail = "TextGAIL, D a RoBERTa with random weights"  # a row says what it is
    for model in ("maximum likelihood", "RL-Seq2Seq", textgail, "GAIL with TRPO", "EmpathyGAIL"):
        assert re.search(rf"^\| perplexity +\| {re.escape(model)} +\|", printed["table2"], re.MULTILINE), model
    assert {"tables.md", "tables.tex", "table2.csv", "figure5.png", "figure6.png", "table3.md", "curves.png"} <= {
        file.name for file in (folder / "table2").iterdir()
    }
    runs = {name: of_seeds[0] for name, of_seeds in experiments.finished(folder).items()}
    assert len({runs[name].data().test for name in runs}) == 1
    starts = {name: each.source()["model"] for name, each in runs.items()}
    assert starts["pretrained"] is starts["rl_seq2seq"] is None
    assert starts["mle"] == starts["mle_without_sentiment"] == str(folder / "pretrained" / "seed_3" / "exported")
    assert starts["gail"] == starts["trpo"] == str(folder / "mle" / "seed_3" / "exported")
    assert starts["textgail"] == str(folder / "mle_without_sentiment" / "seed_3" / "exported")
    assert runs["gail"].config().likelihood.mle_epochs == 0
    # The settings that define an algorithm hold, whatever settings are given.
    assert runs["mle"].config().rollout.updates == runs["rl_seq2seq"].config().judge.discriminator_steps == 0
    assert runs["gail"].config().rollout.updates == 2
    assert runs["textgail"].config().judge.discriminator_encoder == "roberta"


@pytest.mark.thorough
def test_an_ablation_goes_on_from_what_is_there(small_experiments, capsys):
    folder, arguments, printed = small_experiments
    assert trained(printed["sentiment"]) == ["no sentiment"]
    assert re.search(r"^maximum likelihood, without sentiment +\d", printed["sentiment"], re.MULTILINE)
    assert re.search(r"^human ", printed["sentiment"], re.MULTILINE)
    found = json.loads((folder / "sentiment.json").read_text())
    assert list(found) == ["mle", "mle_without_sentiment", "gail", "no_sentiment", "human"]
    assert (folder / "sentiment.md").read_text().startswith("Does the sentiment of each turn help?\n\n| variant ")
    for picture in ("sentiment.png", "sentiment_curves.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG")
    status, out, _ = run(capsys, "sentiment", *arguments)
    assert (status, trained(out)) == (0, [])
    assert out.endswith(f"wrote {folder}: sentiment.md, sentiment.json, sentiment.png, sentiment_curves.png\n")


@pytest.mark.thorough
def test_what_is_finished_and_what_is_lacking(small_experiments, tmp_path):
    found = experiments.finished(small_experiments.folder)
    assert list(found) == [
        "pretrained", "mle", "mle_without_sentiment", "rl_seq2seq", "textgail", "trpo", "gail", "no_sentiment"
    ]  # fmt: skip
    assert {tuple(each.path.name for each in runs) for runs in found.values()} == {("seed_3", "seed_4")}
    lacking = experiments.lacking(found)
    assert list(lacking) == [
        "controls", "imitation", "discriminator", "objective", "demonstrations", "trainable", "history", "profiles"
    ]  # fmt: skip
    assert lacking["trainable"] == ["lora", "head"]
    without = found | {"no_sentiment": found["no_sentiment"][1:]}
    compared = experiments.compared("sentiment", without)
    assert list(compared) == ["mle", "mle_without_sentiment", "gail", "no_sentiment"]
    assert {tuple(run.path.name for run in runs) for runs in compared.values()} == {("seed_4",)}
    rows = {row[0]: row[1:] for row in experiments.table_of_runs(found).rows}
    assert rows["mle"] == ("pretrained", "algorithm mle", "3, 4", "1", "0")
    assert rows["no sentiment"] == ("mle without sentiment", "sentiment off", "3, 4", "0", "2")
    unfinished = tmp_path / "mle" / "seed_3"
    shutil.copytree(found["mle"][0].path, unfinished)
    assert list(experiments.finished(tmp_path)) == ["mle"]
    (unfinished / "bot.h5").unlink()
    command = "python -m gail_tf.experiments all --runs /"
    with pytest.raises(UserError, match=rf"no finished training run of an experiment; train with {command}"):
        experiments.finished(tmp_path)


def test_every_variant_is_a_possible_training():
    for name, variant in experiments.VARIANTS.items():
        made = config.GAILConfig.preset("tiny", **variant.settings)
        assert variant.start is None or variant.start in experiments.VARIANTS
        assert name not in ("gail", "mle") or made.algorithm == name
    compared = {name for each in experiments.EXPERIMENTS.values() for name in each.variants}
    assert compared | set(variants.TABLE_2_PRETRAINED) == set(experiments.VARIANTS) - {experiments.PRETRAINED}
    for scale in variants.SCALES:
        for name in experiments.VARIANTS:
            settings = variants.settings_of(name, scale, {}, with_roberta=False)
            config.GAILConfig.preset(settings.pop("preset"), **settings)


def test_rollouts_are_not_filtered_except_where_the_filter_is_asked_for():
    drawn = {}
    for name in experiments.VARIANTS:
        made = variants.settings_of(name, "small", {}, with_roberta=False)
        drawn[name] = made["temperature"], made["top_p"]
    assert {name for name, of in drawn.items() if of != (1.0, 1.0)} == {"gail_filtered", "rl_seq2seq"}
    assert drawn["gail_filtered"] == (0.9, 0.9)
    assert variants.settings_of("gail", "small", {"top_p": 0.5}, False)["top_p"] == 0.5
    assert variants.settings_of("gail_filtered", "small", {"top_p": 0.5}, False)["top_p"] == 0.9


def test_the_pretrained_scale():
    """The LSTMs of RL-Seq2Seq have the settings of the small scale, and TextGAIL's D is also pretrained."""
    lstms, textgail, other = (
        variants.settings_of(name, "pretrained", {}, with_roberta)
        for name, with_roberta in (("rl_seq2seq", False), ("textgail", False), ("textgail", True))
    )
    assert (lstms["preset"], lstms["max_trajectories"], lstms.get("trainable")) == ("default", 3571, None)
    assert (textgail["discriminator_encoder"], other["discriminator_encoder"]) == ("adapters", "roberta")
    assert variants.variants_of("table2", "pretrained") == variants.TABLE_2_PRETRAINED
    assert variants.variants_of("table2", "small") == experiments.EXPERIMENTS["table2"].variants
    assert variants.variants_of("table2", "pretrained", ["mle", "gail"]) == ["mle", "gail"]
    settings = variants.settings_of("gail", "pretrained", {}, with_roberta=False)
    made = config.GAILConfig.preset(settings.pop("preset"), **settings)
    assert (made.rollout.updates, made.rollout.rollouts, made.judge.discriminator_steps) == (30, 64, 50)
    assert (made.likelihood.mle_epochs, made.model.trainable) == (2, "lora")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table2", "--seed", "1"], r"--seed: an experiment trains with several seeds; use --seeds"),
        (["sentiment", "--seeds", "1", "1"], r"--seeds: 1 is given twice; give different seeds"),
        (
            ["table2", "--scale", "paper"],
            r"--model is required with --scale paper, optional with --scale pretrained",
        ),
        (["all", "--variants", "mle"], r"--variants replaces the variants of a single experiment"),
        (["table2", "--gpt2", "x"], r"--model is required with --scale paper"),
    ],
)
def test_errors_are_one_line(capsys, arguments, message):
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert re.fullmatch(rf"experiments: {message}.*\n", err)
