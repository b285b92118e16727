import keras
import numpy as np
import pytest

from benchmarks.original_method import per_token_samples
from keras_gca.config import Config
from keras_gca.models.drawing import edges
from keras_gca.models.networks import GREEN, WHITE, YELLOW, GenerativeConversationalAgent, Sizes, build
from tests.factories.gca import LENGTH, VOCABULARY, random_pairs, toy_networks
from tests.oracles.equations import Equations

FIGURE_1 = {
    ("context", "shared"),
    ("answer", "shared"),
    ("shared", "encoder_context_bot"),
    ("shared", "encoder_answer_bot"),
    ("encoder_context_bot", "concatenation_bot"),
    ("encoder_answer_bot", "concatenation_bot"),
    ("concatenation_bot", "bot"),
    ("bot", "decision_bot"),
}
FIGURE_2 = FIGURE_1 | {
    ("shared", "encoder_context_discriminator"),
    ("shared", "encoder_answer_discriminator"),
    ("decision_bot", "concatenation_discriminator"),
    ("encoder_context_discriminator", "concatenation_discriminator"),
    ("encoder_answer_discriminator", "concatenation_discriminator"),
    ("concatenation_discriminator", "discriminator_output"),
}


def test_the_graphs_have_the_edges_of_the_figures(gca):
    assert set(edges(gca.generator)) == FIGURE_1
    assert set(edges(gca.adversarial)) == FIGURE_2


def test_a_canonical_generator_starts_its_answer_with_the_context():
    graph = set(edges(toy_networks(canonical=True).generator))
    bypass = {("encoder_context_bot", "concatenation_bot"), ("encoder_answer_bot", "concatenation_bot")}
    merged = {("concatenation_bot", "bot")}
    chain = {("encoder_context_bot", "encoder_answer_bot"), ("encoder_answer_bot", "bot")}
    assert graph == FIGURE_1 - bypass - merged | chain
    with pytest.raises(ValueError, match="no canonical"):
        toy_networks(canonical=True, original_padding=True)


def test_the_generator_computes_equations_1_to_3(any_gca):
    gca = any_gca
    contexts, partial, _, _ = per_token_samples(random_pairs(14), gca.padding)
    p = gca.generator.predict([contexts, partial], verbose=0)
    equations = Equations(gca)
    expected = [equations.p(x, y) for x, y in zip(contexts, partial, strict=True)]
    np.testing.assert_allclose(p, expected, atol=1e-5)


def test_the_discriminator_computes_equations_7_and_8(any_gca):
    gca = any_gca
    contexts, partial, targets, _ = per_token_samples(random_pairs(14), gca.padding)
    one_hot = np.eye(VOCABULARY, dtype=np.float32)[targets]
    judged = gca.discriminator.predict([contexts, partial, one_hot], verbose=0)[:, 0]
    equations = Equations(gca)
    expected = [equations.human(x, y, token) for x, y, token in zip(contexts, partial, one_hot, strict=True)]
    np.testing.assert_allclose(judged, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("convention", "words"),
    [
        ({}, "masked padding; generator"),
        ({"original_padding": True}, "original padding; generator"),
        ({"canonical": True}, "masked padding; canonical generator"),
        ({"discriminator_hidden": 5}, "masked padding; generator"),
    ],
)
def test_the_repr_says_sizes_padding_and_numbers_of_weights(convention, words):
    gca = toy_networks(**convention)
    generator, discriminator = (
        sum(variable.numpy().size for variable in gca.variables(*WHITE, *names)) for names in (YELLOW, gca.green)
    )
    expected = f"{words} of {generator:,} weights, discriminator of {discriminator:,}>"
    assert repr(gca).endswith(expected)
    assert f"vocabulary={VOCABULARY}, sentence_length={LENGTH}, word_embedding=7" in repr(gca)


def test_a_hidden_layer_of_the_discriminator():
    gca = toy_networks(discriminator_hidden=5)
    extra = {("concatenation_discriminator", "discriminator_hidden"), ("discriminator_hidden", "discriminator_output")}
    assert set(edges(gca.adversarial)) == FIGURE_2 - {("concatenation_discriminator", "discriminator_output")} | extra
    assert gca.green == (*GREEN, "discriminator_hidden")
    contexts, partial, targets, _ = per_token_samples(random_pairs(14))
    one_hot = np.eye(VOCABULARY, dtype=np.float32)[targets]
    equations = Equations(gca)
    expected = [equations.human(x, y, token) for x, y, token in zip(contexts, partial, one_hot, strict=True)]
    judged = gca.discriminator.predict([contexts, partial, one_hot], verbose=0)[:, 0]
    np.testing.assert_allclose(judged, expected, atol=1e-5)


def test_figure_2_is_the_discriminator_over_the_generator(gca):
    contexts, partial, _, _ = per_token_samples(random_pairs(14))
    judged = gca.adversarial.predict([contexts, partial], verbose=0)[:, 0]
    equations = Equations(gca)
    expected = [equations.human(x, y, equations.p(x, y)) for x, y in zip(contexts, partial, strict=True)]
    np.testing.assert_allclose(judged, expected, atol=1e-5)


