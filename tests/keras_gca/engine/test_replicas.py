"""Whole trainings on several devices are in `tests/test_several_devices.py`."""

import subprocess
import sys

import tensorflow as tf

from keras_gca.engine import devices, replicas
from tests.places import PROJECT


def test_rows_without_numbers_are_gathered_as_all_others():
    """As D's features of a policy that is no GPT-2. TensorFlow's own gathering would end the process."""
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


def test_with_one_replica_a_part_is_the_whole():
    values = tf.constant([1.0, 2.0, 6.0])
    assert replicas.total(values) is values
    assert replicas.part(values) is values
    assert float(replicas.mean(values)) == 3
    assert [int(each) for each in replicas.place(tf.constant(5))] == [5, 0, 5]
    assert devices.is_chief()
    assert devices.any_worker(True)
    assert not devices.any_worker(False)
