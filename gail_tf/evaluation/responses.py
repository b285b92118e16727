"""Samples a policy's responses to trajectories, and counts the tokens and words in responses."""

from collections.abc import Callable

import numpy as np

from gail_tf.data.batches import Batch
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.evaluation import metrics
from gail_tf.imitation.rollouts import respond
from gail_tf.policies.base import LanguagePolicy
from gail_tf.policies.sampling import Sampling


def respond_to(
    policy: LanguagePolicy,
    tokenizer: Tokenizer,
    batch: Batch,
    rows: np.ndarray,
    seed: int,
    sampling: Sampling,
    size: int,
    report: Callable[[int], object] = lambda _: None,
) -> list[str]:
    """Sample a policy's responses to selected trajectories; see `rollouts.respond`.

    Args:
        policy: The policy.
        tokenizer: The policy's tokenizer.
        batch: The encoded trajectories.
        rows: The indices of the m trajectories to answer, as an int64 array of shape (m,).
        seed: The seed for sampling.
        sampling: How tokens are sampled.
        size: The number of responses to sample at a time.
        report: A function that is called after each batch with the number of responses in the batch.

    Returns:
        m texts in the order of `rows`, with a single space in place of each run of white space.
    """
    order = np.argsort(batch.condition_lengths[rows], kind="stable")
    tokens, mask, _ = respond(policy, batch, rows[order], (seed, 0), sampling, size, report)
    texts = [" ".join(tokenizer.decode(said[seen]).split()) for said, seen in zip(tokens, mask, strict=True)]
    return [texts[i] for i in np.argsort(order)]


def measured_units(tokenizer: Tokenizer, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute `tokens`, `words` and `cut`, three fields of `Likelihoods`, for the responses in a batch."""
    tokens = batch.response_lengths.astype(np.int64)
    rows = [row[mask] for row, mask in zip(batch.response, batch.response_mask, strict=True)]
    cut = np.array([row[-1] != tokenizer.end for row in rows], bool)
    counts = np.array([len(metrics.words(tokenizer.decode(row))) for row in rows], np.int64)
    return tokens, counts + ~cut, cut
