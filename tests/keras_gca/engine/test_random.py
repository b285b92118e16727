import numpy as np
import pytest
import tensorflow as tf

from keras_gca.engine.random import dropout, gumbel, sample_seeds, uniform


def test_a_samples_numbers_depend_on_its_own_seed_alone():
    seeds = sample_seeds([3, 4], tf.constant([10, 11, 12, 13]))
    together = uniform(seeds, 5, [100])
    alone = uniform(sample_seeds([3, 4], tf.constant([12])), 5, [100])
    np.testing.assert_array_equal(together[2], alone[0])


def test_samples_may_have_a_seed_each():
    seeds = sample_seeds([[3, 4], [5, 6], [3, 4]], tf.constant([1, 1, 2]))
    for i, (seed, sample) in enumerate((([3, 4], 1), ([5, 6], 1), ([3, 4], 2))):
        np.testing.assert_array_equal(seeds[i], sample_seeds(seed, tf.constant([sample]))[0])


def test_seeds_samples_and_places_all_make_a_difference():
    draws = [
        uniform(sample_seeds(seed, tf.constant([sample])), place, [1000]).numpy()[0]
        for seed in ([0, 0], [0, 1], [1, 0])
        for sample in (0, 1)
        for place in (0, 1)
    ]
    correlations = np.corrcoef(draws) - np.eye(len(draws))
    assert np.abs(correlations).max() < 0.15  # 4.7 standard deviations for 1,000 independent numbers


def test_gumbel_noise_has_the_distribution_of_its_name():
    values = np.sort(gumbel(sample_seeds([1, 2], tf.range(4)), 0, [25_000]).numpy().ravel())
    expected = np.exp(-np.exp(-values))
    assert np.abs(expected - np.arange(1, 100_001) / 100_000).max() < 0.006  # Kolmogorov-Smirnov, p about 0.001
    assert np.isfinite(values).all()


@pytest.mark.parametrize("jit_compile", [False, True])
def test_dropout(jit_compile):
    values = tf.ones([2, 50, 200])

    @tf.function(jit_compile=jit_compile)
    def drop():
        return dropout(values, 0.3, sample_seeds([1, 2], tf.range(2)), 7)

    dropped = drop().numpy()
    np.testing.assert_array_equal(dropped, drop())
    np.testing.assert_allclose(np.mean(dropped == 0, axis=(1, 2)), 0.3, atol=0.02)
    np.testing.assert_allclose(dropped[dropped > 0], 1 / 0.7, rtol=1e-6)
    assert dropout(values, 0.0, None, 0) is values
