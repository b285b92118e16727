"""Computes Tables 1 and 2, Eq. 11, and their uncertainty.

Each dialogue line is won by the model that most volunteers prefer; a line with the same number of votes for both models
has no winner. A vote for "no difference", which the paper calls a tie or "no votes", counts for neither model. For the
discriminator D, the model with the higher score wins, and a difference of less than 5 % is a tie (Section 5). Lines
that no volunteer has judged are left out, so that humans and D are compared on the same lines.
"""

from dataclasses import dataclass

import krippendorff
import numpy as np
from scipy import stats

from keras_gca.evaluation.statistics import bootstrap, ratio_interval
from keras_gca.models import scoring
from keras_gca.survey.questionnaire import Survey
from keras_gca.survey.votes import NO_DIFFERENCE

NAN = float("nan")


@dataclass(frozen=True)
class Comparison:
    """How often each of two models wins. If neither model ever wins, the shares and the interval are NaN.

    Attributes:
        wins: The number of wins of each model.
        interval: A 95 % confidence interval for the second model's share of the wins.
    """

    wins: tuple[int, int]
    interval: tuple[float, float]

    @property
    def total(self) -> int:
        """The number of wins of both models together."""
        return sum(self.wins)

    @property
    def shares(self) -> tuple[float, float]:
        """Each model's share of all wins, in [0, 1]."""
        first, second = self.wins
        return (first / self.total, second / self.total) if self.total else (NAN, NAN)


@dataclass(frozen=True)
class Similarity:
    """The Jaccard index J(H, A) of Eq. 11, in [0, 1], and its 95 % confidence interval. Both are NaN without votes."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Winners:
    """The winner of each line: 0 or 1 for a model, or None for a tie.

    Attributes:
        humans: The winners according to the majority of the volunteers.
        human: The winners according to the discriminator's scores of Eq. 9.
        score: The winners according to the discriminator's scores of Eq. 10.
    """

    humans: list[int | None]
    human: list[int | None]
    score: list[int | None]


@dataclass(frozen=True)
class Results:
    """The results of a survey.

    Attributes:
        models: The names of the models.
        volunteers: The number of volunteers who voted.
        judgements: The number of votes, including votes for "no difference".
        no_difference: The number of votes for "no difference".
        by_line: The number of votes on each line for each model and for "no difference", shape (lines, 3) and dtype
            int64.
        winners: The winners of all lines, including lines that no volunteer has judged.
        best_answers: The columns of Table 1, with the keys "humans", "Eq. 10" and "Eq. 9".
        votes: The human votes of Table 2.
        jaccard: The Jaccard index of Eq. 11 between the volunteers and the discriminator, with the keys "Eq. 9" and
            "Eq. 10".
        alpha: Krippendorff's alpha for nominal data, with "no difference" as a category. NaN if it is undefined.
        p_value: The p-value of a two-sided sign test on the human column of Table 1. NaN if no line has a winner.
    """

    models: tuple[str, str]
    volunteers: int
    judgements: int
    no_difference: int
    by_line: np.ndarray
    winners: Winners
    best_answers: dict[str, Comparison]
    votes: Comparison
    jaccard: dict[str, Similarity]
    alpha: float
    p_value: float

    @property
    def judged(self) -> int:
        """The number of lines that at least one volunteer has judged."""
        return int((self.by_line.sum(axis=1) > 0).sum())


def tabulate(survey: Survey, ballots: np.ndarray, seed: int = 0) -> Results:
    """Count the votes, and compute all results.

    Votes on the same line depend on each other, while votes on different lines are nearly independent. The confidence
    intervals are therefore bootstrapped over lines, and the sign test counts lines.

    Args:
        survey: The survey.
        ballots: The array returned by `Votes.ballots`, with at least one vote.
        seed: The random seed for the bootstrap.
    """
    by_line = np.stack([(ballots == choice).sum(axis=0) for choice in (0, 1, NO_DIFFERENCE)], axis=-1)
    winners = Winners(
        [_majority(*votes) for votes in by_line[:, :2].tolist()],
        [scoring.winner(*(answer.human for answer in line.answers)) for line in survey.lines],
        [scoring.winner(*(answer.score for answer in line.answers)) for line in survey.lines],
    )
    judged = np.flatnonzero(by_line.sum(axis=1))
    drawn = bootstrap(len(judged), seed)

    def compare(wins: np.ndarray) -> Comparison:
        """Compare the models. `wins` is the number of wins of each model on each line, an array of shape (lines, 2)."""
        wins = wins[judged]
        first, second = wins.sum(axis=0).tolist()
        return Comparison((first, second), ratio_interval(drawn, wins[:, 1], wins.sum(axis=1)))

    def similarity(discriminator: list[int | None]) -> Similarity:
        pairs = [(winners.humans[i], discriminator[i]) for i in judged]
        agreed = np.array([human == machine and human is not None for human, machine in pairs])
        voted = np.array([pair != (None, None) for pair in pairs])
        return Similarity(scoring.jaccard_index(*zip(*pairs, strict=True)), ratio_interval(drawn, agreed, voted))

    best_answers = {
        "humans": compare(_one_hot(winners.humans)),
        "Eq. 10": compare(_one_hot(winners.score)),
        "Eq. 9": compare(_one_hot(winners.human)),
    }
    decided = best_answers["humans"]
    return Results(
        models=survey.models,
        volunteers=len(ballots),
        judgements=int(by_line.sum()),
        no_difference=int(by_line[:, NO_DIFFERENCE].sum()),
        by_line=by_line,
        winners=winners,
        best_answers=best_answers,
        votes=compare(by_line[:, :2]),
        jaccard={"Eq. 9": similarity(winners.human), "Eq. 10": similarity(winners.score)},
        alpha=agreement(ballots),
        p_value=float(stats.binomtest(decided.wins[1], decided.total).pvalue) if decided.total else NAN,
    )


def agreement(ballots: np.ndarray) -> float:
    """Compute Krippendorff's alpha for nominal data over the lines that two or more volunteers have judged.

    Args:
        ballots: The votes, an array of shape (volunteers, lines) and dtype float64. NaN marks lines without a vote.

    Returns:
        Alpha, or NaN if there are no such lines or all votes are the same, which makes the expected disagreement 0.
    """
    comparable = ballots[:, (~np.isnan(ballots)).sum(axis=0) > 1]
    if len(np.unique(comparable[~np.isnan(comparable)])) < 2:
        return NAN
    return float(krippendorff.alpha(comparable, level_of_measurement="nominal"))


def _majority(first: int, second: int) -> int | None:
    return None if first == second else int(second > first)


def _one_hot(winners: list[int | None]) -> np.ndarray:
    return np.array([[winner == 0, winner == 1] for winner in winners], np.int64)
