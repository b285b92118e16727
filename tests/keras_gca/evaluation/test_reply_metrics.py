"""Compares the metrics of replies with numbers that were worked out by hand."""

import math

import numpy as np
import pytest

from keras_gca.evaluation import reply_metrics

REPLIES = [["i", "like", "tea"], ["i", "like", "it"], ["i", "like", "tea"], ["no"]]


def test_diversity_and_length():
    assert reply_metrics.distinct(REPLIES, 1) == pytest.approx(5 / 10)
    assert reply_metrics.distinct(REPLIES, 2) == pytest.approx(3 / 6)
    assert math.isnan(reply_metrics.distinct([["no"]], 2))
    assert reply_metrics.mean_length(REPLIES) == pytest.approx(10 / 4)
    assert reply_metrics.repeated(REPLIES) == pytest.approx(1 / 4)
    assert reply_metrics.most_frequent(REPLIES) == 0.5
    assert reply_metrics.most_frequent([[1]]) == 1


def test_entropy():
    assert reply_metrics.entropy([["a", "b"], ["c", "d"]]) == pytest.approx(2)
    assert reply_metrics.entropy([["a", "a", "a", "b"]]) == pytest.approx(0.75 * math.log2(4 / 3) + 0.25 * 2)
    assert reply_metrics.entropy([["a", "a", "a"]], 2) == 0


def test_bleu():
    score, signature = reply_metrics.bleu(["The cat sat on the mat."], ["The cat sat on the mat."])
    assert score == pytest.approx(100)
    assert "tok:13a" in signature
    # 1-grams 5/6, 2-grams 3/5, 3-grams 1/4, 4-grams none (smoothed: 1 / (2 * 3)); equal lengths, so no penalty.
    score, _ = reply_metrics.bleu(["a b c x e f"], ["a b c d e f"])
    assert score == pytest.approx(100 * (5 / 6 * 3 / 5 * 1 / 4 * 1 / 6) ** 0.25)


def test_embedding_similarities():
    vectors = {"a": np.array([1.0, 0]), "b": np.array([0, 1.0]), "c": np.array([-2.0, 1.0]), "z": np.zeros(2)}
    same = reply_metrics.embedding_similarities([["a", "b"]], [["b", "a", "z", "unheard-of"]], vectors)
    assert same == pytest.approx({"average": 1, "extrema": 1, "greedy": 1})
    found = reply_metrics.embedding_similarities([["a", "c"]], [["b"]], vectors)
    cosine = 1 / math.sqrt(5)  # the cosine of c and b
    assert found == pytest.approx(
        {
            "average": 0.5 / math.hypot(-0.5, 0.5),  # mean of a and c: (-1/2, 1/2)
            "extrema": cosine,  # (-2, 1)
            "greedy": ((0 + cosine) / 2 + cosine) / 2,
        }
    )
    half = reply_metrics.embedding_similarities([["a"], ["z"]], [["a"], ["a"]], vectors)
    assert half["average"] == pytest.approx(0.5)


def test_distinct_at_equal_counts_by_hand():
    replies = [["a", "b"], ["c", "d"], ["a", "b"]]
    assert reply_metrics.distinct_at(replies[:2], 1, 4) == 1
    assert reply_metrics.distinct_at(replies, 1, 6) == pytest.approx(4 / 6)
    assert reply_metrics.distinct_at([["a", "a", "a", "a"]], 1, 2) == 0.5  # the reply is cut
    assert math.isnan(reply_metrics.distinct_at(replies, 1, 7))


def test_words_drawn_alike_are_equally_diverse_whatever_the_length():
    """The control: the same distribution of words in short and in long replies. `distinct` alone sees a difference."""
    draw = np.random.default_rng(0)

    def drawn(length):
        return [[f"w{k}" for k in draw.zipf(1.5, length)] for _ in range(300)]

    systems = {"short": drawn(5), "long": drawn(40)}
    tokens, equal = reply_metrics.equal_distinct(systems, 1)
    assert tokens == 1500
    assert equal["short"] == pytest.approx(equal["long"], rel=0.1)
    assert reply_metrics.distinct(systems["short"], 1) > 1.5 * reply_metrics.distinct(systems["long"], 1)


def test_replies_that_are_drawn_at_random_have_the_values_of_chance():
    """The controls: uniform words have the entropy log2 V, and all replies of many words are different."""
    draw = np.random.default_rng(0)
    drawn = [[f"w{k}" for k in draw.integers(0, 64, 10)] for _ in range(2000)]
    assert reply_metrics.entropy(drawn) == pytest.approx(6, abs=0.01)
    assert reply_metrics.repeated(drawn) == 0
    assert reply_metrics.most_frequent(drawn) == 1 / 2000


def test_shuffled_replies_are_no_more_similar_than_unrelated_ones():
    """The control of BLEU and of the similarities by vectors: only the reply to the same context resembles it."""
    draw = np.random.default_rng(0)
    words = [f"w{i}" for i in range(300)]
    vectors = dict(zip(words, draw.normal(size=(300, 20)), strict=True))
    human = [list(draw.choice(words, 6)) for _ in range(300)]
    shuffled = [human[i] for i in draw.permutation(300)]
    unrelated = [list(draw.choice(words, 6)) for _ in range(300)]
    for kind in ("average", "extrema", "greedy"):
        same, moved, other = (
            reply_metrics.embedding_similarities(said, human, vectors)[kind] for said in (human, shuffled, unrelated)
        )
        assert same == pytest.approx(1)
        assert moved == pytest.approx(other, abs=0.05)
        assert moved < 0.5  # "greedy" takes the best of six words, so that its chance is not 0
    texts = [[" ".join(reply) for reply in said] for said in (human, shuffled, unrelated)]
    same, moved, other = (reply_metrics.bleu(said, texts[0])[0] for said in texts)
    assert same == pytest.approx(100)
    assert moved == pytest.approx(other, abs=1)
    assert moved < 3
