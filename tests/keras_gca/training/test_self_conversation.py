"""Line 5 with contexts of N_u utterances, with sampled answers, and with pairs of earlier iterations."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from keras_gca.data.pairs import Pairs, frame_answers, joined, pad_contexts, with_speakers
from keras_gca.data.vocabulary import EOS
from keras_gca.training.self_conversation import (
    converse,
    kept_for_replay,
    last_utterances,
    seeds_with_utterances,
    with_replay,
)

LENGTH = 6


def pairs_of(*conversations, held_out=(), context_utterances=2):
    """Make the pairs of conversations of token lists, without those whose numbers are held out."""
    contexts, answers, owner = [], [], []
    for number, utterances in enumerate(conversations):
        for i in range(1, len(utterances)):
            context = utterances[max(0, i - context_utterances) : i]
            contexts.append([token for utterance in context for token in utterance])
            answers.append(utterances[i])
            owner.append(number)
    kept = [i for i in range(len(owner)) if i not in held_out]
    return Pairs(pad_contexts(contexts, LENGTH), frame_answers(answers, LENGTH), np.array(owner, np.int32))[kept]


def found(pairs, count):
    utterances, known = last_utterances(pairs, count)
    assert utterances.shape == (len(pairs), count, LENGTH)
    return [[row[row != 0].tolist() for row in of] for of in utterances], known.tolist()


A, B, C, D, X, Y = [5], [6, 7], [8], [9, 5], [7, 7], [5, 8]


def test_utterances_are_found_by_the_answers_before():
    pairs = pairs_of([A, B, C], [X, Y])
    assert found(pairs, 1) == ([[A], [B], [X]], [True] * 3)
    assert found(pairs, 2) == ([[[], A], [A, B], [[], X]], [True] * 3)
    assert found(pairs, 0) == ([[], [], []], [True] * 3)
    three = pairs_of([A, B, C, D], context_utterances=3)
    assert found(three, 2) == ([[[], A], [A, B], [B, C]], [True] * 3)


def test_an_utterance_may_be_unknown_or_cut():
    assert found(pairs_of([A, B, C, D], held_out=[1]), 1) == ([[A], [[]]], [True, False])
    longer = [5, 6, 7, 8, 9, 5, 6]  # a context has only its end, and an answer only its beginning
    assert found(pairs_of([A, longer, B]), 1) == ([[A], [longer[-LENGTH:]]], [True, True])


def by_context(contexts, utterances):
    """Return the utterance that was found for each context, by the tokens of the context."""
    rows = zip(contexts, utterances[:, 0], strict=True)
    return {(*context[context != 0].tolist(),): row[row != 0].tolist() for context, row in rows}


@pytest.mark.parametrize("count", [2, 5])
def test_seeds_have_the_utterances_of_their_contexts(count):
    """The second context of the first conversation is not chosen, because its utterances are unknown."""
    pairs = pairs_of([A, B, C, D], [X, Y], held_out=[1])
    contexts, utterances = seeds_with_utterances(pairs, count, 0, 1)
    assert len(contexts) == count
    assert by_context(contexts, utterances) == {(*A,): A, (*X,): X}
    named = replace(pairs, contexts=with_speakers(pairs.contexts, [11, 12, 11]))
    again = seeds_with_utterances(named, count, 0, 1, words=10)
    np.testing.assert_array_equal(again[1][:, :, 1:], utterances)


def test_seeds_of_a_hierarchical_encoder_keep_the_ends_of_utterances():
    contexts = pad_contexts([joined([A, B], LENGTH, True), joined([C], LENGTH, True)], 2 * LENGTH)
    pairs = Pairs(contexts, frame_answers([X, Y], LENGTH), np.array([0, 1], np.int32))
    chosen, utterances = seeds_with_utterances(pairs, 2, 0, 1, hierarchical=True)
    assert by_context(chosen, utterances) == {(*A, EOS, *B, EOS): [*B, EOS], (*C, EOS): [*C, EOS]}


class Repeater:
    """Answers each context by its last two tokens, each plus 1, and records how it was asked."""

    gca = SimpleNamespace(sizes=SimpleNamespace(hierarchical=False))

    def __init__(self):
        self.asked = []

    def greedy(self, contexts):
        words = [[int(token) + 1 for token in row[row != 0][-2:]] for row in contexts]
        return SimpleNamespace(answers=frame_answers(words, LENGTH))

    def sample(self, contexts, seed, temperature, top_p):
        self.asked.append((seed, temperature, top_p))
        return self.greedy(contexts)


def spoken(*, turns, before=None, **how):
    seeds = pad_contexts([[5, 6, 7], [9]], LENGTH)
    made = Pairs.concatenate([pairs for _, pairs in converse(Repeater(), seeds, turns, before=before, **how)])
    order = np.argsort(made.conversation, kind="stable")
    return [[row[row != 0].tolist() for row in made.contexts[order]], made.answers[order].tolist()]


def test_contexts_of_two_utterances():
    """x+ is [5, 6 7], or [9] alone. The answers x- are [7, 8] and [10]."""
    before = pad_contexts([[6, 7], [9]], LENGTH)[:, None]
    contexts, answers = spoken(turns=3, before=before)
    # the last of x+ and x-, then x- and y-
    assert contexts == [[6, 7, 7, 8], [7, 8, 8, 9], [9, 10], [10, 10, 11]]
    assert answers[1] == [1, 9, 10, 2, 0, 0, 0]
    assert spoken(turns=2)[0] == [[7, 8], [10]]  # the author's way
    assert spoken(turns=2, before=before[:, :0])[0] == [[7, 8], [10]]  # N_u = 1 is the same
    assert spoken(turns=1, before=before)[0] == [[5, 6, 7], [9]]


def test_answers_are_sampled_at_a_temperature():
    decoder = Repeater()
    list(converse(decoder, pad_contexts([[5], [6]], LENGTH), 2, 40, temperature=0.7, top_p=0.9))
    assert decoder.asked == [(40, 0.7, 0.9), (41, 0.7, 0.9)]


def numbered(first, count):
    """Make pairs whose conversations have the numbers from `first`."""
    return Pairs(
        np.zeros((count, 3), np.int32), np.ones((count, 4), np.int32), np.arange(first, first + count, dtype=np.int32)
    )


def test_earlier_iterations_have_equal_shares_of_the_replay():
    first = kept_for_replay(None, numbered(0, 12), 1, seed=5)
    assert first.conversation.tolist() == list(range(12))
    second = kept_for_replay(first, numbered(100, 12), 2, seed=5)
    third = kept_for_replay(second, numbered(200, 12), 3, seed=5)
    assert [int(np.sum(second.conversation // 100 == i)) for i in range(2)] == [6, 6]
    assert int(np.sum(third.conversation >= 200)) == 4
    assert len(third) == len(set(third.conversation.tolist())) == 12
    again = kept_for_replay(second, numbered(200, 12), 3, seed=5)
    np.testing.assert_array_equal(third.conversation, again.conversation)


@pytest.mark.parametrize(("share", "old"), [(0.25, 3), (0.5, 6)])
def test_a_share_of_m_is_replaced(share, old):
    mixed = with_replay(numbered(0, 12), numbered(100, 12), share, seed=1)
    assert len(mixed) == len(set(mixed.conversation.tolist())) == 12
    assert int(np.sum(mixed.conversation >= 100)) == old


def test_without_replay_m_stays_as_it_is():
    machine = numbered(0, 12)
    assert with_replay(machine, None, 0.5, seed=1) is machine
    assert with_replay(machine, numbered(100, 12), 0.0, seed=1) is machine
