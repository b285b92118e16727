import json
import random
from itertools import pairwise

import numpy as np
import pytest

from gail_tf.data.roberta_tokenizer import SPECIAL, RobertaTokenizer
from keras_gca.engine.batching import BUCKET
from keras_gca.errors import UserError

ODD = [
    "",
    " ",
    "  two   spaces ",
    "naïve café ☕",
    "line\nbreak\ttab",
    "日本語 🙂🙃",
    "a" * 90,
    "<s>Hi</s><mask> <pad>",
]


def peer(folder):
    from transformers import RobertaTokenizerFast

    return RobertaTokenizerFast.from_pretrained(folder, split_special_tokens=True, truncation_side="left")


def assert_same_pairs(ours: RobertaTokenizer, other, first, second, limit):
    tokens, mask = ours.encode_pairs(first, second, limit)
    expected = other(first, second, padding=True, truncation="only_first", max_length=limit)
    width = len(expected["input_ids"][0])
    assert (tokens.dtype, mask.dtype) == (np.int32, bool)
    np.testing.assert_array_equal(tokens[:, :width], expected["input_ids"])
    np.testing.assert_array_equal(mask[:, :width], expected["attention_mask"])
    assert (tokens[:, width:] == ours.pad).all()
    assert not mask[:, width:].any()
    assert tokens.shape[1] - width < BUCKET
    assert tokens.shape[1] == limit or tokens.shape[1] % BUCKET == 0


@pytest.fixture(scope="module")
def texts():
    """Make texts from few syllables, so that a small vocabulary has tokens of several bytes."""
    draw = random.Random(0)
    words = ["".join(draw.choices(["ba", "no", "ri", "the", "st"], k=draw.randint(1, 3))) for _ in range(60)]
    return [" ".join(draw.choices(words, k=draw.randint(3, 12))) for _ in range(100)]


@pytest.fixture(scope="module")
def fitted(texts):
    return RobertaTokenizer.fit(texts, 400)


@pytest.fixture
def real(shared_file):
    return shared_file("data/roberta_tokenizer")


class TestRobertasOwn:
    def test_pairs_are_hugging_faces(self, real):
        ours, other = RobertaTokenizer.read(real), peer(real)
        assert len(ours) == 50265
        assert ours.pad == 1
        first, second = zip(*pairwise([*ODD, "I lost my dog.", "Oh no! How long ago?", *reversed(ODD)]), strict=True)
        assert_same_pairs(ours, other, list(first), list(second), 512)

    def test_long_pairs_lose_the_oldest_words(self, real):
        ours, other = RobertaTokenizer.read(real), peer(real)
        first = ["one two three four five six seven eight nine ten " * 4, "a short one", "🙂 " * 30]
        second = ["I see.", "eleven twelve " * 3, "日本語"]
        for limit in (24, 40, 512):
            assert_same_pairs(ours, other, first, second, limit)


def test_a_fitted_one_is_saved_as_hugging_face_reads_it(fitted, texts, tmp_path):
    fitted.save(tmp_path)
    other = peer(tmp_path)
    assert 261 < len(other) == len(fitted) <= 400
    assert other.convert_tokens_to_ids(list(SPECIAL)) == [0, 1, 2, 3, 4]
    assert_same_pairs(fitted, other, texts + ODD, [*ODD, *texts], 400)


@pytest.mark.parametrize("removed", [("vocab.json", "merges.txt"), ("tokenizer.json",)])
def test_either_form_of_the_files_suffices(fitted, texts, tmp_path, removed):
    fitted.save(tmp_path)
    for name in removed:
        (tmp_path / name).unlink()
    again = RobertaTokenizer.read(tmp_path).encode_pairs(texts, texts, 64)
    np.testing.assert_array_equal(again, fitted.encode_pairs(texts, texts, 64))


def test_settings_of_the_file_do_not_cut_or_pad_texts(fitted, texts, tmp_path):
    fitted.save(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["truncation"] = {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0}
    content["padding"] = {"strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None,
                          "pad_id": 1, "pad_type_id": 0, "pad_token": "<pad>"}  # fmt: skip
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    again = RobertaTokenizer.read(tmp_path).encode_pairs(texts, texts, 64)
    np.testing.assert_array_equal(again, fitted.encode_pairs(texts, texts, 64))


def test_spelled_out_special_tokens_are_text(fitted):
    tokens, mask = fitted.encode_pairs(["<s> <pad>"], ["</s><mask><unk>"], 64)
    assert [token for token in tokens[mask] if token < len(SPECIAL)] == [0, 2, 2, 2]


def test_a_second_text_too_long_by_itself_loses_its_end(fitted):
    (whole,), _ = fitted.encode_pairs([""], ["the best no one"], 64)
    (tokens,), mask = fitted.encode_pairs(["the"], ["the best no one"], 6)
    assert mask.all()
    np.testing.assert_array_equal(tokens, [0, 2, 2, *whole[3:5], 2])


def test_impossible_pairs(fitted):
    with pytest.raises(ValueError, match="2 first texts, but 1 second texts"):
        fitted.encode_pairs(["a", "b"], ["c"], 16)
    with pytest.raises(ValueError, match="the limit is 4; 5 or more tokens"):
        fitted.encode_pairs(["a"], ["c"], 4)


def test_bad_files_and_sizes(fitted, tmp_path):
    with pytest.raises(UserError, match=r"no tokenizer; tokenizer.json, or vocab.json and merges.txt"):
        RobertaTokenizer.read(tmp_path)
    fitted.save(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer.json: the file cannot be read as a tokenizer"):
        RobertaTokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    (tmp_path / "vocab.json").write_text(json.dumps({k: v for k, v in vocabulary.items() if k != "<mask>"}))
    with pytest.raises(UserError, match=r"the tokenizer has no <mask>"):
        RobertaTokenizer.read(tmp_path)
    with pytest.raises(UserError, match="a vocabulary of 260 tokens is too small; 261 or more"):
        RobertaTokenizer.fit(["text"], 260)
