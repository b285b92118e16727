"""The metrics of Table 2 and further metrics, as pure functions of texts and numbers.

Texts are converted to lower case and split by NLTK's `wordpunct_tokenize`: a word is a sequence of letters and digits,
or a sequence of punctuation marks. Intervals are 95 % bootstrap intervals. The bootstrap resamples whole conversations
instead of turns, because the turns of a conversation are not independent.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from nltk.tokenize import wordpunct_tokenize
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from gail_tf.data.sentiment import sentiment
from gail_tf.data.trajectories import Trajectory
from keras_gca.evaluation import paired_tests, reply_metrics, statistics
from keras_gca.evaluation.paired_tests import Comparison
from keras_gca.evaluation.statistics import Estimate

TURNS = ("1 turn", "2 turns", "3+ turns")  # Table 2's columns; the history has 0, 1, and 2 or more turns
ALL, TWEETS = "all turns", "tweets"
SHUFFLED = ", shuffled"  # the end of the name of an agreement by chance
RESAMPLES = 2000  # the number of resamples in the bootstrap
ORDERS = (1, 2, 3, 4)  # the values of n for sentence BLEU-n
# A function that takes texts and returns the name of each text's class, for example its emotion.
Classifier = Callable[[Sequence[str]], Sequence[str]]


def sentiment_names(texts: Sequence[str]) -> list[str]:
    """Return VADER's class of each text: negative, neutral or positive."""
    return [sentiment(text).name for text in texts]


CLASSIFIERS: Mapping[str, Classifier] = {"sentiment": sentiment_names}


class Likelihoods(NamedTuple):
    """The likelihoods of n human responses under a policy, given their histories and prompts.

    Attributes:
        nll: The negative log-likelihood of each response in nats, including END, as a float64 array of shape (n,).
        tokens: The number of tokens in each response, including END, as an int64 array of shape (n,). A response that
            exceeds the policy's limit is truncated and has no END.
        words: The number of words in each response, plus one for END, as an int64 array of shape (n,). Unlike `tokens`,
            it does not depend on the policy's tokenizer. A word that is cut off by truncation counts as one word.
        cut: Whether each response is truncated, as a bool array of shape (n,).
    """

    nll: np.ndarray
    tokens: np.ndarray
    words: np.ndarray
    cut: np.ndarray


def words(text: str) -> list[str]:
    """Split a text into words and punctuation marks, in lower case."""
    return wordpunct_tokenize(text.lower())


def parts(trajectories: Sequence[Trajectory]) -> dict[str, np.ndarray]:
    """Divide trajectories into the parts that are measured separately. Empty parts are left out.

    The parts TURNS and ALL contain only trajectories from conversations. Tweets are a separate part: the prompt and the
    response of a tweet are the same text, so a policy that copies its prompt would appear to answer well.

    Args:
        trajectories: The trajectories.

    Returns:
        The indices of each part's trajectories, as int64 arrays.
    """
    tweets = np.array([trajectory.source == "tweets" for trajectory in trajectories], bool)
    turn = np.minimum([trajectory.turn for trajectory in trajectories], len(TURNS))
    masks = {name: ~tweets & (turn == i) for i, name in enumerate(TURNS, start=1)} | {ALL: ~tweets, TWEETS: tweets}
    return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


