"""Runs the commands that evaluate runs as a user does, on small runs."""

import csv
import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gail_tf
from gail_tf import evaluate, quality_diversity
from gail_tf.agent import GAILAgent
from gail_tf.data.samples import Samples
from gail_tf.evaluation import measure, metrics, results_file, tables
from gail_tf.evaluation.finer_parts import NEW
from gail_tf.evaluation.independent import above_shuffled
from gail_tf.evaluation.results_file import Options
from gail_tf.evaluation.sentence_encoder import SentenceEncoder
from gail_tf.evaluation.text_reader import TextReader
from gail_tf.imitation.maximum_likelihood import Perplexity
from gail_tf.training.run_folder import GAILRun
from keras_gca.engine import command_line
from keras_gca.errors import UserError
from keras_gca.evaluation.provenance import read_experiment, table_of
from tests.factories.encoders import write_encoder
from tests.places import PROJECT


def run(module, capsys, *arguments):
    """Run the command in this process. Return its status and what it printed."""
    name = module.__name__.rpartition(".")[-1]
    status = command_line.run(module.main, name, list(map(str, arguments)))
    return status, *capsys.readouterr()


@pytest.fixture(scope="module")
def folder(small_run, tmp_path_factory):
    """Make two small runs. `second` is a copy of `first` with another seed and another test part."""
    path = tmp_path_factory.mktemp("runs")
    for name in ("first", "second"):
        shutil.copytree(small_run[0], path / name)
    change_config(path / "second", seed=1)
    names = {"test": "validation", "validation": "test"}
    lines = [json.loads(line) for line in (path / "second" / "trajectories.jsonl").read_text().splitlines()]
    changed = [line | {"part": names.get(line["part"], line["part"])} for line in lines]
    (path / "second" / "trajectories.jsonl").write_text("".join(json.dumps(line) + "\n" for line in changed))
    (path / "vectors.txt").write_text("i 1 0\nyou 0.5 0.5\n. 0 1\n")
    return path


def change_config(path, **changes):
    file = Path(path) / "config.json"
    facts = json.loads(file.read_text())
    facts["source"] |= changes.pop("source", {})
    facts["config"] |= changes
    file.write_text(json.dumps(facts))


