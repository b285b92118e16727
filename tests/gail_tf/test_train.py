"""Runs the training command as a user does; in a new process if the test is about the process itself."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import safetensors.numpy

from gail_tf import train
from gail_tf.agent import GAILAgent, Replying
from gail_tf.config import GAILConfig
from gail_tf.data.roberta_tokenizer import RobertaTokenizer
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.imitation import failures
from gail_tf.imitation.gail import GAILTraining
from gail_tf.imitation.phases import IMITATION, schedule
from gail_tf.models import hugging_face
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.roberta import Roberta
from gail_tf.models.roberta_config import RobertaConfig
from gail_tf.training.run_folder import GAILRun
from gail_tf.training.session import GAILSession
from keras_gca.engine import command_line
from keras_gca.storage.arrays import read_arrays, write_arrays
from keras_gca.storage.run_folder import lock
from tests.factories.commands import LONGER
from tests.factories.commands import SMALL_GAIL as SMALL
from tests.factories.gail import randomise
from tests.places import PROJECT


def run(capsys, *arguments):
    """Run the command in this process. Return its status and what it printed."""
    status = command_line.run(train.main, "train", list(map(str, arguments)))
    return status, *capsys.readouterr()


def start(*arguments, folder):
    environment = os.environ | {"PYTHONPATH": str(PROJECT), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "gail_tf.train", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)


def test_a_whole_run_prints_what_a_newcomer_needs(small_run):
    path, out = small_run
    for phase, count in (("maximum likelihood", 1), ("discriminator", 1), ("imitation", 3)):
        assert len(re.findall(rf"^{phase} +\d/{count}  ", out, re.MULTILINE)) == count
    assert re.search(r"after maximum likelihood +\d+\.\d\d\n  after imitation +\d+\.\d\d\n", out)
    assert re.search(r"first update +\d+\.\d{3} \(\d+\.\d{3}\)\n  last update", out)
    assert len(re.findall(r"^   \* (maximum likelihood|imitation) ", out, re.MULTILINE)) == 6
    assert len(re.findall(r"^     expert ", out, re.MULTILINE)) == 6
    assert f"python -m gail_tf.chat {path}" in out
    assert "bot.h5 is the bot to chat with; log.csv, curves.png, samples and tensorboard show how it learned\n" in out


def test_the_last_lines_name_only_what_the_run_contains(tmp_path, capsys):
    ended = SimpleNamespace(run=SimpleNamespace(path=tmp_path))
    GAILSession.conclude(ended)
    assert f"wrote {tmp_path}: bot.h5 is the bot to chat with\n" in capsys.readouterr().out
    (tmp_path / "log.csv").touch()
    (tmp_path / "tensorboard").mkdir()
    GAILSession.conclude(ended)
    assert "chat with; log.csv and tensorboard show how it learned\n" in capsys.readouterr().out


@pytest.mark.thorough
def test_a_whole_run_leaves_a_whole_folder(small_run):
    path, _ = small_run
    assert {file.name for file in path.iterdir()} == {
        "config.json",
        "trajectories.jsonl",
        "tokenizer",
        "model.json",
        ".lock",
        "checkpoint.h5",
        "log.csv",
        "tensorboard",
        "curves.png",
        "samples",
        "bot.h5",
    }
    rows = list(csv.DictReader((path / "log.csv").open()))
    assert [row["phase"] for row in rows] == [stage.phase for stage in schedule(GAILRun.open(path).config(), False)]
    # After maximum likelihood, after update 2 and after the last update.
    assert len(list((path / "samples").iterdir())) == 3
    agent = GAILAgent.load(path)
    assert agent.generators == ("maximum_likelihood", "imitation")
    assert agent.answers(["I lost my job today."])[0].text is not None


def test_metrics_md_names_every_column(small_run):
    """docs/metrics.md explains each metric of the log, and no others."""
    path, _ = small_run
    with (path / "log.csv").open() as stream:
        columns = set(next(csv.reader(stream)))
    columns |= {"perplexity", "explained_variance"}  # columns of pretraining, and of --value-baseline on
    columns |= {"improvement", "step_fraction"}  # columns of --algorithm trpo
    columns |= {"reference_kl_coefficient", "td_error"}  # of --reference-kl-coefficient, and of --algorithm iqlearn
    page = (PROJECT / "docs" / "metrics.md").read_text(encoding="utf-8")
    explained = set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE))
    assert explained == columns


@pytest.mark.thorough
def test_the_default_preset_trains_on_a_dozen_short_conversations(tmp_path, capsys):
    """The network is of toy size.

    The warm-up of 50 steps is longer than each phase; it is refused only if the user gives it.
    """
    corpus = tmp_path / "dozen.txt"
    corpus.write_text("".join(f"How are you, {name}? __eou__ I am {name} . __eou__\n" for name in "abcdefghijkl"))
    sizes = ["--n-layer", "1", "--n-head", "1", "--n-embd", "8", "--rollouts", "16", "--discriminator-steps", "1"]
    short = ["--pretraining-epochs", "1", "--mle-epochs", "3", "--updates", "2", "--general", corpus]
    arguments = ["--data", corpus, *sizes, *short, "--run", tmp_path / "run"]
    status, _, err = run(capsys, *arguments, "--warmup-steps", "50")
    assert status == 2
    assert re.fullmatch(r"train: --warmup-steps: 50 is too many for a phase of \d+ steps; .*\n", err)
    status, out, err = run(capsys, *arguments)
    assert status == 0, err
    (line,) = (line for line in out.splitlines() if line.startswith("warm-up: 50 steps, but fewer in"))
    assert re.search(
        r"fewer in short phases: 0 of 1 in pretraining, 1 of 3 in maximum likelihood, 1 of 4 in imitation$", line
    )
    assert GAILRun.open(tmp_path / "run").config().optimizer.warmup_steps == 50


@pytest.mark.thorough
def test_a_failure_stops_the_run_where_that_is_asked_for_and_only_once(tmp_path, capsys, monkeypatch):
    failure = failures.Failure("kl_runs_away", "the policy runs away")
    monkeypatch.setattr(failures, "watch", lambda history: [failure] if history[-1]["number"] == 2 else [])
    path = tmp_path / "run"
    status, out, _ = run(capsys, *SMALL, "--on-failure", "stop", "--run", path)
    assert status == 130
    assert "warning: the policy runs away; remedies: --kl-penalty" in out
    assert f"next: python -m gail_tf.train --resume {path}" in out
    assert [row["number"] for row in GAILRun.open(path).read_log() if row["phase"] == IMITATION] == [1, 2]
    monkeypatch.setattr(failures, "watch", lambda history: [failure])
    status, out, _ = run(capsys, "--resume", path)
    assert status == 0
    assert len(GAILRun.open(path).read_log()) == len(schedule(GAILRun.open(path).config(), False))


@pytest.mark.thorough
def test_a_real_gpt2_trains_from_its_folder(tmp_path, capsys):
    """The folder has random weights in Hugging Face's format. Control tokens are added to its vocabulary."""
    plain = Tokenizer.fit(["Hello there, how are you?", "I am fine."], 300)
    plain.save(tmp_path / "gpt2")
    config = GPT2Config(len(plain), n_positions=40, n_embd=16, n_layer=2, n_head=2, eos_token_id=plain.end)
    hugging_face.write_network(tmp_path / "gpt2", randomise(GPT2(config)))
    place = SMALL.index("--pretraining-epochs")
    small = SMALL[:place] + SMALL[place + 2 :]
    small += ["--updates", "1", "--model", tmp_path / "gpt2"]
    status, out, err = run(capsys, *small, "--run", tmp_path / "run")
    assert status == 0, err
    assert f"GPT-2 from {tmp_path / 'gpt2'}: 2 blocks" in out
    assert "pretraining" not in out
    agent = GAILAgent.load(tmp_path / "run")
    assert agent.bot.sizes.vocab_size == len(plain) + 3
    # The frozen GPT-2 under the head is still the folder's.
    read = hugging_face.read_network(tmp_path / "gpt2").weights
    for name, variable in agent.policies["imitation"].network.weights.items():
        own = read[name].numpy()
        np.testing.assert_array_equal(variable.numpy()[: len(own)], own, err_msg=name)

    for arguments, message in (
        (
            ["--n-layer", "3"],
            r"--n-layer: valid only for a GPT-2 from scratch, but --model names a pretrained network",
        ),
        (["--general", "x.txt"], r"--general is text for pretraining a model, but --model is already pretrained"),
        (["--condition-tokens", "33"], r"this GPT-2 has 40 positions; --condition-tokens .* need 41"),
    ):
        status, _, err = run(capsys, *small, *arguments, "--run", tmp_path / "other")
        assert status == 2
        assert re.fullmatch(rf"train: .*{message}.*\n", err)
    assert not (tmp_path / "other").exists()


