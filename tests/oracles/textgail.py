"""The normalisation of rewards of TextGAIL's code (Wu et al. 2021, qywu/TextGAIL) in plain NumPy."""

import math

import numpy as np


def normalised(batches, momentum, limit):
    """Return for each batch its normalised rewards, and the running mean and deviation after it, in float64."""
    mean = square = 0.0
    for batch in batches:
        weight = momentum ** len(batch)
        mean = mean * weight + np.mean(batch) * (1 - weight)
        square = square * weight + np.mean(np.square(batch)) * (1 - weight)
        deviation = math.sqrt(square - mean**2)
        yield np.clip((np.array(batch) - mean) / (deviation + 1e-5), -limit, limit), mean, deviation
