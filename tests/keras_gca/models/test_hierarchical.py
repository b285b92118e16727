"""Compares networks with a hierarchical encoder with NumPy, and the pass over a row of tokens with Figures 1 and 2."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.models.decoding import Decoder
from keras_gca.models.drawing import edges
from keras_gca.models.forward import PrefixDiscriminator, PrefixGenerator
from keras_gca.models.networks import GREEN, WHITE, YELLOW, GenerativeConversationalAgent, Sizes
from keras_gca.models.rows import rows_of
from keras_gca.training.generator import GeneratorTraining
from tests.factories.gca import LENGTH, VOCABULARY, pairs_of_utterances, toy_networks
from tests.keras_gca.models.test_networks import FIGURE_1, FIGURE_2
from tests.oracles.equations import algorithm_1
from tests.oracles.hierarchical import HierarchicalEquations, grid

UTTERANCES = 2
GENERATORS = ["gca", "canonical"]


@pytest.fixture(scope="module")
def networks():
    return {name: toy_networks(utterances=UTTERANCES, canonical=name == "canonical") for name in GENERATORS}


@pytest.fixture(scope="module")
def pairs():
    return pairs_of_utterances(9, UTTERANCES, seed=3)


def samples(pairs):
    """Return the samples of the figures: contexts by utterances, partial answers, tokens, one-hot tokens."""
    flat, partial, targets, _ = per_token_samples(pairs)
    return flat, grid(flat, UTTERANCES, LENGTH), partial, targets, np.eye(VOCABULARY, dtype=np.float32)[targets]


def compiled(model):
    return tf.function(model, autograph=False)


def test_utterances_have_blocks_of_their_own_in_the_figures(networks):
    gca = networks["gca"]
    inner = {
        ("shared", "encoder_utterance_bot"),
        ("encoder_utterance_bot", "masking_bot"),
        ("masking_bot", "encoder_context_bot"),
    }
    assert set(edges(gca.generator)) == FIGURE_1 - {("shared", "encoder_context_bot")} | inner
    judged = {(a.replace("bot", "discriminator"), b.replace("bot", "discriminator")) for a, b in inner}
    outer = {("shared", "encoder_context_bot"), ("shared", "encoder_context_discriminator")}
    assert set(edges(gca.adversarial)) == FIGURE_2 - outer | inner | judged
    assert gca.yellow == (*YELLOW, "encoder_utterance_bot")
    assert gca.green == (*GREEN, "encoder_utterance_discriminator")
    assert gca.generator.input_shape == [(None, UTTERANCES, LENGTH), (None, LENGTH)]


@pytest.mark.thorough
@pytest.mark.parametrize("name", GENERATORS)
def test_both_forms_compute_the_equations_of_a_hierarchical_encoder(networks, pairs, name):
    gca, equations = networks[name], HierarchicalEquations(networks[name])
    flat, contexts, partial, _, one_hot = samples(pairs)
    p = [equations.p(x, y) for x, y in zip(flat, partial, strict=True)]
    human = [equations.human(x, y, token) for x, y, token in zip(flat, partial, one_hot, strict=True)]
    np.testing.assert_allclose(compiled(gca.generator)([contexts, partial]), p, atol=1e-5)
    np.testing.assert_allclose(compiled(gca.discriminator)([contexts, partial, one_hot])[:, 0], human, atol=1e-5)
    of_p = [equations.human(x, y, q) for x, y, q in zip(flat, partial, p, strict=True)]
    np.testing.assert_allclose(compiled(gca.adversarial)([contexts, partial])[:, 0], of_p, atol=1e-5)
    x, y = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    logits = PrefixGenerator.of(gca)(x, y, rows_of(y))
    np.testing.assert_allclose(tf.nn.softmax(logits), p, atol=1e-5)
    discriminator = PrefixDiscriminator.of(gca)
    np.testing.assert_allclose(tf.sigmoid(discriminator(x, y, rows_of(y))), human, atol=1e-5)


def losses(gca, pairs):
    """Return the losses of lines 3, 6 and 9, each computed in one pass and by the figures, and what learns."""
    _, contexts, partial, targets, one_hot = samples(pairs)
    x, y = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    rows = rows_of(y)
    generator, discriminator, line_9 = (
        PrefixGenerator.of(gca),
        PrefixDiscriminator.of(gca),
        GeneratorTraining(gca, 1e-3),
    )
    yield (
        lambda: tf.nn.sparse_softmax_cross_entropy_with_logits(rows.targets, generator(x, y, rows)),
        lambda: -tf.math.log(tf.gather(gca.generator([contexts, partial]), targets, batch_dims=1)),
        (*WHITE, *gca.yellow),
    )
    yield (
        lambda: tf.math.softplus(-discriminator(x, y, rows)),
        lambda: -tf.math.log(gca.discriminator([contexts, partial, one_hot])),
        gca.green,
    )
    yield (
        lambda: line_9.loss(x, y)[0],
        lambda: (1 - gca.adversarial([contexts, partial])) ** 2,
        gca.yellow,
    )


def with_gradients(compute, variables):
    with tf.GradientTape() as tape:
        value = tf.reduce_mean(compute())
    return [value, *(tf.convert_to_tensor(gradient) for gradient in tape.gradient(value, variables))]


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "lines"), [("gca", 3), ("canonical", 1)])
def test_the_losses_of_lines_3_6_and_9_and_their_gradients_equal_those_of_the_figures(networks, pairs, name, lines):
    gca = networks[name]
    for fast, figure, names in itertools.islice(losses(gca, pairs), lines):  # canonical: line 3, which alone differs
        variables = [variable.value for variable in gca.variables(*names)]
        results = []
        for compute in (fast, figure):
            results.append(tf.function(with_gradients, autograph=False)(compute, variables))
        for ours, theirs in zip(*results, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)
            scale = np.abs(theirs).max()
            assert scale > 0
            np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=1e-3)


@pytest.mark.thorough
@pytest.mark.parametrize("name", GENERATORS)
def test_algorithm_1_with_a_hierarchical_encoder(networks, pairs, name):
    gca, equations = networks[name], HierarchicalEquations(networks[name])
    decoded = Decoder(gca).greedy(pairs.contexts[:8])
    for x, row, probability in zip(pairs.contexts, decoded.answers, decoded.probabilities, strict=False):
        tokens, p, _ = algorithm_1(equations, x, LENGTH)
        assert row[: len(tokens)].tolist() == tokens
        np.testing.assert_allclose(probability, p, rtol=1e-4)


@pytest.mark.thorough
def test_a_context_may_have_more_utterances_than_the_figures(networks):
    gca, long = networks["gca"], pairs_of_utterances(8, 2 * UTTERANCES, seed=5)
    flat, partial, *_ = per_token_samples(long)
    y = tf.constant(long.answers)
    logits = PrefixGenerator.of(gca)(tf.constant(long.contexts), y, rows_of(y))
    equations = HierarchicalEquations(gca)
    expected = [equations.p(x, prefix) for x, prefix in zip(flat, partial, strict=True)]
    np.testing.assert_allclose(tf.nn.softmax(logits), expected, atol=1e-5)


def test_an_utterance_changes_nothing_in_the_vector_of_another(networks):
    """The memory is 0 where an utterance begins, so equal utterances have equal vectors wherever they occur."""
    generator = PrefixGenerator.of(networks["gca"])
    moved = tf.constant([[7, 9, 2, 8, 2, 7, 9, 2]])
    vectors, counts = generator.inputs_of_contexts(generator.embed(moved), moved, tf.constant([8]))
    assert counts.numpy().tolist() == [3]
    np.testing.assert_array_equal(vectors[0, 0], vectors[0, 2])
    assert np.abs(vectors[0, 0] - vectors[0, 1]).max() > 0.01


def test_the_numbers_of_weights_are_those_of_the_layers(networks):
    for gca in networks.values():
        counted = [
            sum(variable.numpy().size for variable in gca.variables(*WHITE, *names))
            for names in (gca.yellow, gca.green)
        ]
        assert list(gca.sizes.numbers(gca.canonical)) == counted


def test_the_authors_padding_excludes_a_hierarchical_encoder():
    with pytest.raises(ValueError, match="no hierarchical encoder"):
        GenerativeConversationalAgent(Sizes(20, 5, 4, 6, 7, utterances=2), original_padding=True)
