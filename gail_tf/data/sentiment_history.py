"""The course of a user's sentiment over a conversation, as an input to the policy and the discriminator D.

The paper's abstract mentions a "sentiment analysis history-based reinforcement learning approach", but the paper does
not define the history. Here the history consists of the sentiments (`data/sentiment.py`) of all the user's turns, from
the first turn to the prompt, including turns that are too old to fit into the condition.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gail_tf.data.sentiment import THRESHOLD, sentiment

LEVELS = ("low", "even", "high")  # levels of the mean score, in the order of the sentiments' names
TRENDS = ("falling", "steady", "rising")
STEEP = 0.1  # the minimum change of the compound score per turn that counts as falling or rising


class Course(NamedTuple):
    """A summary of the compound scores c_1 ... c_n of a user's n turns. All fields lie between -1 and 1.

    Attributes:
        mean: The mean of the scores.
        change: (c_n - c_(n-1)) / 2, or 0 for a single turn.
        slope: Half the slope of the least-squares line through the points (i, c_i), or 0 for a single turn.
        spread: Half the difference between the largest score and the smallest score.
    """

    mean: float
    change: float
    slope: float
    spread: float


SIZE = len(Course._fields)


def course(history: Sequence[str], prompt: str) -> Course:
    """Compute the course of the user's sentiment over a conversation.

    Args:
        history: The utterances before the prompt, oldest first.
        prompt: The user's last turn. Roles alternate, so every second utterance before the prompt is also the user's.
    """
    return course_of(_compounds(history, prompt))


def course_of(compounds: Sequence[float]) -> Course:
    """Compute the course of the user's sentiment from the compound scores of the history and the prompt."""
    scores = np.array(compounds[::-2][::-1])  # of the user's turns
    if len(scores) == 1:
        return Course(float(scores[0]), 0.0, 0.0, 0.0)
    places = np.arange(len(scores)) - (len(scores) - 1) / 2
    slope = places @ scores / (places @ places)
    numbers = scores.mean(), (scores[-1] - scores[-2]) / 2, slope / 2, (scores.max() - scores.min()) / 2
    return Course(*map(float, numbers))


def words_of(history: Sequence[str], prompt: str) -> tuple[str, ...]:
    """Describe the course in two words: one of TRENDS, followed by one of LEVELS.

    For a single turn, return an empty result, because the prompt's sentiment already describes the turn.
    """
    return words_of_scores(_compounds(history, prompt)) if len(history) >= 2 else ()


def words_of_scores(compounds: Sequence[float]) -> tuple[str, ...]:
    """Compute the return value of `words_of` from the compound scores of the history and the prompt."""
    if len(compounds) < 3:
        return ()
    found = course_of(compounds)
    steep, away = 2 * found.slope / STEEP, found.mean / THRESHOLD
    return TRENDS[(steep >= 1) - (steep <= -1) + 1], LEVELS[(away >= 1) - (away <= -1) + 1]


def _compounds(history: Sequence[str], prompt: str) -> list[float]:
    return [sentiment(text).compound for text in (*history, prompt)]
