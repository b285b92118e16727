"""The figures of Table 2 on test trajectories, and what Table 2 leaves out; pure functions of texts and numbers.

A word is one of NLTK's `wordpunct_tokenize` in lower case: a run of letters and digits, or of other marks. Figures with
an interval have a 95 % one by a bootstrap over conversations, since the turns of one conversation depend on each other.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from nltk.tokenize import wordpunct_tokenize
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from scipy import stats

from gail_tf.data.sentiment import sentiment
from gail_tf.data.trajectories import Trajectory
from keras_gca.evaluation import reply_metrics, statistics

TURNS = ("1 turn", "2 turns", "3+ turns")  # Table 2's columns: no history, one turn of history, more
ALL, TWEETS = "all turns", "tweets"
RESAMPLES = 2000  # of the bootstrap
FLIPS = 9999  # of the sign-flip test
ORDERS = (1, 2, 3, 4)  # of sentence BLEU
Classifier = Callable[[Sequence[str]], Sequence[str]]  # texts -> the name of each one's emotion


def sentiment_names(texts: Sequence[str]) -> list[str]:
    """VADER's class of each text: negative, neutral or positive."""
    return [sentiment(text).name for text in texts]


CLASSIFIERS: Mapping[str, Classifier] = {"sentiment": sentiment_names}


class Estimate(NamedTuple):
    """A figure, and the ends of its 95 % interval; None where it has none."""

    value: float
    low: float | None = None
    high: float | None = None


class Likelihoods(NamedTuple):
    """What a policy makes of n human responses, given history and prompt.

    nll:    (n,) float64, the negative log-likelihood of each response's tokens in nats, END counted.
    tokens: (n,) int64, their number, END counted. A response longer than the policy can say is cut to what it can, and
            then has no END.
    words:  (n,) int64, the words of the same text, and one more for END: the unit that different tokenizers share. A
            word that is cut counts as one.
    cut:    (n,) bool, which responses are cut.
    """

    nll: np.ndarray
    tokens: np.ndarray
    words: np.ndarray
    cut: np.ndarray


def words(text: str) -> list[str]:
    """The words of a text, marks among them, in lower case."""
    return wordpunct_tokenize(text.lower())


def parts(trajectories: Sequence[Trajectory]) -> dict[str, np.ndarray]:
    """The numbers of the trajectories that each figure is of; a part without any is left out.

    TURNS and ALL are those of conversations. Tweets are apart: they are no conversation, and as prompt and response are
    the same text, copying would count as answering.
    """
    tweets = np.array([trajectory.source == "tweets" for trajectory in trajectories], bool)
    turn = np.minimum([trajectory.turn for trajectory in trajectories], len(TURNS))
    masks = {name: ~tweets & (turn == i) for i, name in enumerate(TURNS, start=1)} | {ALL: ~tweets, TWEETS: tweets}
    return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


