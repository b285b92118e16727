"""A training of the second paper refuses missing files, and files that its settings do not use."""

from pathlib import Path

import pytest

from gail_tf.config import GAILConfig
from gail_tf.data.source import Source
from gail_tf.training import pipeline
from keras_gca.errors import UserError


@pytest.mark.parametrize("name", ["data", "tweets", "general", "glove"])
def test_a_missing_file_is_named(name):
    path = Path("nowhere.txt")
    with pytest.raises(UserError, match=r"nowhere\.txt: no such file or folder"):
        Source(**{name: path if name == "glove" else [path]})


def test_the_format_can_be_given(tmp_path):
    (tmp_path / "a.txt").write_text("A: Hi.\nB: Yes.\nA: No.\nB: Oh.\n")
    (trajectory, _), bad = Source(data=[tmp_path / "a.txt"], format="text").read("disjoint")
    assert (trajectory.prompt, trajectory.source) == ("A: Hi.", "text")
    assert bad.notes == [f"{tmp_path / 'a.txt'}: read as plain text: 1 conversation, 4 utterances"]
    (trajectory, _), _ = Source(data=[tmp_path / "a.txt"]).read("disjoint")
    assert (trajectory.prompt, trajectory.source) == ("Hi.", "speakers")
    with pytest.raises(UserError, match=r"--format applies only to --data and --general, which are not given"):
        Source(format="text")


def test_the_embedded_corpus_is_named():
    _, bad = Source().read("disjoint")
    assert bad.notes == ["the embedded corpus: 4,252 conversations and sentences"]


@pytest.mark.parametrize(
    ("source", "changes", "message"),
    [
        ({"roberta": "there"}, {}, "--roberta: D has another encoder"),
        ({"model": "there"}, {"algorithm": "rl_seq2seq"}, "--model: --algorithm rl_seq2seq trains two LSTMs"),
        ({"glove": Path(__file__)}, {}, "--glove: only --algorithm rl_seq2seq uses word vectors"),
    ],
)
def test_what_the_settings_do_not_use_is_refused_in_a_notebook_too(source, changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        pipeline.train_agent(GAILConfig.preset("tiny", **changes), Source(**source), tmp_path / "run")
    assert not (tmp_path / "run").exists()
