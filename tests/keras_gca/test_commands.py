"""Runs the commands as a user does, each in a process of its own."""

import json
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import numpy as np
import pytest

from keras_gca.agent import Agent
from keras_gca.config import Config
from keras_gca.engine import command_line
from keras_gca.evaluation.provenance import read_experiment
from keras_gca.evaluation.replies import KNOWN, NEW
from keras_gca.original import agent
from keras_gca.storage.arrays import read_arrays
from keras_gca.training.schedule import LINES, schedule
from tests.factories.commands import run, start
from tests.factories.surveys import make_survey
from tests.places import PROJECT

TINY = ["--preset", "tiny", "--max-pairs", "120", "--vocabulary-size", "150"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Run a tiny whole training run. Give its run and what it printed."""
    folder = tmp_path_factory.mktemp("trained")
    status, out, err = run("train", *TINY, "--run", "run", folder=folder)
    assert status == 0, err
    return folder / "run", out


@pytest.mark.thorough
def test_a_whole_run_prints_what_a_newcomer_needs(trained):
    _, out = trained
    for line in sorted(set(LINES.values())):
        assert f"line {line:>2}" in out
    assert re.search(r"after teacher forcing +\d+\.\d\d\n  after adversarial training +\d+\.\d\d\n", out)
    assert re.search(r"human +\d+\.\d%\n  machine-generated +\d+\.\d%\n", out)
    assert len(re.findall(r"^   [* ] teacher forcing", out, re.MULTILINE)) == 6
    assert len(re.findall(r"^   \* ", out, re.MULTILINE)) == 6
    assert f"{sys.executable} -m keras_gca.chat run" in out


@pytest.mark.thorough
def test_a_whole_run_leaves_a_whole_folder(trained):
    path, _ = trained
    assert {file.name for file in path.iterdir()} == {
        "config.json",
        "vocabulary.json",
        "pairs.h5",
        ".lock",
        "checkpoint.h5",
        "log.csv",
        "tensorboard",
        "samples",
        "teacher_forcing.weights.h5",
        "adversarial.weights.h5",
        "discriminator.weights.h5",
        "bot.h5",
    }
    log = (path / "log.csv").read_text().splitlines()
    assert log[0].startswith("phase,iteration,epoch,loss,perplexity,val_perplexity")
    assert len(log) == 1 + 2 + 1 + 2 + 1 + 1
    assert len(list((path / "samples").iterdir())) == 4
    assert list((path / "tensorboard").iterdir())


@pytest.mark.thorough
def test_chat_in_all_its_ways(trained):
    path, _ = trained
    lines = ["Hello!", "", "   ", "\x1b[31mRed\x07 text", "***", "word " * 400, "zyzzyva?", "\udcff bytes", "Bye."]
    typed = "\n".join(lines) + "\n"
    process = start("chat", path, "--verbose", folder=path.parent)
    process.stdin.reconfigure(errors="surrogateescape")
    out, err = process.communicate(typed, timeout=300)
    assert process.returncode == 0, err
    assert out.count("bot> ") == 6
    assert "(there are no words to answer)" in out
    assert "(The bot reads only the last 50 of the 400 tokens in this message.)" in out
    assert "words that the bot does not know: zyzzyva" in out
    assert out.count("(Eq. 10)") == 12
    assert "\x07" not in out
    transcript = next((path / "transcripts").iterdir())
    assert f"transcript: {transcript}" in out
    saved = transcript.read_text()
    assert saved.count("you> ") == saved.count("bot> ") == 6
    assert err == ""


@pytest.mark.thorough
def test_chat_finds_the_latest_run_or_opens_the_shipped_bot(trained, tmp_path):
    path, _ = trained
    status, out, err = run("chat", "--no-transcript", folder=tmp_path, text="Hello!\n")
    assert (status, err) == (0, "")
    assert out.startswith(f"This is the shipped bot. Train one of your own: {sys.executable} -m keras_gca.train\n")
    assert out.count("bot> ") == 1
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "one").symlink_to(path)
    options = ["--context", "author", "--temperature", "0.8", "--top-k", "5", "--no-transcript"]
    status, out, _ = run("chat", *options, folder=tmp_path, text="Hi.\nHow are you?\n/quit\n")
    assert status == 0
    assert out.count("bot> ") == 2
    assert "transcript" not in out


@pytest.mark.thorough
def test_a_run_in_the_authors_padding_chats_from_his_files_too(tmp_path):
    options = ["--padding", "original", "--contractions", "expanded", "--precision", "bfloat16"]
    status, out, err = run("train", *TINY, *options, "--run", "run", folder=tmp_path)
    assert status == 0, err
    agent.write(tmp_path / "his", Agent.load(tmp_path / "run"))
    typed = "What is your name?\nDo you like tea?\n"
    status, by_bot, err = run("chat", "run", "--context", "author", "--no-transcript", folder=tmp_path, text=typed)
    assert status == 0, err
    status, out, err = run("chat", "--original", "his", "--verbose", "--no-transcript", folder=tmp_path, text=typed)
    assert status == 0, err
    assert "my_model_weights20.h5: 'Shared' (149, 16) -> shared" in out
    for generator in ("teacher forcing", "adversarial"):
        assert out.count(f"{generator:16} p(y|x)") == 2
    assert by_bot.count("bot> ") == out.count("bot> ") == 2
    options += ["--vocabulary", "his/vocabulary_movie", "--adversarial-epochs", "0"]
    status, out, err = run("train", "--preset", "tiny", *options, "--run", "again", folder=tmp_path)
    assert status == 0, err
    first, again = (Agent.load(tmp_path / name).vocabulary.tokens for name in ("run", "again"))
    assert again == first
    assert f"vocabulary: {len(first)} tokens, his/vocabulary_movie\n" in out
    status, _, err = run("chat", "run", "--original", "his", folder=tmp_path)
    assert (status, err) == (2, "chat: give either a bot (run) or --original, not both\n")


@pytest.mark.thorough
def test_evaluate_says_what_held_out_conversations_say(trained):
    path, printed = trained
    (path.parent / "vectors.txt").write_text(
        "".join(f"{word} {i} 1 {-i}\n" for i, word in enumerate(["the", "i", "."]))
    )
    options = "--temperature", "0.8", "--glove", "vectors.txt", "--summary", "summary.json"
    options += "--experiment", "experiment.json"
    status, out, err = run("evaluate", path, path, *options, folder=path.parent)
    assert status == 0, err
    assert "vectors: vectors.txt" in out
    after = re.search(r"after adversarial training +(\S+)", printed)[1]
    assert re.search(rf"^adversarial +{re.escape(after)} ± 0.00$", out, re.MULTILINE)
    assert re.search(r"^Kneser-Ney trigram, discount 0.1 +\d+\.\d\d ± 0.00$", out, re.MULTILINE)
    assert re.search(r"^human +\S+ ± 0 .* 100 ± \S+( +0\.\d+ ± 0){3}$", out, re.MULTILINE)
    for judge in ("own", "independent"):
        for row in ("teacher forcing", "adversarial", "tie", "human"):
            assert re.search(rf"^{judge} +{row} ", out, re.MULTILINE)
    results = json.loads((path / "evaluation.json").read_text())
    for chosen in results["table_1"]["independent"]["equations"].values():
        assert sum(chosen["wins"].values()) + chosen["ties"] == len(read_arrays(path / "pairs.h5")[1]["validation/0"])
    summary = json.loads((path.parent / "summary.json").read_text())
    experiment = read_experiment(path.parent / "experiment.json")
    assert experiment["results"] == summary
    assert [len(table["rows"]) for table in experiment["tables"]] == [6, 3, 8, 4, 7]
    parts = results["parts"].values()
    new, known = (results["parts"].get(part, {"pairs": 0})["pairs"] for part in (NEW, KNOWN))
    assert new + known == len(read_arrays(path / "pairs.h5")[1]["validation/0"])
    assert all(set(of_part["perplexity"]) == set(results["perplexity"]) for of_part in parts)
    assert set(results["shuffled"]) == {"teacher_forcing", "adversarial"}
    of_both = summary["perplexity"]["adversarial"]
    assert of_both["low"] == of_both["mean"] == of_both["high"] == results["perplexity"]["adversarial"]
    assert "tok:13a" in results["replies"]["human"]["BLEU signature"]
    status, out, err = run("evaluate", path, "--json", folder=path.parent)
    assert status == 0, err
    document = json.loads(out)
    assert document["command"] == f"python -m keras_gca.evaluate {path} --json"
    assert document["written"] == [str(path / "evaluation.json")]
    assert set(document["results"]) == set(summary)
    greedy = json.loads((path / "evaluation.json").read_text())
    assert document["results"]["perplexity"]["adversarial"]["mean"] == greedy["perplexity"]["adversarial"]
    assert "held-out tokens" in err  # the tables for people
    (path / "evaluation.json").unlink()


@pytest.mark.thorough
def test_a_run_that_starts_from_another_ends_like_it(trained):
    path, _ = trained
    status, out, err = run("train", "--start-from", "run", "--run", "again", folder=path.parent)
    assert status == 0, err
    assert "run, with its data and its teacher-forced generator: held-out perplexity" in out
    assert "line  3" not in out
    expected, found = weights(path), weights(path.parent / "again")
    for name in expected:
        np.testing.assert_array_equal(expected[name], found[name], err_msg=name)


@pytest.mark.thorough
def test_studies_train_what_is_missing_and_compare_it(tmp_path):
    arguments = [*TINY, "--teacher-forcing-epochs", "4", "--seeds", "0", "1", "--runs", "studies"]
    status, out, err = run("studies", "discriminator", *arguments, folder=tmp_path)
    assert status == 0, err
    table = " ".join((tmp_path / "studies" / "discriminator.md").read_text().split())
    for row in ("default | teacher forcing", "hidden discriminator | adversarial"):
        assert re.search(rf"\| {row} \| \d+\.\d\d ± \d+\.\d\d \|", table)
    figures = json.loads((tmp_path / "studies" / "discriminator.json").read_text())
    both = [figures[name]["perplexity"]["teacher_forcing"] for name in ("default", "hidden_discriminator")]
    assert both[0] == both[1]  # both training runs share line 3
    status, out, err = run("studies", "mmi", *arguments[:-5], "--seeds", "0", "--runs", "studies", folder=tmp_path)
    assert status == 0, err
    assert "== default" not in out  # this variant has been trained already
    assert re.search(
        r"^\| bidirectional, lambda 0.5 +\| +\d", (tmp_path / "studies" / "mmi.md").read_text(), re.MULTILINE
    )
    folder = tmp_path / "studies"
    wrong = "--language-model", folder / "backward/seed_0", "--backward", folder / "backward/seed_0"
    status, _, err = run("mmi", folder / "default/seed_0", *wrong, folder=tmp_path)
    assert (status, err.count("\n")) == (2, 1)
    assert "trained with --predict context, but --predict unconditional is needed" in err


@pytest.mark.thorough
def test_quality_against_diversity_over_the_temperature(trained):
    path, _ = trained
    grid = "--temperatures", "1", "4", "--top-ps", "1"
    status, _, err = run("quality_diversity", path, *grid, "--experiment", path / "experiment.json", folder=path.parent)
    assert status == 0, err
    assert "findfont" not in err
    picture = path / "quality_diversity.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    results = json.loads((path / "quality_diversity.json").read_text())
    assert set(results["best"]) == {"teacher_forcing", "adversarial"}
    for name in ("teacher_forcing", "adversarial"):
        cold, hot = results["grid"][name]
        assert cold["temperature"] < hot["temperature"]
        assert cold["perplexity"]["value"] < hot["perplexity"]["value"]
        assert all(0 < point["distinct-2"]["value"] <= 1 for point in (cold, hot))
    assert read_experiment(path / "experiment.json")["seeds"] == {"sampling": 0}
    status, _, err = run("quality_diversity", path, "--temperatures", "0", folder=path.parent)
    assert (status, err.count("\n")) == (2, 1)
    for ending in ("json", "md", "png"):
        (path / f"quality_diversity.{ending}").unlink()
    (path / "experiment.json").unlink()
    shutil.rmtree(path / "grid")


@pytest.mark.thorough
def test_a_served_chat_answers_until_ctrl_c(trained):
    path, _ = trained
    process = start("chat", path, "--web", "--port", "0", folder=path.parent)
    assert process.stdout.readline() == f"reading {path} ...\n"
    address = re.fullmatch(r"open (http://127\.0\.0\.1:\d+/) ; Ctrl-C ends the chat\n", process.stdout.readline())[1]
    assert process.stdout.readline().startswith("the model is being prepared")
    request = urllib.request.Request(
        f"{address}answers", b'{"history": ["Hello."]}', {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as reply:
        assert len(json.loads(reply.read())["answers"]) == 2
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out == "\n1 message was answered in 1 batch, with 1.00 messages in a batch on average and 1 at most\n"


def test_a_served_survey_takes_votes_until_ctrl_c(tmp_path):
    make_survey([(0.4, 0.6)] * 2).write(tmp_path / "survey.json")
    process = start("survey", "serve", "survey.json", "--port", "0", "--asked-by", "Ann & Co.", folder=tmp_path)
    assert process.stdout.readline() == "survey.json: 1 dialogue, 2 lines; votes: votes.sqlite\n"
    address = re.fullmatch(r"open (http://127\.0\.0\.1:\d+/) ; Ctrl-C ends the server\n", process.stdout.readline())[1]
    organiser = re.fullmatch(rf"progress, only for you: ({address}organiser/\S{{20,}})\n", process.stdout.readline())[1]
    with urllib.request.urlopen(address, timeout=60) as reply:
        assert "Ann &amp; Co." in reply.read().decode()
    with urllib.request.urlopen(f"{address}volunteers", data=b"name=Ann", timeout=60) as reply:
        form = reply.url.removesuffix("/1")
        assert "0 of 2 lines" in reply.read().decode()
    with urllib.request.urlopen(f"{form}/votes", data=b"line=1&choice=first", timeout=60) as reply:
        assert b'"done":1' in reply.read()
    with urllib.request.urlopen(organiser, timeout=60) as reply:
        assert "1 of 2" in reply.read().decode()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out == f"\nnext: {sys.executable} -m keras_gca.survey tabulate survey.json --votes votes.sqlite\n"
    status, out, _ = run("survey", "tabulate", "survey.json", folder=tmp_path)
    assert status == 0
    assert "volunteers: 1; votes: 1; marked as no difference: 0; lines judged: 1 of 2\n" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "huge"], "argument --preset: invalid choice: 'huge'"),
        (["--batch-size", "0"], "--batch-size: 0 is out of range; at least 1 is expected"),
        (["--batch-size", "many"], "argument --batch-size: 'many' is not a whole number"),
        (
            ["--generator", "canonical", "--padding", "original"],
            "--generator canonical: the author's program has no canonical generator",
        ),
        (["--nonsense", "1"], "unrecognized arguments: --nonsense 1"),
        (["--data", "none.txt"], "none.txt: no such file or folder"),
        (
            ["--vocabulary", "v.txt", "--minimum-count", "2"],
            "--minimum-count: this has no effect with --vocabulary, which determines the words; leave out one of "
            "the two",
        ),
        (["--vocabulary", "v.txt"], "v.txt: no such file or folder"),
        (["--resume", "none"], "none: there is no run here"),
        (["--resume", "none", "--seed", "1", "--data", "x"], "leave out --seed, --data"),
        (["--start-from", "none"], "none: there is no run here"),
        (["--algorithm", "dialogue_rewards"], "the rewards need p(x|y); give --backward RUN"),
        (["--backward", "none"], "--backward: --algorithm backpropagation does not use p(x|y); leave out --backward"),
        (["--resume", "none", "--backward", "b"], "leave out --backward"),
        (
            ["--start-from", "none", "--hidden-size", "9"],
            "uses the data and generator of the other run; leave out --hidden-size",
        ),
    ],
)
def test_errors_of_train_are_one_line_and_status_2(tmp_path, monkeypatch, capsys, arguments, message):
    from keras_gca import train

    monkeypatch.chdir(tmp_path)
    try:
        status = command_line.run(train.main, "train", arguments)
    except SystemExit as error:
        status = error.code
    captured = capsys.readouterr()
    assert status == 2
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("train: ") or captured.err.startswith("keras_gca.train: ")


@pytest.mark.parametrize(
    ("corpus", "glove", "message"),
    [
        ("A\nB\n", None, "corpus.txt: the corpus has no conversation of two"),
        ("A\n\nB\n", None, "no conversation of two or more utterances"),
        ("hello\nthere\n", None, "the corpus has 1 context/answer pair; at least 20 are needed"),
        ("hello\nthere\n" * 20, "a 1 2\n", "v.txt:1: 2 numbers after the word; 16 are expected"),
    ],
)
def test_errors_in_the_users_own_corpus_and_vectors(tmp_path, capsys, corpus, glove, message):
    from keras_gca import train

    (tmp_path / "corpus.txt").write_text(corpus)
    arguments = ["--preset", "tiny", "--data", str(tmp_path / "corpus.txt"), "--run", str(tmp_path / "run")]
    if corpus == "A\nB\n":
        (tmp_path / "corpus.txt").write_text("A\n")
    if glove:
        (tmp_path / "v.txt").write_text(glove)
        arguments += ["--glove", str(tmp_path / "v.txt")]
    assert command_line.run(train.main, "train", arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_vocabulary_for_the_authors_padding_begins_with_the_period(tmp_path, capsys):
    from keras_gca import train

    (tmp_path / "v.txt").write_text("you\n.\n")
    arguments = ["--padding", "original", "--vocabulary", str(tmp_path / "v.txt"), "--run", str(tmp_path / "run")]
    assert command_line.run(train.main, "train", arguments) == 2
    error = f"train: {tmp_path / 'v.txt'}: the first word is 'you'; with --padding original it must be '.'\n"
    assert capsys.readouterr().err == error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "module",
    ["train", "chat", "evaluate", "figures", "quality_diversity", "studies", "mmi", "survey.__main__"],
)
def test_help_is_quick_and_needs_no_tensorflow(module):
    code = (
        f"import sys, keras_gca.{module} as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit as e: assert not e.code\n"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout


def weights(path):
    return read_arrays(path / "bot.h5")[1]


@pytest.mark.thorough
def test_a_training_killed_in_each_phase_and_resumed_ends_with_the_same_bits(trained):
    """The process is killed by SIGKILL at a random moment of every stage. A checkpoint follows every step."""
    reference, _ = trained
    folder = reference.parent
    chance = random.Random(11)
    arguments = [*TINY, "--run", "killed", "--checkpoint-minutes", "0"]
    kills, phases, position = 0, set(), 0
    stages = schedule(Config.preset("tiny"))

    def stored():
        return read_arrays(folder / "killed" / "checkpoint.h5")[0]["position"]

    while True:
        process = start("train", *arguments, folder=folder)
        threading.Thread(target=process.stderr.read, daemon=True).start()
        # The first process is killed in the first stage. Each later process ends one stage, and is killed in a stage
        # after it.
        awaited = "line " if kills else "run folder"
        for line in process.stdout:
            if line.startswith(awaited):
                while kills and stored() == position and process.poll() is None:
                    time.sleep(0.02)
                time.sleep(chance.uniform(0, 0.5))
                process.send_signal(signal.SIGKILL)
                break
        process.stdout.read()
        if process.wait(60) != -signal.SIGKILL:
            break
        kills += 1
        position = stored()
        phases |= {stage.phase for stage in stages[position : position + 1]}
        arguments = ["--resume", "killed"]
    assert phases == set(LINES)
    assert process.returncode == 0
    expected, found = weights(reference), weights(folder / "killed")
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(expected[name], found[name], err_msg=name)
    assert (folder / "killed" / "log.csv").read_text() == (reference / "log.csv").read_text()


@pytest.mark.thorough
def test_ctrl_c_leaves_a_run_that_chats_and_resumes(trained):
    reference, _ = trained
    folder = reference.parent
    process = start("train", *TINY, "--run", "stopped", folder=folder)
    threading.Thread(target=process.stderr.read, daemon=True).start()
    out = ""
    for line in process.stdout:
        out += line
        if line.startswith("line  3"):
            process.send_signal(signal.SIGINT)
            break
    out += process.stdout.read()
    assert process.wait(60) == 130
    assert f"next: {sys.executable} -m keras_gca.train --resume stopped" in out
    status, chat, _ = run("chat", "stopped", "--no-transcript", folder=folder, text="Hello.\n")
    assert status == 0
    assert "bot> " in chat
    status, _, err = run("train", "--resume", "stopped", folder=folder)
    assert status == 0, err
    for name, value in weights(reference).items():
        np.testing.assert_array_equal(value, weights(folder / "stopped")[name])