def spread(count: int, most: int) -> np.ndarray:
    """At most `most` numbers below `count`, evenly spread, in order; int64."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


# Likelihood


def likelihood_figures(likelihoods: Likelihoods, conversations: np.ndarray, seed: int = 0) -> dict[str, Estimate]:
    """Perplexities: exp of the total negative log-likelihood over the total of tokens (Section 5), and of words.

    conversations: (n,), which one each response is of. seed: of the intervals.
    """
    nll, *units = by_conversation(conversations, likelihoods.nll, likelihoods.tokens, likelihoods.words)
    drawn = statistics.bootstrap(len(nll), seed, RESAMPLES)
    return {
        name: _exponential(_ratio(drawn, nll, unit))
        for name, unit in zip(("perplexity", "perplexity per word"), units, strict=True)
    }


# Responses


def sentence_bleus(responses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """NLTK's sentence BLEU-1 to BLEU-4 of words against one reference each, (n, 4) float64, 0 to 100.

    Smoothing: method 1 of Chen and Cherry 2014, which counts 0.1 where no n-gram fits.
    """
    weights = [(1 / n,) * n for n in ORDERS]
    smoothing = SmoothingFunction().method1
    scores = [
        sentence_bleu([words(reference)], words(response), weights, smoothing)
        for response, reference in zip(responses, references, strict=True)
    ]
    return 100 * np.array(scores, np.float64).reshape(-1, len(ORDERS))


def agreement(classify: Classifier, texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """1 where two texts have the same emotion, else 0; (n,) float64."""
    return (np.array(classify(texts), str) == np.array(classify(others), str)).astype(np.float64)


def response_scores(
    responses: Sequence[str], trajectories: Sequence[Trajectory], classifiers: Mapping[str, Classifier] = CLASSIFIERS
) -> dict[str, np.ndarray]:
    """The figures that every single response has, (n,) float64 each.

    BLEU-1 to BLEU-4 (`sentence_bleus`), and for each classifier the agreement (`agreement`) with the human response and
    with the prompt.
    """
    human, prompts = (
        [trajectory.response for trajectory in trajectories],
        [trajectory.prompt for trajectory in trajectories],
    )
    scores = {f"BLEU-{n}": column for n, column in zip(ORDERS, sentence_bleus(responses, human).T, strict=True)}
    for name, classify in classifiers.items():
        scores[f"{name} as the human's"] = agreement(classify, responses, human)
        scores[f"{name} as the prompt's"] = agreement(classify, responses, prompts)
    return scores


def diversity_figures(responses: Sequence[str]) -> dict[str, float]:
    """distinct-1, distinct-2, words a response, and the share that an earlier one has said already."""
    replies = [words(response) for response in responses]
    return {
        "distinct-1": reply_metrics.distinct(replies, 1),
        "distinct-2": reply_metrics.distinct(replies, 2),
        "words": reply_metrics.mean_length(replies),
        "repeated": reply_metrics.repeated(replies),
    }


def response_figures(
    responses: Sequence[str],
    trajectories: Sequence[Trajectory],
    scores: Mapping[str, np.ndarray],
    vectors: Mapping[str, np.ndarray],
    seed: int = 0,
) -> dict[str, Estimate]:
    """All figures of a system's responses to trajectories; diversity and similarities have no interval.

    scores: as `response_scores` gives them. vectors: of words, {word: (size,)}. seed: of the intervals.
    """
    human = [trajectory.response for trajectory in trajectories]
    conversations = np.array([trajectory.conversation for trajectory in trajectories])
    counts = reply_metrics.bleu_counts(responses, human)
    summed, one, *scored = by_conversation(conversations, counts, np.ones(len(responses)), *scores.values())
    drawn = statistics.bootstrap(len(one), seed, RESAMPLES)
    resampled = np.array([reply_metrics.bleu_of_counts(sums) for sums in drawn @ summed])
    bleu = reply_metrics.bleu_of_counts(counts.sum(0))
    figures = {"BLEU": _estimate(bleu, drawn, statistics.bootstrap_interval(resampled))}
    figures |= {name: _ratio(drawn, total, one) for name, total in zip(scores, scored, strict=True)}
    figures |= {name: Estimate(value) for name, value in diversity_figures(responses).items()}
    similar = reply_metrics.embedding_similarities(list(map(words, responses)), list(map(words, human)), vectors)
    return figures | {f"vectors, {name}": Estimate(value) for name, value in similar.items()}


def human_figures(
    trajectories: Sequence[Trajectory], classifiers: Mapping[str, Classifier] = CLASSIFIERS
) -> dict[str, Estimate]:
    """The figures of the human responses that make sense for them: diversity, and agreement with the prompts."""
    human, prompts = (
        [trajectory.response for trajectory in trajectories],
        [trajectory.prompt for trajectory in trajectories],
    )
    figures = diversity_figures(human)
    for name, classify in classifiers.items():
        figures[f"{name} as the prompt's"] = float(agreement(classify, human, prompts).mean())
    return {name: Estimate(value) for name, value in figures.items()}


# Comparison


class Comparison(NamedTuple):
    """A paired test. difference: of the first system's mean minus the second's. p_value: two-sided."""

    difference: float
    p_value: float
    conversations: int


def compare(
    first: np.ndarray, second: np.ndarray, weights: np.ndarray, conversations: np.ndarray, seed: int = 0
) -> Comparison | None:
    """A sign-flip test of two systems' scores on the same trajectories: are the two exchangeable?

    first, second: (n,), their scores, summed over a trajectory's units. weights: (n,), its units: 1, or words; the
    difference is of the totals over all units. conversations: (n,), which one each is of: whole conversations are
    flipped. Returns None where there is nothing to compare.
    """
    if not len(first):
        return None
    (differences,) = by_conversation(conversations, np.asarray(first, np.float64) - second)
    total = float(np.sum(weights))
    test = stats.permutation_test(
        (differences,),
        lambda flipped, axis: flipped.sum(axis) / total,
        permutation_type="samples",
        vectorized=True,
        n_resamples=FLIPS,
        batch=500,
        rng=np.random.default_rng(seed),
    )
    return Comparison(float(test.statistic), float(test.pvalue), len(differences))


def compare_likelihoods(
    first: Likelihoods, second: Likelihoods, conversations: np.ndarray, seed: int = 0
) -> Comparison | None:
    """`compare` of negative log-likelihoods, in nats a word; below 0: the first system is the better one.

    Responses of which one system has read more than the other (they are cut at different places) are left out.
    """
    same = (first.words == second.words) & (first.cut == second.cut)
    return compare(first.nll[same], second.nll[same], first.words[same], conversations[same], seed)


def by_conversation(conversations: np.ndarray, *values: np.ndarray) -> list[np.ndarray]:
    """Sums of (n, ...) values over the trajectories of each conversation, conversations in order of their numbers."""
    numbers, index = np.unique(conversations, return_inverse=True)
    sums = [np.zeros((len(numbers), *np.shape(array)[1:]), np.asarray(array).dtype) for array in values]
    for total, array in zip(sums, values, strict=True):
        np.add.at(total, index, array)
    return sums


def _ratio(drawn: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> Estimate:
    value = float(numerator.sum() / denominator.sum())
    return _estimate(value, drawn, statistics.ratio_interval(drawn, numerator, denominator))


def _estimate(value: float, drawn: np.ndarray, interval: tuple[float, float]) -> Estimate:
    return Estimate(value, *interval) if drawn.shape[1] > 1 else Estimate(value)  # one conversation says nothing


def _exponential(estimate: Estimate) -> Estimate:
    return Estimate(*(None if end is None else float(np.exp(end)) for end in estimate))
