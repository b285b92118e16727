import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_gca.data.vocabulary import BOS, EOS, PAD, UNK
from keras_gca.models.decoding import Decoder
from keras_gca.models.networks import GenerativeConversationalAgent, Sizes
from tests.factories.gca import LENGTH, VOCABULARY, random_pairs
from tests.oracles.equations import Equations, algorithm_1


def test_greedy_decoding_is_algorithm_1(any_gca):
    gca = any_gca
    contexts = random_pairs(26).contexts
    decoded = Decoder(gca).greedy(contexts)
    equations = Equations(gca)
    lengths = set()
    for i, x in enumerate(contexts):
        answer, p, probabilities = algorithm_1(equations, x, gca.longest_answer)
        lengths.add(len(answer))
        assert decoded.answers[i].tolist() == answer + [PAD] * (LENGTH + 1 - len(answer))
        assert decoded.probabilities[i] == pytest.approx(p, rel=1e-4)
        np.testing.assert_allclose(decoded.token_probabilities[i, : len(probabilities)], probabilities, rtol=1e-4)
        assert not decoded.token_probabilities[i, len(probabilities) :].any()
    assert len(lengths) > 2  # some answers end early, at different positions


def test_the_frame_of_answers(gca):
    decoded = Decoder(gca).greedy(random_pairs(26).contexts)
    assert decoded.answers.shape == (26, LENGTH + 1)
    assert decoded.answers.dtype == np.int32
    assert (decoded.answers[:, 0] == BOS).all()
    assert (decoded.answers[:, 1] != EOS).all()
    assert not np.isin(decoded.answers[:, 1:], [BOS]).any()


def test_a_batch_is_decoded_as_each_of_its_rows(gca):
    contexts = random_pairs(10).contexts
    decoder = Decoder(gca)
    together = decoder.greedy(contexts)
    for i in range(10):
        alone = decoder.greedy(contexts[i : i + 1])
        np.testing.assert_array_equal(alone.answers[0], together.answers[i])
        assert alone.probabilities[0] == pytest.approx(together.probabilities[i], rel=1e-4)


@pytest.fixture
def fond_of_unknown(gca):
    bias = gca.layers.decision_bot.bias
    bias.assign(tf.tensor_scatter_nd_add(bias.value, [[UNK]], [20.0]))
    return gca


def test_the_unknown_word_can_be_left_out(fond_of_unknown):
    contexts = random_pairs(6).contexts
    decoder = Decoder(fond_of_unknown)
    assert (decoder.greedy(contexts).answers[:, 1:] == UNK).all()
    for decoded in (
        decoder.greedy(contexts, allow_unknown=False),
        decoder.sample(contexts, 0, allow_unknown=False),
        decoder.beam(contexts, 3, allow_unknown=False),
    ):
        assert not (decoded.answers == UNK).any()
        assert decoded.token_probabilities[0, 0] < 1e-3  # the probabilities stay those of the model


