"""Reads TensorBoard's event files, for tests."""

import tensorflow as tf


def summaries(run):
    """Return the events and values in the folder `tensorboard` of a run, in the order in which they were written."""
    files = sorted((run / "tensorboard").iterdir(), key=lambda file: file.name)
    return [
        (event, value)
        for file in files
        for event in tf.compat.v1.train.summary_iterator(str(file))
        for value in event.summary.value
    ]
