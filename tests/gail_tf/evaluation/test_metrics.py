"""Compares the metrics with numbers that were worked out by hand, and with NumPy, NLTK and sacreBLEU."""

import math

import numpy as np
import pytest
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from sacrebleu.metrics import BLEU

from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation import metrics
from gail_tf.evaluation.metrics import Likelihoods
from keras_gca.evaluation.reply_metrics import bleu_counts, bleu_of_counts
from keras_gca.evaluation.statistics import bootstrap

HUMAN = ["I am so sorry to hear that.", "That's great, well done!", "How did it go?", "Oh no!"]
SAID = ["I am sorry to hear about that.", "Great!", "How did it go?", ""]


def trajectories(turns=(1, 2, 1, 2), conversations=(0, 0, 1, 1), sources=("empathetic",) * 4):
    rows = zip(HUMAN, turns, conversations, sources, strict=True)
    return [Trajectory((), "My dog died.", human, None, source, of, turn) for human, turn, of, source in rows]


def test_words_are_runs_of_letters_or_marks():
    assert metrics.words("That's GREAT... ok?!") == ["that", "'", "s", "great", "...", "ok", "?!"]


def test_parts_are_table_2s_columns_and_tweets_stand_apart():
    asked = trajectories((1, 3, 7, 1), sources=("dailydialog", "dailydialog", "empathetic", "tweets"))
    found = {part: rows.tolist() for part, rows in metrics.parts(asked).items()}
    assert found == {"1 turn": [0], "3+ turns": [1, 2], "all turns": [0, 1, 2], "tweets": [3]}
    assert metrics.parts([]) == {}


def test_rows_are_spread_evenly():
    assert metrics.spread(9, 3).tolist() == [0, 4, 8]
    assert metrics.spread(3, 10).tolist() == [0, 1, 2]


def test_perplexities_by_hand():
    found = Likelihoods(np.array([2.0, 4.0, 6.0]), np.array([2, 3, 5]), np.array([1, 2, 3]), np.zeros(3, bool))
    figures = metrics.likelihood_figures(found, np.array([7, 7, 9]))
    assert figures["perplexity"].value == pytest.approx(math.exp(12 / 10))
    assert figures["perplexity per word"].value == pytest.approx(math.exp(12 / 6))
    # A resample of two conversations has both, or one of them twice. The ends are those of the single conversations.
    assert figures["perplexity"].low == pytest.approx(math.exp(6 / 5))
    assert figures["perplexity per word"].high == pytest.approx(math.exp(6 / 3))
    alone = metrics.likelihood_figures(found, np.array([7, 7, 7]))["perplexity"]
    assert (alone.low, alone.high) == (None, None)


def test_intervals_count_conversations_not_trajectories():
    """Ten equal turns in each conversation give the same interval as one turn."""
    draw = np.random.default_rng(0)
    nll, ones = draw.normal(3, 1, 100), np.ones(100, np.int64)
    single = Likelihoods(nll, ones, ones, ones < 0)
    repeated = Likelihoods(*(np.repeat(each, 10) for each in single))
    once = metrics.likelihood_figures(single, np.arange(100))
    often = metrics.likelihood_figures(repeated, np.repeat(np.arange(100), 10))
    np.testing.assert_allclose(once["perplexity"], often["perplexity"])
    half = 1.96 * nll.std() / 10
    assert math.log(once["perplexity"].high) == pytest.approx(nll.mean() + half, abs=0.04)


def test_sentence_bleu_is_nltks():
    found = metrics.sentence_bleus(SAID, HUMAN)
    smoothing = SmoothingFunction().method1
    for row, said, human in zip(found, SAID, HUMAN, strict=True):
        for n in (1, 2, 3, 4):
            peer = sentence_bleu([metrics.words(human)], metrics.words(said), (1 / n,) * n, smoothing) if said else 0
            assert row[n - 1] == pytest.approx(100 * peer)
    assert found[2] == pytest.approx(100)
    # "great !" has 2 words and "that ' s great , well done !" has 8. Both words match; the brevity penalty is exp(1 - 8
    # / 2).
    assert found[1, 0] == pytest.approx(100 * math.exp(1 - 8 / 2))


def test_summed_counts_give_sacrebleus_corpus_score():
    metric = BLEU()
    for rows in ([0, 1, 2, 3], [0, 0, 1], [3]):
        said, human = [SAID[i] for i in rows], [HUMAN[i] for i in rows]
        expected = metric.corpus_score(said, [human]).score
        assert bleu_of_counts(bleu_counts(said, human).sum(0)) == pytest.approx(expected)
    assert bleu_counts([], []).shape == (0, 10)


def test_agreement_of_any_classifier():
    def loudness(texts):
        return ["loud" if "!" in text else "calm" for text in texts]

    scores = metrics.response_scores(SAID, trajectories(), {"loudness": loudness})
    assert scores["loudness as the human's"].tolist() == [1, 1, 1, 0]
    assert scores["loudness as the prompt's"].tolist() == [1, 0, 1, 1]
    assert metrics.sentiment_names(["I love it!", "", "My dog died."]) == ["positive", "neutral", "negative"]


def test_shuffled_agreement_of_sentiment_is_the_floor():
    """The control: responses whose sentiment has nothing to do with the prompt's agree as often as shuffled pairs."""
    draw = np.random.default_rng(0)
    moods = ["I love it!", "My dog died.", "It is a table."]
    asked = [Trajectory((), str(draw.choice(moods)), str(draw.choice(moods)), conversation=i) for i in range(300)]
    said = [str(draw.choice(moods)) for _ in range(300)]
    figures = metrics.response_figures(said, asked, metrics.response_scores(said, asked), {})
    for whose in ("human", "prompt"):
        agreed, floor = (figures[f"sentiment as the {whose}'s{end}"].value for end in ("", metrics.SHUFFLED))
        assert agreed == pytest.approx(floor, abs=0.09)
        assert floor == pytest.approx(1 / 3, abs=0.03)
    copied = metrics.response_scores([one.prompt for one in asked], asked)["sentiment as the prompt's"]
    assert copied.mean() == 1


