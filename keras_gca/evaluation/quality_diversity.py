"""Measures the quality and diversity of systems over a grid of temperatures and top-p values.

Results at a single temperature prove nothing: a system may seem better there only because its replies are less diverse.
Caccia et al. 2020 ("Language GANs Falling Short") therefore compare curves over all temperatures. Here, quality is the
perplexity of sampled replies under an independent model (lower is better), and diversity is the distinct-2 of the
replies, computed from the same number of tokens for every system.

Systems are compared at their best points. The best point of a system is chosen on one set of conversations and measured
on another. If one set served both purposes, a system with more points to choose from could seem better by chance.
"""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glove import cost
from glove.cost import TimeLimit
from keras_gca.engine import reporting
from keras_gca.engine.training_loop import progress
from keras_gca.evaluation import reply_metrics, statistics
from keras_gca.evaluation.decoding_grid import Setting
from keras_gca.evaluation.paired_tests import (
    Comparison,
    PairedTest,
    compare_conversations,
    compare_seeds,
    with_correction,
)
from keras_gca.evaluation.statistics import Estimate

PERPLEXITY, DISTINCT, MAUVE, NATS = "perplexity", "distinct-2", "MAUVE", "nats a word"
HUMAN = "human"
Figures = dict[str, Estimate]
Measure = Callable[[np.ndarray], float]  # computes a metric of the replies for which a mask, (n,) bool, is true


@dataclass(frozen=True)
class Part:
    """A set of held-out conversations, with everything that is needed to measure a run's replies to them.

    Attributes:
        human: The n human replies.
        conversations: The index of each reply's conversation, shape (n,).
        sample: A function that takes the name of a generator and a setting, and samples n replies.
        costs: A function that takes n replies and a name under which their costs may be stored. It returns a float64
            array of shape (n, 2): for each reply, its negative log-likelihood in nats under the model that measures
            quality, and its number of words.
        words: A function that splits a reply into words.
        mauve: A function that takes n replies and returns a `Measure` of their MAUVE against the human replies, or
            None if there is no encoder.
        ceiling: The MAUVE of the human replies against other human replies, or None if unknown.
        is_stored: A function that returns whether the replies of a generator at a setting are stored, in which case
            `sample` only reads them.
    """

    human: Sequence[str]
    conversations: np.ndarray
    sample: Callable[[str, Setting], Sequence[str]]
    costs: Callable[[Sequence[str], str], np.ndarray]
    words: Callable[[str], list[str]]
    mauve: Callable[[Sequence[str]], Measure] | None = None
    ceiling: float | None = None
    is_stored: Callable[[str, Setting], bool] = lambda generator, setting: False


@dataclass(frozen=True)
class Speaker:
    """A generator of one run.

    Attributes:
        name: The name of the generator in its run.
        seed: The seed of the run.
        validation: The conversations on which the best point of the generator is chosen.
        test: The conversations on which the best point is measured.
        estimate: A function that estimates the cost of sampling replies at a given number of points for the validation
            conversations, and at one point for the test conversations. None if no estimate is possible.
    """

    name: str
    seed: int
    validation: Part
    test: Part
    estimate: Callable[[int], cost.Estimate] | None = None


class Best(NamedTuple):
    """The best point of a system.

    Attributes:
        setting: The point, chosen on the validation conversations.
        figures: The metrics at this point on the test conversations.
    """

    setting: Setting
    figures: Figures


@dataclass(frozen=True)
class Results:
    """The results of `compare`.

    Attributes:
        settings: The points of the grid.
        runs: The number of runs of each system.
        points: The metrics of each system at each point, on the validation conversations.
        best: The best point of each system.
        human: The metrics of the human replies in the validation conversations.
        human_test: The metrics of the human replies in the test conversations.
        tests: The paired tests of the best points, on the test conversations.
    """

    settings: Sequence[Setting]
    runs: Mapping[str, int]
    points: Mapping[str, Mapping[Setting, Figures]]
    best: Mapping[str, Best]
    human: Figures
    human_test: Figures
    tests: Sequence[PairedTest]


