"""Top-p sampling by its definition: sorting (Holtzman et al. 2020)."""

import numpy as np

from keras_gca.engine.nucleus import FORBIDDEN


def by_sorting(scores, top_p, also=None):
    """Log-probabilities (V,) of scores (V,): likeliest tokens first, until their probability reaches top_p.

    also: a token that counts as inside. Tokens outside have FORBIDDEN.
    """
    p = np.exp(scores - scores.max()).astype(np.float64)
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    before = np.cumsum(p[order]) - p[order]
    kept = set(order[before < top_p].tolist()) | ({also} if also is not None else set())
    mass = sum(p[i] for i in kept)
    return np.array([np.log(p[i] / mass) if i in kept else FORBIDDEN for i in range(len(p))])
