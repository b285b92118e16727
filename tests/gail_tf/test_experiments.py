"""The experiments of the second paper at toy sizes, one seed: what is trained, from what, and what is written."""

import json
import re

import pytest

from gail_tf import config, experiments
from gail_tf.run import GAILRun
from keras_gca import command_line

SMALL = [
    "--scale", "tiny", "--seeds", "3", "--max-trajectories", "60", "--updates", "2", "--rollouts", "8",
    "--mle-epochs", "1", "--pretraining-epochs", "1", "--response-tokens", "8", "--warmup-steps", "0",
    "--discriminator-steps", "1",
]  # fmt: skip


def run(capsys, *arguments):
    status = command_line.run(experiments.main, "experiments", list(map(str, arguments)))
    return status, *capsys.readouterr()


def trained(out):
    return re.findall(r"^== (.*), seed 3$", out, re.MULTILINE)


def test_table_2_and_an_ablation_share_what_they_have_in_common(tmp_path, capsys):
    status, out, err = run(capsys, "table2", *SMALL, "--runs", tmp_path)
    assert status == 0, err
    shared = ["pretrained", "mle", "rl seq2seq", "mle without sentiment", "textgail", "trpo", "gail"]
    assert trained(out) == shared
    for model in ("GPT-2 + MLE", "RL-Seq2Seq", "TextGAIL", "GAIL with TRPO", "EmpathyGAIL"):
        assert re.search(rf"^\| perplexity +\| {re.escape(model)} +\|", out, re.MULTILINE), model
    assert {"tables.md", "tables.tex", "table2.csv", "figure5.png", "figure6.png", "table3.md"} <= {
        file.name for file in (tmp_path / "table2").iterdir()
    }
    runs = {
        name: GAILRun.open(tmp_path / name / "seed_3") for name in experiments.VARIANTS if (tmp_path / name).exists()
    }
    assert len({runs[name].data().test for name in runs}) == 1
    starts = {name: each.source()["gpt2"] for name, each in runs.items()}
    assert starts["pretrained"] is starts["rl_seq2seq"] is None
    assert starts["mle"] == starts["mle_without_sentiment"] == str(tmp_path / "pretrained" / "seed_3" / "exported")
    assert starts["gail"] == starts["trpo"] == str(tmp_path / "mle" / "seed_3" / "exported")
    assert starts["textgail"] == str(tmp_path / "mle_without_sentiment" / "seed_3" / "exported")
    assert runs["gail"].config().mle_epochs == 0
    assert runs["mle"].config().updates == runs["rl_seq2seq"].config().discriminator_steps == 0  # whatever is given
    assert runs["gail"].config().updates == 2
    assert runs["textgail"].config().discriminator_encoder == "roberta"

    status, out, err = run(capsys, "sentiment", *SMALL, "--runs", tmp_path)
    assert status == 0, err
    assert trained(out) == ["no sentiment"]
    assert re.search(r"^mle without sentiment +\d", out, re.MULTILINE)
    assert re.search(r"^human ", out, re.MULTILINE)
    found = json.loads((tmp_path / "sentiment.json").read_text())
    assert list(found) == ["mle", "mle_without_sentiment", "gail", "no_sentiment", "human"]
    assert (tmp_path / "sentiment.md").read_text().startswith("does the sentiment of each turn help?\n\n| variant |")
    status, out, _ = run(capsys, "sentiment", *SMALL, "--runs", tmp_path)
    assert (status, trained(out)) == (0, [])


def test_every_variant_is_a_possible_training():
    for name, variant in experiments.VARIANTS.items():
        made = config.GAILConfig.preset("tiny", **variant.settings)
        assert variant.start is None or variant.start in experiments.VARIANTS
        assert name not in ("gail", "mle") or made.algorithm == name
    compared = {name for each in experiments.EXPERIMENTS.values() for name in each.variants}
    assert compared == set(experiments.VARIANTS) - {experiments.PRETRAINED}
    for scale in experiments.SCALES.values():
        settings = dict(scale)
        config.GAILConfig.preset(settings.pop("preset"), **settings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table2", "--seed", "1"], r"--seed: an experiment takes several, --seeds"),
        (["table2", "--scale", "paper"], r"--gpt2 belongs to --scale paper, which needs one"),
        (["table2", "--gpt2", "x"], r"--gpt2 belongs to --scale paper"),
    ],
)
def test_errors_are_one_line(capsys, arguments, message):
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert re.fullmatch(rf"experiments: {message}.*\n", err)
