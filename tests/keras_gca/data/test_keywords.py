"""Keywords: PMI, the words that may be keywords, the beginnings of answers, and bad input."""

import math

import numpy as np
import pytest

from keras_gca.data import keywords
from keras_gca.data.keywords import KeywordModel, beginnings, fit_keywords
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.data.vocabulary import EOS, PAD, UNK, Vocabulary
from keras_gca.errors import UserError
from tests.factories.gca import random_pairs, toy_keywords

VOCABULARY = Vocabulary(["the", "?", "drink", "where", "tea", "coffee", "station", "ox", "rare"], [1] * 9)


def pairs_of(*exchanges):
    contexts, answers = ([VOCABULARY.encode(text.split()) for text in side] for side in zip(*exchanges, strict=True))
    return Pairs(pad_contexts(contexts, 6), frame_answers(answers, 6), np.zeros(len(exchanges), np.int32))


@pytest.fixture
def model(monkeypatch):
    """Six pairs: tea twice and coffee once after `drink`, the station twice after `where`, and nothing after `ox`."""
    monkeypatch.setattr(keywords, "FEWEST", 1)
    monkeypatch.setattr(keywords, "COMMONEST", 0.4)
    monkeypatch.setattr(keywords, "PRIOR", 2.0)
    return fit_keywords(
        pairs_of(
            ("drink drink ?", "the tea tea"),
            ("drink ?", "tea"),
            ("drink", "the coffee"),
            ("where ?", "the station"),
            ("where ?", "station ox"),
            ("ox", "the"),
        ),
        VOCABULARY,
    )


def test_the_candidates_are_words_that_are_neither_short_nor_rare_nor_common(model, monkeypatch):
    assert [VOCABULARY.tokens[word] for word in model.words] == ["tea", "coffee", "station"]  # "the" is in 4 of 6
    assert model.answers.tolist() == [2, 1, 2]
    monkeypatch.setattr(keywords, "FEWEST", 2)
    fewer = fit_keywords(pairs_of(*[("ox", "tea coffee")], ("ox", "tea"), ("ox", "the ?"), ("ox", "rare")), VOCABULARY)
    assert [VOCABULARY.tokens[word] for word in fewer.words] == ["tea"]
    assert model.candidates.nonzero()[0].tolist() == model.words.tolist()


def test_pmi_by_hand(model):
    """For `drink`, n = 3 of 6, so p = 1/2 and alpha p = 1; for `?`, n = 4 of 6, so p = 2/3 and alpha p = 4/3.

    p(drink|tea) = (2 + 1) / (2 + 2) = 3/4, p(?|tea) = (2 + 4/3) / 4 = 5/6
    p(drink|coffee) = (1 + 1) / (1 + 2) = 2/3, p(?|coffee) = (0 + 4/3) / 3 = 4/9
    p(drink|station) = (0 + 1) / (2 + 2) = 1/4, p(?|station) = (2 + 4/3) / 4 = 5/6
    """
    contexts = pad_contexts([VOCABULARY.encode(["drink", "?", "the"])], 6)  # no context of the pairs contains "the"
    expected = [
        math.log(3 / 4 / (1 / 2)) + math.log(5 / 6 / (2 / 3)),
        math.log(2 / 3 / (1 / 2)) + math.log(4 / 9 / (2 / 3)),
        math.log(1 / 4 / (1 / 2)) + math.log(5 / 6 / (2 / 3)),
    ]
    np.testing.assert_allclose(model.scores(contexts), [expected], rtol=1e-12)
    assert VOCABULARY.tokens[model.keywords_of(contexts)[0]] == "tea"


