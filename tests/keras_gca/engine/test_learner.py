import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gca.engine.learner import AdamWLearner
from keras_gca.errors import UserError
from tests.oracles.adamw import adamw


class Sum(AdamWLearner):
    """A learner whose loss is the sum of all numbers of its variables, each times its slope."""

    def loss(self, *slopes):
        terms = [tf.reduce_sum(slope * variable) for slope, variable in zip(slopes, self.variables, strict=True)]
        return tf.add_n(terms), {"seen": slopes[0][0, 0]}


@pytest.fixture
def variables():
    dense = keras.layers.Dense(2)
    dense.build((None, 3))
    draw = np.random.default_rng(0)
    for variable in dense.trainable_variables:
        variable.assign(draw.normal(size=variable.shape))
    return dense.trainable_variables  # kernel, bias


def test_steps_by_hand(variables):
    """The rates of the warm-up are 0.1, 0.2 and 0.3. Gradients are clipped to a norm of 1. Only kernels decay."""
    random = np.random.default_rng(1)
    slopes = [[random.normal(size=variable.shape).astype(np.float32) for variable in variables] for _ in range(3)]
    slopes[1] = [each / 100 for each in slopes[1]]  # too small to be clipped
    learner = Sum(variables, 0.4, weight_decay=0.5, warmup_steps=4, gradient_clip=1.0)
    norms = [np.sqrt(sum((each**2).sum() for each in slope)) for slope in slopes]
    clipped = [[each / max(norm, 1) for each in slope] for slope, norm in zip(slopes, norms, strict=True)]
    old = [variable.numpy() for variable in variables]
    expected = [
        list(adamw(old[i], [slope[i] for slope in clipped], [0.1, 0.2, 0.3], decay))
        for i, decay in enumerate((0.5, 0.0))
    ]
    for number in range(3):
        value = sum(float((a * v.numpy()).sum()) for a, v in zip(slopes[number], variables, strict=True))
        seen = learner.test_step(*slopes[number])  # this does not move the weights
        scalar, sums, norm = learner.train_step(*slopes[number])
        assert float(scalar) == pytest.approx(value, rel=1e-5)
        assert float(norm) == pytest.approx(norms[number], rel=1e-5)  # the norm before clipping
        assert seen["seen"] == sums["seen"] == slopes[number][0][0, 0]
        for variable, values in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable, values[number], rtol=1e-4, atol=1e-5)


def test_other_variables_stay_as_they_are(variables):
    class Both(AdamWLearner):
        def loss(self):
            return tf.reduce_sum(variables[0] + variables[1]), {}

    kernel, bias = (variable.numpy() for variable in variables)
    assert Both(variables[1:], 0.1).train_step().gradient_norm is None  # without clipping, no norm is computed
    np.testing.assert_array_equal(variables[0], kernel)
    # Without a warm-up, the first step has the full rate.
    np.testing.assert_allclose(variables[1], bias - 0.1, rtol=1e-4)


def test_a_rate_that_falls_ends_above_nothing(variables):
    """The first two of five steps are the warm-up.

    The rates are 1/2, 1, and then fall linearly; a sixth step would have the rate 0.
    """
    learner = Sum(variables, 0.3, warmup_steps=2, total_steps=5)
    rates, slopes = [], [np.ones(variable.shape, np.float32) for variable in variables]
    for _ in range(5):
        learner.train_step(*slopes)
        rates.append(float(learner.optimizer.learning_rate))
    assert rates == pytest.approx([0.15, 0.3, 0.225, 0.15, 0.075])


def test_a_warm_up_must_end(variables):
    with pytest.raises(UserError, match="--warmup-steps: 5 is too many for a phase of 5 steps"):
        AdamWLearner(variables, 0.3, warmup_steps=5, total_steps=5)


def test_what_is_replicated_must_be_an_argument_of_the_loss(variables):
    class Seeded(AdamWLearner):
        replicated = ("seed",)

        def loss(self, rows):
            return tf.reduce_sum(rows), {}

    with pytest.raises(ValueError, match="the function does not have these arguments: seed"):
        Seeded(variables, 0.1)
