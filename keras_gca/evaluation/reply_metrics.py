"""Figures of replies that people expect beside perplexity: diversity, length, overlap with the human replies.

They say little about quality (Section 5 of the paper cites Liu et al. 2016 for that), so each stands beside the figure
of the human replies themselves. A reply is a list of tokens.
"""

import collections
import math
from collections.abc import Mapping, Sequence

import numpy as np
from sacrebleu.metrics import BLEU

Reply = Sequence[str]


def distinct(replies: Sequence[Reply], n: int) -> float:
    """distinct-n (Li et al. 2016): different n-grams over all n-grams; NaN if there is none."""
    grams = [tuple(reply[i : i + n]) for reply in replies for i in range(len(reply) - n + 1)]
    return len(set(grams)) / len(grams) if grams else math.nan


def mean_length(replies: Sequence[Reply]) -> float:
    """Tokens a reply."""
    return float(np.mean([len(reply) for reply in replies]))


def repeated(replies: Sequence[Reply]) -> float:
    """The share of replies that an earlier one has said already."""
    return 1 - len({tuple(reply) for reply in replies}) / len(replies)


def most_frequent(replies: Sequence[Reply]) -> float:
    """The share of the reply that is said most often: the safe answer, where there is one."""
    return collections.Counter(map(tuple, replies)).most_common(1)[0][1] / len(replies)


def entropy(replies: Sequence[Reply], n: int = 1) -> float:
    """The Shannon entropy of the n-grams' frequencies, in bits (Zhang et al. 2018)."""
    counts = collections.Counter(tuple(reply[i : i + n]) for reply in replies for i in range(len(reply) - n + 1))
    share = np.array(list(counts.values())) / counts.total()
    return float(-(share * np.log2(share)).sum())


def bleu(replies: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Corpus BLEU of detokenised replies, 0 to 100, against one reference each, and sacreBLEU's signature."""
    metric = BLEU()
    score = metric.corpus_score(list(replies), [list(references)])
    return score.score, str(metric.get_signature())


def bleu_counts(replies: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """What corpus BLEU is made of, (n, 10) int64: matches of 1- to 4-grams, their totals, both texts' lengths.

    `bleu_of_counts` of the sum over replies is `bleu` of them: so it can be had for many selections of replies.
    """
    metric = BLEU(effective_order=True)  # which matters to single scores, not to counts
    scores = [metric.sentence_score(reply, [human]) for reply, human in zip(replies, references, strict=True)]
    rows = [[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores]
    return np.array(rows, np.int64).reshape(-1, 10)


def bleu_of_counts(counts: np.ndarray) -> float:
    """Corpus BLEU, 0 to 100, of summed counts (10,); see `bleu_counts`."""
    *grams, length, reference = map(int, counts)
    return BLEU.compute_bleu(grams[:4], grams[4:], length, reference, BLEU().smooth_method).score


def embedding_similarities(
    replies: Sequence[Reply], references: Sequence[Reply], vectors: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """The mean similarity of replies to references by word vectors (Liu et al. 2016), each from -1 to 1.

    average: cosine of the mean vectors. extrema: cosine of the vectors made of each dimension's most extreme value.
    greedy: each word's best cosine with a word of the other side, averaged over words and both directions.

    vectors: {word: (s_e,)}; other words, and words whose vector is zero, are passed over. A pair of which one side has
    no vector counts 0.
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
    found = [vectors[token] for token in reply if token in vectors and vectors[token].any()]
    return np.array(found, np.float64)


def _unit(matrix: np.ndarray) -> np.ndarray:
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(a @ b / norms) if norms else 0.0


def _extrema(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.abs(matrix).argmax(0), np.arange(matrix.shape[1])]