def test_shuffled_references_match_no_better_than_those_of_others():
    """The control of BLEU: a copy of the human response has 100, and the response to another context has nearly 0."""
    draw = np.random.default_rng(0)
    words = [f"word{i}" for i in range(40)]
    human = [" ".join(draw.choice(words, 8)) for _ in range(200)]
    shuffled = [human[i] for i in draw.permutation(200)]
    unrelated = [" ".join(draw.choice(words, 8)) for _ in range(200)]
    scores = {name: metrics.sentence_bleus(said, human)[:, 0].mean() for name, said in
              (("copied", human), ("shuffled", shuffled), ("unrelated", unrelated))}  # fmt: skip
    assert scores["copied"] == pytest.approx(100)
    assert scores["shuffled"] == pytest.approx(scores["unrelated"], abs=3)


def test_a_policy_that_knows_nothing_has_the_perplexity_of_chance():
    """The control of perplexity: if V tokens are equally likely, the perplexity of any responses is V."""
    tokens = np.array([3, 5, 2])
    found = Likelihoods(tokens * math.log(50), tokens, tokens, np.zeros(3, bool))
    assert metrics.likelihood_figures(found, np.arange(3))["perplexity"] == pytest.approx((50, 50, 50))


def test_figures_of_responses():
    asked, vectors = trajectories(), {"sorry": np.array([1.0, 0.0]), "great": np.array([0.0, 1.0])}
    scores = metrics.response_scores(SAID, asked)
    figures = metrics.response_figures(SAID, asked, scores, vectors)
    assert figures["BLEU"].value == pytest.approx(BLEU().corpus_score(SAID, [HUMAN]).score)
    assert figures["BLEU-2"].value == pytest.approx(metrics.sentence_bleus(SAID, HUMAN)[:, 1].mean())
    assert figures["sentiment as the human's"].value == np.mean(scores["sentiment as the human's"])
    # i am sorry to hear about that . / great ! / how did it go ? / nothing
    assert figures["words"].value == (8 + 2 + 5 + 0) / 4
    assert figures["distinct-1"].value == 1
    assert figures["vectors, average"].value == 2 / 4
    for name in ("BLEU", "BLEU-2", "sentiment as the human's"):
        assert figures[name].low <= figures[name].value <= figures[name].high


def test_the_interval_of_bleu_is_of_drawn_conversations():
    asked = trajectories()
    figures = metrics.response_figures(SAID, asked, metrics.response_scores(SAID, asked), {}, seed=5)
    drawn = bootstrap(2, 5, metrics.RESAMPLES)
    peer = BLEU()
    by_draw = {}
    for first in (0, 1, 2):
        rows = [0, 1] * first + [2, 3] * (2 - first)
        by_draw[first] = peer.corpus_score([SAID[i] for i in rows], [[HUMAN[i] for i in rows]]).score
    low, high = np.percentile([by_draw[first] for first in drawn[:, 0]], [2.5, 97.5])
    assert figures["BLEU"][1:] == pytest.approx((low, high))


def test_humans_have_a_row_of_their_own():
    figures = metrics.human_figures(trajectories())
    assert set(figures) == {"distinct-1", "distinct-2", "words", "repeated", "sentiment as the prompt's"}
    # The prompt is negative. Of the human responses only "I am so sorry" is negative.
    assert figures["sentiment as the prompt's"].value == 0.25


def test_the_sign_flip_test_by_hand():
    """There are 2^4 flips of the signs of (1, 2, 3, 4). Only two of them give a sum as far from 0 as 10."""
    found = metrics.compare(np.array([1, 2, 3, 4.0]), np.zeros(4), np.full(4, 2), np.arange(4))
    assert found.difference == pytest.approx(10 / 8)
    assert found.p_value == pytest.approx(2 / 16)
    assert found.units == 4
    # In two conversations the differences are (3, 7). Two of their 4 flips give a sum as far from 0.
    assert metrics.compare(np.array([1, 2, 3, 4.0]), np.zeros(4), np.ones(4), np.array([0, 0, 1, 1])).p_value == 0.5
    assert metrics.compare(np.zeros(3), np.zeros(3), np.ones(3), np.arange(3)).p_value == 1
    assert metrics.compare(np.zeros(0), np.zeros(0), np.zeros(0), np.zeros(0)) is None


def test_a_difference_is_seen_among_many_conversations_and_noise_is_none():
    draw = np.random.default_rng(1)
    noise = draw.normal(0, 1, (2, 300))
    of = np.arange(300)
    assert metrics.compare(noise[0] + 0.5, noise[1], np.ones(300), of).p_value < 0.001
    assert metrics.compare(noise[0], noise[1], np.ones(300), of).p_value > 0.05


def test_likelihoods_are_compared_on_the_same_text_only():
    first = Likelihoods(
        np.array([1.0, 2.0, 9.0]), np.array([1, 2, 3]), np.array([1, 2, 3]), np.array([False, True, True])
    )
    second = Likelihoods(
        np.array([2.0, 4.0, 1.0]), np.array([4, 4, 4]), np.array([1, 2, 4]), np.array([False, True, True])
    )
    found = metrics.compare_likelihoods(first, second, np.arange(3))
    assert found.difference == pytest.approx((-1 - 2) / 3)
    assert found.units == 2
