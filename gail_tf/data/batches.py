"""Encodes conversations as arrays: conditions are padded on the left, responses on the right.

A response's condition consists of the history and the prompt. The tokenizer's layout puts each utterance in a frame:
tokens before and after the text of the utterance (see `data/layouts.py`). Inside the frame, control tokens may precede
the text, for example a token for the utterance's sentiment. END is the token that ends a response.

Shapes: B is the number of samples, C the width of the conditions, and R the width of the responses.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from gail_tf.data.frames import Utterance, apart_of, control_of, encode_forms, ending_of, in_frames, room_of
from gail_tf.data.layouts import ROLES
from gail_tf.data.tokenizer import Tokenizer
from keras_gca.engine.batching import bucket, filled, fitted, plan, width_of
from keras_gca.errors import UserError


class Batch(NamedTuple):
    """Conditions and responses as arrays. The masks are true at tokens and false at padding.

    Attributes:
        condition: Token ids of the history and the prompt, padded on the left, shape (B, C) and dtype int32.
        condition_mask: The mask of the conditions, shape (B, C) and dtype bool.
        response: Token ids of the responses with END, padded on the right, shape (B, R) and dtype int32. Without
            responses, R is 0.
        response_mask: The mask of the responses, shape (B, R) and dtype bool.
    """

    condition: np.ndarray
    condition_mask: np.ndarray
    response: np.ndarray
    response_mask: np.ndarray

    @property
    def condition_lengths(self) -> np.ndarray:
        """The number of tokens in each condition, an int32 array of shape (B,)."""
        return self.condition_mask.sum(1, dtype=np.int32)

    @property
    def response_lengths(self) -> np.ndarray:
        """The number of tokens in each response, an int32 array of shape (B,)."""
        return self.response_mask.sum(1, dtype=np.int32)

    @property
    def rows(self) -> int:
        """B, the number of samples."""
        return len(self.condition)

    def plan(self, size: int, seed: int) -> list[np.ndarray]:
        """Plan the batches of one epoch; see `batching.plan`."""
        return plan(self.condition_lengths, size, seed, self.response_lengths)

    def taken(
        self, rows: Sequence[int] | np.ndarray, size: int | None = None, response_width: int | None = None
    ) -> "Batch":
        """Select rows; see `take`."""
        return take(self, rows, size, response_width)

    def some(self) -> "Batch":
        """Return all samples; see `Rows.some`."""
        return self


class Rows(Protocol):
    """Samples to train on: the arrays of a `Batch` in memory, or samples that are read from token files."""

    @property
    def rows(self) -> int:
        """The number of samples."""

    def plan(self, size: int, seed: int) -> Sequence[np.ndarray]:
        """Plan the batches of one epoch: the indices of each batch's rows. The same seed gives the same plan."""

    def taken(
        self, rows: Sequence[int] | np.ndarray, size: int | None = None, response_width: int | None = None
    ) -> Batch:
        """Select rows and read them into memory; see `take`."""

    def some(self) -> Batch:
        """Return evenly spread samples for estimating costs. Their number does not grow with the corpus."""


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
        contexts: For each sample, the utterances before the response. The last one is the prompt.
        responses: The response of each sample, or None if there are no responses.
        condition_limit: The maximum number of tokens in a condition. If a condition is longer, its oldest utterances
            are dropped. If the prompt alone is too long, the beginning of its text is cut off. Frames are never
            truncated.
        response_limit: The maximum number of tokens in a response, including END. A longer response is truncated and
            has no END.
        multiple: The widths of the arrays are rounded up to multiples of this number, but never exceed the limits.
            Rounding reduces the number of different shapes, and therefore the number of compiled graphs.

    Returns:
        The arrays, with a row for each sample.

    Raises:
        ValueError: A sample has no prompt, a limit is below 1, or the numbers of responses and contexts differ.
        UserError: `condition_limit` is too small for the frames, or the tokenizer lacks a control token.
    """
    answers = None if responses is None else [Utterance(text) for text in responses]
    return encode_utterances(tokenizer, contexts, answers, condition_limit, response_limit, multiple)


def encode_utterances(
    tokenizer: Tokenizer,
    contexts: Sequence[Sequence[Utterance]],
    responses: Sequence[Utterance] | None,
    condition_limit: int,
    response_limit: int,
    multiple: int = 1,
    widths: tuple[int, int] | None = None,
) -> Batch:
    """Encode conversations as arrays, as `encode_batch` does.

    Args:
        tokenizer: See `encode_batch`.
        contexts: See `encode_batch`.
        responses: The response of each sample, or None. Control tokens of responses are ignored.
        condition_limit: See `encode_batch`.
        response_limit: See `encode_batch`.
        multiple: See `encode_batch`.
        widths: The widths of the arrays, C and R, or None to make the arrays as wide as the rows require.

    Raises:
        ValueError: See `encode_batch`.
        UserError: See `encode_batch`.
    """
    if not all(contexts) or min(condition_limit, response_limit, multiple) < 1:
        raise ValueError("a sample has no prompt, or a limit is below 1")
    conditions = _conditions(tokenizer, contexts, condition_limit)
    answers = _responses(tokenizer, responses or [], response_limit)
    if responses is not None and len(answers) != len(conditions):
        raise ValueError(f"{len(answers)} responses, but {len(conditions)} conditions; equal numbers are expected")
    width, response_width = widths or (
        bucket_width(conditions, condition_limit, multiple),
        bucket_width(answers, response_limit, multiple),
    )
    condition = pad_rows(conditions, width, tokenizer.end, on_left=True)
    response = pad_rows(answers or [[]] * len(conditions), response_width, tokenizer.end, on_left=False)
    return Batch(*condition, *response)


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str], limit: int) -> Batch:
    """Encode each text as a response to a condition that consists only of END.

    Args:
        tokenizer: The tokenizer.
        texts: The texts.
        limit: The maximum number of tokens in a text, including END. A longer text is truncated and has no END.
    """
    rows = _responses(tokenizer, [Utterance(text) for text in texts], limit)
    condition = np.full((len(texts), 1), tokenizer.end, np.int32)
    response = pad_rows(rows, bucket_width(rows, limit, 1), tokenizer.end, on_left=False)
    return Batch(condition, np.ones_like(condition, bool), *response)


def check_limit(tokenizer: Tokenizer, limit: int, controls: int = 1) -> None:
    """Raise UserError if a frame, its control tokens and one token of text do not fit into `limit` tokens.

    Args:
        tokenizer: The tokenizer.
        limit: The maximum number of tokens in a condition.
        controls: The maximum number of control tokens before an utterance.
    """
    _cut(tokenizer, Utterance(""), room_of(tokenizer, limit) - controls - 1)


def _conditions(tokenizer: Tokenizer, contexts: Sequence[Sequence[Utterance]], limit: int) -> list[list[int]]:
    layout = tokenizer.layout
    begin, opening = tokenizer.encode_frame(layout.begin), tokenizer.encode_frame(layout.opening)
    room = room_of(tokenizer, limit)
    conditions = []
    for context, (*older, prompt) in zip(contexts, in_frames(tokenizer, contexts, ROLES[0]), strict=True):
        kept = prompt if len(prompt) <= room else _cut(tokenizer, context[-1], room)
        for row in reversed(older):
            if len(row) + len(kept) > room:
                break
            kept = [*row, *kept]
        conditions.append([*begin, *kept, *opening])
    return conditions


def _cut(tokenizer: Tokenizer, prompt: Utterance, room: int) -> list[int]:
    """Encode a prompt, and cut off the beginning of its text so that the prompt fits into `room` tokens."""
    layout = tokenizer.layout
    ending, after = ending_of(tokenizer)
    frame = [*apart_of(tokenizer, ROLES[0]), *control_of(tokenizer, prompt)]
    left = room - len(frame) - len(after)
    missing = len(tokenizer.encode(ending)) - left
    if missing > 0:
        raise UserError(
            f"--condition-tokens: the number is too small for the frame of one utterance in the layout {layout.name}; "
            f"increase it by at least {missing}"
        )
    [text] = encode_forms(tokenizer, [((layout.space, ending), prompt)])
    return [*frame, *text[max(len(text) - left, 0) :], *after]


def _responses(tokenizer: Tokenizer, responses: Sequence[Utterance], limit: int) -> list[list[int]]:
    encoded = encode_forms(tokenizer, [((tokenizer.layout.space, ""), each) for each in responses])
    return [[*ids, tokenizer.end][:limit] for ids in encoded]


def bucket_width(rows: list[list[int]], limit: int, multiple: int) -> int:
    """Return the length of the longest row, rounded up to a multiple of `multiple` but at most `limit`; 0 stays 0."""
    longest = max(map(len, rows), default=0)
    return min(int(bucket(longest, multiple)), limit) if longest else 0


def pad_rows(rows: list[list[int]], width: int, padding: int, on_left: bool) -> tuple[np.ndarray, np.ndarray]:
    """Pad rows of ids to the same width.

    Args:
        rows: B rows of at most `width` ids.
        width: The width of the arrays.
        padding: The id to use as padding.
        on_left: Whether to pad rows on the left instead of the right.

    Returns:
        The ids, an int32 array of shape (B, width), and a bool mask of the same shape, which is false at padding.
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
    """Select rows of a batch, and shorten the arrays to the widths that these rows need.

    Widths are rounded up to the bucket widths of `keras_gca/engine/batching.py`, so graphs are compiled for only a few
    shapes.

    Args:
        batch: The batch.
        rows: The indices of the rows.
        size: The number of rows in the result. Padding rows, whose masks are false, are added to reach this number. If
            None, no rows are added.
        response_width: The width of the responses. By default, the smallest sufficient bucket width.

    Returns:
        The rows in the given order.
    """
    rows = np.asarray(rows)
    size = len(rows) if size is None else size
    condition, condition_mask, response, response_mask = (array[rows] for array in batch)
    width = width_of(condition_mask.sum(1), condition_mask.shape[1])
    condition, condition_mask = (fitted(array, width, on_left=True) for array in (condition, condition_mask))
    width = width_of(response_mask.sum(1), response_mask.shape[1]) if response_width is None else response_width
    response, response_mask = (fitted(array, width, on_left=False) for array in (response, response_mask))
    return Batch(*(filled(array, size) for array in (condition, condition_mask, response, response_mask)))
