"""Sums over replicas. `tests/test_several_devices.py` tests whole training runs on several devices."""

import subprocess
import sys

import pytest
import tensorflow as tf

from keras_gca.engine import devices, replicas
from tests.places import PROJECT


@pytest.mark.thorough
def test_rows_without_numbers_are_gathered_as_all_others():
    """D's features are empty rows if the policy is not a GPT-2. TensorFlow's own gathering would end the process."""
    code = """
import numpy as np
from keras_gca.engine import devices
from keras_gca.engine.compiled import Compiled

with devices.make("mirrored", 2).scope():
    empty, doubled = Compiled(lambda rows: (rows[:, :0], 2 * rows))(np.ones((5, 3), np.float32))
    assert empty.shape == (5, 0)
    np.testing.assert_array_equal(doubled, np.full((5, 3), 2))
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT).returncode == 0


@pytest.mark.thorough
def test_two_replicas_make_the_step_of_one():
    """Loss, sums and the gradient's norm were worked out by hand.

    Both replicas receive the whole of the arguments in `replicated`.
    """
    code = """
import keras
import numpy as np
import pytest
import tensorflow as tf
from keras_gca.engine import devices, replicas
from keras_gca.engine.learner import AdamWLearner

class Line(AdamWLearner):
    replicated, reports_norm = ("point",), True
    def loss(self, inputs, targets, point):
        errors = tf.square(tf.linalg.matvec(inputs - point, self.variables[0].value[:, 0]) - targets)
        return replicas.mean(errors), (tf.reduce_sum(errors), tf.size(errors), {})

inputs, point = np.arange(12, dtype=np.float32).reshape(6, 2), np.float32([1, 2])
targets = np.float32([1, 2, 0, 4, 5, -6])
expected = 2 / 6 * (inputs - point).T @ ((inputs - point) @ np.float32([0.5, 0.25]) - targets)
with devices.make("mirrored", 2).scope():
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 2))
    layer.kernel.assign([[0.5], [0.25]])
    learner = Line(layer.trainable_variables, 0.1)
    errors = ((inputs - point) @ np.float32([0.5, 0.25]) - targets) ** 2
    before = learner.test_step(inputs, targets, point)
    loss, sums, norm = learner.train_step(inputs, targets, point)
    for found in (before, sums):
        np.testing.assert_allclose(found[0], errors.sum(), rtol=1e-5)
        assert int(found[1]) == 6
    np.testing.assert_allclose(loss, errors.mean(), rtol=1e-5)
    np.testing.assert_allclose(norm, np.linalg.norm(expected), rtol=1e-5)
    moved = np.float32([0.5, 0.25]) - 0.1 * np.sign(expected)  # Adam's first step
    np.testing.assert_allclose(layer.kernel.numpy()[:, 0], moved, rtol=1e-4)
    class Silent(Line):
        reports_norm = False
    assert Silent(layer.trainable_variables, 0.1).train_step(inputs, targets, point).gradient_norm is None
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_with_one_replica_a_part_is_the_whole():
    values = tf.constant([1.0, 2.0, 6.0])
    assert replicas.total(values) is values
    assert replicas.part(values) is values
    assert float(replicas.mean(values)) == 3
    assert [int(each) for each in replicas.place(tf.constant(5))] == [5, 0, 5]
    assert devices.is_chief()
    assert devices.any_worker(True)
    assert not devices.any_worker(False)
