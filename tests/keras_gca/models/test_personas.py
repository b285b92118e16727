"""Compares networks with embeddings of speakers with NumPy, and the one pass over an answer with Figures 1 and 2."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.data.pairs import with_speakers, without_speakers
from keras_gca.data.vocabulary import PAD
from keras_gca.models.decoding import Decoder
from keras_gca.models.drawing import edges
from keras_gca.models.forward import PrefixDiscriminator, PrefixGenerator
from keras_gca.models.networks import WHITE, YELLOW, GenerativeConversationalAgent, Sizes
from keras_gca.models.rows import rows_of
from keras_gca.training.teacher_forcing import leave_tokens_out
from tests.factories.gca import LENGTH, VOCABULARY, random_pairs, toy_networks
from tests.keras_gca.models.test_networks import FIGURE_1
from tests.oracles.personas import PersonaEquations

SPEAKERS = 3
GENERATORS = ["gca", "canonical"]


@pytest.fixture(scope="module")
def networks():
    return {name: toy_networks(persona=4, speakers=SPEAKERS, canonical=name == "canonical") for name in GENERATORS}


@pytest.fixture(scope="module")
def plain():
    return random_pairs(9, seed=3)


@pytest.fixture(scope="module")
def numbers(plain):
    return np.arange(len(plain)) % (SPEAKERS + 1)  # 0 is a speaker without a name


@pytest.fixture(scope="module")
def pairs(plain, numbers):
    tokens = np.where(numbers > 0, VOCABULARY + numbers, PAD)
    return dataclasses.replace(plain, contexts=with_speakers(plain.contexts, tokens))


def test_the_token_of_a_speaker_precedes_the_words_of_a_context():
    contexts = np.array([[0, 0, 7, 8], [0, 0, 0, 0], [4, 5, 6, 7]], np.int32)
    named = with_speakers(contexts, [31, 32, PAD])
    assert named.tolist() == [[0, 0, 31, 7, 8], [0, 0, 0, 0, 32], [0, 4, 5, 6, 7]]
    np.testing.assert_array_equal(without_speakers(named, VOCABULARY), [[0, 0, 7, 8], [0, 0, 0, 0], [4, 5, 6, 7]])


def test_the_dropout_of_tokens_keeps_speakers(pairs, numbers):
    left = leave_tokens_out(tf.constant(pairs.contexts), 0.95, tf.constant([1, 2]), VOCABULARY).numpy()
    np.testing.assert_array_equal(left.max(1) >= VOCABULARY, numbers > 0)
    assert np.count_nonzero(left) < np.count_nonzero(pairs.contexts) / 2


def test_speakers_have_a_block_of_their_own_in_the_figures(networks):
    v = {("speaker", "persona_bot"), ("persona_bot", "concatenation_bot")}
    assert set(edges(networks["gca"].generator)) == FIGURE_1 | v
    gca = networks["canonical"]
    assert {*v, ("encoder_answer_bot", "concatenation_bot")} < set(edges(gca.generator))
    assert gca.yellow == (*YELLOW, "persona_bot")
    for gca in networks.values():
        counted = [
            sum(variable.numpy().size for variable in gca.variables(*WHITE, *names))
            for names in (gca.yellow, gca.green)
        ]
        assert list(gca.sizes.numbers(gca.canonical)) == counted


@pytest.mark.thorough
@pytest.mark.parametrize("name", GENERATORS)
def test_both_forms_compute_the_equations_of_a_speaker(networks, plain, pairs, numbers, name):
    gca = networks[name]
    equations = PersonaEquations(gca)
    x, partial, targets, owner = per_token_samples(plain)
    speakers = numbers[owner]
    p = [equations.p_as(*one) for one in zip(speakers, x, partial, strict=True)]
    inputs = [x, partial, speakers.astype(np.int32)]
    np.testing.assert_allclose(gca.generator(inputs), p, atol=1e-5)
    of_p = [equations.human(*one) for one in zip(x, partial, p, strict=True)]
    np.testing.assert_allclose(gca.adversarial(inputs)[:, 0], of_p, atol=1e-5)
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    rows, generator = rows_of(answers), PrefixGenerator.of(gca)
    np.testing.assert_allclose(tf.nn.softmax(generator(contexts, answers, rows)), p, atol=1e-5)
    judged = PrefixDiscriminator.of(gca)(contexts, answers, rows)
    one_hot = np.eye(VOCABULARY)[targets]
    human = [equations.human(*one) for one in zip(x, partial, one_hot, strict=True)]
    np.testing.assert_allclose(tf.sigmoid(judged), human, atol=1e-5)
    decoded = Decoder(gca).greedy(pairs.contexts)
    logs = np.log([equations.p_as(numbers[i], plain.contexts[i], [0, 1])[decoded.answers[i, 1]] for i in range(9)])
    np.testing.assert_allclose(np.log(decoded.token_probabilities[:, 0]), logs, atol=1e-4)


@pytest.mark.thorough
@pytest.mark.parametrize("name", GENERATORS)
def test_the_gradients_of_teacher_forcing_equal_those_of_the_figure(networks, plain, pairs, numbers, name):
    gca = networks[name]
    x, partial, targets, owner = per_token_samples(plain)
    speakers = numbers[owner].astype(np.int32)
    contexts, answers = tf.constant(pairs.contexts), tf.constant(pairs.answers)
    rows, generator = rows_of(answers), PrefixGenerator.of(gca)
    variables = [variable.value for variable in gca.variables(*WHITE, *gca.yellow)]

    @tf.function(autograph=False)
    def of_figure():
        with tf.GradientTape() as tape:
            p = tf.gather(gca.generator([x, partial, speakers]), targets, batch_dims=1)
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


def test_the_authors_padding_excludes_speakers():
    with pytest.raises(ValueError, match="no speaker embeddings"):
        GenerativeConversationalAgent(Sizes(20, LENGTH, 4, 6, 7, persona=2, speakers=1), original_padding=True)
