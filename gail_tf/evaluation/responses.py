"""Draws a policy's responses to trajectories as text, and counts the tokens and words of responses."""

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
    """Draw a policy's responses to some trajectories of a batch; see `rollouts.respond`.

    Args:
        policy: The policy.
        tokenizer: Its tokenizer.
        batch: Encoded trajectories.
        rows: The indices of the trajectories to answer, (m,) int64.
        seed: The seed of the responses.
        sampling: How tokens are drawn.
        size: The number of responses that are drawn at a time.
        report: A function that is called after each draw, with the number of responses in this draw.

    Returns:
        m texts in the order of `rows`. Each run of white space in a text is one space.
    """
    order = np.argsort(batch.condition_lengths[rows], kind="stable")
    tokens, mask, _ = respond(policy, batch, rows[order], (seed, 0), sampling, size, report)
    texts = [" ".join(tokenizer.decode(said[seen]).split()) for said, seen in zip(tokens, mask, strict=True)]
    return [texts[i] for i in np.argsort(order)]


def measured_units(tokenizer: Tokenizer, batch: Batch) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compute `tokens`, `words` and `cut` of `Likelihoods` for the responses of a batch."""
    tokens = batch.response_lengths.astype(np.int64)
    rows = [row[mask] for row, mask in zip(batch.response, batch.response_mask, strict=True)]
    cut = np.array([row[-1] != tokenizer.end for row in rows], bool)
    counts = np.array([len(metrics.words(tokenizer.decode(row))) for row in rows], np.int64)
    return tokens, counts + ~cut, cut