def test_sampling_repeats_by_seed_and_has_the_models_probabilities(any_gca):
    gca = any_gca
    contexts = random_pairs(10).contexts
    decoder = Decoder(gca)
    first, again, other = (decoder.sample(contexts, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.answers, again.answers)
    assert (first.answers != other.answers).any()
    equations = Equations(gca)
    for i in (1, 5):
        tokens = [t for t in first.answers[i] if t != PAD]
        expected = [equations.p(contexts[i], tokens[:k])[tokens[k]] for k in range(1, len(tokens))]
        np.testing.assert_allclose(first.token_probabilities[i, : len(expected)], expected, rtol=1e-4)


def test_a_seed_for_each_row_draws_what_the_row_would_draw_alone(any_gca):
    contexts, seeds = random_pairs(10).contexts, [5, 3, 5, 0, 1, 2**40, 7, 8, 9, 3]
    decoder = Decoder(any_gca)
    together = decoder.sample(contexts, seeds, 1.5, top_p=0.9)
    for i, seed in enumerate(seeds):
        alone = decoder.sample(contexts[i : i + 1], seed, 1.5, top_p=0.9)
        np.testing.assert_array_equal(together.answers[i], alone.answers[0])
        np.testing.assert_allclose(together.token_probabilities[i], alone.token_probabilities[0], rtol=1e-4, atol=1e-7)


@pytest.mark.thorough
def test_samples_follow_the_distribution():
    gca = GenerativeConversationalAgent(Sizes(7, 1, 3, 4, 4), seed=0)
    contexts = np.full((20_000, 1), 5, np.int32)
    p = Equations(gca).p(contexts[0], [BOS]).astype(np.float64)
    for temperature in (1.0, 0.5):
        expected = p ** (1 / temperature)
        expected[[PAD, BOS, EOS]] = 0
        expected /= expected.sum()
        chosen = Decoder(gca).sample(contexts, 3, temperature).answers[:, 1]
        found = np.bincount(chosen, minlength=7) / len(chosen)
        np.testing.assert_allclose(found, expected, atol=0.015)


def test_a_low_temperature_or_one_candidate_is_greedy(gca):
    # So that no two probabilities are nearly equal.
    gca.layers.decision_bot.kernel.assign(gca.layers.decision_bot.kernel * 10)
    contexts = random_pairs(10).contexts
    decoder = Decoder(gca)
    greedy = decoder.greedy(contexts).answers
    np.testing.assert_array_equal(decoder.sample(contexts, 0, temperature=0.01).answers, greedy)
    np.testing.assert_array_equal(decoder.sample(contexts, 0, top_k=1).answers, greedy)
    np.testing.assert_array_equal(decoder.sample(contexts, 0, top_p=1e-6).answers, greedy)


def test_a_beam_of_one_is_greedy(any_gca):
    gca = any_gca
    contexts = random_pairs(15).contexts
    decoder = Decoder(gca)
    greedy, beam = decoder.greedy(contexts), decoder.beam(contexts, 1)
    np.testing.assert_array_equal(greedy.answers, beam.answers)
    np.testing.assert_allclose(greedy.log_probabilities, beam.log_probabilities, rtol=1e-5)
    np.testing.assert_allclose(greedy.token_probabilities, beam.token_probabilities, rtol=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_beam_that_holds_everything_finds_the_best_answer_of_all(length_penalty):
    vocabulary, length = 7, 3
    gca = GenerativeConversationalAgent(Sizes(vocabulary, length, 3, 5, 4), seed=4)
    random = np.random.default_rng(1)
    for layer in gca.generator.layers:
        layer.set_weights([random.normal(0, 1, weight.shape) for weight in layer.get_weights()])
    contexts = np.array([[0, 5, 6], [4, 4, 5], [0, 0, 3]], np.int32)
    decoded = Decoder(gca).beam(contexts, 200, length_penalty)
    listed = Decoder(gca).n_best(contexts, 200, length_penalty)
    equations = Equations(gca)
    words = [UNK, 4, 5, 6]
    candidates = [
        (*body, EOS) if len(body) < length else body
        for n in range(1, length + 1)
        for body in itertools.product(words, repeat=n)
    ]
    for i, x in enumerate(contexts):

        def log_p(answer, x=x):
            steps = [equations.p(x, [BOS, *answer[:k]])[answer[k]] for k in range(len(answer))]
            return np.log(steps).sum() / len(answer) ** length_penalty

        ordered = sorted(candidates, key=log_p, reverse=True)
        assert tuple(t for t in decoded.answers[i, 1:] if t != PAD) == ordered[0]
        for rank in range(3):  # the whole list is in order
            assert tuple(t for t in listed.answers[i, rank, 1:] if t != PAD) == ordered[rank]
            expected = log_p(ordered[rank]) * len(ordered[rank]) ** length_penalty
            assert listed.log_probabilities[i, rank] == pytest.approx(expected, rel=1e-4)


@pytest.mark.thorough
def test_a_beam_can_leave_out_words_and_pairs_of_words_that_repeat(gca):
    gca.layers.decision_bot.kernel.assign(0 * gca.layers.decision_bot.kernel)  # every token has the same distribution
    bias = np.zeros(VOCABULARY, np.float32)
    bias[[7, 8, 9, 10, EOS]] = 5, 4, 3, 2, -3
    gca.layers.decision_bot.bias.assign(bias)
    contexts = random_pairs(4).contexts
    assert (Decoder(gca).beam(contexts, 3).answers[:, 1:] == 7).all()

    def repeats_nothing(answer):
        pairs = list(itertools.pairwise(answer))
        return all(a != b for a, b in pairs) and len(set(pairs)) == len(pairs)

    # A beam this wide is an exhaustive search, so the best of all allowed answers is found.
    allowed = filter(repeats_nothing, itertools.product((7, 8, 9, 10), repeat=LENGTH))
    best = max(sum(bias[list(answer)]) for answer in allowed)
    for answer in Decoder(gca).beam(contexts, 500, allow_repeats=False).answers[:, 1:]:
        assert repeats_nothing(answer.tolist())
        assert sum(bias[answer]) == best


def test_an_answer_that_fits_all_contexts_counts_less(gca):
    """The score, log p(y|x) - lambda log p(y) (Li et al. 2016) over tokens^length_penalty, is computed by NumPy."""
    contexts, decoder, equations = random_pairs(8).contexts, Decoder(gca), Equations(gca)
    lists = decoder.n_best(contexts, 6, 0.5)
    chosen = decoder.beam(contexts, 6, 0.5, anti_language_model=0.7)
    places = []
    for i, x in enumerate(contexts):

        def log_p(x, answer):
            return sum(np.log(equations.p(x, answer[:k])[answer[k]]) for k in range(1, len(answer)))

        candidates = [[t for t in row if t != PAD] for row in lists.answers[i].tolist()]
        nothing = np.zeros_like(x)
        scores = [(log_p(x, y) - 0.7 * log_p(nothing, y)) / (len(y) - 1) ** 0.5 for y in candidates]
        places.append(int(np.argmax(scores)))
        np.testing.assert_array_equal(chosen.answers[i], lists.answers[i, places[-1]])
    assert len(set(places)) > 1  # another one than the likeliest, somewhere
    np.testing.assert_array_equal(decoder.beam(contexts, 6, 0.5).answers, lists.answers[:, 0])


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.1}])
def test_impossible_sampling(gca, bad):
    with pytest.raises(ValueError, match="expected"):
        Decoder(gca).sample(random_pairs(2).contexts, 0, **bad)
    with pytest.raises(ValueError, match="width"):
        Decoder(gca).beam(random_pairs(2).contexts, 0)


def test_decoding_is_traced_once(gca):
    decoder = Decoder(gca)
    for count in (1, 3, 7):
        decoder.greedy(random_pairs(count).contexts)
        decoder.greedy(random_pairs(count).contexts[:, -4:])
    assert decoder.compiled_decode_greedily.traces == 1
