import numpy as np
import pytest
from nltk.lm import KneserNeyInterpolated, Vocabulary
from nltk.lm.preprocessing import padded_everygram_pipeline
from nltk.util import everygrams

from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.evaluation.trigram import DISCOUNTS, IndexedKneserNey, TrigramModel, fitted


def answers(count, seed=0):
    random = np.random.default_rng(seed)
    words = random.zipf(1.5, (count, 6)) % 9 + 4
    return [[BOS, *row[: 1 + i % 6], EOS] + [PAD] * (5 - i % 6) for i, row in enumerate(words.tolist())]


@pytest.mark.parametrize("discount", [0.1, 0.75])
def test_the_index_gives_nltks_own_probabilities(discount):
    sentences = [[str(t) for t in answer if t not in (PAD, BOS, EOS)] for answer in answers(60)]
    grams, words = padded_everygram_pipeline(3, sentences)
    plain = KneserNeyInterpolated(3, discount)
    plain.fit(grams, words)
    indexed = KneserNeyInterpolated(3, discount, vocabulary=plain.vocab, counter=plain.counts)
    indexed.estimator = IndexedKneserNey(plain.vocab, plain.counts, order=3, discount=discount)
    indexed.estimator.index()
    for word in ["4", "5", "6", "</s>"]:
        for context in [("<s>", "<s>"), ("<s>", "4"), ("4", "5"), ("12", "12"), ("6", "4")]:
            assert indexed.score(word, context) == pytest.approx(plain.score(word, context))


def test_hand_computed_probabilities():
    """For the single sentence "a b", p(b | BOS a) is worked out by Chen and Goodman's recursion with discount 0.5."""
    a, b = 4, 5
    model = TrigramModel([[BOS, a, b, EOS]], 6, discount=0.5)
    # The padded sentence is BOS BOS a b EOS. BOS, a, b and EOS each end one type of bigram, so each unigram has 1/4.
    # The bigram level after "a": "a b" has a continuation count of 1 of 1, which is discounted to 0.5. The other 0.5
    # goes
    # to the unigrams. This gives 0.5 + 0.5 / 4 = 0.625.
    # The trigram level after "BOS a" is 0.5 + 0.5 * 0.625.
    assert np.exp(model.log_probabilities([BOS, a, b, EOS])[1]) == pytest.approx(0.5 + 0.5 * 0.625)
    assert len(model.log_probabilities([BOS, a, b, EOS, PAD, PAD])) == 3


def test_perplexity_is_over_tokens():
    model = TrigramModel(answers(60), 13, discount=0.75)
    held_out = answers(7, seed=5)
    logs = np.concatenate([model.log_probabilities(answer) for answer in held_out])
    assert len(logs) == sum(np.count_nonzero(answer) - 1 for answer in held_out)
    assert model.perplexity(held_out) == pytest.approx(np.exp(-logs.mean()))


def test_a_token_never_seen_gets_the_uniform_share():
    model = TrigramModel([[BOS, 4, EOS]], 6)
    assert np.exp(model.log_probabilities([BOS, 5, EOS])[0]) == pytest.approx(1 / 6)


def test_tokens_drawn_at_random_cost_what_chance_costs():
    """The control: among nine equally likely tokens, none can be predicted. The end comes after exactly six."""
    draw = np.random.default_rng(0)
    fitted, held_out = ([[BOS, *row, EOS] for row in draw.integers(4, 13, (count, 6)).tolist()] for count in (200, 40))
    logs = [TrigramModel(fitted, 13, discount=0.75).log_probabilities(answer)[:6] for answer in held_out]
    assert (
        8.5 < np.exp(-np.mean(logs)) < 14
    )  # not below 9 but for chance; the end, which it expects too, makes it worse


def test_fitting_counts_what_nltk_counts_and_models_of_other_discounts_share_the_counts():
    texts, held_out = answers(60), answers(7, seed=5)
    vocabulary = Vocabulary(map(str, range(13)))
    plain = KneserNeyInterpolated(3, 0.75, vocabulary=vocabulary)
    padded = [[str(BOS), *(str(token) for token in answer if token != PAD)] for answer in texts]
    plain.fit(everygrams(sentence, max_len=3) for sentence in padded)
    model = TrigramModel(texts, 13, discount=0.1).with_discount(0.75)
    for answer in texts:
        sentence = (str(BOS), *(str(token) for token in answer if token != PAD))
        expected = [plain.unmasked_score(sentence[i], sentence[i - 2 : i]) for i in range(2, len(sentence))]
        np.testing.assert_allclose(np.exp(model.log_probabilities(answer)), expected, rtol=1e-12)
    for discount, of_discount in zip(DISCOUNTS, dict(fitted(np.array(texts), 13)).values(), strict=True):
        alone = TrigramModel(texts, 13, discount)
        assert of_discount.perplexity(held_out) == alone.perplexity(held_out)
