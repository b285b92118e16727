"""Held-out pairs are divided by turn, and by whether their answer also occurs in the training data."""

from dataclasses import replace

import numpy as np

from keras_gca.data.dataset import Dataset
from keras_gca.data.pairs import Pairs
from keras_gca.evaluation import replies


def rows(*words):
    return np.array([[1, word, 2] for word in words], np.int32)


def dataset(whole):
    training = Pairs(rows(4, 5, 6), rows(4, 5, 6), np.zeros(3, np.int32))
    held_out = Pairs(rows(*range(7, 14)), rows(7, 5, 8, 9, 10, 4, 11), np.array([2, 2, 2, 2, 5, 5, 9], np.int32))
    return Dataset(None, training, held_out, [], whole)


def test_parts_by_hand():
    found = {part: numbers.tolist() for part, numbers in replies.parts_of(dataset(True)).items()}
    assert found == {
        "1 utterance before": [0, 4, 6],
        "2 utterances before": [1, 5],
        "3+ utterances before": [2, 3],
        replies.NEW: [0, 2, 3, 4, 6],
        replies.KNOWN: [1, 5],
    }


def test_turns_of_single_pairs_are_not_known():
    assert set(replies.parts_of(dataset(False))) == {replies.NEW, replies.KNOWN}


def test_the_parts_are_those_of_the_test_part_where_the_corpus_has_one():
    divided = replace(dataset(True), test=Pairs(rows(20, 21), rows(5, 22), np.array([3, 4], np.int32)))
    parts = {part: numbers.tolist() for part, numbers in replies.parts_of(divided).items()}
    assert parts == {"1 utterance before": [0, 1], replies.NEW: [1], replies.KNOWN: [0]}


def test_shuffled_contexts_belong_to_other_answers():
    pairs = dataset(True).held_out
    shuffled = replies.with_shuffled_contexts(pairs, 0)
    assert shuffled.answers.tolist() == pairs.answers.tolist()
    assert sorted(shuffled.contexts.tolist()) == pairs.contexts.tolist()
    assert shuffled.contexts.tolist() != pairs.contexts.tolist()
    assert replies.with_shuffled_contexts(pairs, 0).contexts.tolist() == shuffled.contexts.tolist()


def test_parts_that_one_run_lacks_are_left_out_of_the_mean():
    def of_run(value, *parts):
        return {"tokens": 1, "parts": {part: {"pairs": value} for part in parts}}

    found = replies.summarised([of_run(2, "a", "b"), of_run(4, "b", "c")])["parts"]
    assert (list(found), found["b"]["pairs"].mean) == (["b"], 3)
