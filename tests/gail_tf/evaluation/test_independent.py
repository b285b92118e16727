"""Relevance, similarity and MAUVE by an encoder: values by hand, and the value of chance for shuffled responses."""

from dataclasses import replace

import numpy as np
import pytest

from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.independent import MAUVE, RELEVANCE, SIMILARITY, IndependentMeasures, above_shuffled, context_of


def units(rows, seed=0, width=8):
    drawn = np.random.default_rng(seed).normal(size=(rows, width))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def test_above_shuffled_by_hand():
    # Three responses in two conversations. The partners of other conversations: for the first two, only the third.
    vectors = np.array([[1.0, 0], [0, 1], [0, 1]])
    others = np.array([[0.6, 0.8], [1, 0], [0, 1]])
    found = above_shuffled(vectors, others, np.array([7, 7, 3]))
    # 0.6 - 0; 0 - 1; 1 - mean(0.8, 0)
    np.testing.assert_allclose(found, [0.6, -1, 0.6])
    with pytest.raises(ValueError, match="shuffled pairs need two or more conversations"):
        above_shuffled(vectors, others, np.zeros(3))


def test_shuffled_responses_come_out_as_chance():
    contexts = units(400)
    responses = contexts + 0.3 * units(400, seed=1)
    responses /= np.linalg.norm(responses, axis=1, keepdims=True)
    of = np.arange(400)
    assert above_shuffled(responses, contexts, of).mean() > 0.9
    shuffled = above_shuffled(np.random.default_rng(2).permutation(responses), contexts, of)
    assert abs(shuffled.mean()) < 3 * shuffled.std() / 20


def test_a_response_that_suits_all_contexts_is_not_relevant():
    """The response has a high cosine with every context, so that its own context does not stand out."""
    near = np.array([1.0, 0, 0]) + 0.01 * np.random.default_rng(0).normal(size=(50, 3))
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    found = above_shuffled(np.tile([1.0, 0, 0], (50, 1)), near, np.arange(50))
    assert abs(found).max() < 0.01


def test_the_sum_over_rotations_is_zero():
    """Every response meets every context once, so that the scores of all pairings add up to 0."""
    vectors, others = units(6), units(6, seed=1)
    pairings = [above_shuffled(np.roll(vectors, k, axis=0), others, np.arange(6)).sum() for k in range(6)]
    assert sum(pairings) == pytest.approx(0, abs=1e-9)


def trajectories(count, first=0, source="empathetic"):
    return [
        Trajectory(("before",), f"prompt {i}", f"response {i}", source=source, conversation=i)
        for i in range(first, first + count)
    ]


class Lookup:
    """An encoder whose vectors of "prompt i" and "response i" are near each other."""

    def __call__(self, texts):
        numbers = [int(text.split()[-1]) for text in texts]
        words = [text.split()[0] for text in texts]
        base = np.array([units(1, seed=number)[0] for number in numbers])
        noise = np.array([units(1, seed=hash_of(word))[0] for word in words])
        vectors = base + 0.2 * noise
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def hash_of(word):
    return sum(map(ord, word)) + 10_000


def test_the_measures_of_systems_and_their_ceiling():
    answered, further = trajectories(120), trajectories(150, first=500)
    measures = IndependentMeasures(Lookup(), answered, further)
    assert context_of(answered[3]) == "before prompt 3"
    good = measures.vectors([f"other {i}" for i in range(120)])
    scores, places = measures.scores(good), np.arange(120)
    assert set(scores) == {RELEVANCE, SIMILARITY}
    assert min(values.mean() for values in scores.values()) > 0.8
    ceiling = measures.ceiling(places)
    assert ceiling[RELEVANCE] > 0.8
    assert measures.mauve(measures.vectors([answered[i].response for i in places]), places) == pytest.approx(
        1, abs=1e-6
    )
    dull = measures.vectors(["other 0"] * 120)  # one response to all contexts
    assert measures.mauve(dull, places) < 0.5 < ceiling[MAUVE] < 1
    assert abs(measures.scores(dull)[RELEVANCE].mean()) < 0.05


def test_unrelated_responses_are_not_relevant_where_there_are_tweets():
    """Tweets are about something else than conversations: all their vectors have a part in common."""

    class OfKinds:
        def __call__(self, texts):
            kinds = np.array([[1.0 if "tweet" in text else -1.0] for text in texts])
            noise = np.array([units(1, seed=hash_of(text))[0] for text in texts])
            vectors = np.hstack([kinds, 0.5 * noise])
            return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    tweets = [replace(one, prompt=f"tweet {one.prompt}") for one in trajectories(40, first=300, source="tweets")]
    answered = [*trajectories(120), *tweets]
    measures = IndependentMeasures(OfKinds(), answered, [])
    unrelated = measures.vectors([f"{'tweet' if one in tweets else 'other'} {i}" for i, one in enumerate(answered)])
    for values in measures.scores(unrelated).values():
        assert abs(values[:120].mean()) < 0.02
        assert abs(values[120:].mean()) < 0.05
    one_tweet = IndependentMeasures(OfKinds(), [*trajectories(20), tweets[0]], [])
    assert np.isfinite(one_tweet.scores(one_tweet.vectors([f"other {i}" for i in range(21)]))[RELEVANCE]).all()


def test_without_enough_further_responses_there_is_no_mauve_of_humans():
    tweets = trajectories(30, first=900, source="tweets")
    measures = IndependentMeasures(Lookup(), trajectories(20), [*trajectories(10, first=500), *tweets])
    assert set(measures.ceiling(np.arange(20))) == {RELEVANCE}


def test_one_conversation_has_no_shuffled_pairs():
    alone = [trajectories(1)[0]] * 3
    assert IndependentMeasures(Lookup(), alone, []).scores(units(3)) == {}