def test_the_layers_have_the_sizes_of_section_5():
    gca = build(Config.preset("paper"), 7000)
    shapes = {layer.name: [tuple(w.shape) for w in layer.weights] for layer in gca.adversarial.layers if layer.weights}
    lstm = [(100, 1200), (300, 1200), (1200,)]
    assert shapes == {
        "shared": [(7000, 100)],
        "encoder_context_bot": lstm,
        "encoder_answer_bot": lstm,
        "bot": [(600, 3500), (3500,)],
        "decision_bot": [(3500, 7000), (7000,)],
        "encoder_context_discriminator": lstm,
        "encoder_answer_discriminator": lstm,
        "discriminator_output": [(7600, 1), (1,)],
    }
    assert gca.generator.input_shape == [(None, 50), (None, 50)]


def test_the_three_models_share_their_layers(gca):
    for name in (*WHITE, *YELLOW):
        assert gca.generator.get_layer(name) is gca.adversarial.get_layer(name)
    for name in (*WHITE, *GREEN):
        assert gca.discriminator.get_layer(name) is gca.adversarial.get_layer(name)
    assert gca.layer("bot") is gca.adversarial.get_layer("bot")
    with pytest.raises(KeyError, match="Figure 2 has no layer 'other'"):
        gca.layer("other")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "names",
    [
        (*WHITE, *YELLOW),
        pytest.param(YELLOW, marks=pytest.mark.thorough),
        pytest.param(GREEN, marks=pytest.mark.thorough),
    ],
)
def test_keras_own_training_moves_the_selected_blocks_alone(gca, names):
    keras.utils.set_random_seed(0)
    gca.select_trainable(*names)
    contexts, partial, targets, _ = per_token_samples(random_pairs(6))
    before = {layer.name: layer.get_weights() for layer in gca.adversarial.layers}
    if names == GREEN:
        model, inputs, loss = gca.discriminator, [contexts, partial, np.eye(VOCABULARY)[targets]], "binary_crossentropy"
        outputs = np.ones(len(contexts))
    elif names == YELLOW:
        model, inputs, outputs, loss = gca.adversarial, [contexts, partial], np.ones(len(contexts)), "mse"
    else:
        model, inputs, outputs, loss = gca.generator, [contexts, partial], targets, "sparse_categorical_crossentropy"
    model.compile(keras.optimizers.Adam(0.01), loss)
    model.fit(inputs, outputs, epochs=1, verbose=0)
    for layer in gca.adversarial.layers:
        moved = [not np.array_equal(a, b) for a, b in zip(before[layer.name], layer.get_weights(), strict=True)]
        assert all(moved) if layer.name in names else not any(moved), layer.name


def test_the_initial_weights_repeat_by_seed_and_the_embedding_is_what_was_given():
    embedding = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    first, again, other = (
        GenerativeConversationalAgent(Sizes(20, 5, 4, 6, 7), embedding, seed).adversarial.get_weights()
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first[0], embedding)
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert any(not np.array_equal(a, b) for a, b in zip(first[1:], other[1:], strict=True))


def test_an_embedding_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"shape \(20, 3\); \(20, 4\) is expected"):
        GenerativeConversationalAgent(Sizes(20, LENGTH, 4), np.zeros((20, 3), np.float32))


def test_weights_survive_saving_and_loading(gca, tmp_path):
    gca.generator.save_weights(tmp_path / "g.weights.h5")
    before = gca.generator.get_weights()
    gca.generator.set_weights([np.zeros_like(weight) for weight in before])
    gca.generator.load_weights(tmp_path / "g.weights.h5")
    for a, b in zip(before, gca.generator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("changes", [{}, {"utterances": 2, "persona": 3, "speakers": 4}])
def test_networks_to_be_loaded_draw_no_values_but_keep_their_initializers(changes):
    sizes = Sizes(20, 5, 4, 6, 7, **changes)
    drawn, loaded = (GenerativeConversationalAgent(sizes, seed=1, loaded=loaded) for loaded in (False, True))
    names = (*WHITE, *drawn.yellow, *drawn.green)
    for before, after in zip(drawn.variables(*names), loaded.variables(*names), strict=True):
        assert (after.path, after.shape) == (before.path, before.shape)
        assert before.path.endswith("bias") or (before.numpy().any() and not after.numpy().any())
    for name in names:
        assert loaded.layer(name).get_config() == drawn.layer(name).get_config()


def test_the_figures_are_built_when_they_are_used(gca):
    fresh = GenerativeConversationalAgent(gca.sizes)
    assert len(fresh.select_trainable(*YELLOW)) == 10
    assert "_figures" not in vars(fresh)
    assert fresh.adversarial is fresh.adversarial
    assert {layer.name for layer in fresh.adversarial.layers if layer.weights} == set(fresh.layers.named)
    with pytest.raises(KeyError, match="no layer 'decision'"):
        fresh.layer("decision")
