"""Metrics of replies other than perplexity: diversity, length, and overlap with the human replies.

These metrics say little about quality (see Liu et al. 2016, cited in Section 5 of the paper), so they are always shown
next to the same metrics of the human replies. A reply is a list of tokens.
"""

import collections
import math
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
from sacrebleu.metrics import BLEU

Reply = Sequence[str]
System = TypeVar("System", bound=Hashable)
ORDERS = 10  # the number of random orders of replies in `distinct_at`


def distinct(replies: Sequence[Reply], n: int) -> float:
    """Compute distinct-n (Li et al. 2016), the share of distinct n-grams among all n-grams, or NaN for no n-grams."""
    grams = [tuple(reply[i : i + n]) for reply in replies for i in range(len(reply) - n + 1)]
    return len(set(grams)) / len(grams) if grams else math.nan


def distinct_at(replies: Sequence[Reply], n: int, tokens: int, seed: int = 0) -> float:
    """Compute distinct-n from a given number of tokens, to compare systems whose replies differ in length.

    Distinct-n falls as a text grows, so `distinct` favours systems with short replies. This function joins the replies
    in random order, and uses only the first `tokens` tokens; the last reply may be truncated. The result is the mean
    over ORDERS random orders.

    Args:
        replies: The replies.
        n: The length of the n-grams.
        tokens: The number of tokens.
        seed: The seed for the random orders.

    Returns:
        The mean, or NaN if the replies have fewer than `tokens` tokens or no n-grams.
    """
    if sum(map(len, replies)) < tokens:
        return math.nan
    random = np.random.default_rng(seed)
    values = []
    for _ in range(ORDERS):
        taken, left = [], tokens
        for i in random.permutation(len(replies)):
            taken.append(replies[i][:left])
            left -= len(taken[-1])
        values.append(distinct(taken, n))
    return float(np.mean(values))


def equal_distinct(systems: Mapping[System, Sequence[Reply]], n: int, seed: int = 0) -> tuple[int, dict[System, float]]:
    """Compute the distinct-n of several systems from the same number of tokens.

    This number is the total of the system whose replies have the fewest tokens.

    Args:
        systems: The replies of each system.
        n: The length of the n-grams.
        seed: The seed for `distinct_at`.

    Returns:
        The number of tokens used, and distinct-n of each system.
    """
    tokens = min(sum(map(len, replies)) for replies in systems.values())
    return tokens, {name: distinct_at(replies, n, tokens, seed) for name, replies in systems.items()}


def mean_length(replies: Sequence[Reply]) -> float:
    """Compute the mean number of tokens per reply."""
    return float(np.mean([len(reply) for reply in replies]))


def repeated(replies: Sequence[Reply]) -> float:
    """Compute the share of replies that repeat an earlier reply."""
    return 1 - len({tuple(reply) for reply in replies}) / len(replies)


def most_frequent(replies: Sequence[Reply]) -> float:
    """Compute the share of replies that equal the most frequent reply, which is often a safe answer."""
    return collections.Counter(map(tuple, replies)).most_common(1)[0][1] / len(replies)


def entropy(replies: Sequence[Reply], n: int = 1) -> float:
    """Compute the Shannon entropy of the n-gram frequencies, in bits (Zhang et al. 2018)."""
    counts = collections.Counter(tuple(reply[i : i + n]) for reply in replies for i in range(len(reply) - n + 1))
    share = np.array(list(counts.values())) / counts.total()
    return float(-(share * np.log2(share)).sum())


def bleu(replies: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Compute the corpus BLEU of detokenised replies, from 0 to 100, with one reference per reply.

    Returns:
        BLEU, and sacreBLEU's signature.
    """
    metric = BLEU()
    score = metric.corpus_score(list(replies), [list(references)])
    return score.score, str(metric.get_signature())


def bleu_counts(replies: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """For each reply, count the matches and lengths from which corpus BLEU is computed.

    `bleu_of_counts` computes the BLEU of any selection of replies from the sum of their counts, which is fast enough
    for the many resamples of a bootstrap.

    Returns:
        An int64 array of shape (n, 10): the matches of 1- to 4-grams, the total numbers of 1- to 4-grams, and the
        lengths of the reply and the reference.
    """
    metric = BLEU(effective_order=True)  # this affects single scores, but not counts
    scores = [metric.sentence_score(reply, [human]) for reply, human in zip(replies, references, strict=True)]
    rows = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    return np.array(rows, np.int64).reshape(-1, 10)


def bleu_of_counts(counts: np.ndarray) -> float:
    """Compute corpus BLEU, from 0 to 100, from summed counts of shape (10,); see `bleu_counts`."""
    *grams, length, reference = map(int, counts)
    return BLEU.compute_bleu(grams[:4], grams[4:], length, reference, BLEU().smooth_method).score


def embedding_similarities(
    replies: Sequence[Reply], references: Sequence[Reply], vectors: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Compute the mean word-vector similarity of replies to references (Liu et al. 2016).

    "average" is the cosine of the mean vectors. "extrema" is the cosine of two vectors that hold the most extreme value
    of any word in each dimension. "greedy" takes, for each word, the best cosine with a word of the other reply, and
    averages over the words and over both directions.

    Args:
        replies: The replies.
        references: The human reply to each context.
        vectors: {word: vector}. Words without a vector, or with a zero vector, are ignored. If no words are left in a
            reply or its reference, their similarity counts as 0.

    Returns:
        The three similarities, each from -1 to 1.
    """
    sums = np.zeros(3)
    for reply, reference in zip(replies, references, strict=True):
        a, b = _matrix(reply, vectors), _matrix(reference, vectors)
        if len(a) and len(b):
            best = _unit(a) @ _unit(b).T
            greedy = (best.max(1).mean() + best.max(0).mean()) / 2
            sums += [_cosine(a.mean(0), b.mean(0)), _cosine(_extrema(a), _extrema(b)), greedy]
    return dict(zip(("average", "extrema", "greedy"), (sums / len(replies)).tolist(), strict=True))


def _matrix(reply: Reply, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.array([vectors[token] for token in reply if token in vectors and vectors[token].any()], np.float64)


def _unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms) if norms else 0.0


def _extrema(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.abs(matrix).argmax(0), np.arange(matrix.shape[1])]
