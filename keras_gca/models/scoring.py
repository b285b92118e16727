"""Eq. 9 to 11, the rule for ties, and the discriminator's choice of the best answer.

l_i is the discriminator's output for token i of an answer, including EOS, and s*_s is the number of these tokens. Eq. 9
and 10 are computed as logarithms, because the product of 50 outputs may underflow in float32.
"""

import math
from collections.abc import Sequence

import numpy as np

TIE = 0.05  # Section 5: a difference below 5 % of the smaller score is a tie


def log_human_probability(log_l: np.ndarray) -> np.ndarray:
    """Compute Eq. 9, log p(y+|x) = sum of log l_i.

    Args:
        log_l: The logarithms of l_i, shape (..., s_s), with NaN at positions that are not judged, such as those after
            the end of an answer.

    Returns:
        A float64 array of shape (...,).
    """
    return np.nansum(np.asarray(log_l, np.float64), axis=-1)


def log_score(log_l: np.ndarray) -> np.ndarray:
    """Compute Eq. 10, log S(y+) = (sum of log l_i) / s*_s, which does not favour short answers.

    S is the geometric mean of the l_i.

    Args:
        log_l: The logarithms of l_i, shape (..., s_s); see `log_human_probability`.

    Returns:
        A float64 array of shape (...,).

    Raises:
        ValueError: An answer has no tokens.

    Examples:
        >>> import numpy as np
        >>> from keras_gca import log_score
        >>> np.exp(log_score(np.log([[0.9, 0.4], [0.6, 0.6]]))).round(6).tolist()  # sqrt(0.36) twice
        [0.6, 0.6]
    """
    tokens = np.sum(~np.isnan(log_l), axis=-1)
    if np.any(tokens == 0):
        raise ValueError("an answer without tokens has no score")
    return log_human_probability(log_l) / tokens


def is_tie(first: float, second: float) -> bool:
    """Return whether two scores in [0, 1] differ by less than 5 % of the smaller score."""
    return abs(first - second) < TIE * min(first, second)


def best(scores: Sequence[float], probabilities: Sequence[float]) -> int:
    """Return the index of the answer that the discriminator chooses: the one with the highest score (Eq. 10).

    In the paper, a tie has no winner, but a chat needs one. Of the answers whose scores tie with the highest score, the
    one with the highest probability under its own generator is chosen.

    Args:
        scores: S(y+) of each answer, in [0, 1].
        probabilities: p(y|x) of each answer.
    """
    top = max(scores)
    tied = [i for i, score in enumerate(scores) if score == top or is_tie(score, top)]
    return max(tied, key=lambda i: probabilities[i])


def is_tie_of_logs(first: float, second: float) -> bool:
    """Return whether two scores tie (see `is_tie`), given their logarithms, so that tiny scores do not underflow."""
    return abs(first - second) < math.log1p(TIE)


def winner(first: float, second: float) -> int | None:
    """Return the index of the higher of two scores, 0 or 1, or None for a tie (the rule of Section 5)."""
    if is_tie(first, second) or first == second:
        return None
    return int(second > first)


def jaccard_index(humans: Sequence[int | None], discriminator: Sequence[int | None]) -> float:
    """Compute Eq. 11, J(H, A) = |H and A| / |H or A|, over dialogue lines with two answers each.

    H contains the answers that humans prefer, and A contains the answers that the discriminator prefers. The paper
    calls the denominator "the total number of dialogue lines that received votes". A line therefore counts only once,
    even if humans and the discriminator prefer different answers.

    Args:
        humans: For each line, the answer with more votes from the volunteers (0 or 1), or None for a tie.
        discriminator: For each line, the answer that the discriminator scores higher (0 or 1), or None for a tie.

    Returns:
        The index, in [0, 1], or NaN if every line is a tie for both.

    Raises:
        ValueError: The two sequences have different lengths.
    """
    lines = list(zip(humans, discriminator, strict=True))
    voted = [line for line in lines if line != (None, None)]
    agreed = [line for line in voted if line[0] == line[1]]
    return len(agreed) / len(voted) if voted else float("nan")
