"""Compares the terms of Eq. 8, their gaps and their AUC with the equations in NumPy."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.original_method import per_token_samples
from keras_gca.config import Config
from keras_gca.training.decomposition import Decomposition, Terms, auc, separations
from tests.factories.gca import SMALL, VOCABULARY, random_pairs, toy_networks
from tests.oracles.equations import Equations, sigmoid


def by_the_equations(gca, pairs, generated=False):
    """Return the three terms of every token, (R, units) each."""
    equations = Equations(gca)
    W, _ = equations.weights["discriminator_hidden" if gca.sizes.discriminator_hidden else "discriminator_output"]
    W_p, W_c, W_a = np.split(W, [VOCABULARY, VOCABULARY + gca.sizes.discriminator_sentence_embedding])
    terms = []
    for x, y, token in zip(*per_token_samples(pairs)[:3], strict=True):
        current = equations.p(x, y) if generated else np.eye(VOCABULARY)[token]
        e_cd, e_ad = (
            equations.encode(f"encoder_{what}_discriminator", z)[0] for what, z in (("context", x), ("answer", y))
        )
        terms.append((current @ W_p, e_cd @ W_c, e_ad @ W_a))
    return [np.array(term) for term in zip(*terms, strict=True)]


def area(higher, lower):
    """Compare every pair of values."""
    return np.mean([(a > b) + (a == b) / 2 for a in higher for b in lower])


def test_auc_compares_all_pairs_of_values():
    assert auc(np.array([1.0, 2.0, 2.0]), np.array([0.0, 2.0])) == pytest.approx((3 + 1 / 2 * 2) / 6)
    random = np.random.default_rng(0)
    first, second = random.integers(0, 9, 40), random.integers(2, 12, 30)
    assert auc(first, second) == pytest.approx(area(first, second))
    assert auc(first, first) == 0.5


@pytest.mark.parametrize(("hidden", "generated"), [(None, False), (None, True), (5, True)])
def test_gap_and_auc_of_each_term_by_the_equations(hidden, generated):
    gca = toy_networks(discriminator_hidden=hidden)
    human, machine = random_pairs(6, seed=1), random_pairs(5, seed=2)
    decomposition = Decomposition(gca, Config.preset("tiny", **SMALL))
    decomposition.compiled_given, decomposition.compiled_generated = decomposition.given, decomposition.generated
    found = decomposition.measure(human, machine, 20, generated)
    of_human, of_machine = by_the_equations(gca, human), by_the_equations(gca, machine, generated)
    W, b = (np.asarray(weight, np.float64) for weight in gca.layers.discriminator_output.get_weights())
    for i, name in enumerate(Terms._fields):
        others = sum(np.concatenate([of_human[j], of_machine[j]]).mean(0) for j in range(3) if j != i)
        if hidden is None:
            values = [of_class[i][:, 0] for of_class in (of_human, of_machine)]  # the term itself, up to a constant
        else:
            b_h = gca.layers.discriminator_hidden.get_weights()[1]
            values = [(np.maximum(of_class[i] + others + b_h, 0) @ W + b)[:, 0] for of_class in (of_human, of_machine)]
        assert found[f"{name}_gap"] == pytest.approx(values[0].mean() - values[1].mean(), rel=1e-3, abs=1e-5)
        assert found[f"{name}_auc"] == pytest.approx(area(*values), abs=2e-3)


def test_the_three_terms_add_up_to_the_logit(gca, pairs):
    terms = Decomposition(gca, Config.preset("tiny", **SMALL)).given(pairs.contexts, pairs.answers)
    equations = Equations(gca)
    samples = list(zip(*per_token_samples(pairs)[:3], strict=True))[:20]
    judged = [equations.human(x, y, np.eye(VOCABULARY)[token]) for x, y, token in samples]
    logits = sum(term.numpy()[:20, 0] for term in terms) + gca.layers.discriminator_output.get_weights()[1]
    np.testing.assert_allclose(sigmoid(logits), judged, rtol=1e-4)


def test_a_term_that_is_equal_in_both_classes_separates_nothing():
    ones, other = np.ones((4, 1)), np.array([[1.0], [2.0], [3.0], [4.0]])
    found = separations(Terms(ones, other, ones), Terms(ones, other - 9, ones), lambda total: total[:, 0])
    assert found["context_gap"] == pytest.approx(9)
    assert (found["context_auc"], found["token_auc"], found["answer_gap"]) == (1.0, 0.5, 0.0)


def test_whole_answers_are_judged_once(gca, pairs):
    config = Config.preset("tiny", algorithm="reinforce", **SMALL)
    terms = Decomposition(gca, config).given(tf.constant(pairs.contexts), tf.constant(pairs.answers))
    assert [len(term) for term in terms] == [len(pairs)] * 3
