"""Training runs that take minutes: `pytest -m slow`. Real corpora and word vectors are used if they are present."""

import json
import re

import pytest

from tests.factories.commands import run

pytestmark = pytest.mark.slow

VECTORS = "data/glove/glove.6B.100d.8275words.txt"


@pytest.mark.parametrize(
    "corpus", ["data/ludwig_english_courses/dialog_simple", "data/dailydialog/dialogues_train.txt"]
)
def test_a_short_run_on_a_real_corpus_with_the_real_glove(shared_file, tmp_path, corpus):
    arguments = ["--data", shared_file(corpus), "--glove", shared_file(VECTORS), "--max-pairs", "1500", "--run", "run"]
    arguments += ["--teacher-forcing-epochs", "3", "--adversarial-epochs", "1", "--machine-pairs", "300"]
    status, out, err = run("train", *arguments, folder=tmp_path, timeout=900)
    assert status == 0, err
    assert re.search(r"word vectors: .* \((\d\d\.\d)%\), 9\d\.\d% of the tokens", out)
    perplexities = [float(value) for value in re.findall(r"held-out perplexity (\d+\.\d+)", out)]
    vocabulary = int(re.search(r"vocabulary: ([\d,]+)", out)[1].replace(",", ""))
    assert perplexities[-1] < min(perplexities[0], vocabulary) / 2  # line 3 ends with averages over three epochs
    status, chat, _ = run("chat", "run", "--no-transcript", folder=tmp_path, text="How are you?\n")
    assert status == 0
    assert "bot> " in chat


def test_the_default_run_beats_the_trigram(tmp_path):
    status, _, err = run("train", "--run", "run", folder=tmp_path, timeout=1800)
    assert status == 0, err
    status, _, err = run("evaluate", "run", folder=tmp_path)
    assert status == 0, err
    perplexity = json.loads((tmp_path / "run" / "evaluation.json").read_text())["perplexity"]
    trigram = perplexity["Kneser-Ney trigram, discount 0.1"]
    assert perplexity["teacher_forcing"] <= 0.6 * trigram
    assert perplexity["adversarial"] <= 0.6 * trigram
