"""Conversations as arrays: conditions padded on the left, responses padded on the right.

A conversation is encoded as its utterances, each followed by `<|endoftext|>`. A control token, such as the utterance's
sentiment, may precede an utterance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gail_tf.data.tokenizer import Tokenizer
from keras_gca.engine.batching import bucket, filled, fitted, width_of


class Batch(NamedTuple):
    """Conditions, and responses to them. The masks are true at tokens and false at padding.

    Attributes:
        condition: History and prompt, padded on the left, (B, C) int32.
        condition_mask: (B, C) bool.
        response: Responses with END, padded on the right, (B, R) int32. R is 0 if there are no responses.
        response_mask: (B, R) bool.
    """

    condition: np.ndarray
    condition_mask: np.ndarray
    response: np.ndarray
    response_mask: np.ndarray

    @property
    def condition_lengths(self) -> np.ndarray:
        """The number of tokens of each condition, (B,) int32."""
        return self.condition_mask.sum(1, dtype=np.int32)

    @property
    def response_lengths(self) -> np.ndarray:
        """The number of tokens of each response, (B,) int32."""
        return self.response_mask.sum(1, dtype=np.int32)


class Utterance(NamedTuple):
    """A text, and the control token before it, if any."""

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
    """Encode conversations as arrays.

    Args:
        tokenizer: The tokenizer.
        contexts: For each sample the utterances before the response, the prompt last.
        responses: For each sample its response; None if there are none.
        condition_limit: The maximum number of tokens of a condition. The oldest utterances that do not fit as a whole
            are left out. A prompt that is too long loses the beginning of its text.
        response_limit: The maximum number of tokens of a response with END. A longer one is cut and has no END.
        multiple: Widths are rounded up to its multiples, within the limits, so that few shapes are compiled.

    Returns:
        The arrays; the number of samples is that of `contexts`.

    Raises:
        ValueError: A sample has no prompt, a limit is below 1, or there are not as many responses as contexts.
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
    """Round the longest row's length up to a multiple, within the limit; 0 if no row has tokens."""
    longest = max(map(len, rows), default=0)
    return min(int(bucket(longest, multiple)), limit) if longest else 0


def pad_rows(rows: list[list[int]], width: int, padding: int, on_left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pad rows of ids to one width.

    Args:
        rows: B rows of at most `width` ids.
        width: The width of the arrays.
        padding: The id at padding.
        on_left: Whether padding goes on the left or on the right.

    Returns:
        The ids, (B, width) int32, and the mask, (B, width) bool, false at padding.
    """
    lengths = np.array([len(row) for row in rows])[:, None]
    places = np.arange(width)
    mask = places >= width - lengths if on_left else places < lengths
    tokens = np.full((len(rows), width), padding, np.int32)
    tokens[mask] = [i for row in rows for i in row]
    return tokens, mask


def take(
    batch: Batch, rows: Sequence[int] | np.ndarray, size: int | None = None, response_width: int | None = None
) -> Batch:
    """Take some rows of a batch, cut to the widths that they need; see `engine/batching.py`.

    Args:
        batch: The batch.
        rows: The numbers of the rows.
        size: The number of rows of the result; rows of padding, whose masks are false, are appended. None appends none.
        response_width: The width of the responses; the smallest sufficient bucket if None.

    Returns:
        The rows, in the order given.
    """
    rows = np.asarray(rows)
    size = len(rows) if size is None else size
    condition, condition_mask, response, response_mask = (array[rows] for array in batch)
    width = width_of(condition_mask.sum(1), condition_mask.shape[1])
    condition, condition_mask = (fitted(array, width, on_left=True) for array in (condition, condition_mask))
    width = width_of(response_mask.sum(1), response_mask.shape[1]) if response_width is None else response_width
    response, response_mask = (fitted(array, width, on_left=False) for array in (response, response_mask))
    return Batch(*(filled(array, size) for array in (condition, condition_mask, response, response_mask)))
