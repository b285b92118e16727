"""Algorithm 2, line 5: the generator talks to itself and produces M, pairs of machine-generated utterances.

The generator answers a human context x+, the seed, by x-. It then answers x- alone by y-. M is the set of the pairs
(x-, y-). H is the set of human pairs (x+, y+), from which the seeds come. s_s is the length of a context in tokens,
padding included.
"""

from collections.abc import Iterator

import numpy as np

from keras_gca.data.pairs import Pairs, answers_as_contexts
from keras_gca.models.decoding import Decoder


def choose_seeds(pairs: Pairs, count: int, seed: int) -> np.ndarray:
    """Choose contexts x+ of pairs as seeds.

    Args:
        pairs: The pairs of H.
        count: The number of seeds. If it exceeds the number of pairs, contexts are repeated, and the numbers of their
            repetitions differ by at most one.
        seed: The seed of the choice.

    Returns:
        (count, s_s) int32.
    """
    random = np.random.default_rng(seed)
    rounds = -(-count // len(pairs))
    order = np.concatenate([random.permutation(len(pairs)) for _ in range(rounds)])[:count]
    return pairs.contexts[order]


def converse(
    decoder: Decoder, seeds: np.ndarray, turns: int = 2, sampling_seed: int | None = None, batch_size: int = 128
) -> Iterator[tuple[int, Pairs]]:
    """Answer the seeds, answer these answers, and so on. Seeds of similar lengths share a batch.

    Args:
        decoder: The decoder of the generator.
        seeds: (n, s_s) int32, contexts padded on the left.
        turns: The number of answers per seed. Each answer after the first makes a pair with the previous answer, which
            is its whole context. Thus 2 turns give the paper's M, and k turns give k - 1 times as many pairs. One turn
            gives the pairs (x+, y-) of Li et al. 2017.
        sampling_seed: The seed by which answers are drawn from the softmax, or None for greedy answers (Algorithm 1).
        batch_size: The number of seeds that are answered at a time.

    Yields:
        For each batch of seeds, the number of seeds answered so far and the batch's pairs, whose `conversation` is the
        index of the seed.
    """
    length = seeds.shape[1]
    order = np.argsort(np.count_nonzero(seeds, axis=1), kind="stable")
    for start in range(0, len(order), batch_size):
        owner = order[start : start + batch_size]
        contexts = seeds[owner]
        pairs = []
        for turn in range(turns):
            if sampling_seed is None:
                answers = decoder.greedy(contexts).answers
            else:
                answers = decoder.sample(contexts, sampling_seed + start * turns + turn).answers
            if turn or turns == 1:
                pairs.append(Pairs(contexts, answers, owner.astype(np.int32)))
            contexts = answers_as_contexts(answers, length, decoder.gca.sizes.hierarchical)
        yield start + len(owner), Pairs.concatenate(pairs)
