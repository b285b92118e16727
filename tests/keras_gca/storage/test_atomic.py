"""Files and folders are written completely, or not at all."""

import os

import pytest

from keras_gca.storage.atomic import making_folder


def test_a_folder_appears_when_it_is_complete(tmp_path):
    with making_folder(tmp_path / "deep" / "made") as temporary:
        (temporary / "a.txt").write_text("a")
        assert not (tmp_path / "deep" / "made").exists()
    assert (tmp_path / "deep" / "made" / "a.txt").read_text() == "a"
    assert os.listdir(tmp_path / "deep") == ["made"]


def fail(path, error):
    with making_folder(path) as temporary:
        (temporary / "a.txt").write_text("a")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("why")])
def test_a_folder_that_fails_is_removed(tmp_path, error):
    with pytest.raises(type(error)):
        fail(tmp_path / "made", error)
    assert os.listdir(tmp_path) == []


def test_the_rest_of_a_process_that_was_killed_is_removed(tmp_path):
    with making_folder(tmp_path / "made") as temporary:
        name = temporary.name
    (tmp_path / name).mkdir()
    (tmp_path / name / "rest.txt").write_text("rest")
    (tmp_path / "made").rmdir()
    with making_folder(tmp_path / "made") as temporary:
        assert os.listdir(temporary) == []
    assert os.listdir(tmp_path) == ["made"]


def test_an_error_names_the_folder(tmp_path):
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "there.txt").write_text("kept")
    with pytest.raises(OSError, match="not empty") as error, making_folder(tmp_path / "made") as temporary:
        (temporary / "a.txt").write_text("a")
    assert error.value.filename == str(tmp_path / "made")
    assert os.listdir(tmp_path / "made") == ["there.txt"]
