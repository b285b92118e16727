import numpy as np
import pytest

from keras_gca.vocabulary import BOS, EOS, PAD, UNK, Vocabulary, usual_surfaces

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
    again = Vocabulary.from_json(vocabulary.to_json())
    assert (again.tokens, again.counts, again.surfaces) == (vocabulary.tokens, vocabulary.counts, {"a": "Ä"})


def test_words_must_be_distinct_and_no_special_tokens():
    for words in (["a", "a"], ["<pad>", "b"]):
        with pytest.raises(ValueError, match="distinct"):
            Vocabulary(words, [1, 1])


def test_surfaces_come_from_inside_sentences():
    cased = [["I", "know", "Tom", ".", "Will", "Tom", "come", "?"], ["Bread", "and", "will", "and", "OK"]]
    assert usual_surfaces(cased) == {"tom": "Tom", "ok": "OK"}
