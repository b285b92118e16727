import json

import numpy as np
import pytest

from keras_gca.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary, read_words, usual_surfaces
from keras_gca.errors import UserError

TEXT = [["b", "a", "b"], ["c", "b", "a", "d"]]


def test_most_frequent_words_first_after_the_special_tokens():
    vocabulary = Vocabulary.build(TEXT)
    assert vocabulary.tokens == ["<pad>", "<bos>", "<eos>", "<unk>", "b", "a", "c", "d"]
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert vocabulary.counts == {"b": 3, "a": 2, "c": 1, "d": 1}


def test_size_and_minimum_count():
    assert len(Vocabulary.build(TEXT, size=6)) == 6
    assert Vocabulary.build(TEXT, minimum_count=2).tokens[4:] == ["b", "a"]
    assert Vocabulary.build([["<unk>", "<unk>", "a"]]).tokens[4:] == ["a"]


def test_encode_and_decode():
    vocabulary = Vocabulary.build(TEXT)
    indices = vocabulary.encode(["a", "zebra", "b", "<pad>"])
    assert indices.dtype == np.int32
    assert indices.tolist() == [5, UNK, 4, UNK]
    assert vocabulary.decode([BOS, 5, 4, EOS, 6, PAD]) == ["a", "b"]


def test_json_round_trip():
    vocabulary = Vocabulary.build(TEXT, surfaces={"a": "Ä", "other": "Other"})
    again = Vocabulary.from_values(json.loads(json.dumps(vocabulary.to_values())))
    assert (again.tokens, again.counts, again.surfaces) == (vocabulary.tokens, vocabulary.counts, {"a": "Ä"})


def test_words_must_be_distinct_and_no_special_tokens():
    for words in (["a", "a"], ["<pad>", "b"]):
        with pytest.raises(ValueError, match="distinct"):
            Vocabulary(words, [1, 1])


def test_surfaces_come_from_inside_sentences():
    cased = [["I", "know", "Tom", ".", "Will", "Tom", "come", "?"], ["Bread", "and", "will", "and", "OK"]]
    assert usual_surfaces(cased) == {"tom": "Tom", "ok": "OK"}


def test_given_words_keep_their_order_whatever_the_text_says():
    vocabulary = Vocabulary.build(TEXT, size=5, minimum_count=9, words=["d", "zebra", "b"])
    assert vocabulary.tokens[4:] == ["d", "zebra", "b"]
    assert vocabulary.counts == {"d": 1, "zebra": 0, "b": 3}
    assert vocabulary.encode(["a", "b", "zebra"]).tolist() == [UNK, 6, 5]


def test_words_of_a_file(tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeff.\r\nthé\n\n  you \n".encode())
    assert read_words(path) == [".", "thé", "you"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\nb c\n", "words.txt:2: 'b c' is not a single word; one word on each line is expected"),
        (b"a\n\na\n", "words.txt:3: 'a' is already on line 1"),
        (b"a\n<eos>\n", "words.txt:2: '<eos>' is a special token"),
        (b" \n\n", "contains no word"),
        (b"caf\xe9\n", "not UTF-8 text"),
        (None, "cannot be read"),
    ],
)
def test_a_file_of_words_that_cannot_be_used(tmp_path, content, message):
    path = tmp_path / "words.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        read_words(path)
