"""Compares networks with topics with NumPy, and the one pass over an answer with Figures 1 and 2."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.data.pairs import with_speakers
from keras_gca.data.vocabulary import PAD
from keras_gca.models.decoding import Decoder
from keras_gca.models.drawing import edges, paint
from keras_gca.models.forward import PrefixDiscriminator, PrefixGenerator
from keras_gca.models.networks import WHITE, YELLOW, GenerativeConversationalAgent, Sizes
from keras_gca.models.rows import rows_of
from keras_gca.models.topic_layers import TOPIC_BLOCKS
from tests.factories.gca import LENGTH, VOCABULARY, random_pairs, toy_networks, toy_topics
from tests.oracles.equations import algorithm_1
from tests.oracles.topics import TopicEquations, brute_force_topic

WORDS = 5
GENERATORS = ["gca", "canonical"]


@pytest.fixture(scope="module")
def model():
    return toy_topics()


@pytest.fixture(scope="module")
def networks(model):
    return {name: toy_networks(topics=model, topic_words=WORDS, canonical=name == "canonical") for name in GENERATORS}


@pytest.fixture(scope="module")
def pairs():
    return random_pairs(9, seed=3)


def test_a_topic_is_the_most_probable_one_of_the_contexts_words(networks, model, pairs):
    expected = [brute_force_topic(x, model.log_words, model.log_topics) for x in pairs.contexts]
    assert len(set(expected)) > 1
    assert model.topics_of(pairs.contexts).tolist() == expected
    words = PrefixGenerator.of(networks["gca"]).topics.words_of(tf.constant(pairs.contexts)).numpy()
    assert words.tolist() == model.topic_words(WORDS)[expected].tolist()


@pytest.mark.parametrize("name", GENERATORS)
def test_one_pass_computes_the_equations_of_topics(networks, pairs, name):
    gca = networks[name]
    equations = TopicEquations(gca)
    x, partial, _, _ = per_token_samples(pairs)
    p = [equations.p(*one) for one in zip(x, partial, strict=True)]
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    np.testing.assert_allclose(
        tf.nn.softmax(PrefixGenerator.of(gca)(contexts, answers, rows_of(answers))), p, atol=1e-5
    )


@pytest.mark.thorough
@pytest.mark.parametrize("name", GENERATORS)
def test_decoding_follows_the_equations_of_topics(networks, pairs, name):
    gca = networks[name]
    equations, decoder = TopicEquations(gca), Decoder(gca)
    chosen = decoder.greedy(pairs.contexts)
    for i in range(3, 6):
        tokens, probability, _ = algorithm_1(equations, pairs.contexts[i], LENGTH)
        assert chosen.answers[i, : len(tokens)].tolist() == tokens
        assert chosen.probabilities[i] == pytest.approx(probability, rel=1e-3)
    many = decoder.greedy(np.tile(pairs.contexts, (20, 1)))  # large batches have other kernels
    np.testing.assert_array_equal(many.answers, np.tile(chosen.answers, (20, 1)))
    if name == "gca":
        beam = decoder.n_best(pairs.contexts[3:6], 3)
        probabilities = np.take_along_axis(beam.probabilities, beam.log_probabilities.argmax(1)[:, None], 1)[:, 0]
        assert (probabilities >= chosen.probabilities[3:6] * 0.999).all()


@pytest.mark.thorough
@pytest.mark.parametrize("name", GENERATORS)
def test_both_figures_compute_the_equations_of_topics(networks, pairs, name):
    gca = networks[name]
    equations = TopicEquations(gca)
    x, partial, targets, _ = per_token_samples(pairs)
    p = [equations.p(*one) for one in zip(x, partial, strict=True)]
    np.testing.assert_allclose(gca.generator([x, partial]), p, atol=1e-5)
    of_p = [equations.human(*one) for one in zip(x, partial, p, strict=True)]
    np.testing.assert_allclose(gca.adversarial([x, partial])[:, 0], of_p, atol=1e-5)
    answers = tf.constant(pairs.answers)
    judged = PrefixDiscriminator.of(gca)(tf.constant(pairs.contexts), answers, rows_of(answers))
    human = [equations.human(*one) for one in zip(x, partial, np.eye(VOCABULARY)[targets], strict=True)]
    np.testing.assert_allclose(tf.sigmoid(judged), human, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("name", GENERATORS)
def test_the_gradients_of_teacher_forcing_equal_those_of_the_figure(networks, pairs, name):
    gca = networks[name]
    x, partial, targets, _ = per_token_samples(pairs)
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    rows, generator = rows_of(answers), PrefixGenerator.of(gca)
    variables = [variable.value for variable in gca.variables(*WHITE, *gca.yellow)]

    @tf.function(autograph=False)
    def of_figure():
        with tf.GradientTape() as tape:
            p = tf.gather(gca.generator([x, partial]), targets, batch_dims=1)
            loss = tf.reduce_mean(-tf.math.log(p))
        return [loss, *map(tf.convert_to_tensor, tape.gradient(loss, variables))]

    with tf.GradientTape() as tape:
        logits = generator(contexts, answers, rows)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(rows.targets, logits))
    ours = [loss, *map(tf.convert_to_tensor, tape.gradient(loss, variables))]
    for one_pass, figure in zip(ours, of_figure(), strict=True):
        scale = np.abs(figure).max()
        assert scale > 0
        np.testing.assert_allclose(one_pass / scale, figure / scale, rtol=0, atol=1e-3)


@pytest.mark.thorough
def test_topics_speakers_and_utterances_go_together(model, pairs):
    gca = toy_networks(topics=model, topic_words=WORDS, persona=4, speakers=3)
    equations, numbers = TopicEquations(gca), np.arange(len(pairs)) % 4
    tokens = np.where(numbers > 0, VOCABULARY + numbers, PAD)
    contexts, answers = tf.constant(with_speakers(pairs.contexts, tokens)), tf.constant(pairs.answers)
    x, partial, _, owner = per_token_samples(pairs)
    p = [equations.p(*one) for one in zip(x, partial, numbers[owner], strict=True)]
    np.testing.assert_allclose(
        tf.nn.softmax(PrefixGenerator.of(gca)(contexts, answers, rows_of(answers))), p, atol=1e-5
    )
    np.testing.assert_allclose(gca.generator([x, partial, numbers[owner].astype(np.int32)]), p, atol=1e-5)
    of_utterances = toy_networks(topics=model, topic_words=WORDS, utterances=2)
    rows = np.stack([np.zeros_like(pairs.contexts), pairs.contexts], 1)
    rows[:, 1, :-1], rows[:, 1, -1] = rows[:, 1, 1:].copy(), 2  # EOS ends an utterance
    one_pass = PrefixGenerator.of(of_utterances)(tf.constant(rows[:, 1]), answers, rows_of(answers))
    np.testing.assert_allclose(of_utterances.generator([rows[owner], partial]), tf.nn.softmax(one_pass), atol=1e-5)


def test_topics_have_blocks_of_their_own_in_the_figures(networks, model):
    for gca in networks.values():
        assert gca.yellow == (*YELLOW, *TOPIC_BLOCKS)
        counted = [
            sum(variable.numpy().size for variable in gca.variables(*WHITE, *names))
            for names in (gca.yellow, gca.green)
        ]
        assert list(gca.sizes.numbers(gca.canonical)) == counted
        trained = gca.select_trainable(*WHITE, *gca.yellow)
        assert not {variable.path for variable in trained} & {"topic/kernel", "topic_words/embeddings"}
    arrows = set(edges(networks["gca"].generator))
    assert {
        ("context", "topic"),
        ("topic", "topic_words"),
        ("topic_words", "shared"),
        ("shared", "topic_key_bot"),
        ("topic_key_bot", "topic_attention_bot"),
        ("topic_query_bot", "topic_attention_bot"),
        ("topic_attention_bot", "concatenation_bot"),
        ("concatenation_bot", "topic_bonus_bot"),
    } < arrows
    assert ("topic_bonus_bot", "concatenation_discriminator") in edges(networks["gca"].adversarial)
    assert len(paint(networks["gca"].adversarial).axes) == 1
    initial = [
        keras.ops.convert_to_numpy(made.layers.topics.topic_attention_bot.scale)
        for made in (GenerativeConversationalAgent(Sizes(VOCABULARY, 5, 4, 6, 7, topic_words=2), topics=model),) * 2
    ]
    np.testing.assert_array_equal(*initial)


def test_networks_and_topic_models_that_do_not_fit_are_refused(model):
    sizes = Sizes(VOCABULARY, LENGTH, 4, 6, 7, topic_words=3)
    with pytest.raises(ValueError, match="no topics"):
        GenerativeConversationalAgent(sizes, topics=model, original_padding=True)
    with pytest.raises(ValueError, match="do not fit together"):
        GenerativeConversationalAgent(sizes)
    with pytest.raises(ValueError, match="do not fit together"):
        GenerativeConversationalAgent(dataclasses.replace(sizes, topic_words=None), topics=model)
    with pytest.raises(ValueError, match=f"knows {VOCABULARY} tokens"):
        GenerativeConversationalAgent(dataclasses.replace(sizes, vocabulary=20), topics=model)