@dataclass(frozen=True)
class Said:
    """Replies and their measured values.

    Attributes:
        part: The held-out conversations that the replies belong to.
        replies: The n replies, each a list of words.
        costs: The result of `Part.costs` for these replies, shape (n, 2).
        mauve: The result of `Part.mauve` for these replies, or None.
    """

    part: Part
    replies: Sequence[Sequence[str]]
    costs: np.ndarray
    mauve: Measure | None

    @property
    def tokens(self) -> int:
        """The total number of words in the replies."""
        return sum(map(len, self.replies))


def compare(
    systems: Mapping[str, Sequence[Speaker]], settings: Sequence[Setting], limit: TimeLimit | None = None
) -> Results | None:
    """Measure systems over a grid, choose the best point of each system, and compare the systems at these points.

    If the measurement will take long, its estimated cost is printed first.

    Args:
        systems: The runs of each system, with different seeds.
        settings: The points of the grid.
        limit: The time limit, after which no further points are measured, or None for no limit.

    Returns:
        The results, or None if the time limit is reached before all points are measured.
    """
    limit = limit or TimeLimit()
    speakers = [speaker for of_system in systems.values() for speaker in of_system]
    reporting.say_cost(_cost(speakers, settings))
    with progress(total=len(speakers) * (len(settings) + 1), desc="points of the grid") as bar:

        def say(speaker: Speaker, part: Part, setting: Setting) -> Said:
            said = spoken(part, part.sample(speaker.name, setting), f"{speaker.name}, {setting}")
            bar.update()
            return said

        said: dict[tuple[str, Setting], list[Said]] = {}
        for system, of_system in systems.items():
            for speaker in of_system:  # one after the other, because each may be a large network
                for setting in settings:
                    if limit.is_over:
                        return None
                    said.setdefault((system, setting), []).append(say(speaker, speaker.validation, setting))
        human = _humans([speaker.validation for speaker in speakers])
        tokens = _fewest_tokens([*said.values(), human])
        points = {
            system: {setting: _measured(said[system, setting], tokens) for setting in settings} for system in systems
        }
        of_humans = _measured(human, tokens)
        chosen = {system: choose(of_system, of_humans) for system, of_system in points.items()}
        best: dict[str, list[Said]] = {}
        for system, of_system in systems.items():
            for speaker in of_system:
                if limit.is_over:
                    return None
                best.setdefault(system, []).append(say(speaker, speaker.test, chosen[system]))
    human_test = _humans([speaker.test for speaker in speakers])
    tokens = _fewest_tokens([*best.values(), human_test])
    return Results(
        settings,
        {system: len(of_system) for system, of_system in systems.items()},
        points,
        {system: Best(chosen[system], _measured(best[system], tokens)) for system in systems},
        of_humans,
        _measured(human_test, tokens),
        _tests(systems, best),
    )


def _cost(speakers: Sequence[Speaker], settings: Sequence[Setting]) -> cost.Estimate:
    """Estimate the cost of sampling all replies that are not stored yet."""
    estimates = []
    for speaker in speakers:
        lacking = sum(not speaker.validation.is_stored(speaker.name, setting) for setting in settings)
        if speaker.estimate is not None and lacking:
            estimates.append(speaker.estimate(lacking))
    return cost.in_turn(estimates)


def spoken(part: Part, texts: Sequence[str], name: str) -> Said:
    """Measure replies; their costs may be stored under `name` (see `Part.costs`)."""
    mauve = None if part.mauve is None or name == HUMAN else part.mauve(texts)
    return Said(part, [part.words(text) for text in texts], part.costs(texts, name), mauve)


def _humans(parts: Sequence[Part]) -> list[Said]:
    """Measure the human replies of each part, skipping parts with the same replies: runs of a seed have the same."""
    different = {tuple(part.human): part for part in parts}
    return [spoken(part, part.human, HUMAN) for part in different.values()]


def _fewest_tokens(said: Sequence[Sequence[Said]]) -> int:
    """Return the number of words in the smallest set of replies; every distinct-2 is computed from this many words."""
    return min(one.tokens for of_system in said for one in of_system)


def _measured(said: Sequence[Said], tokens: int) -> Figures:
    """Measure a system's replies in each of its runs, and average the metrics over the runs."""
    return averaged([figures(one, tokens) for one in said])


