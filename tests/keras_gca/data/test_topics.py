"""The topic model: which words belong to topics, its fit to conversations, and bad input."""

import sys

import numpy as np
import pytest

from keras_gca.data.topics import TopicModel, fit_topics, topical_words
from keras_gca.data.vocabulary import Vocabulary
from keras_gca.errors import UserError

FOOD, WEATHER = ("soup", "bread", "cheese", "butter"), ("rain", "cloud", "storm", "wind")
VOCABULARY = Vocabulary(["the", ".", *FOOD, *WEATHER, "ox", "rare"], [1] * 12)


def encoded(*documents):
    return [VOCABULARY.encode(document) for document in documents]


@pytest.fixture(scope="module")
def documents():
    """Two conversations in three are about food; one in three is about the weather."""
    random = np.random.default_rng(0)
    about = [WEATHER if number % 3 == 0 else FOOD for number in range(60)]
    return encoded(*([*random.choice(words, 6), "the", "."] for words in about))


@pytest.fixture(scope="module")
def model(documents, monkeypatch_module):
    monkeypatch_module.setattr("keras_gca.data.topics.COMMONEST", 0.7)
    return fit_topics(documents, VOCABULARY, 2, seed=0)


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_stop_words_short_rare_and_common_words_belong_to_no_topic():
    rows = [["soup", "the", "ox", "."]] * 3 + [["rain", "rare"]] * 2 + [["rain", "bread"]] + [["bread"]] * 24
    words, counts = topical_words(VOCABULARY, encoded(*rows), {"the"})
    # "bread" is in 25 of 30 conversations, and "rare" in only 2.
    assert [VOCABULARY.tokens[word] for word in words] == ["soup", "rain"]
    assert counts[0] == {VOCABULARY.encode([token])[0]: 1 for token in rows[0]}


def test_the_fit_finds_the_topics_of_conversations(model):
    names = [{VOCABULARY.tokens[word] for word in row} for row in model.topic_words(4)]
    assert names == [set(FOOD), set(WEATHER)]  # the more frequent topic is the first one
    assert np.exp(model.log_topics) == pytest.approx([2 / 3, 1 / 3], abs=0.05)
    np.testing.assert_allclose(np.exp(model.log_words[model.log_words[:, 0] < 0]).sum(0), 1, atol=0.01)
    contexts = np.stack([VOCABULARY.encode(["the", "rain", "."]), VOCABULARY.encode(["soup", "the", "rare"])])
    assert model.topics_of(contexts).tolist() == [1, 0]
    assert model.topics_of(np.array([[0, 0], [len(VOCABULARY) + 1, 0]])).tolist() == [0, 0]  # no word: log p(z) decides
    assert model.topic_words(100).shape == (2, 8)


def test_the_same_seed_gives_the_same_topics_which_float16_can_store(model, documents):
    again = fit_topics(documents, VOCABULARY, 2, seed=0)
    for first, second in zip(model.weights, again.weights, strict=True):
        np.testing.assert_array_equal(first, second)
        np.testing.assert_array_equal(first, first.astype(np.float16))


def test_too_few_words_and_a_missing_package_are_named(documents, monkeypatch):
    with pytest.raises(UserError, match="--topics 9: only 8 words of the training text can belong to a topic"):
        fit_topics(documents, VOCABULARY, 9, seed=0)
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(UserError, match=r"sklearn\.decomposition is not installed; .*\[topics\]"):
        fit_topics(documents, VOCABULARY, 2, seed=0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([np.zeros((3, 2))], "2 arrays"),
        ([np.full((3, 2), -1.0), np.full(3, -1.0)], "do not fit together"),
        ([np.full((3, 2), 1.0), np.full(2, -1.0)], "not logarithms"),
        ([np.full((3, 2), np.nan), np.full(2, -1.0)], "not logarithms"),
        ([np.zeros((3, 2)), np.full(2, -1.0)], "no word belongs"),
    ],
)
def test_damaged_topic_models_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        TopicModel.of_weights(weights)