@pytest.mark.thorough
def test_textgail_trains_with_a_roberta_from_its_folder_resumes_and_chats(tmp_path, capsys):
    """The folder has no head for scores, as roberta-base has none. After the training, run and bot do not need it."""
    folder = tmp_path / "roberta"
    plain = RobertaTokenizer.fit(["Hello there, how are you?", "I am fine."], 300)
    plain.save(folder)
    sizes = RobertaConfig(len(plain), 16, 1, 2, 32, 40)
    weights = {f"roberta.{name}": v.numpy() for name, v in Roberta(sizes).weights.items() if name.startswith("e")}
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(sizes.to_hugging_face()))
    small = [each for each in SMALL if each not in ("--trainable", "head")]
    small += ["--algorithm", "textgail", "--trainable", "head", "--roberta", folder, "--dropout", "0.1"]
    status, out, err = run(capsys, *small, "--run", tmp_path / "run")
    assert status == 0, err
    parts = "pooler.dense.weight, pooler.dense.bias, classifier.weight, classifier.bias"
    assert f"RoBERTa from {folder} (with new weights for {parts}): 1 block; " in out
    shutil.rmtree(folder)
    agent = GAILAgent.load(tmp_path / "run")
    answers = agent.answers(["I lost my job today."], decoding=Replying(candidates=2))
    assert sum(answer.score for answer in answers) == pytest.approx(1)  # one answer is chosen among all four
    assert len(answers) == 4
    run_folder = GAILRun.open(tmp_path / "run")
    facts, arrays = run_folder.read_checkpoint()
    facts["position"] -= 1  # the last update is repeated
    run_folder.write_checkpoint(facts, arrays)
    status, out, err = run(capsys, "--resume", tmp_path / "run")
    assert status == 0, err
    status, _, err = run(capsys, *SMALL, "--roberta", folder, "--run", tmp_path / "other")
    assert (status, err) == (
        2, "train: --roberta: D has another encoder; use --discriminator-encoder roberta\n"
    )  # fmt: skip


