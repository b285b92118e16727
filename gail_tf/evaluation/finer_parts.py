"""Parts of the test set: by corpus and turn, and by whether the human response occurs in the training set."""

from collections.abc import Sequence

import numpy as np

from gail_tf.data.spelling import plain_words
from gail_tf.data.trajectories import Trajectory
from gail_tf.evaluation.metrics import TURNS

NEW, KNOWN = "responses that are not in training", "responses that are in training"


def finer_parts(trajectories: Sequence[Trajectory], known: np.ndarray) -> dict[str, np.ndarray]:
    """Divide trajectories by corpus and turn, and by whether the human response occurs in the training set.

    All long conversations may come from the same corpus, so an apparent difference between turns may really be a
    difference between corpora. A policy may have memorised responses that occur in the training set.

    Args:
        trajectories: The trajectories. Tweets are left out.
        known: Whether the response of each trajectory occurs in the training set, as a bool array of shape (n,); see
            `known_responses`.

    Returns:
        The indices of each part's trajectories, as int64 arrays. Empty parts are left out. If there is only one corpus,
        the parts by corpus and turn are also left out.
    """
    sources = np.array([trajectory.source for trajectory in trajectories], str)
    turn = np.minimum([trajectory.turn for trajectory in trajectories], len(TURNS))
    spoken = sources != "tweets"
    corpora = sorted(set(sources[spoken].tolist()))
    masks = {
        f"{corpus}, {part}": (sources == corpus) & (turn == i)
        for corpus in (corpora if len(corpora) > 1 else ())
        for i, part in enumerate(TURNS, start=1)
    }
    masks |= {NEW: spoken & ~known, KNOWN: spoken & known}
    return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


def known_responses(trajectories: Sequence[Trajectory], training: Sequence[Trajectory]) -> np.ndarray:
    """Return a bool array that is true where a response occurs in the training set, ignoring case and punctuation."""
    learned = {plain_words(trajectory.response) for trajectory in training}
    return np.array([plain_words(trajectory.response) in learned for trajectory in trajectories], bool)