def figures(said: Said, tokens: int) -> Figures:
    """Compute the perplexity, distinct-2, and MAUVE of replies, with 95 % jackknife intervals over conversations.

    Args:
        said: The replies.
        tokens: The number of tokens from which distinct-2 is computed.
    """
    groups = said.part.conversations
    lengths = np.array([len(reply) for reply in said.replies])

    def perplexity(kept: np.ndarray) -> float:
        nll, words = said.costs[kept].sum(axis=0)
        return math.exp(nll / words)

    def distinct(kept: np.ndarray) -> float:
        share = tokens if kept.all() else min(int(tokens * kept.mean()), int(lengths[kept].sum()))
        return reply_metrics.distinct_at([said.replies[i] for i in np.flatnonzero(kept).tolist()], 2, share)

    measured = {
        PERPLEXITY: statistics.jackknife(perplexity, groups, logarithm=True),
        DISTINCT: statistics.jackknife(distinct, groups),
    }
    if said.mauve is not None:
        measured[MAUVE] = statistics.jackknife(said.mauve, groups)
    elif said.part.ceiling is not None:
        measured[MAUVE] = Estimate(said.part.ceiling)
    return measured


def averaged(runs: Sequence[Figures]) -> Figures:
    """Average metrics over runs, with Student's t intervals, or return the metrics of a single run unchanged."""
    if len(runs) == 1:
        return runs[0]
    common = [name for name in runs[0] if all(name in run for run in runs)]
    summaries = {name: statistics.summarise([run[name].value for run in runs]) for name in common}
    return {name: Estimate(summary.mean, summary.low, summary.high) for name, summary in summaries.items()}


def choose(points: Mapping[Setting, Figures], human: Figures) -> Setting:
    """Choose the point with the highest MAUVE or, without MAUVE, the point nearest to the human replies.

    Args:
        points: The metrics of a system at each point.
        human: The metrics of the human replies.
    """
    if all(MAUVE in of_point for of_point in points.values()):
        return max(points, key=lambda setting: points[setting][MAUVE].value)
    return min(points, key=lambda setting: distance(points[setting], human))


def distance(point: Figures, human: Figures) -> float:
    """Compute |log(perplexity / human perplexity)| + |log(distinct-2 / human distinct-2)|.

    The distance is 0 if the replies are exactly as predictable and as diverse as the human replies. It is infinite if
    either metric is undefined or 0.
    """
    ratios = [point[name].value / human[name].value for name in (PERPLEXITY, DISTINCT)]
    return sum(abs(math.log(ratio)) for ratio in ratios) if all(ratio > 0 for ratio in ratios) else math.inf


def _tests(systems: Mapping[str, Sequence[Speaker]], best: Mapping[str, Sequence[Said]]) -> list[PairedTest]:
    """Compare each pair of systems at their best points, over the conversations of each seed and over the seeds."""
    rows: list[tuple[tuple[str, str], int | None, str, Comparison]] = []
    for pair in itertools.combinations(systems, 2):
        first, second = ({one.seed: i for i, one in enumerate(systems[system])} for system in pair)
        common = sorted(first.keys() & second.keys())
        matched = [(best[pair[0]][first[seed]], best[pair[1]][second[seed]]) for seed in common]
        for seed, (a, b) in zip(common, matched, strict=True):
            if list(a.part.human) == list(b.part.human):
                rows.append((pair, seed, NATS, _by_conversations(a, b)))
        if len(common) > 1:
            tokens = min(one.tokens for both in matched for one in both)
            measured = [[figures(one, tokens) for one in both] for both in zip(*matched, strict=True)]
            for name in measured[0][0]:
                a_values, b_values = ([_comparable(name, one[name].value) for one in runs] for runs in measured)
                title = f"log {name}" if name == PERPLEXITY else name
                rows.append((pair, None, title, compare_seeds(a_values, b_values)))
    return with_correction(rows)


def _comparable(name: str, value: float) -> float:
    return math.log(value) if name == PERPLEXITY else value


def _by_conversations(a: Said, b: Said) -> Comparison:
    """Compare the nats per word of two systems' replies over conversations, with the same weight for every reply."""
    per_reply = [one.costs[:, 0] / one.costs[:, 1] for one in (a, b)]
    numbers, index = np.unique(a.part.conversations, return_inverse=True)
    differences = np.bincount(index, per_reply[0] - per_reply[1], len(numbers))
    return compare_conversations(differences, np.bincount(index, minlength=len(numbers)).astype(np.float64))
