"""Stored values are used again only if they are complete, have the same settings, and are newer than the bot."""

import json
import os

import pytest

from keras_gca.evaluation.stored_values import StoredValues, are_numbers, are_texts

FACTS = {"temperature": 0.5, "seed": 1}


@pytest.fixture
def store(tmp_path):
    (tmp_path / "bot.h5").touch()
    os.utime(tmp_path / "bot.h5", (1, 1))
    return StoredValues(tmp_path / "grid", tmp_path / "bot.h5")


def get(store, value, facts=FACTS):
    return store.get("a", facts, lambda: value, are_texts(2))


def test_a_value_is_computed_once(store, tmp_path):
    assert get(store, ["Hello.", "Ü"]) == ["Hello.", "Ü"]
    assert get(store, ["other", "texts"]) == ["Hello.", "Ü"]
    assert get(store, ["other", "texts"], {**FACTS, "seed": 2}) == ["other", "texts"]
    assert [file.name for file in (tmp_path / "grid").iterdir()] == ["a.json"]


def test_a_newer_bot_has_other_replies(store, tmp_path):
    get(store, ["a", "b"])
    os.utime(tmp_path / "grid" / "a.json", (1, 1))
    os.utime(tmp_path / "bot.h5", (9, 9))
    assert get(store, ["c", "d"]) == ["c", "d"]


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"facts": {}}', json.dumps({"facts": FACTS, "value": ["only one"]}),
     json.dumps({"facts": FACTS, "value": ["a", 2]}), json.dumps({"facts": FACTS, "value": {"a": "b"}})],
)  # fmt: skip
def test_damaged_files_are_replaced(store, tmp_path, content):
    (tmp_path / "grid").mkdir()
    (tmp_path / "grid" / "a.json").write_text(content)
    assert get(store, ["c", "d"]) == ["c", "d"]
    assert json.loads((tmp_path / "grid" / "a.json").read_text())["value"] == ["c", "d"]


def test_an_interruption_leaves_no_value(store, tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.get("a", FACTS, interrupted, are_texts(2))
    assert get(store, ["a", "b"]) == ["a", "b"]


def test_rows_of_numbers():
    valid = are_numbers(2, 2)
    assert valid([[1, 2.5], [3, 4]])
    assert not any(valid(values) for values in ([[1, 2]], [[1, 2], [3]], [[1, 2], [3, True]], [[1, 2], "ab"]))