def test_pmi_equals_its_definition(monkeypatch):
    monkeypatch.setattr(keywords, "FEWEST", 3)
    monkeypatch.setattr(keywords, "COMMONEST", 0.5)
    monkeypatch.setattr(keywords, "PRIOR", 2.0)
    pairs = random_pairs(60)
    words = Vocabulary([f"word{chr(97 + i)}" for i in range(26)], [1] * 26)
    model = fit_keywords(pairs, words)
    assert len(model.words) > 5
    contexts, answers = ([set(row.tolist()) for row in rows] for rows in (pairs.contexts, pairs.answers))
    for x, found in zip(pairs.contexts[10:16], model.scores(pairs.contexts[10:16]), strict=True):
        for word, score in zip(model.words[::3].tolist(), found[::3], strict=True):
            expected, having = 0.0, [context for context, y in zip(contexts, answers, strict=True) if word in y]
            for token in x[x != PAD].tolist():
                p = sum(token in context for context in contexts) / 60
                both = sum(token in context for context in having)
                expected += math.log((both + 2 * p) / (len(having) + 2) / p)
            assert score == pytest.approx(expected, abs=1e-9)


def test_contexts_without_known_words_have_no_keyword(model):
    rows = pad_contexts([[], VOCABULARY.encode(["the", "rare"]), [UNK, EOS], [len(VOCABULARY) + 1]], 6)
    assert model.keywords_of(rows).tolist() == [PAD] * 4
    named = np.array([[0, 0, len(VOCABULARY) + 2, *VOCABULARY.encode(["where"]), EOS]])  # a speaker, and an utterance
    assert VOCABULARY.tokens[model.keywords_of(named)[0]] == "station"


def test_text_without_candidates_is_refused():
    with pytest.raises(UserError, match="--keyword-epochs: no word of the training answers can be a keyword"):
        fit_keywords(pairs_of(("drink", "tea"), ("where", "station")), VOCABULARY)


def test_an_answer_is_read_backwards_from_a_candidate_or_from_any_word():
    candidates = np.zeros(20, bool)
    candidates[9] = True
    answers = frame_answers([[7, 9, 8], [9], [], [5, 6]], 4)
    answers = np.concatenate([answers, [[1, 5, 6, 9, 8]]])  # cut off, so without EOS
    pairs = Pairs(np.arange(20).reshape(5, 4), answers, np.arange(5))
    seen = set()
    for seed in range(20):
        made = beginnings(pairs, candidates, seed)
        assert made.contexts is pairs.contexts
        assert made.answers.dtype == np.int32
        assert made.answers[:3].tolist() == [[9, 7, EOS, 0, 0], [9, EOS, 0, 0, 0], [EOS, 0, 0, 0, 0]]
        assert made.answers[4].tolist() == [9, 6, 5, EOS, 0]
        seen.add(tuple(made.answers[3].tolist()))
    assert seen == {(5, EOS, 0, 0, 0), (6, 5, EOS, 0, 0)}
    np.testing.assert_array_equal(beginnings(pairs, candidates, 3).answers, beginnings(pairs, candidates, 3).answers)


def test_split_words_are_uniformly_distributed_among_the_candidates():
    candidates = np.zeros(20, bool)
    candidates[[5, 7, 8]] = True
    answers = np.tile(frame_answers([[5, 6, 7, 8]], 5), (3000, 1))
    first = beginnings(Pairs(answers, answers, answers[:, 0]), candidates, 1).answers[:, 0]
    shares = [np.mean(first == word) for word in (5, 6, 7, 8)]
    assert shares == pytest.approx([1 / 3, 0, 1 / 3, 1 / 3], abs=0.04)


@pytest.mark.parametrize(
    ("number", "value", "message"),
    [
        (0, [1, 2], "rows of whole numbers"),
        (1, [4.5, 8, 11], "rows of whole numbers"),
        (1, [4, 8], "do not fit together"),
        (1, [8, 4, 11], "out of range"),
        (1, [4, 8, 99], "out of range"),
        (2, [1, 0, 3], "out of range"),
        (5, "+", "out of range"),
        (6, "+", "out of range"),
        (3, "0", "no context contains"),
    ],
)
def test_damaged_keywords_are_refused(number, value, message):
    arrays = toy_keywords().arrays
    assert len(KeywordModel.of_arrays(arrays).words) == 3
    arrays[number] = {"+": arrays[number] + 60, "0": arrays[number] * 0}.get(value) if isinstance(value, str) else value
    arrays[number] = np.array(arrays[number])
    with pytest.raises(ValueError, match=message):
        KeywordModel.of_arrays(arrays)
    with pytest.raises(ValueError, match="7 arrays, but 6"):
        KeywordModel.of_arrays(arrays[1:])
