"""AdamW in plain NumPy (Loshchilov and Hutter 2019)."""

import numpy as np


def adamw(old, gradients, rates, decay):
    """Return the values after each step, with Keras' epsilon. There is one gradient and one rate for each step."""
    m = v = np.zeros_like(old)
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        old = old - rate * decay * old
        old = old - rate * (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-7)
        yield old
