"""Compares the pass over all partial answers with the per-token models of the figures, which Keras differentiates."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.data.pairs import Pairs, frame_answers, pad_contexts
from keras_gca.models.forward import PrefixDiscriminator, PrefixGenerator
from keras_gca.models.networks import WHITE, YELLOW, GenerativeConversationalAgent, Sizes
from keras_gca.models.rows import moved_right, rows_of
from keras_gca.training.generator import GeneratorTraining
from tests.factories.gca import CONVENTIONS, VOCABULARY, random_pairs, toy_networks
from tests.oracles import per_token


def test_rows_are_all_tokens_after_bos_in_the_order_of_reading():
    rows = rows_of(tf.constant([[1, 9, 8, 2, 0], [1, 2, 0, 0, 0], [0, 0, 0, 0, 0]]))
    assert rows.positions.numpy().tolist() == [[0, 0], [0, 1], [0, 2], [1, 0]]
    assert rows.targets.numpy().tolist() == [9, 8, 2, 2]
    assert rows.answer.numpy().tolist() == [0, 0, 0, 1]


def one_pass_and_per_token(gca, pairs, loss):
    """Return two functions that compute a loss, one in one pass and one per token, and the weights that learn."""
    prefix_generator, prefix_discriminator = PrefixGenerator.of(gca), PrefixDiscriminator.of(gca)
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    rows = rows_of(answers)
    labels = np.arange(len(pairs)) % 2

    def teacher_forcing():
        logits = prefix_generator(contexts, answers, rows)
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(rows.targets, logits))

    def discriminator():
        logits = prefix_discriminator(contexts, answers, rows)
        label = tf.gather(tf.constant(labels, tf.float32), rows.answer)
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(label, logits))

    def generator():
        return GeneratorTraining(gca, 1e-3).loss(contexts, answers)[0]

    one_pass, learns = {
        "teacher forcing": (teacher_forcing, (*WHITE, *YELLOW)),
        "discriminator": (discriminator, gca.green),
        "generator": (generator, YELLOW),
    }[loss]
    return one_pass, per_token.losses(gca, pairs, labels)[loss], learns


def test_the_prefix_generator_gives_the_rows_of_figure_1(any_gca):
    pairs = random_pairs(25, seed=3)
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    logits = PrefixGenerator.of(any_gca)(contexts, answers, rows_of(answers))
    x, y, _, _ = per_token_samples(pairs, any_gca.padding)
    np.testing.assert_allclose(tf.nn.softmax(logits), any_gca.generator([x, y]), rtol=0, atol=1e-6)


@pytest.mark.parametrize("hidden", [None, 5])
@pytest.mark.parametrize("convention", CONVENTIONS)
def test_the_prefix_discriminator_gives_the_rows_of_figure_2(convention, hidden):
    gca = toy_networks(discriminator_hidden=hidden, **CONVENTIONS[convention])
    pairs = random_pairs(25, seed=3)
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    rows, discriminator = rows_of(answers), PrefixDiscriminator.of(gca)
    x, y, targets, _ = per_token_samples(pairs, gca.padding)
    own_tokens = tf.sigmoid(discriminator(contexts, answers, rows))
    one_hot = np.eye(VOCABULARY, dtype=np.float32)[targets]
    np.testing.assert_allclose(own_tokens, gca.discriminator([x, y, one_hot])[:, 0], rtol=0, atol=1e-6)
    generated = tf.sigmoid(discriminator(contexts, answers, rows, gca.generator([x, y])))
    np.testing.assert_allclose(generated, gca.adversarial([x, y])[:, 0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("hidden", [None, 5])
def test_the_prefix_layers_own_no_weight_of_their_own(hidden):
    gca = toy_networks(discriminator_hidden=hidden)
    before = [(variable.path, id(variable)) for variable in gca.adversarial.weights]
    trainable = [layer.name for layer in gca.adversarial.layers if layer.trainable]
    generator, discriminator = PrefixGenerator.of(gca), PrefixDiscriminator.of(gca)
    pairs = random_pairs(3)
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    generator(contexts, answers, rows_of(answers)), discriminator(contexts, answers, rows_of(answers))
    for layer, names in ((generator, (*WHITE, *YELLOW)), (discriminator, (*WHITE, *gca.green))):
        assert sorted(map(id, layer.weights)) == sorted(map(id, gca.variables(*names)))
    # The weights of the figure's model, their names and which of them are trainable have not changed.
    assert [(variable.path, id(variable)) for variable in gca.adversarial.weights] == before
    assert [layer.name for layer in gca.adversarial.layers if layer.trainable] == trainable
    gca.select_trainable(*YELLOW)
    assert sorted(map(id, generator.trainable_weights)) == sorted(map(id, gca.variables(*YELLOW)))
    assert discriminator.trainable_weights == []


def assert_equal_losses_and_gradients(gca, pairs, loss):
    fast, slow, names = one_pass_and_per_token(gca, pairs, loss)
    variables = [variable.value for variable in gca.variables(*names)]
    results = []
    for compute in (fast, slow):
        with tf.GradientTape() as tape:
            value = compute()
        gradients = tape.gradient(value, variables)
        results.append([value, *(tf.convert_to_tensor(gradient) for gradient in gradients)])
    for ours, figure in zip(*results, strict=True):
        np.testing.assert_allclose(ours, figure, rtol=0, atol=1e-5)
        scale = np.abs(figure).max()
        assert scale > 0
        np.testing.assert_allclose(ours / scale, figure / scale, rtol=0, atol=1e-3)  # small gradients are compared, too


@pytest.mark.parametrize("loss", ["teacher forcing", "discriminator", "generator"])
def test_losses_and_gradients_equal_the_per_token_figure(any_gca, loss):
    assert_equal_losses_and_gradients(any_gca, random_pairs(25, seed=3), loss)


@pytest.mark.parametrize("loss", ["discriminator", "generator"])
def test_losses_and_gradients_with_a_hidden_layer_in_the_discriminator(loss):
    assert_equal_losses_and_gradients(toy_networks(discriminator_hidden=5), random_pairs(25, seed=3), loss)


@pytest.mark.parametrize(
    "convention",
    [pytest.param(name, marks=[] if name == "masked" else pytest.mark.thorough) for name in CONVENTIONS],
)
@pytest.mark.parametrize("loss", ["teacher forcing", "discriminator", "generator"])
def test_losses_and_gradients_are_equal_for_every_length_from_1_to_50(loss, convention):
    gca = GenerativeConversationalAgent(Sizes(VOCABULARY, 50, 7, 9, 8), seed=2, **CONVENTIONS[convention])
    random = np.random.default_rng(4)
    lengths = np.arange(50)
    answers = frame_answers([random.integers(4, VOCABULARY, n) for n in lengths], 50)
    contexts = pad_contexts([random.integers(4, VOCABULARY, n + 1) for n in lengths[::-1]], 50)
    assert np.count_nonzero(answers, axis=1).tolist() == list(range(2, 52))
    pairs = Pairs(contexts, answers, lengths)
    fast, slow, _ = one_pass_and_per_token(gca, pairs, loss)
    np.testing.assert_allclose(fast(), slow(), atol=1e-5)
    assert_equal_losses_and_gradients(gca, pairs, loss)


def test_padding_on_either_side_changes_nothing(gca):
    pairs = random_pairs(8)
    generator = PrefixGenerator.of(gca)
    wide = np.pad(pairs.contexts, ((0, 0), (5, 0)))
    long = np.pad(pairs.answers, ((0, 0), (0, 4)))
    rows = rows_of(tf.constant(pairs.answers))
    expected = generator(tf.constant(pairs.contexts), tf.constant(pairs.answers), rows)
    again = generator(tf.constant(wide), tf.constant(long), rows_of(tf.constant(long)))
    np.testing.assert_allclose(expected, again, atol=1e-5)


def test_an_empty_context_is_encoded_as_zero(gca):
    generator = PrefixGenerator.of(gca)
    lengths, moved = moved_right(tf.zeros((2, 12), tf.int32))
    np.testing.assert_array_equal(generator.encode_contexts(generator.embed(moved), lengths), np.zeros((2, 9)))


def test_lstms_that_skip_padding_have_no_memory_of_it(gca):
    generator = PrefixGenerator.of(gca)
    with pytest.raises(ValueError, match="prefix_generator skips padding, so its LSTMs have no memory of padding"):
        generator.after_paddings(generator.encoder_answer, tf.constant([1]))