@pytest.fixture
def runs(folder, tmp_path, monkeypatch):
    """Copies of the two runs in the current folder, which a test may change."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return Path()


@pytest.fixture(scope="module")
def evaluated(folder):
    """The output and the files of the command for both policies of the first run."""
    command = [
        sys.executable,
        "-m",
        "gail_tf.evaluate",
        "first",
        "--policy",
        "all",
        "--beside-paper",
        "--max-responses",
        "6",
    ]
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return folder / "first", done.stdout


def stored(path):
    return json.loads((path / "evaluation.json").read_text(encoding="utf-8"))


@pytest.mark.thorough
def test_a_run_is_printed_and_written(evaluated):
    path, out = evaluated
    assert out.startswith("Table 2: Perplexity and BLEU on the test conversations, with 95 % intervals")
    for text in ("maximum likelihood", "EmpathyGAIL", "| 3+ turns |", "sacreBLEU (nrefs:1|case:mixed", '"BLEU error"'):
        assert text in re.sub(" +", " ", out)
    assert "36.61 ± 3.21" in out  # beside ours
    assert "wrote first/evaluation.json\nwrote first/evaluation: tables.md, tables.tex, tables.json, table3.md" in out
    assert out.endswith(f"next: {sys.executable} -m gail_tf.quality_diversity first\n")
    found = {file.name for file in (path / "evaluation").iterdir()}
    assert found == {
        "tables.md", "tables.tex", "tables.json", "table3.md", "table2.csv", "responses.csv", "figure5.png",
        "figure6.png", "curves.png",
    }  # fmt: skip
    assert all((path / "evaluation" / f"figure{n}.png").read_bytes().startswith(b"\x89PNG") for n in (5, 6))
    tables = json.loads((path / "evaluation" / "tables.json").read_text())
    assert set(tables["systems"]) == {"mle", "gail"}
    assert {test["figure"] for test in tables["tests"]} >= {"nats a word", "BLEU-4", "sentiment as the human's"}
    with (path / "evaluation" / "table2.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    (line,) = [x for x in lines if (x["figure"], x["system"], x["part"]) == ("perplexity", "gail", "all turns")]
    assert float(line["mean"]) == tables["systems"]["gail"][0]["figures"]["all turns"]["perplexity"]["value"]
    assert (path / "evaluation" / "tables.tex").read_text().count(r"\begin{table}") == 4
    (of_new,) = [x for x in lines if (x["figure"], x["system"], x["part"]) == ("perplexity", "gail", NEW)]
    assert float(of_new["mean"]) > 0
    assert f"| perplexity | {NEW} |" in re.sub(" +", " ", out)


@pytest.mark.thorough
def test_json_on_standard_output_has_the_results_of_the_tables(runs, evaluated, capsys):
    shutil.copytree(evaluated[0], "measured")
    arguments = "measured", "--policy", "all", "--beside-paper", "--max-responses", "6", "--json"
    status, out, err = run(evaluate, capsys, *arguments)
    assert status == 0, err
    document = json.loads(out)
    assert document["command"] == f"python -m gail_tf.evaluate {' '.join(arguments)}"
    assert document["results"] == json.loads(Path("measured/evaluation/tables.json").read_text())
    assert document["written"][:2] == ["measured/evaluation.json", "measured/evaluation/tables.md"]
    assert all(Path(file).exists() for file in document["written"])
    assert err.startswith("Table 2: Perplexity and BLEU")


@pytest.mark.thorough
def test_a_notebook_gets_the_metrics_of_one_run(evaluated):
    path, _ = evaluated
    written = json.loads((path / "evaluation" / "tables.json").read_text())
    # Metrics that have been measured already are read from the file.
    metrics_of = gail_tf.evaluate_run(path, Options(max_responses=6))
    assert set(metrics_of["policies"]) == {"maximum_likelihood", "imitation"}
    assert metrics_of["policies"]["imitation"] == written["systems"]["gail"][0]["figures"]
    assert metrics_of["policies"]["maximum_likelihood"] == written["systems"]["mle"][0]["figures"]
    [human] = written["human"].values()
    assert metrics_of["human"] == human
    assert set(gail_tf.evaluate_run(path, Options(max_responses=6), policy=None)["policies"]) == {"imitation"}
    with pytest.raises(
        UserError, match="--policy other: this bot has no such policy; it has maximum_likelihood and imitation"
    ):
        gail_tf.evaluate_run(path, Options(max_responses=6), policy="other")


@pytest.mark.thorough
def test_perplexity_is_the_policys_own_on_the_test_part(evaluated):
    path, _ = evaluated
    agent, config = GAILAgent.load(path), GAILRun.open(path).config()
    test = GAILRun.open(path).data().test
    spoken = [each for each in test if each.source != "tweets"]
    samples = Samples.encode(agent.tokenizer, spoken, config.data.condition_tokens, config.data.response_tokens, True)
    for name, found in stored(path)["policies"].items():
        expected = Perplexity(agent.policies[name])(samples.batch)
        assert found["figures"]["all turns"]["perplexity"][0] == pytest.approx(expected, rel=1e-5)
        assert len(found["likelihoods"]["nll"]) == len(test)
        assert len(found["responses"]) == len(found["rows"]) == 6


@pytest.mark.thorough
def test_what_was_measured_of_a_text(evaluated):
    """Tokens and words are counted in the text whose likelihood is measured. A response that was cut has no END."""
    path, _ = evaluated
    run, found = GAILRun.open(path), stored(path)["policies"]["imitation"]["likelihoods"]
    tokenizer, limit = run.tokenizer(), run.config().data.response_tokens
    assert any(found["cut"])
    for i, each in enumerate(run.data().test):
        ids = [*tokenizer.encode_all([each.response])[0], tokenizer.end]
        cut = len(ids) > limit
        text = tokenizer.decode(ids[:limit]) if cut else each.response
        assert found["tokens"][i] == min(len(ids), limit)
        assert found["cut"][i] == cut
        assert found["words"][i] == len(metrics.words(text)) + (not cut)


@pytest.mark.thorough
def test_responses_repeat_by_seed_and_do_not_depend_on_the_batch(runs, evaluated, capsys):
    path, _ = evaluated
    arguments = ["first", "--max-responses", "6", "--glove", "vectors.txt"]
    assert run(evaluate, capsys, *arguments, "--batch-size", "3")[0] == 0
    same = stored(Path("first"))["policies"]["imitation"]
    assert same["responses"] == stored(path)["policies"]["imitation"]["responses"]
    np.testing.assert_allclose(
        same["likelihoods"]["nll"], stored(path)["policies"]["imitation"]["likelihoods"]["nll"], 1e-4
    )
    assert list(stored(Path("first"))["policies"]) == ["imitation"]
    assert run(evaluate, capsys, *arguments, "--seed", "1")[0] == 0
    assert stored(Path("first"))["policies"]["imitation"]["responses"] != same["responses"]


@pytest.mark.thorough
def test_an_independent_encoder_measures_relevance(runs, tmp_path, capsys):
    encoder = write_encoder(tmp_path / "encoder")
    arguments = ["first", "--max-responses", "6", "--glove", "vectors.txt", "--encoder", str(encoder)]
    status, out, _ = run(evaluate, capsys, *arguments, "--experiment", "made.json")
    assert status == 0
    experiment = read_experiment(Path("made.json"))
    assert experiment["command"].startswith("python -m gail_tf.evaluate first --max-responses 6 ")
    assert experiment["seeds"] == {"responses": 0, "runs": [0]}
    assert table_of(experiment).to_markdown().splitlines()[0] in out
    assert "The features for MAUVE come from encoder, which was not used to train any system." in out
    found = stored(Path("first"))
    policy, options = (
        found["policies"]["imitation"],
        Options(max_responses=6, glove="vectors.txt", encoder=str(encoder)),
    )
    answered = [GAILRun.open("first").data().test[row] for row in policy["rows"]]
    vectors = SentenceEncoder.read(encoder)
    responses = vectors(policy["responses"])
    contexts = vectors([" ".join((*one.history, one.prompt)) for one in answered])
    numbers = np.array([one.conversation for one in answered])
    tweets = np.array([one.source == "tweets" for one in answered])
    assert 1 < tweets.sum() < len(answered) - 1
    for kind in (tweets, ~tweets):  # tweets are compared with tweets, and conversations with conversations
        expected = above_shuffled(responses[kind], contexts[kind], numbers[kind])
        np.testing.assert_allclose(np.array(policy["scores"]["relevance"])[kind], expected, atol=1e-5)
    assert "relevance" in found["human"]["all turns"]
    assert results_file.read(GAILRun.open("first"), options) is not None
    assert results_file.read(GAILRun.open("first"), Options(max_responses=6, glove="vectors.txt")) is None
    assert run(evaluate, capsys, "first", "--encoder", "first")[0] == 2  # a folder without an encoder


@pytest.mark.thorough
def test_results_of_before_encoders_are_read(runs, evaluated):
    path, _ = evaluated
    values = stored(path)
    del values["options"]["encoder"]
    (Path("first") / "evaluation.json").write_text(json.dumps(values))
    assert results_file.read(GAILRun.open("first"), Options(max_responses=6)) is not None


@pytest.mark.thorough
def test_an_evaluation_is_used_again_until_bot_or_options_change(runs, evaluated, capsys, monkeypatch):
    path, _ = evaluated
    shutil.copy(path / "evaluation.json", "first/evaluation.json")
    Path("first/evaluation.json").touch()
    loaded = []
    load = GAILAgent.load
    monkeypatch.setattr(GAILAgent, "load", lambda path: loaded.append(path) or load(path))
    tables = (path / "evaluation" / "tables.md").read_text()
    again = ["first", "--policy", "all", "--beside-paper", "--max-responses", "6"]
    status, out, _ = run(evaluate, capsys, *again)
    assert (status, loaded) == (0, [])
    assert out.startswith(tables)
    assert run(evaluate, capsys, "first", "--policy", "maximum_likelihood", "--max-responses", "6")[0] == 0
    assert loaded == []
    for change in ("--temperature", "0.5"), ("--temperature", "0.5"):
        assert run(evaluate, capsys, "first", "--max-responses", "2", "--glove", "vectors.txt", *change)[0] == 0
    assert len(loaded) == 1
    later = Path("first/evaluation.json").stat().st_mtime + 10
    os.utime("first/bot.h5", (later, later))
    options = Options(0.5, max_responses=2, glove="vectors.txt")
    assert results_file.read(GAILRun.open("first"), options) is None
    os.utime("first/bot.h5", (0, 0))
    assert results_file.read(GAILRun.open("first"), options) is not None
    assert results_file.options_of(GAILRun.open("first")) == options
    Path("first/evaluation.json").write_text("{")
    assert results_file.read(GAILRun.open("first"), options) is None
    assert results_file.options_of(GAILRun.open("first")) == Options()


@pytest.mark.thorough
def test_seeds_are_averaged_and_compared_where_test_parts_are_the_same(runs, capsys):
    arguments = ["first", "second", "--policy", "all", "--max-responses", "4", "--glove", "vectors.txt"]
    status, out, err = run(evaluate, capsys, *arguments, "--output", "out", "--examples", "2")
    assert status == 0, err
    assert "mean ± standard deviation over 2 seeds" in out
    tables = json.loads(Path("out/tables.json").read_text())
    with Path("out/table2.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert not any("paper" in line["figure"] for line in lines)
    (line,) = [x for x in lines if (x["figure"], x["system"], x["part"]) == ("perplexity", "mle", "all turns")]
    values = [each["figures"]["all turns"]["perplexity"]["value"] for each in tables["systems"]["mle"]]
    assert float(line["mean"]) == pytest.approx(np.mean(values))
    assert float(line["deviation"]) == pytest.approx(np.std(values, ddof=1))
    # Each seed divides the data in another way. Therefore only the policies of one run are compared with each other.
    seeds = [test["seed"] for test in tables["tests"] if test["figure"] == "BLEU-1"]
    assert seeds == [0, 1, None]  # then both seeds together
    third = Path("out/table3.md").read_text()
    assert third.count("Example ") == 2
    test = GAILRun.open("first").data().test
    for asked, said in re.findall(
        r"^\| prompt +\| (.*?) +\|$.*?^\| human +\| (.*?) +\|$", third, re.MULTILINE | re.DOTALL
    ):
        assert any((each.prompt, each.response) == (asked, said) for each in test if each.source != "tweets")


@pytest.mark.thorough
def test_quality_and_diversity_of_both_policies(runs, capsys):
    arguments = ["first", "--temperatures", "1.5", "0.2", "--top-ps", "1", "--max-responses", "4", "--output", "out"]
    status, out, err = run(quality_diversity, capsys, *arguments, "--experiment", "grid.json")
    assert status == 0, err
    assert "wrote out/quality_diversity.json, out/quality_diversity.md and out/quality_diversity.png" in out
    results = json.loads(Path("out/quality_diversity.json").read_text())
    assert set(results["best"]) == {"maximum likelihood", "EmpathyGAIL"}
    points = results["grid"]["EmpathyGAIL"]
    assert [point["temperature"] for point in points] == [0.2, 1.5]
    assert all(math.isfinite(point["perplexity"]["value"]) for point in points)
    assert [test["figure"] for test in results["tests"]] == ["nats a word"]
    experiment = read_experiment(Path("grid.json"))
    assert experiment["command"] == f"python -m gail_tf.quality_diversity {' '.join(arguments)} --experiment grid.json"
    assert table_of(experiment).to_markdown().startswith("Best points on test conversations")
    kept = {file: file.stat().st_mtime_ns for file in Path("first/grid").iterdir()}
    assert len(kept) == 2 * 2 + 2  # each point of each policy, and the best ones in the test part
    assert run(quality_diversity, capsys, *arguments)[0] == 0
    assert {file: file.stat().st_mtime_ns for file in Path("first/grid").iterdir()} == kept  # nothing is drawn again


@pytest.mark.thorough
def test_features_of_texts_do_not_depend_on_the_company(folder):
    agent = GAILAgent.load(folder / "first")
    reader = TextReader(agent.policies["maximum_likelihood"], agent.tokenizer, 8)
    texts = ["Oh no!", "", "I'm so happy for you, that is such good news after all this time.", "Oh no!"]
    found = reader(texts, 3)
    assert found.shape == (4, agent.bot.sizes.n_embd)
    np.testing.assert_allclose(found[0], found[3], atol=1e-5)
    np.testing.assert_allclose(reader(texts[2:3], 1)[0], found[2], atol=1e-5)
    assert abs(found[0] - found[2]).max() > 1e-2
    # The expected feature: GPT-2's last state after it has read END and the text.
    ids = [agent.tokenizer.end, *agent.tokenizer.encode_all(["Oh no!"])[0]]
    hidden = agent.policies["maximum_likelihood"].network.hidden(np.array([ids]), np.ones((1, len(ids)), bool))
    np.testing.assert_allclose(found[0], hidden.numpy()[0, -1], atol=1e-5)


@pytest.mark.thorough
def test_mauve_is_measured_where_texts_are_enough(runs, capsys, monkeypatch):
    monkeypatch.setattr(measure, "MAUVE_TEXTS", 3)
    assert run(evaluate, capsys, "first", "--max-responses", "6", "--glove", "vectors.txt")[0] == 0
    figures = stored(Path("first"))["policies"]["imitation"]["figures"]
    assert 0 < figures["all turns"]["MAUVE"][0] <= 1
    assert "MAUVE" not in figures["1 turn"]


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: there is no run here (checkpoint.h5 is missing)"),
        (
            ["first", "--policy", "best"],
            "--policy best: this bot has no such policy; it has maximum_likelihood and imitation",
        ),
        (["first", "--temperature", "-1"], "--temperature: -1.0; 0, or a number from 0.01 to 100, is expected"),
        (["first", "--top-p", "0"], "--top-p: 0.0; a number above 0 and at most 1 is expected"),
        (["first", "--glove", "none.txt"], "none.txt: no such file or folder"),
    ],
)
def test_bad_input_is_one_line(runs, capsys, arguments, message):
    status, out, err = run(evaluate, capsys, *arguments)
    assert (status, out, err) == (2, "", f"evaluate: {message}\n")


def cut_bot(folder):
    bot = folder / "second" / "bot.h5"
    bot.write_bytes(bot.read_bytes()[:-5000])


def spoil_line(folder):
    path = folder / "second" / "trajectories.jsonl"
    path.write_text(path.read_text() + "{\n")


def spoil_vectors(folder):
    with (folder / "vectors.txt").open("a") as stream:
        stream.write("never 0\n")


@pytest.mark.parametrize(
    ("spoil", "arguments", "message"),
    [
        (cut_bot, ["first", "second"], "second/bot.h5: the file is incomplete, or was not written by this program"),
        (spoil_line, ["first", "second"], r"second/trajectories.jsonl:\d+: the line is damaged"),
        (spoil_vectors, ["first"], "vectors.txt:4: 1 number after the word; 2 are expected"),
        (spoil_vectors, ["first", "second"], "vectors.txt:4: 1 number after the word; 2 are expected"),
        (
            lambda folder: (folder / "out").write_text(""),
            ["first", "--output", "out"],
            "out: this is a file; choose a folder with --output",
        ),
        (
            lambda folder: None,
            ["first", "--policy", "best"],
            "--policy best: this bot has no such policy; it has maximum_likelihood and",
        ),
    ],
)
def test_all_files_are_read_before_anything_is_computed(runs, capsys, monkeypatch, spoil, arguments, message):
    computed = []
    monkeypatch.setattr(measure, "Perplexity", lambda policy: computed.append(policy))
    spoil(runs)
    status, out, err = run(evaluate, capsys, *arguments, "--max-responses", "2", "--glove", "vectors.txt")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert re.match(f"evaluate: {message}", err)
    assert computed == []
    assert not list(runs.glob("*/evaluation.json"))


@pytest.mark.thorough
def test_a_word_of_the_responses_alone_does_not_end_an_evaluation(runs, capsys, monkeypatch):
    """The words of the policies are not known beforehand.

    If the line of such a word is bad, it is skipped and reported.
    """
    with (runs / "vectors.txt").open("a") as stream:
        stream.write("zyzzyva 0 nan\n")
    monkeypatch.setattr(measure, "respond_to", lambda policy, tokenizer, batch, rows, *_: ["zyzzyva"] * len(rows))
    status, out, _ = run(evaluate, capsys, "first", "--max-responses", "2", "--glove", "vectors.txt")
    assert status == 0
    assert "bad lines skipped: 1; 1 with infinity or NaN (first vectors.txt:4)\n" in out


def test_a_run_that_stopped_early_is_refused(runs, capsys):
    log = Path("first/log.csv").read_text().splitlines()
    Path("first/log.csv").write_text(log[0] + "\n")
    status, _, err = run(evaluate, capsys, "first")
    assert (status, err.count("\n")) == (2, 1)
    assert "first: the run stopped before the end of maximum likelihood training (0 of 1 epochs)" in err
    assert err.endswith("resume it with python -m gail_tf.train --resume first\n")
    Path("first/log.csv").unlink()
    assert run(evaluate, capsys, "first")[2] == err
    Path("second/bot.h5").unlink()
    status, _, err = run(evaluate, capsys, "second")
    assert (status, err.count("\n")) == (2, 1)
    assert "second/bot.h5: the bot has not been written yet" in err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 0}, "second: this run has the same algorithm and seed (0) as first;"),
        ({"epsilon": 0.3}, "second: --epsilon is 0.3, but in first it is 0.2; runs of one algorithm are averaged"),
        (
            {"source": {"data": ["x/other.csv"]}},
            "second: the --data of this run (other.csv) differs from the --data of first (conversations.csv); choose",
        ),
        (
            {"turns": "staggered"},
            "second: the --turns of this run (staggered) differs from the --turns of first (disjoint)",
        ),
    ],
)
def test_runs_that_cannot_stand_in_one_table(runs, capsys, changes, message):
    change_config("second", **changes)
    status, _, err = run(evaluate, capsys, "first", "second", "--max-responses", "2", "--glove", "vectors.txt")
    assert (status, err.count("\n")) == (2, 1)
    assert err.startswith(f"evaluate: {message}")


@pytest.mark.thorough
def test_an_unfinished_imitation_is_remarked(runs, capsys):
    change_config("first", updates=9)
    status, out, _ = run(evaluate, capsys, "first", "--max-responses", "2", "--glove", "vectors.txt")
    assert status == 0
    assert out.startswith("first: imitation stopped after 3 of 9 updates\n")


def test_the_papers_table_2_gives_its_conclusions():
    """Section 6: perplexity is 80 % and 42 % below that of GPT-2 + MLE and TextGAIL, and BLEU error 81 % and 44 %."""
    for figure, drops in (("perplexity", (80, 42)), ("BLEU", (81, 44))):
        means = {system: np.array(values)[:, 0].mean() for system, values in tables.PAPER[figure].items()}
        for system, drop in zip(("mle", "textgail"), drops, strict=True):
            assert 100 * (1 - means["gail"] / means[system]) == pytest.approx(drop, abs=0.6)


@pytest.mark.parametrize("module", ["evaluate", "experiments", "quality_diversity"])
def test_help_waits_for_no_tensorflow(module):
    code = (
        f"import sys, gail_tf.{module} as m\ntry: m.main(['--help'])\n"
        "except SystemExit: print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
    assert "usage" in done.stdout
