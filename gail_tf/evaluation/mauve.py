"""MAUVE (Pillutla et al. 2021), a measure of how similar the distributions of generated and human texts are.

A language model computes the features of all generated and human texts, and all features are clustered together. The
frequencies of the clusters form one discrete distribution for the generated texts and one for the human texts. MAUVE is
the area under the divergence frontier of these two distributions. Two MAUVE values can be compared only if they come
from the same language model and the same number of texts.

Shapes: n and m texts, features of size E, k clusters.
"""

import warnings

import numpy as np
from scipy import special
from scipy.cluster import vq

# The authors' settings.
SCALING = 5.0  # the constant c in the frontier's exp(-c KL)
MIXTURES = np.linspace(1e-6, 1 - 1e-6, 25)
EXPLAINED = 0.9  # texts are clustered by the principal components that explain this share of the features' variance
TEXTS_PER_CLUSTER = 10
CLUSTERINGS, ITERATIONS = 5, 500  # k-means runs 5 times with at most 500 iterations, and the best clustering is used


def mauve(generated: np.ndarray, human: np.ndarray, seed: int = 0) -> float:
    """Compute MAUVE for two sets of texts, with max(2, min(n, m) / 10) clusters.

    Args:
        generated: The features of generated texts, shape (n, E).
        human: The features of human texts, shape (m, E).
        seed: The seed for k-means.

    Returns:
        A value between 0 (nothing in common) and 1 (the same distribution).

    Raises:
        ValueError: A set has fewer than 2 texts.
    """
    return of_clusters(*clustered(generated, human, seed))


def clustered(generated: np.ndarray, human: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster index of each generated and each human text, as two int64 arrays; see `mauve`."""
    if min(len(generated), len(human)) < 2:
        raise ValueError("MAUVE needs two or more texts in each set")
    clusters = max(2, round(min(len(generated), len(human)) / TEXTS_PER_CLUSTER))
    labels = _clustered(np.concatenate([generated, human]).astype(np.float64), clusters, seed)
    return labels[: len(generated)], labels[len(generated) :]


def of_clusters(generated: np.ndarray, human: np.ndarray) -> float:
    """Compute MAUVE from the cluster indices of texts, which may be a subset of the clustered texts.

    Args:
        generated: The cluster index of each generated text, as an int64 array of shape (n,).
        human: The cluster index of each human text, as an int64 array of shape (m,).
    """
    clusters = int(max(generated.max(), human.max())) + 1
    counts = [np.bincount(labels, minlength=clusters) for labels in (generated, human)]
    return area(frontier(*(count / count.sum() for count in counts)))


def frontier(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Compute the divergence frontier of two discrete distributions.

    Args:
        p: The first distribution, as a float64 array of shape (k,).
        q: The second distribution, as a float64 array of shape (k,).

    Returns:
        An array of shape (27, 2) with the points (exp(-c KL(q|r)), exp(-c KL(p|r))), where c is SCALING and r runs
        through mixtures of q and p. The first point is (1, 0), and the last point is (0, 1).
    """
    mixtures = MIXTURES[:, None] * p + (1 - MIXTURES[:, None]) * q
    divergences = [special.rel_entr(distribution, mixtures).sum(axis=1) for distribution in (q, p)]
    return np.concatenate([[(1.0, 0.0)], np.exp(-SCALING * np.stack(divergences, axis=1)), [(0.0, 1.0)]])


def area(points: np.ndarray) -> float:
    """Compute the area under a frontier of shape (k, 2) by the trapezoidal rule."""
    x, y = points.T
    return float(np.trapezoid(x, y))


def _clustered(features: np.ndarray, clusters: int, seed: int) -> np.ndarray:
    """Scale the rows to norm 1, and cluster them by k-means on their principal components."""
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    features = features / np.where(norms == 0, 1, norms)
    centred = features - features.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    explained = np.cumsum(sizes**2)
    kept = int(np.searchsorted(explained, EXPLAINED * explained[-1])) + 1
    rows = centred @ axes[:kept].T
    clusters = min(clusters, len(np.unique(rows.round(6), axis=0)))  # equal texts give equal rows
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty cluster does no harm, since its frequency is 0
        clusterings = [vq.kmeans2(rows, clusters, ITERATIONS, minit="++", rng=random) for _ in range(CLUSTERINGS)]
    return min(clusterings, key=lambda clustering: float(((rows - clustering[0][clustering[1]]) ** 2).sum()))[1]
