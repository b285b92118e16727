"""Algorithm 2, line 5: the generator talks to itself and produces M, pairs of machine-generated utterances.

The generator answers a human context x+, the seed, with x-. It then answers x- with y-. M is the set of pairs (x-, y-).
Seeds come from H, the set of human pairs (x+, y+). The length of a context in tokens, including padding, is s_s.

In the author's program, the context of y- is x- alone. The paper, however, defines a context as the last N_u
utterances. Here, these are the last N_u - 1 utterances of x+, followed by x- (`--machine-contexts utterances`). With
N_u above 1, contexts of a single utterance are shorter than human contexts, so the discriminator could recognise M by
its short contexts.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from keras_gca.data.pairs import Pairs, answers_as_contexts, pad_contexts, utterances_of
from keras_gca.data.token_pairs import TokenPairs
from keras_gca.data.vocabulary import EOS, PAD
from keras_gca.models.decoding import Decoder


def choose_seeds(pairs: Pairs | TokenPairs, count: int, seed: int) -> np.ndarray:
    """Choose contexts of human pairs as seeds.

    Args:
        pairs: The human pairs.
        count: The number of seeds. If there are fewer pairs, contexts are repeated as evenly as possible.
        seed: The random seed for the choice.

    Returns:
        Token ids of the seeds, an int32 array of shape (count, s_s).
    """
    random = np.random.default_rng(seed)
    rounds = -(-count // len(pairs))
    order = np.concatenate([pairs.drawn(random, count) for _ in range(rounds)])[:count]
    return pairs[order].contexts


def seeds_with_utterances(
    pairs: Pairs | TokenPairs,
    count: int,
    seed: int,
    utterances: int,
    hierarchical: bool = False,
    words: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Choose seeds as `choose_seeds` does, and find the last utterances of each seed.

    Contexts whose utterances are unknown (see `last_utterances`) are chosen only if there are no others.

    Args:
        pairs: The human pairs, with the pairs of each conversation in order.
        count: The number of seeds, which may exceed the number of pairs.
        seed: The random seed for the choice.
        utterances: The number of utterances to find for each seed.
        hierarchical: Whether the contexts are for a hierarchical encoder, which means that each utterance ends with
            EOS.
        words: The size of the vocabulary if contexts begin with speaker tokens (see `with_speakers`), else None.

    Returns:
        The seeds, an int32 array of shape (count, s_s), and their last utterances, an int32 array of shape
        (count, utterances, s_s). For a hierarchical encoder, s_s is N_u times as large.
    """
    numbers = pairs.drawn(np.random.default_rng(seed), 2 * count)
    # The utterances of a context are the answers of the pairs just before its own pair.
    read = np.unique(np.maximum(numbers[:, None] - np.arange(utterances + 1), 0))
    some = pairs[read]
    said = some.contexts if words is None else np.where(some.contexts < words, some.contexts, PAD)
    if hierarchical:
        parts, known = divided(said, utterances), np.ones(len(read), bool)
    else:
        parts, known = last_utterances(replace(some, contexts=said), utterances)
    places = np.searchsorted(read, numbers)
    usable = places[known[places]] if known[places].any() else places
    chosen = np.resize(usable, count)
    return some.contexts[chosen], parts[chosen]


def divided(contexts: np.ndarray, count: int) -> np.ndarray:
    """Divide contexts for a hierarchical encoder into utterances, and return the last utterances.

    Args:
        contexts: Token ids of the contexts, shape (n, s).
        count: The number of utterances to return for each context.

    Returns:
        Token ids of the utterances, an int32 array of shape (n, count, s). Each utterance ends with EOS. If a context
        has fewer utterances, the first rows are padding.
    """
    parts = np.full((len(contexts), count, contexts.shape[1]), PAD, np.int32)
    for rows, context in zip(parts, contexts, strict=True):
        utterances = utterances_of(context)[-count:] if count else []
        for row, utterance in zip(rows[count - len(utterances) :], utterances, strict=True):
            row[len(row) - len(utterance) - 1 :] = [*utterance, EOS]
    return parts


