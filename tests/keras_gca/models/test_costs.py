"""Operations counted by hand for the paper's sizes."""

import numpy as np
import pytest

from keras_gca.config import Config
from keras_gca.data.pairs import Pairs
from keras_gca.models.costs import Costs, Lengths

SOME = Lengths(pairs=100, context=20, answer=11)
# The four gates of an LSTM of 300 units multiply a word vector of 100 numbers and a state of 300. An LSTM reaches a
# fifth of the rate, and the layers after it a half.
LSTM = 5 * 2 * 4 * 300 * (100 + 300)
OF_TOKEN = 2 * 2 * (300 * 3500 + 3500 * 7000)  # the term of the partial answer in y_h, and the logits
OF_CONTEXT = 2 * 2 * 300 * 3500
READ = 100 * (31 * LSTM + 11 * OF_TOKEN + OF_CONTEXT)
JUDGED = 100 * 31 * LSTM


def costs(**changes):
    return Costs(Config(**changes), 7000)


def test_reading_and_learning():
    assert costs().read(SOME) == pytest.approx(READ)
    assert costs().learn(SOME) == pytest.approx(3 * READ)
    assert costs(generator="canonical").read(SOME) == pytest.approx(READ - 100 * OF_CONTEXT)


def test_judging():
    assert costs().judge(SOME) == pytest.approx(JUDGED)
    # A hidden layer of 50 units multiplies both sentence embeddings, for each of 11 tokens.
    hidden = 100 * 11 * 2 * 2 * 600 * 50
    assert costs(discriminator_hidden_size=50).judge(SOME) == pytest.approx(JUDGED + hidden)


def test_a_beam_decodes_as_many_answers_as_it_is_wide():
    assert costs().decode(SOME) == pytest.approx(READ)
    assert costs().decode(SOME, 10) == pytest.approx(10 * READ)


def test_time_and_memory():
    made = costs().estimate({"a": 1e11, "b": 3e11}, 1000, 12, copies=9, rate=1e9)
    assert made.seconds == {"a": pytest.approx(100), "b": pytest.approx(300)}
    assert made.machine == "multiplies matrices at 1 GFLOP/s"
    lstms = 2 * 2 * 4 * 300 * (100 + 300 + 1)  # of both networks
    weights = 7000 * 100 * 2 + lstms + 601 * 3500 + 3501 * 7000 + (7000 + 600 + 1)
    activations = 12 * 50 * 2 * (3500 + 7000)
    assert made.memory == pytest.approx(0.9e9 + 4 * (9 * weights + activations + 1000 * 101), rel=1e-3)


def test_few_operations_are_not_worth_a_measurement():
    made = costs().estimate({"a": 9e11}, 1000, 12)
    assert (made.total, made.is_long) == (0, False)
    assert Costs(Config.preset("tiny"), 500).estimate({"a": 2e12}, 1, 1).total > 0  # measured


def test_lengths_are_means_without_padding():
    contexts = np.array([[0, 0, 5], [4, 5, 6]], np.int32)
    answers = np.array([[1, 5, 2, 0], [1, 4, 5, 2]], np.int32)  # BOS, words, EOS
    assert Lengths.of(Pairs(contexts, answers, np.arange(2))) == (2, 2.0, 2.5)
    assert SOME.some(7) == (7, 20, 11)
