"""Makes surveys and ballots for tests."""

import numpy as np

from keras_gca.survey.questionnaire import Line, MachineAnswer, Survey
from keras_gca.survey.votes import NO_DIFFERENCE

MODELS = ("teacher_forcing", "adversarial")


def make_survey(scores, probabilities=None, dialogues=1):
    """Make a survey with a line for each pair of scores (Eq. 10). Every second line shows the second model first.

    `probabilities` are pairs of probabilities by Eq. 9. If they are not given, all are equal.
    """
    probabilities = probabilities or [(0.1, 0.1)] * len(scores)
    lines = []
    for i, (score, human) in enumerate(zip(scores, probabilities, strict=True)):
        answers = [
            MachineAnswer(f"Answer {i} of {name}.", *each) for name, *each in zip("PQ", human, score, strict=True)
        ]
        lines.append(Line((f"Question {i - 1}?", f"Question {i}?"), tuple(answers), (i % 2, 1 - i % 2)))
    length = len(lines) // dialogues
    parts = tuple(tuple(lines[start : start + length]) for start in range(0, len(lines), length))
    return Survey(MODELS, parts, {"data": "a test"})


def make_ballots(votes, volunteers):
    """Make ballots with these votes on each line, (first model, second model). All other votes are "no difference"."""
    ballots = np.full((volunteers, len(votes)), float(NO_DIFFERENCE))
    for line, (first, second) in enumerate(votes):
        ballots[:first, line] = 0
        ballots[first : first + second, line] = 1
    return ballots
