"""Tables 1 and 2, Eq. 11, and how sure they are.

A human majority decides each line; "no difference" is the paper's tie, "no votes", and a line with equally many votes
for both models has no winner. The discriminator's winners follow Section 5's 5 % rule. Lines that no volunteer has
judged yet count nowhere, so that humans and D are compared on the same lines.
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
    """How often each of two models won, and a 95 % interval of the second model's share.

    Where nobody won, shares and interval are NaN.
    """

    wins: tuple[int, int]
    interval: tuple[float, float]

    @property
    def total(self) -> int:
        return sum(self.wins)

    @property
    def shares(self) -> tuple[float, float]:
        """Each model's part of all wins, in [0, 1]."""
        first, second = self.wins
        return (first / self.total, second / self.total) if self.total else (NAN, NAN)


@dataclass(frozen=True)
class Similarity:
    """J(H, A), Eq. 11, in [0, 1], with a 95 % interval; NaN where nobody voted."""

    value: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class Winners:
    """For each line the model that won, 0 or 1, or None: by human majority, by Eq. 9, by Eq. 10."""

    humans: list[int | None]
    human: list[int | None]
    score: list[int | None]


@dataclass(frozen=True)
class Results:
    """What a survey found.

    volunteers: how many voted. judgements: votes and "no difference" together. no_difference: how often it was marked.
    by_line:      (lines, 3) int64, the votes for each model and "no difference". winners: of each line, judged or not.
    best_answers: Table 1: "humans", "Eq. 10" and "Eq. 9".
    votes:        Table 2.
    jaccard:      Eq. 11 between the humans and the discriminator, by "Eq. 9" and by "Eq. 10".
    alpha:        Krippendorff's, nominal, "no difference" being a category; NaN where it is undefined.
    p_value:      sign test of Table 1's human column, two-sided, against even chances; NaN where no line has a winner.
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


def tabulate(survey: Survey, ballots: np.ndarray, seed: int = 0) -> Results:
    """Count the votes.

    ballots: (volunteers, lines), as `Votes.ballots` gives them, with at least one vote. seed: of the intervals.

    The intervals are a bootstrap's over dialogue lines: votes on one line depend on each other, lines much less. The
    sign test counts lines for the same reason.
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
        """wins: (lines, 2), how often each model won on each line."""
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
    """Krippendorff's alpha (nominal) between volunteers over the lines that two or more of them judged.

    ballots: (volunteers, lines) float64, NaN for no judgement. Returns NaN where there is no such line, and where all
    judgements on them are the same: then no disagreement can be expected, and alpha is 0 / 0.
    """
    comparable = ballots[:, (~np.isnan(ballots)).sum(axis=0) > 1]
    if len(np.unique(comparable[~np.isnan(comparable)])) < 2:
        return NAN
    return float(krippendorff.alpha(comparable, level_of_measurement="nominal"))


def _majority(first: int, second: int) -> int | None:
    return None if first == second else int(second > first)


def _one_hot(winners: list[int | None]) -> np.ndarray:
    return np.array([[winner == 0, winner == 1] for winner in winners], np.int64)
