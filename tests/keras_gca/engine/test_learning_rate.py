import numpy as np
import pytest
import tensorflow as tf

from keras_gca.engine.learning_rate import learning_rate_factor
from keras_gca.errors import UserError


def test_warm_up():
    found = [float(learning_rate_factor(step, 1000)) for step in (0, 1, 500, 1000, 5000)]
    np.testing.assert_allclose(found, [0, 0.001, 0.5, 1, 1])
    assert float(learning_rate_factor(0, 0)) == 1


def test_warm_up_and_decay():
    found = [float(learning_rate_factor(step, 4, 12)) for step in (0, 1, 4, 6, 10, 12, 20)]
    np.testing.assert_allclose(found, [0, 0.25, 1, 0.75, 0.25, 0, 0])
    assert float(learning_rate_factor(0, 0, 10)) == 1
    with pytest.raises(UserError, match="a warm-up of 10 steps does not end within 10 steps"):
        learning_rate_factor(0, 10, 10)


def test_the_factor_may_be_computed_in_a_graph():
    factor = tf.function(lambda step: learning_rate_factor(step, 4, 12), jit_compile=True)
    assert float(factor(tf.constant(6, tf.int64))) == pytest.approx(0.75)
