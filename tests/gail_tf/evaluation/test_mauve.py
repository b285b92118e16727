import math

import numpy as np
import pytest

from gail_tf.evaluation.mauve import MIXTURES, SCALING, area, clustered, frontier, mauve, of_clusters


def test_frontier_by_hand():
    """For disjoint p and q, the mixture r = w p + (1 - w) q has KL(q|r) = -log(1 - w) and KL(p|r) = -log w."""
    points = frontier(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
    assert points[0].tolist() == [1, 0]
    assert points[-1].tolist() == [0, 1]
    np.testing.assert_allclose(points[1:-1, 0], (1 - MIXTURES) ** SCALING, rtol=1e-9)
    np.testing.assert_allclose(points[1:-1, 1], MIXTURES**SCALING, rtol=1e-9)
    # The area under x^(1/5) + y^(1/5) = 1 is 5 B(5, 6) = 1 / 252. The trapezoidal rule comes near to it.
    assert area(points) == pytest.approx(1 / 252, rel=0.05)

    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.25, 0.5])
    middle = frontier(p, q)[1 + len(MIXTURES) // 2]  # w = 1 / 2: r = (3/8, 3/8, 1/4)
    of_q = 0.5 * math.log(0.25 / 0.375) + 0.5 * math.log(0.5 / 0.25)
    of_p = math.log(0.5 / 0.375)
    np.testing.assert_allclose(middle, np.exp([-5 * of_q, -5 * of_p]), rtol=1e-9)


def test_equal_distributions_have_the_whole_square():
    p = np.array([0.2, 0.3, 0.5])
    assert area(frontier(p, p)) == pytest.approx(1)


def clouds(count, share, seed):
    """Draw points around centres. There are eight centres, of which only the share `share` is used."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(0, 4, (8, 12))
    return centres[draw.integers(0, round(8 * share), count)] + draw.normal(0, 0.3, (count, 12))


def test_the_same_texts_score_1_alike_ones_high_and_others_low():
    human = clouds(200, 1, 0)
    assert mauve(human, human) == pytest.approx(1)
    same, half, other = mauve(clouds(200, 1, 1), human), mauve(clouds(200, 0.5, 1), human), mauve(human + 20, human)
    assert same > 0.85
    assert 0.1 < half < same - 0.2
    assert other == pytest.approx(1 / 252, rel=0.05)
    assert mauve(clouds(200, 0.5, 1), human) == half  # the same seed gives the same value


def test_repeated_texts_and_texts_without_direction_do_no_harm():
    one = np.ones((40, 5))
    assert mauve(one, one) == pytest.approx(1)
    assert mauve(np.zeros((40, 5)), one) < 0.01
    assert mauve(np.repeat(clouds(4, 1, 0), 10, axis=0), clouds(40, 1, 2)) < 0.9


def test_single_texts_are_refused():
    with pytest.raises(ValueError, match="two or more texts in each set"):
        mauve(np.ones((1, 3)), np.ones((5, 3)))


def test_known_clusters_give_mauve_by_hand():
    labels = clustered(clouds(100, 1, 1), clouds(100, 0.5, 2))
    assert of_clusters(*labels) == mauve(clouds(100, 1, 1), clouds(100, 0.5, 2))
    generated, human = np.array([0, 0, 1]), np.array([0, 1, 1, 1])
    assert of_clusters(generated, human) == area(frontier(np.array([2 / 3, 1 / 3]), np.array([1 / 4, 3 / 4])))


def test_permuted_labels_score_as_two_samples_of_the_same_texts():
    """The control: human and generated texts that are mixed and divided at random reach the ceiling."""
    generated, human = clouds(200, 0.5, 1), clouds(200, 1, 0)
    mixed = np.random.default_rng(0).permutation(np.concatenate([generated, human]))
    by_chance = mauve(mixed[:200], mixed[200:])
    ceiling = mauve(clouds(200, 1, 1), human)
    assert by_chance == pytest.approx(ceiling, abs=0.08)
    assert mauve(generated, human) < by_chance - 0.2
