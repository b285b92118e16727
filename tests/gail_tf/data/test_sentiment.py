import math

import pytest

from gail_tf.data import sentiment as module
from gail_tf.data.sentiment import NAMES, sentiment, sentiments
from keras_gca.data.conversations import read_conversations


@pytest.mark.parametrize(
    ("utterance", "valences"),
    [
        ("a great day", [3.1]),  # the words' valences in the lexicon, whose scale is -4 to 4
        ("a sad day", [-2.1]),
        ("sad but happy", None),  # "but" halves the valences before it and multiplies those after it by 1.5
        ("it is not good", None),
        ("a table and a chair", []),
        ("", []),
    ],
)
def test_the_compound_score_is_the_normalised_sum_of_valences(utterance, valences):
    by_hand = {"sad but happy": 0.5 * -2.1 + 1.5 * 2.7, "it is not good": -0.74 * 1.9}
    total = by_hand[utterance] if valences is None else sum(valences)
    assert sentiment(utterance).compound == pytest.approx(total / math.sqrt(total**2 + 15), abs=1e-4)


@pytest.mark.parametrize(
    ("compound", "name"),
    [
        (-1.0, "negative"),
        (-0.05, "negative"),
        (-0.0499, "neutral"),
        (0.0, "neutral"),
        (0.0499, "neutral"),
        (0.05, "positive"),
        (1.0, "positive"),
    ],
)
def test_the_customary_thresholds(monkeypatch, compound, name):
    class Fixed:
        def polarity_scores(self, _):
            return {"compound": compound}

    monkeypatch.setattr(module, "_analyser", Fixed)
    assert sentiment.__wrapped__("x").name == name  # without the cache


def test_each_turn_of_a_history_and_the_prompt_has_one():
    found = sentiments(("I lost my dog. I am so sad.", "What is its name?"), "We FOUND him, I'm so happy :)")
    assert [each.name for each in found] == list(NAMES)
    assert all(-1 <= each.compound <= 1 for each in found)
    assert sentiments((), "Fine.")[0].name == "positive"


def test_emotions_of_a_real_corpus_have_the_sentiment_that_one_expects(shared_file):
    """VADER must tell most pleasant emotions from unpleasant ones. People's labels serve as an independent truth."""
    corpus = read_conversations(shared_file("data/empatheticdialogues/valid.csv"))
    means = {}
    for emotion in ("joyful", "grateful", "proud", "excited", "devastated", "furious", "terrified", "sad"):
        scores = [sentiment(each.utterances[0]).compound for each in corpus if each.emotion == emotion]
        means[emotion] = sum(scores) / len(scores)
    assert min(means[each] for each in ("joyful", "grateful", "proud", "excited")) > 0.15
    assert max(means[each] for each in ("devastated", "furious", "terrified", "sad")) < -0.05
