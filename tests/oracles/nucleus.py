"""Top-p sampling by its definition: sorting (Holtzman et al. 2020)."""

import numpy as np

from keras_gca.engine.nucleus import FORBIDDEN


def by_sorting(scores, top_p, also=None):
    """Compute log-probabilities (V,) from scores (V,).

    The nucleus takes tokens, the likeliest first, until their total probability reaches top_p.

    The token `also` counts as inside. Tokens outside of the nucleus get FORBIDDEN.
    """
    p = np.exp(scores - scores.max()).astype(np.float64)
    p /= p.sum()
    order = np.argsort(-p, kind="stable")
    before = np.cumsum(p[order]) - p[order]
    kept = set(order[before < top_p].tolist()) | ({also} if also is not None else set())
    mass = sum(p[i] for i in kept)
    return np.array([np.log(p[i] / mass) if i in kept else FORBIDDEN for i in range(len(p))])
