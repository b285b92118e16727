"""Conversations as arrays: conditions padded on the left, responses padded on the right.

A conversation is written as its utterances, each followed by `<|endoftext|>`; a control token, such as the utterance's
sentiment, may stand before it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gail_tf.data.tokenizer import Tokenizer
from keras_gca.engine.batching import bucket, filled, fitted, width_of


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
    """The longest row's length, rounded up to a multiple within the limit; 0 where no row has tokens."""
    longest = max(map(len, rows), default=0)
    return min(int(bucket(longest, multiple)), limit) if longest else 0


def pad_rows(rows: list[list[int]], width: int, padding: int, on_left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows of ids as (B, width) int32, and a (B, width) bool mask, false at padding."""
    lengths = np.array([len(row) for row in rows])[:, None]
    places = np.arange(width)
    mask = places >= width - lengths if on_left else places < lengths
    tokens = np.full((len(rows), width), padding, np.int32)
    tokens[mask] = [i for row in rows for i in row]
    return tokens, mask


def take(
    batch: Batch, rows: Sequence[int] | np.ndarray, size: int | None = None, response_width: int | None = None
) -> Batch:
    """Some rows of a batch, cut to the widths that they need; see `engine/batching.py`.

    size: fills up with rows of padding, which have no tokens and count for nothing. response_width: of the responses,
    if it is to be another.
    """
    rows = np.asarray(rows)
    size = len(rows) if size is None else size
    condition, condition_mask, response, response_mask = (array[rows] for array in batch)
    width = width_of(condition_mask.sum(1), condition_mask.shape[1])
    condition, condition_mask = (fitted(array, width, on_left=True) for array in (condition, condition_mask))
    width = width_of(response_mask.sum(1), response_mask.shape[1]) if response_width is None else response_width
    response, response_mask = (fitted(array, width, on_left=False) for array in (response, response_mask))
    return Batch(*(filled(array, size) for array in (condition, condition_mask, response, response_mask)))
