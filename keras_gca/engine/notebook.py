"""Prepares a notebook: importing this module sets TensorFlow up quietly, and offers the packages that notebooks use.

    from keras_gca.engine.notebook import keras, np, plt, tf

TensorFlow then gives the same numbers at every run on the same machine.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from matplotlib import pyplot as plt

from keras_gca.engine import loading

loading.set_up_tensorflow()

import keras  # noqa: E402 (after the quiet imports)
import tensorflow as tf  # noqa: E402

plt.switch_backend(plt.get_backend())  # in Jupyter, a figure at the end of a cell is now shown as a picture

__all__ = ["keras", "np", "plt", "tf"]
