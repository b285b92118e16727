"""Conversations as arrays: conditions padded on the left, responses padded on the right.

A conversation is written as its utterances, each followed by `<|endoftext|>`; a control token, such as the utterance's
sentiment, may stand before it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gail_tf.data.tokenizer import Tokenizer


class Batch(NamedTuple):
    """Conditions, and responses to them. The masks are true at tokens and false at padding.

    condition, condition_mask: (B, C) int32 and bool: history and prompt, padded on the left.
    response, response_mask:   (B, R) int32 and bool: responses with END, padded on the right. R is 0 without responses.
    """

    condition: np.ndarray
    condition_mask: np.ndarray
    response: np.ndarray
    response_mask: np.ndarray

    @property
    def condition_lengths(self) -> np.ndarray:
        return self.condition_mask.sum(1, dtype=np.int32)

    @property
    def response_lengths(self) -> np.ndarray:
        return self.response_mask.sum(1, dtype=np.int32)


class Utterance(NamedTuple):
    """What was said, and the control token before it, if any."""

    text: str
    control: str | None = None


def encode_batch(
    tokenizer: Tokenizer,
    contexts: Sequence[Sequence[Utterance]],
    responses: Sequence[str] | None = None,
    condition_limit: int = 128,
    response_limit: int = 50,
    multiple: int = 8,
) -> Batch:
    """Conversations as arrays.

    contexts: for each sample the utterances before the response, the prompt last. condition_limit: the longest
    condition, in tokens; the oldest utterances that do not fit whole are left out, and of a prompt that is too long by
    itself the beginning of its text. response_limit: the longest response, END included; a longer one is cut and has no
    END. multiple: widths are rounded up to multiples of it, within the limits, so that few shapes are compiled.

    Raises ValueError for a sample without a prompt, or limits below 1.
    """
    if not all(contexts) or min(condition_limit, response_limit, multiple) < 1:
        raise ValueError("every sample needs a prompt, and limits are 1 or more")
    texts = [utterance.text for context in contexts for utterance in context]
    encoded = iter(tokenizer.encode_all(texts))
    conditions = [
        _condition([_Encoded.of(tokenizer, utterance, next(encoded)) for utterance in context], condition_limit)
        for context in contexts
    ]
    answers = [[*ids, tokenizer.end][:response_limit] for ids in tokenizer.encode_all(responses or [])]
    if responses is not None and len(answers) != len(conditions):
        raise ValueError(f"{len(answers)} responses to {len(conditions)} conditions")
    condition = pad_rows(conditions, bucket_width(conditions, condition_limit, multiple), tokenizer.end, on_left=True)
    response = pad_rows(
        answers or [[]] * len(conditions), bucket_width(answers, response_limit, multiple), tokenizer.end, on_left=False
    )
    return Batch(*condition, *response)


class _Encoded(NamedTuple):
    """An utterance as ids: its control token, if any, and its text with END."""

    control: list[int]
    text: list[int]

    @classmethod
    def of(cls, tokenizer: Tokenizer, utterance: Utterance, ids: list[int]) -> "_Encoded":
        control = [] if utterance.control is None else [tokenizer.special(utterance.control)]
        return cls(control, [*ids, tokenizer.end])


def _condition(utterances: list[_Encoded], limit: int) -> list[int]:
    prompt = utterances[-1]
    cut = max(len(prompt.control) + len(prompt.text) - limit, 0)
    kept = [*prompt.control, *prompt.text[cut:]][-limit:]
    for control, text in reversed(utterances[:-1]):
        if len(control) + len(text) + len(kept) > limit:
            break
        kept = [*control, *text, *kept]
    return kept


def bucket_width(rows: list[list[int]], limit: int, multiple: int) -> int:
    """The longest row's length, rounded up to a multiple within the limit."""
    longest = max(map(len, rows), default=0)
    return min(-(-longest // multiple) * multiple, limit)


def pad_rows(rows: list[list[int]], width: int, padding: int, on_left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids as (B, width) int32, and a (B, width) bool mask, false at padding."""
    lengths = np.array([len(row) for row in rows])[:, None]
    places = np.arange(width)
    mask = places >= width - lengths if on_left else places < lengths
    tokens = np.full((len(rows), width), padding, np.int32)
    tokens[mask] = [i for row in rows for i in row]
    return tokens, mask


BUCKET = 8  # widths are rounded up to multiples of this many tokens


def take(
    batch: Batch, rows: Sequence[int] | np.ndarray, size: int | None = None, response_width: int | None = None
) -> Batch:
    """Some rows of a batch, cut to the widths that they need, rounded up to multiples of BUCKET within the batch's own.

    size: fills up with rows of padding, which have no tokens and count for nothing. response_width: of the responses,
    if it is to be another.
    """
    rows = np.asarray(rows)
    size = len(rows) if size is None else size
    condition, condition_mask = batch.condition[rows], batch.condition_mask[rows]
    response, response_mask = batch.response[rows], batch.response_mask[rows]
    width = _bucket(condition_mask)
    condition, condition_mask = (_fitted(each, width, on_left=True) for each in (condition, condition_mask))
    width = _bucket(response_mask) if response_width is None else response_width
    response, response_mask = (_fitted(each, width, on_left=False) for each in (response, response_mask))
    free = [(0, size - len(rows)), (0, 0)]
    return Batch(*(np.pad(each, free) for each in (condition, condition_mask, response, response_mask)))


def _bucket(mask: np.ndarray) -> int:
    longest = int(mask.sum(1).max(initial=1))
    return min(-(-longest // BUCKET) * BUCKET, mask.shape[1])


def _fitted(rows: np.ndarray, width: int, on_left: bool) -> np.ndarray:
    """Rows, padded on one side, at another width that holds all their tokens."""
    surplus = rows.shape[1] - width
    if surplus >= 0:
        return rows[:, surplus:] if on_left else rows[:, :width]
    return np.pad(rows, [(0, 0), (-surplus, 0) if on_left else (0, -surplus)])


def plan(
    lengths: np.ndarray, size: int, seed: int | None = None, then: np.ndarray | None = None, pool: int = 32
) -> list[np.ndarray]:
    """The batches of one epoch, as arrays of row numbers; rows of like lengths go together.

    lengths: of the rows' first part, in tokens. seed: shuffles; None keeps a fixed order, for validation. then: of
    the second part; rows whose first parts need one width are put in the order of these. pool: batches among whose rows
    like ones are sought.
    """
    first = lengths if then is None else -(-lengths // BUCKET)
    then = lengths if then is None else then
    random = np.random.default_rng(seed)
    count = len(lengths)
    order = np.arange(count) if seed is None else random.permutation(count)
    batches = []
    for start in range(0, count, pool * size):
        drawn = order[start : start + pool * size]
        drawn = drawn[np.lexsort((then[drawn], first[drawn]))]
        batches += [drawn[i : i + size] for i in range(0, len(drawn), size)]
    if seed is not None:
        batches = [batches[i] for i in random.permutation(len(batches))]
    return batches
