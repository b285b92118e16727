"""Sign-flip tests, Holm's correction, intervals and the detectable effect: values by hand, and those of chance."""

import itertools

import numpy as np
import pytest

from keras_gca.evaluation import paired_tests
from keras_gca.evaluation.paired_tests import compare_conversations, compare_seeds, detectable, flip_test, holm


def test_all_flips_are_made_of_few_units():
    values = np.array([0.3, -0.1, 0.8, 0.2, 0.5])
    sums = [sum(s * v for s, v in zip(signs, values, strict=True)) for signs in itertools.product((1, -1), repeat=5)]
    expected = np.mean([abs(total) >= abs(values.sum()) - 1e-12 for total in sums])
    assert flip_test(values) == pytest.approx(expected)
    assert flip_test(values, seed=1) == flip_test(values, seed=2)


@pytest.mark.parametrize(("seeds", "smallest"), [(1, 1.0), (3, 0.25), (5, 0.0625), (6, 0.03125)])
def test_the_smallest_p_value_of_few_seeds(seeds, smallest):
    found = compare_seeds([2.0 + 0.1 * i for i in range(seeds)], [1.0] * seeds)
    assert found.p_value == pytest.approx(smallest)
    assert found.units == seeds
    assert (found.detectable is None) == (smallest > 0.05)


def test_seeds_by_hand():
    # Differences 1, 2, 3, 4, 5, 6: mean 3.5, deviation sqrt(3.5), standard error sqrt(3.5 / 6) = 0.763763.
    found = compare_seeds([2.0, 3, 4, 5, 6, 7], [1.0] * 6)
    assert found.difference == pytest.approx(3.5)
    assert (found.low, found.high) == pytest.approx((3.5 - 2.570582 * 0.763763, 3.5 + 2.570582 * 0.763763), abs=1e-5)
    # All six signs are equal with probability 0.8 if the mean is 1.793 deviations: Phi(1.793)^6 = 0.8.
    assert found.detectable == pytest.approx(1.793 * 3.5**0.5, rel=2e-3)
    # 11 seeds, as in a t-test: t with 10 degrees of freedom is 2.228139 for 0.975, and 0.879058 for 0.8.
    assert detectable(1.0, 11) == pytest.approx(2.228139 + 0.879058, abs=1e-5)
    with pytest.raises(ValueError, match="the methods have 2 and 1 values; give one value per seed for each method"):
        compare_seeds([1.0, 2.0], [1.0])


def test_conversations_by_hand():
    found = compare_conversations(np.array([1.0, 2, 3, 4]), np.full(4, 2))
    assert (found.difference, found.p_value, found.units) == (10 / 8, 2 / 16, 4)
    assert 0.5 <= found.low < 10 / 8 < found.high <= 2
    alone = compare_conversations(np.array([3.0]), np.array([2]))
    assert alone == (1.5, 1.0, 1, None, None, None)


def test_the_interval_is_that_of_the_central_limit():
    draw = np.random.default_rng(1)
    values = draw.normal(0.2, 1, 900)
    found = compare_conversations(values, np.ones(900))
    error = values.std() / 30
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.1)
    assert found.detectable == pytest.approx(2.8 * error, rel=0.1)


def test_permuted_labels_come_out_as_chance():
    """Two systems whose names are exchanged at random differ at the level of 5 % in about 5 % of all tests."""
    draw = np.random.default_rng(0)
    scores = draw.gamma(1, size=(400, 10)) * draw.choice([-1, 1], (400, 10))
    share = np.mean([flip_test(values) <= 0.05 for values in scores])
    assert 0.02 < share < 0.085


@pytest.mark.thorough
@pytest.mark.parametrize("units", [6, 7, 8, 9, 10, 11, 12])
def test_an_effect_of_the_detectable_size_is_found_in_four_of_five_cases(units):
    draw = np.random.default_rng(0)
    size = detectable(1 / units**0.5, units)
    found = np.mean([flip_test(values) <= 0.05 for values in draw.normal(size, 1, (600, units))])
    assert 0.755 < found < 0.845


def test_holms_correction_is_over_the_tests_of_all_groups():
    values = {
        name: {"x": [shift + 0.1 * i for i in range(6)]} for name, shift in zip("abcd", (0, 1, 0, 2), strict=True)
    }
    first, second = ({name: values[name] for name in names} for names in ("ab", "cd"))
    tests = paired_tests.tests_by_seeds(first, second)
    assert [test.systems for test in tests] == [("a", "b"), ("c", "d")]
    assert [test.comparison.p_value for test in tests] == [2 / 64] * 2
    assert [test.corrected for test in tests] == [4 / 64] * 2


@pytest.mark.parametrize(("tests", "seeds"), [(1, 6), (2, 7), (4, 8), (24, 10)])
def test_the_fewest_seeds_for_a_table_of_tests(tests, seeds):
    assert paired_tests.fewest_seeds(tests) == seeds
    for number in (seeds - 1, seeds):
        p_value = flip_test(np.ones(number))  # the smallest with this number of seeds
        assert (holm([p_value] + [1.0] * (tests - 1))[0] <= 0.05) == (number == seeds)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_the_rate_of_wrong_calls():
    draw = np.random.default_rng(0)
    wrong = np.mean([min(holm(list(values))) <= 0.05 for values in draw.random((2000, 20))])
    assert wrong < 0.065
    assert np.mean([min(values) <= 0.05 for values in draw.random((2000, 20))]) > 0.5  # without the correction
