"""Trajectories as arrays: encoded once, and taken in batches of few shapes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from gail_tf.data.batches import Batch, Utterance, encode_batch
from gail_tf.data.sentiment import NAMES, sentiment
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory

SENTIMENTS = 3  # numbers that D is given: compound scores of the prompt, of the history (their mean), of the response


def control_token(name: str) -> str:
    """The token that says that the utterance after it has this sentiment."""
    return f"<|{name}|>"


def emotion_token(label: str) -> str:
    """The control token that says that the utterance after it has this emotion."""
    return control_token(f"emotion:{label}")


CONTROL_TOKENS = tuple(control_token(name) for name in NAMES)  # of the sentiments


class PromptClassifier(Protocol):
    """What names the emotion of each prompt."""

    def classify(self, texts: Sequence[str]) -> Sequence[str]: ...


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
        emotions: PromptClassifier | None = None,
    ) -> Self:
        """Encode trajectories.

        with_sentiment: each utterance before the response has its sentiment's control token before it. emotions: the
        prompt has its emotion's.
        """
        contexts, scores = [], np.zeros((len(trajectories), 2), np.float32)
        of_prompts = [trajectory.prompt for trajectory in trajectories]
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