def last_utterances(pairs: Pairs, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the last utterances of the contexts of pairs.

    Contexts do not mark where utterances end. However, each utterance of a context is also the answer in an earlier
    pair of the conversation. The only exception is the first utterance, which is the whole context of the first pair.

    Args:
        pairs: The human pairs, with the pairs of each conversation in order.
        count: The number of utterances to find for each context.

    Returns:
        The utterances, an int32 array of shape (n, count, s_s), and whether they were found, a bool array of shape
        (n,). Utterances are padded on the left like contexts. If a context has fewer utterances, the first rows are
        padding. Utterances may be unknown if earlier pairs of the conversation are held out.
    """
    number, length = pairs.contexts.shape
    words = [row[row != PAD].tolist() for row in answers_as_contexts(pairs.answers, length)]
    cut = ~np.any(pairs.answers == EOS, axis=1)  # the end of such an utterance is unknown, but it fills a context
    utterances, known = np.full((number, count, length), PAD, np.int32), np.ones(number, bool)
    for i, context in enumerate(pairs.contexts):
        rest, earlier = context[context != PAD].tolist(), i - 1
        for place in reversed(range(count)):
            if not rest:
                break
            is_first = earlier < 0 or pairs.conversation[earlier] != pairs.conversation[i]
            last = rest if is_first or cut[earlier] else words[earlier][-len(rest) :]
            if rest[-len(last) :] != last:
                known[i] = False
                break
            utterances[i, place, length - len(last) :] = last
            rest, earlier = rest[: len(rest) - len(last)], earlier - 1
    return utterances, known


def kept_for_replay(earlier: Pairs | None, latest: Pairs, iterations: int, seed: int) -> Pairs:
    """Choose machine-generated pairs to use again in line 6 of later iterations.

    Args:
        earlier: The result of the previous call, or None after the first iteration.
        latest: The machine-generated pairs of the latest iteration.
        iterations: The number of iterations so far, including the latest. About the same number of pairs is kept from
            each iteration.
        seed: The random seed for the choice.

    Returns:
        As many pairs as `latest` contains.
    """
    if earlier is None:
        return latest
    random, share = np.random.default_rng(seed), round(len(latest) / iterations)
    old, new = (random.permutation(len(pairs)) for pairs in (earlier, latest))
    return Pairs.concatenate([earlier[old[: len(latest) - share]], latest[new[:share]]])


def with_replay(machine: Pairs, earlier: Pairs | None, share: float, seed: int) -> Pairs:
    """Replace a share of the machine-generated pairs with pairs from earlier iterations (Shrivastava et al. 2017).

    Args:
        machine: The machine-generated pairs of the current iteration.
        earlier: Pairs from earlier iterations, or None if there are none.
        share: The share of the pairs to replace.
        seed: The random seed for choosing the pairs to replace and their replacements.
    """
    number = 0 if earlier is None else round(share * len(machine))
    if earlier is None or not number:
        return machine
    random = np.random.default_rng(seed)
    old, new = (random.permutation(len(pairs)) for pairs in (earlier, machine))
    return Pairs.concatenate([machine[new[number:]], earlier[old[:number]]])


def converse(
    decoder: Decoder,
    seeds: np.ndarray,
    turns: int = 2,
    sampling_seed: int | None = None,
    batch_size: int = 128,
    temperature: float = 1.0,
    top_p: float = 1.0,
    before: np.ndarray | None = None,
) -> Iterator[tuple[int, Pairs]]:
    """Answer the seeds, then answer these answers, and so on. Seeds of similar length are processed in the same batch.

    Args:
        decoder: The decoder of the generator.
        seeds: Token ids of the seeds, padded on the left, shape (n, s_s) and dtype int32.
        turns: The number of answers per seed. Each answer after the first forms a pair whose context is the previous
            answer, preceded by earlier utterances if `before` is given. Two turns give the paper's M, and k turns give
            k - 1 times as many pairs. One turn gives the pairs (x+, y-) of Li et al. 2017.
        sampling_seed: The random seed for sampling answers, or None for greedy answers (Algorithm 1).
        batch_size: The number of seeds to answer at a time.
        temperature: The sampling temperature.
        top_p: The probability mass of the nucleus to sample from, or 1 for all tokens.
        before: The last utterances of each seed (see `last_utterances`) for making contexts of N_u utterances, shape
            (n, N_u - 1, s_s) and dtype int32. If None, contexts consist only of the previous answer.

    Yields:
        For each batch, the number of seeds answered so far, and the pairs of the batch. The `conversation` attribute of
        a pair is the index of the seed.
    """

    def answered(contexts: np.ndarray, number: int) -> np.ndarray:
        if sampling_seed is None:
            return decoder.greedy(contexts).answers
        return decoder.sample(contexts, sampling_seed + number, temperature, top_p=top_p).answers

    hierarchical = decoder.gca.sizes.hierarchical
    order = np.argsort(np.count_nonzero(seeds, axis=1), kind="stable")
    for start in range(0, len(order), batch_size):
        owner = order[start : start + batch_size]
        said = seeds[owner][:, None][:, :0] if before is None else before[owner]  # (b, N_u - 1, s_s)
        made = [
            Pairs(contexts, answers, owner.astype(np.int32))
            for contexts, answers in take_turns(answered, seeds[owner], turns, said, hierarchical, start * turns)
        ]
        yield start + len(owner), Pairs.concatenate(made[1:] or made)


def take_turns(
    answered: Callable[[np.ndarray, int], np.ndarray],
    contexts: np.ndarray,
    turns: int,
    said: np.ndarray,
    hierarchical: bool = False,
    first: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Let two agents talk to each other. Each answer is the last utterance of the next context.

    Args:
        answered: A function that takes contexts and the number of a turn, and returns the answers: an int32 array of
            shape (B, s_s + 1).
        contexts: Token ids of the contexts of the first answers, shape (B, s) and dtype int32.
        turns: The number of answers to each context.
        said: The last N_u - 1 utterances of these contexts, shape (B, N_u - 1, s) and dtype int32.
        hierarchical: Whether the contexts are for a hierarchical encoder.
        first: The number of the first turn.

    Yields:
        The contexts and the answers of each turn.
    """
    length = contexts.shape[1]
    for turn in range(turns):
        answers = answered(contexts, first + turn)
        yield contexts, answers
        heard = answers_as_contexts(answers, length, hierarchical)
        said = np.concatenate([said, heard[:, None]], axis=1)
        contexts = pad_contexts([tokens[tokens != PAD] for tokens in said.reshape(len(said), -1)], length)
        said = said[:, 1:]
