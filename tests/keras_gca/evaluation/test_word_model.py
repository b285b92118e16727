"""The model of words is compared with numbers worked out by hand, also for words that do not exist."""

import math

import numpy as np
import pytest

from keras_gca.evaluation.word_model import WordModel


def replies(count=400, seed=0):
    """Replies of a small grammar, with rare names."""
    draw = np.random.default_rng(seed)
    subjects, verbs, things = ["i", "you", "we"], ["like", "want", "see"], ["tea", "dogs", "rain", "music"]
    made = []
    for i in range(count):
        reply = [str(draw.choice(words)) for words in (subjects, verbs, things)]
        made.append([*reply, f"name{i}" if i % 40 == 0 else "today", "."])
    return made


def perplexity(model, of_replies):
    nll, words = model.costs(of_replies).sum(axis=0)
    return math.exp(nll / words)


def test_by_hand_without_unseen_words():
    """The model has bigrams of "a b" (twice) and "c" (twice). The recursion is Chen and Goodman's, the discount 0.5."""
    model = WordModel([["a", "b"], ["a", "b"], ["c"], ["c"]], order=2, discount=0.5)
    # No word is seen once, so a reply of one unseen word is added. Bigrams: begin a (2), begin c (2), begin unseen (1),
    # a b (2), b end (2), c end (2), unseen end (1). Types that end in: a 1, c 1, unseen 1, b 1, end 3: 7 in all.
    # p(b | a) = (2 - 0.5) / 2 + 0.5 * 1 / 2 * 1 / 7
    found = np.exp(model.log_probabilities(["a", "b"]))
    assert found[1] == pytest.approx(0.75 + 0.25 / 7)
    # p(a | begin) = (2 - 0.5) / 5 + 0.5 * 3 / 5 * 1 / 7
    assert found[0] == pytest.approx(1.5 / 5 + 0.3 / 7)
    assert len(found) == 3
    np.testing.assert_allclose(model.costs([["a", "b"]]), [[-np.log(found).sum(), 3]])


def test_an_unseen_word_costs_its_spelling():
    model = WordModel([["a", "b"], ["a", "b"], ["c"], ["c"]], order=2, discount=0.5)
    # Three words with three letters, one each. Letters and ends: 3 + 3, and one count for each of 3 letters, the end
    # and all other characters: 11. A known letter has 2 / 11, the end (3 + 1) / 11.
    expected = (1 - 0.5) / 5 + 0.3 / 7  # p(unseen | begin)
    found = model.log_probabilities(["ab"])[0]
    assert found == pytest.approx(math.log(expected) + 2 * math.log(2 / 11) + math.log(4 / 11))
    other = model.log_probabilities(["aé"])[0]
    assert found - other == pytest.approx(math.log(2 * 0x110000))


def test_it_is_a_distribution_of_words():
    model = WordModel(replies())
    words = sorted({word for reply in replies() for word in reply if not word.startswith("name")})
    before = ("i", "like")
    total = sum(np.exp(model.log_probabilities([*before, word])[2]) for word in words)
    total += np.exp(model.log_probabilities(before)[2])  # the end
    spelling = model._spelling("zzz")
    total += np.exp(model.log_probabilities([*before, "zzz"])[2] - spelling)  # all unseen words
    total += model._model.unmasked_score("<begin>", ("<begin>", "<begin>", "i", "like"))  # a begin, which never comes
    assert total == pytest.approx(1)


def test_all_spellings_have_a_probability_of_one():
    model = WordModel([["a"], ["b"]])
    letter, end = math.exp(model._spelling("a") - model._spelling("")), math.exp(model._spelling(""))
    other = math.exp(model._spelling("z") - model._spelling(""))
    assert 2 * letter + end + other * 0x110000 == pytest.approx(1)


def test_a_longer_word_that_does_not_exist_is_worse():
    model = WordModel(replies())
    perplexities = [perplexity(model, [["i", "like", word, "today", "."]]) for word in ("tea", "xq", "xqxqxqxqxqxq")]
    assert perplexities == sorted(perplexities)
    assert perplexities[2] > 50 * perplexities[0]


def test_replies_of_the_grammar_are_better_than_shuffled_words():
    model = WordModel(replies())
    held_out = replies(60, seed=1)
    draw = np.random.default_rng(2)
    shuffled = [list(draw.permutation(reply)) for reply in held_out]
    assert 5 * perplexity(model, held_out) < perplexity(model, shuffled)


def test_no_replies_are_refused():
    with pytest.raises(ValueError, match="there are no replies to fit a word model to"):
        WordModel([])
