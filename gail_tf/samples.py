"""Trajectories as arrays: encoded once, and taken in batches of few shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from gail_tf.baselines.emotion import EmotionClassifier
from gail_tf.batches import Batch, Utterance, encode_batch
from gail_tf.sentiment import sentiment
from gail_tf.tokenizer import Tokenizer
from gail_tf.trajectories import Trajectory

SENTIMENTS = 3  # numbers that D is given: compound scores of the prompt, of the history (their mean), of the response
BUCKET = 8  # widths are rounded up to multiples of this many tokens


def control_token(name: str) -> str:
    """The token that says that the utterance after it has this sentiment."""
    return f"<|{name}|>"


def emotion_token(label: str) -> str:
    """The control token that says that the utterance after it has this emotion."""
    return control_token(f"emotion:{label}")


@dataclass(frozen=True)
class Samples:
    """Encoded trajectories, in order.

    batch: their arrays, see `Batch`. sentiments: (n, 2) float32, of prompt and history; history without turns: 0.
    response_sentiments: (n,) float32.
    """

    batch: Batch
    sentiments: np.ndarray
    response_sentiments: np.ndarray
    trajectories: tuple[Trajectory, ...]

    @classmethod
    def encode(
        cls,
        tokenizer: Tokenizer,
        trajectories: Sequence[Trajectory],
        condition_tokens: int,
        response_tokens: int,
        with_sentiment: bool,
        emotions: EmotionClassifier | None = None,
    ) -> Self:
        """Encode trajectories.

        with_sentiment: each utterance before the response has its sentiment's control token before it. emotions: the
        prompt has its emotion's.
        """
        contexts, scores = [], np.zeros((len(trajectories), 2), np.float32)
        of_prompts = [each.prompt for each in trajectories]
        classes = emotions.classify(of_prompts) if emotions is not None else [None] * len(of_prompts)
        for row, trajectory, emotion in zip(scores, trajectories, classes, strict=True):
            contexts.append(context(trajectory.history, trajectory.prompt, with_sentiment, emotion))
            compounds = [sentiment(text).compound for text in (*trajectory.history, trajectory.prompt)]
            row[:] = compounds[-1], np.mean(compounds[:-1]) if trajectory.history else 0.0
        responses = [trajectory.response for trajectory in trajectories]
        batch = encode_batch(tokenizer, contexts, responses, condition_tokens, response_tokens, multiple=1)
        answered = np.array([sentiment(text).compound for text in responses], np.float32)
        return cls(batch, scores, answered, tuple(trajectories))

    def __len__(self) -> int:
        return len(self.trajectories)

    @property
    def response_tokens(self) -> int:
        """All tokens of the responses."""
        return int(self.batch.response_mask.sum())


def running_text(tokenizer: Tokenizer, conversations: Sequence[Sequence[str]], length: int) -> Batch:
    """Whole conversations to pretrain on, in pieces of at most `length` tokens: all tokens are to be predicted.

    conversations: the utterances of each. A piece's condition is END alone; its response goes on from there.
    """
    ids = iter(tokenizer.encode_all([text for utterances in conversations for text in utterances]))
    pieces = []
    for utterances in conversations:
        tokens = [token for _ in utterances for token in (*next(ids), tokenizer.end)]
        pieces += [tokens[start : start + length] for start in range(0, len(tokens), length)]
    mask = np.arange(length) < np.array([len(piece) for piece in pieces])[:, None]
    response = np.full(mask.shape, tokenizer.end, np.int32)
    response[mask] = [token for piece in pieces for token in piece]
    condition = np.full((len(pieces), 1), tokenizer.end, np.int32)
    return Batch(condition, np.ones_like(condition, bool), response, mask)


def context(history: Sequence[str], prompt: str, with_sentiment: bool, emotion: str | None = None) -> list[Utterance]:
    """What a response answers, as utterances to encode. emotion: of the prompt; its control token goes before it."""
    texts = (*history, prompt)
    utterances = [Utterance(text, control_token(sentiment(text).name) if with_sentiment else None) for text in texts]
    if emotion is not None:
        utterances[-1] = Utterance(prompt, emotion_token(emotion))
    return utterances


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