@pytest.mark.thorough
def test_rl_seq2seq_trains_resumes_and_chats(tmp_path, capsys):
    """RL-Seq2Seq has two LSTMs in place of GPT-2, and a reward for the prompt's emotion in place of a discriminator."""
    small = ["--preset", "tiny", "--algorithm", "rl_seq2seq", "--updates", "3", "--mle-epochs", "1"]
    status, out, err = run(capsys, *small, "--run", tmp_path / "run")
    assert status == 0, err
    assert re.search(
        r"^emotion classifier: \d+ emotions; correct for \d+\.\d% of the held-out prompts$", out, re.MULTILINE
    )
    assert re.search(r"after pretraining .*\n  after maximum likelihood .*\n  after imitation ", out)
    assert "reward from the emotion classifier" in out
    assert "discriminator" not in out
    run_folder = GAILRun.open(tmp_path / "run")
    assert run_folder.model() == (None, None)
    agent = GAILAgent.load(tmp_path / "run")
    emotions = run_folder.emotions()
    texts = ["I lost my job today.", "What a day! :)"]
    np.testing.assert_array_equal(agent.emotions.probabilities(texts), emotions.probabilities(texts))
    tokenizer = run_folder.tokenizer()
    assert {tokenizer.special(f"<|emotion:{label}|>") for label in emotions.labels} <= set(range(len(tokenizer)))
    best, *_ = answers = agent.answers(texts, decoding=Replying(candidates=3))
    assert len(answers) == 6
    agreement = emotions.probabilities([best.text])[0, emotions.probabilities(texts)[1].argmax()]
    assert best.score == pytest.approx(agreement, rel=1e-4)
    assert best.score == max(answer.score for answer in answers)

    expected = read_arrays(tmp_path / "run" / "checkpoint.h5")
    assert not any(name.startswith("discriminator") for name in expected[1])
    status, _, err = run(capsys, *small, "--run", tmp_path / "other", "--checkpoint-minutes", "0")
    assert status == 0, err
    again = read_arrays(tmp_path / "other" / "checkpoint.h5")
    assert again[1].keys() == expected[1].keys()
    for name, array in expected[1].items():
        np.testing.assert_array_equal(again[1][name], array, err_msg=name)
    status, out, err = run(capsys, "--resume", tmp_path / "run")
    assert status == 0, err
    (tmp_path / "run" / "emotions.h5").unlink()
    status, _, err = run(capsys, "--resume", tmp_path / "run")
    assert status == 2
    assert re.fullmatch(r"train: .*emotions.h5: no such file\n", err)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--algorithm", "rl_seq2seq", "--model", "x"],
            r"--model: --algorithm rl_seq2seq trains two LSTMs and no other network",
        ),
        (["--algorithm", "rl_seq2seq", "--trainable", "head"], r"--trainable: head needs a GPT-2"),
        (["--algorithm", "rl_seq2seq", "--discriminator-passes", "1"], r"--algorithm rl_seq2seq has no discriminator"),
        (["--algorithm", "rl_seq2seq", "--glove", "none.txt"], r"none.txt: "),
        (["--glove", "file"], r"--glove: only --algorithm rl_seq2seq uses word vectors"),
        (
            ["--preset", "paper", "--algorithm", "textgail", "--gpt2", "x"],
            r"--preset paper needs a pretrained RoBERTa",
        ),
        (["--preset", "paper"], r"--preset paper needs a pretrained GPT-2; name a folder"),
        (
            ["--preset", "tiny", "--rollouts", "20"],
            r"--rollouts: 20 does not fit; a multiple of --sample-batch-size \(8\)",
        ),
        (
            ["--resume", "x", "--updates", "3", "--rollouts", "8", "--data", "y"],
            r"--resume keeps .* new values only for .*--updates; leave out --rollouts, --data",
        ),
        (["--resume", "nowhere"], r"nowhere: there is no run here \(checkpoint.h5 is missing\)"),
        (["--preset", "tiny", "--data", "missing.csv"], r"missing.csv: "),
        (["--preset", "tiny", "--data", "bad.csv"], r"bad.csv:2: "),
        (["--preset", "tiny", "--tweets", "empty.txt"], r"empty.txt: the file contains no tweet"),
        (["--preset", "tiny", "--data", "one.txt"], r"1 conversation is too few to be divided"),
        (
            ["--preset", "tiny", "--gpt2", "no/such/folder/here"],
            r"no/such/folder/here: this is not a folder; a folder with config.json",
        ),
        (
            ["--preset", "tiny", "--algorithm", "trpo", "--trainable", "full"],
            r"--trainable: full does not work with --algorithm trpo; use --trainable head",
        ),
        (["--preset", "tiny", "--run", "file"], r"file is a file; --run expects a folder"),
    ],
)
def test_errors_are_one_line(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.csv").write_text("conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags\n1,2\n")
    (tmp_path / "empty.txt").write_text("\n\n")
    (tmp_path / "one.txt").write_text("Hello.\nHi.\n")
    (tmp_path / "file").write_text("")
    status, _, err = run(capsys, *arguments)
    assert status == 2
    assert re.fullmatch(rf"train: .*{message}.*\n", err), err
    assert not (tmp_path / "runs").exists()


def test_a_folder_in_use_is_refused(small_run, capsys):
    path, _ = small_run
    with lock(path):
        status, _, err = run(capsys, "--resume", path)
    assert status == 2
    assert err == f"train: {path}: another process is training in this folder; choose another --run, or wait\n"


@pytest.mark.thorough
def test_a_training_that_diverges_names_its_last_checkpoint_which_is_good(tmp_path, capsys, monkeypatch):
    def diverge(self):
        facts, arrays = state(self)
        return facts, arrays | ({"policy/0000": arrays["policy/0000"] * np.nan} if len(facts["history"]) == 2 else {})

    state = GAILTraining.state
    monkeypatch.setattr(GAILTraining, "state", diverge)
    path = tmp_path / "run"
    status, _, err = run(capsys, *SMALL, "--checkpoint-minutes", "0", "--run", path)
    assert status == 2
    assert err.splitlines()[-1] == (
        f"train: training has diverged: policy/0000 contains NaN or infinity; the last good checkpoint is in {path}"
    )
    facts, arrays = GAILRun.open(path).read_checkpoint()
    assert len(facts["history"]) == 1
    assert all(np.isfinite(array).all() for array in arrays.values())


def test_a_damaged_checkpoint_is_named(small_run, tmp_path, capsys):
    path, _ = small_run
    shutil.copytree(path, tmp_path / "run")
    facts, arrays = read_arrays(path / "checkpoint.h5")
    arrays.pop(next(name for name in arrays if name.startswith("policy/")))
    write_arrays(tmp_path / "run" / "checkpoint.h5", arrays, facts)
    status, _, err = run(capsys, "--resume", tmp_path / "run")
    assert status == 2
    assert re.fullmatch(r"train: .*checkpoint.h5: the file is not a checkpoint of this run \(.*\)\n", err), err


def test_help_waits_for_no_tensorflow():
    code = (
        "import sys, gail_tf.train as t\ntry: t.main(['--help'])\nexcept SystemExit: print('tensorflow' in sys.modules)"
    )
    process = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert process.stdout.endswith("False\n")
    for option in ("--human-ratio", "--discriminator-encoder", "--trainable"):
        assert option in process.stdout


@pytest.mark.thorough
def test_a_runs_config_trains_the_same_bits(small_run, tmp_path, capsys):
    path, _ = small_run
    status, out, _ = run(capsys, "--config", path / "config.json", *LONGER, "--run", tmp_path / "again", "-v")
    assert status == 0
    assert re.search(r"^policy: [\d,]+ weights\njudge: [\d,]+ weights$", out, re.MULTILINE)
    assert re.search(r"^  imitation +\d+\.\d s$", out, re.MULTILINE)
    first, second = (read_arrays(folder / "bot.h5")[1] for folder in (path, tmp_path / "again"))
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], err_msg=name)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (
            {"gpt2": "gpt2"},
            [],
            "{file}: the run started from the pretrained network gpt2; name this or another network with --model",
        ),
        (
            {"roberta": "roberta-base"},
            ["--algorithm", "textgail"],
            "{file}: the run's discriminator started from the RoBERTa roberta-base; name this or another "
            "RoBERTa with --roberta",
        ),
        ({}, ["--preset", "tiny"], "--config already contains every setting; leave out --preset"),
        (
            {},
            ["--resume", "none", "--updates", "4"],
            "--resume keeps the run's own settings and accepts new values only for --updates; leave out --config",
        ),
        ({}, ["--rollouts", "7"], "--rollouts: 7 does not fit; a multiple of --sample-batch-size (16)"),
    ],
)
def test_a_config_that_is_no_use_is_one_line(tmp_path, capsys, source, options, message):
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"source": source, "config": GAILConfig().to_values()}))
    status, out, err = run(capsys, "--config", file, *options)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("train: " + message.format(file=file))
