"""A training of the first paper reports missing files before it reads anything."""

from pathlib import Path

import pytest

from keras_gca.data.source import Source
from keras_gca.errors import UserError


@pytest.mark.parametrize("name", ["data", "vocabulary", "glove"])
def test_a_missing_file_is_named(name):
    with pytest.raises(UserError, match=r"nowhere\.txt: no such file or folder"):
        Source(**{name: Path("nowhere.txt")})


def test_several_corpora_are_read_one_after_the_other(tmp_path):
    texts = {"b.txt": "Hello.\nGood evening.\n\nHow are you?\nFine.\n", "a.csv": "question,answer\nWho?,Tom.\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    paths = [tmp_path / name for name in texts]
    conversations, bad = Source(paths).read()
    assert [one.utterances for one in conversations] == [
        ("Hello.", "Good evening."), ("How are you?", "Fine."), ("Who?", "Tom.")
    ]  # fmt: skip
    assert [note.split(":")[0] for note in bad.notes] == [str(path) for path in paths]
    assert Source(paths).names()["data"] == [str(path) for path in paths]
    assert Source(paths[:1]).names()["data"] == Source(paths[0]).names()["data"] == str(paths[0])
    assert Source([]).names() == Source().names()
    with pytest.raises(UserError, match=r"c\.txt: no such file or folder"):
        Source([*paths, tmp_path / "c.txt"])


def test_token_files_are_not_combined_with_other_corpora(tmp_path):
    (tmp_path / "tokens.json").touch()
    (tmp_path / "a.txt").touch()
    assert Source(tmp_path).prepared == Source([tmp_path]).prepared == tmp_path
    assert Source(tmp_path / "a.txt").prepared is None
    with pytest.raises(UserError, match="is a folder of token files, which cannot be combined with other corpora"):
        Source([tmp_path / "a.txt", tmp_path])
    with pytest.raises(UserError, match="--format has no effect on"):
        Source([tmp_path], format="text")
