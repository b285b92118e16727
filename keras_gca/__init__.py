"""Generative conversational agents with end-to-end adversarial training (Ludwig 2017, arXiv 1711.10122), in Keras.

Nothing heavy is imported here: `python -m keras_gca.train --help` must not wait for TensorFlow.
"""

__version__ = "0.1.0"