def spread(count: int, most: int) -> np.ndarray:
    """Return at most `most` evenly spaced indices from 0 to `count` - 1, as an int64 array in ascending order."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(np.int64)


# Likelihood


def likelihood_figures(likelihoods: Likelihoods, conversations: np.ndarray, seed: int = 0) -> dict[str, Estimate]:
    """Compute the perplexity per token, as in Section 5, and per word.

        perplexity = exp(sum of nll / sum of tokens, or of words)

    Args:
        likelihoods: The likelihoods of n responses.
        conversations: The number of each response's conversation, shape (n,).
        seed: The seed for the bootstrap.
    """
    nll, *units = by_conversation(conversations, likelihoods.nll, likelihoods.tokens, likelihoods.words)
    drawn = statistics.bootstrap(len(nll), seed, RESAMPLES)
    return {
        name: _exponential(_ratio(drawn, nll, unit))
        for name, unit in zip(("perplexity", "perplexity per word"), units, strict=True)
    }


# Responses


def sentence_bleus(responses: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """Compute word-based BLEU-1 to BLEU-4 of each response with NLTK.

    The scores are smoothed with method 1 of Chen and Cherry (2014), which counts 0.1 matches if no n-gram matches.

    Args:
        responses: n responses.
        references: One reference for each response.

    Returns:
        A float64 array of shape (n, 4) with values from 0 to 100.
    """
    weights = [(1 / n,) * n for n in ORDERS]
    smoothing = SmoothingFunction().method1
    scores = [
        sentence_bleu([words(reference)], words(response), weights, smoothing)
        for response, reference in zip(responses, references, strict=True)
    ]
    return 100 * np.array(scores, np.float64).reshape(-1, len(ORDERS))


def agreement(classify: Classifier, texts: Sequence[str], others: Sequence[str]) -> np.ndarray:
    """Return a float64 array that is 1 where the two texts of a pair have the same class, and 0 elsewhere."""
    return (np.array(classify(texts), str) == np.array(classify(others), str)).astype(np.float64)


def shuffled_agreement(classes: Sequence[str], others: Sequence[str], conversations: np.ndarray) -> float:
    """Compute the agreement expected by chance: the share of pairs from different conversations whose classes are
    equal.

    Args:
        classes: The class of each of n texts, for example of the responses.
        others: The class of each text's partner, for example of the human response.
        conversations: The number of each text's conversation, shape (n,).

    Returns:
        The share, or NaN if there is only one conversation.
    """
    equal = np.array(classes, str)[:, None] == np.array(others, str)[None, :]
    apart = conversations[:, None] != conversations[None, :]
    return float(equal[apart].mean()) if apart.any() else float("nan")


def response_scores(
    responses: Sequence[str], trajectories: Sequence[Trajectory], classifiers: Mapping[str, Classifier] = CLASSIFIERS
) -> dict[str, np.ndarray]:
    """Compute the metrics that are defined for single responses.

    Args:
        responses: n responses.
        trajectories: The trajectories that the responses answer.
        classifiers: Classifiers of sentiment or emotion, by name.

    Returns:
        A dictionary of float64 arrays of shape (n,): BLEU-1 to BLEU-4 (`sentence_bleus`) and, for each classifier,
        whether the response has the same class as the human response, and whether it has the same class as the prompt
        (`agreement`).
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
    """Compute distinct-1, distinct-2, the words per response, and the share of responses that repeat an earlier one."""
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
    """Compute all metrics of a system's responses. Diversity and similarity metrics have no intervals.

    Args:
        responses: n responses.
        trajectories: The trajectories that the responses answer.
        scores: The result of `response_scores`.
        vectors: The vector of each word, shape (size,).
        seed: The seed for the bootstrap.
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
    figures |= _shuffled_figures(responses, trajectories, conversations)
    figures |= {name: Estimate(value) for name, value in diversity_figures(responses).items()}
    similar = reply_metrics.embedding_similarities(list(map(words, responses)), list(map(words, human)), vectors)
    return figures | {f"vectors, {name}": Estimate(value) for name, value in similar.items()}


def _shuffled_figures(
    responses: Sequence[str], trajectories: Sequence[Trajectory], conversations: np.ndarray
) -> dict[str, Estimate]:
    """Compute the agreement expected by chance for each sentiment agreement in `response_scores`."""
    figures = {}
    for name, classify in CLASSIFIERS.items():
        classes = classify(responses)
        for whose, others in (
            ("human", [trajectory.response for trajectory in trajectories]),
            ("prompt", [trajectory.prompt for trajectory in trajectories]),
        ):
            by_chance = shuffled_agreement(classes, classify(others), conversations)
            figures[f"{name} as the {whose}'s{SHUFFLED}"] = Estimate(by_chance)
    return figures


def human_figures(
    trajectories: Sequence[Trajectory], classifiers: Mapping[str, Classifier] = CLASSIFIERS
) -> dict[str, Estimate]:
    """Compute the metrics that apply to human responses: diversity, and agreement with the prompts."""
    human, prompts = (
        [trajectory.response for trajectory in trajectories],
        [trajectory.prompt for trajectory in trajectories],
    )
    figures = diversity_figures(human)
    for name, classify in classifiers.items():
        figures[f"{name} as the prompt's"] = float(agreement(classify, human, prompts).mean())
    return {name: Estimate(value) for name, value in figures.items()}


# Comparison


def compare(
    first: np.ndarray, second: np.ndarray, weights: np.ndarray, conversations: np.ndarray, seed: int = 0
) -> Comparison | None:
    """Test with random sign flips whether two systems' scores on the same trajectories differ.

    The difference between the systems is (sum of the first scores - sum of the second scores) / sum of the weights; see
    `paired_tests.compare_conversations`.

    Args:
        first: The first system's score for each trajectory, shape (n,). If scores are defined for smaller units, such
            as words, a trajectory's score is the sum over its units.
        second: The second system's scores, shape (n,).
        weights: The number of units in each trajectory, shape (n,), for example the number of words, or 1.
        conversations: The number of each trajectory's conversation, shape (n,). All trajectories of a conversation are
            flipped together.
        seed: The seed for the sign flips.

    Returns:
        The comparison, or None if there are no trajectories.
    """
    if not len(first):
        return None
    differences, units = by_conversation(conversations, np.asarray(first, np.float64) - second, weights)
    return paired_tests.compare_conversations(differences, units, seed)


def compare_likelihoods(
    first: Likelihoods, second: Likelihoods, conversations: np.ndarray, seed: int = 0
) -> Comparison | None:
    """Compare negative log-likelihoods in nats per word. A negative difference means that the first system is better.

    Responses that the systems truncate at different positions are left out.

    Args:
        first: The first system's likelihoods of n responses.
        second: The second system's likelihoods of the same responses.
        conversations: The number of each response's conversation, shape (n,).
        seed: The seed for the sign flips.

    Returns:
        The comparison, or None if no responses are left.
    """
    same = (first.words == second.words) & (first.cut == second.cut)
    return compare(first.nll[same], second.nll[same], first.words[same], conversations[same], seed)


def by_conversation(conversations: np.ndarray, *values: np.ndarray) -> list[np.ndarray]:
    """Sum values of shape (n, ...) within each conversation. The sums are sorted by conversation number."""
    numbers, index = np.unique(conversations, return_inverse=True)
    sums = [np.zeros((len(numbers), *np.shape(array)[1:]), np.asarray(array).dtype) for array in values]
    for total, array in zip(sums, values, strict=True):
        np.add.at(total, index, array)
    return sums


def _ratio(drawn: np.ndarray, numerator: np.ndarray, denominator: np.ndarray) -> Estimate:
    value = float(numerator.sum() / denominator.sum())
    return _estimate(value, drawn, statistics.ratio_interval(drawn, numerator, denominator))


def _estimate(value: float, drawn: np.ndarray, interval: tuple[float, float]) -> Estimate:
    return (
        Estimate(value, *interval) if drawn.shape[1] > 1 else Estimate(value)
    )  # a single conversation gives no interval


def _exponential(estimate: Estimate) -> Estimate:
    def exp(end: float | None) -> float | None:
        return None if end is None else float(np.exp(end))

    return Estimate(float(np.exp(estimate.value)), exp(estimate.low), exp(estimate.high))
