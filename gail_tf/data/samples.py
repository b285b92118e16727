"""Encoding of expert trajectories as arrays, done once per training run.

A trajectory consists of a history (the earlier utterances), a prompt and an expert's response.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np

from gail_tf.data import sentiment_history
from gail_tf.data.batches import Batch, Rows, encode_batch
from gail_tf.data.frames import Utterance, in_frames
from gail_tf.data.layouts import ROLES
from gail_tf.data.listening import PROFILE_TOKENS, VALUES, Profile
from gail_tf.data.sentiment import NAMES, name_of, sentiment
from gail_tf.data.tokenizer import Tokenizer
from gail_tf.data.trajectories import Trajectory
from gail_tf.setting_groups import DataSettings

# The number of sentiments that the discriminator reads without --sentiment-history on. They are VADER's compound
# scores: the score of the prompt, the mean score of the history, and the score of the response.
SENTIMENTS = 3


def control_token(name: str) -> str:
    """Return the control token that marks an utterance with this sentiment."""
    return f"<|{name}|>"


def emotion_token(label: str) -> str:
    """Return the control token that marks an utterance with this emotion."""
    return control_token(f"emotion:{label}")


CONTROL_TOKENS = tuple(control_token(name) for name in NAMES)  # the control tokens for the three sentiments
HISTORY_TOKENS = tuple(map(control_token, (*sentiment_history.TRENDS, *sentiment_history.LEVELS)))


def control_tokens(settings: DataSettings) -> tuple[str, ...]:
    """Return the control tokens that a tokenizer needs for these settings, except those for emotions."""
    of_history = HISTORY_TOKENS if settings.sentiment_history == "on" else ()
    return (*CONTROL_TOKENS, *of_history, *(PROFILE_TOKENS if settings.listener_profile == "on" else ()))


def controls_of_prompt(settings: DataSettings) -> int:
    """Return the maximum number of control tokens before a prompt."""
    of_history = 2 if settings.sentiment_history == "on" else 0
    return 1 + of_history + (len(VALUES) if settings.listener_profile == "on" else 0)


def number_of_scores(with_history: bool) -> int:
    """Return the number of sentiment scores that `scores_of` computes for a history and its prompt."""
    return SENTIMENTS - 1 + (sentiment_history.SIZE if with_history else 0)


class PromptClassifier(Protocol):
    """The interface of classifiers that recognise the emotions of prompts."""

    def classify(self, texts: Sequence[str]) -> Sequence[str]:
        """Return the name of the emotion of each text."""


@dataclass(frozen=True)
class Samples:
    """n expert trajectories as arrays, in the original order.

    Attributes:
        batch: The encoded conditions and responses.
        sentiments: A float32 array of shape (n, 2) with the compound score of each prompt and the mean compound score
            of its history, which is 0 if the history is empty. With `--sentiment-history on`, the shape is (n, 6), and
            the last four columns are the fields of `sentiment_history.Course`.
        response_sentiments: The compound scores of `response_texts`, as a float32 array of shape (n,).
        trajectories: The trajectories themselves, with untruncated responses.
        response_texts: The texts of the responses, truncated at the token limit and decoded like the policy's
            responses. Untruncated texts would give away experts' responses to the discriminator, because the policy's
            responses cannot exceed the limit.
    """

    batch: Batch
    sentiments: np.ndarray
    response_sentiments: np.ndarray
    trajectories: tuple[Trajectory, ...]
    response_texts: tuple[str, ...]

    @classmethod
    def encode(
        cls,
        tokenizer: Tokenizer,
        trajectories: Sequence[Trajectory],
        condition_tokens: int,
        response_tokens: int,
        with_sentiment: bool,
        emotions: PromptClassifier | None = None,
        with_history: bool = False,
        profiles: Sequence[Profile] | None = None,
    ) -> Self:
        """Encode trajectories.

        Args:
            tokenizer: The tokenizer, which must have the control tokens.
            trajectories: The trajectories.
            condition_tokens: The maximum number of tokens in a condition (history and prompt).
            response_tokens: The maximum number of tokens in a response.
            with_sentiment: Whether each utterance, including the prompt, is preceded by the control token for its
                sentiment.
            emotions: An emotion classifier, or None. If given, the control token for the prompt's emotion replaces the
                one for its sentiment.
            with_history: Whether to also put the control tokens for the course of the user's sentiment before the
                prompt.
            profiles: The profile of each trajectory's response, or None. If given, the profile's control tokens are
                also put before the prompt. Measure losses without profiles, because a profile reveals properties of the
                response to predict.
        """
        width = number_of_scores(with_history)
        contexts, scores = [], np.zeros((len(trajectories), width), np.float32)
        limits = condition_tokens, response_tokens
        of_prompts = [trajectory.prompt for trajectory in trajectories]
        classes = emotions.classify(of_prompts) if emotions is not None else [None] * len(of_prompts)
        wishes = [None] * len(of_prompts) if profiles is None else profiles
        for row, trajectory, emotion, profile in zip(scores, trajectories, classes, wishes, strict=True):
            said = trajectory.history, trajectory.prompt
            contexts.append(context(*said, with_sentiment, emotion, with_history, profile))
            row[:] = scores_of(*said, with_history)
        responses = [trajectory.response for trajectory in trajectories]
        return cls.of_batch(
            tokenizer, encode_batch(tokenizer, contexts, responses, *limits, multiple=1), scores, trajectories
        )

    @classmethod
    def of_batch(
        cls, tokenizer: Tokenizer, batch: Batch, scores: np.ndarray, trajectories: Sequence[Trajectory]
    ) -> Self:
        """Create samples from encoded conditions and responses.

        Args:
            tokenizer: The tokenizer.
            batch: The encoded conditions and responses.
            scores: See `Samples.sentiments`.
            trajectories: The trajectories.
        """
        texts = [tokenizer.decode(row[mask]) for row, mask in zip(batch.response, batch.response_mask, strict=True)]
        answered = np.array([sentiment(text).compound for text in texts], np.float32)
        return cls(batch, scores, answered, tuple(trajectories), tuple(texts))

    def __len__(self) -> int:
        return len(self.trajectories)

    @property
    def response_tokens(self) -> int:
        """The total number of tokens in all responses."""
        return int(self.batch.response_mask.sum())

    def at(self, rows: np.ndarray) -> "Samples":
        """Select rows by their indices, in the given order. The widths of the arrays stay the same."""
        return Samples(
            Batch(*(array[rows] for array in self.batch)),
            self.sentiments[rows],
            self.response_sentiments[rows],
            tuple(self.trajectories[row] for row in rows),
            tuple(self.response_texts[row] for row in rows),
        )


class ExpertSamples(Protocol):
    """The samples to train on: `Samples` in memory, or `TokenSamples` from token files."""

    @property
    def batch(self) -> Rows:
        """The encoded conditions and responses."""

    def __len__(self) -> int: ...

    def at(self, rows: np.ndarray) -> Samples:
        """Select rows by their indices, in the given order, and read them into memory; see `Samples.at`."""


def running_text(tokenizer: Tokenizer, conversations: Sequence[Sequence[str]], length: int) -> Batch:
    """Encode complete conversations for pretraining, and divide them into pieces.

    Pretraining predicts every token of a piece, so each piece is stored as a response to an empty condition.

    Args:
        tokenizer: The tokenizer.
        conversations: The utterances of each conversation.
        length: The maximum number of tokens in a piece.

    Returns:
        A batch of n rows. The responses, shape (n, length), are the pieces. The conditions, shape (n, 1), contain only
        the token that ends responses.
    """
    begin, pieces = tokenizer.encode_frame(tokenizer.layout.begin), []
    spoken = [[Utterance(text) for text in utterances] for utterances in conversations]
    for rows in in_frames(tokenizer, spoken, last=ROLES[1]):
        tokens = [*begin, *(token for row in rows for token in row)]
        pieces += [tokens[start : start + length] for start in range(0, len(tokens), length)]
    mask = np.arange(length) < np.array([len(piece) for piece in pieces])[:, None]
    response = np.full(mask.shape, tokenizer.end, np.int32)
    response[mask] = [token for piece in pieces for token in piece]
    condition = np.full((len(pieces), 1), tokenizer.end, np.int32)
    return Batch(condition, np.ones_like(condition, bool), response, mask)


def scores_of(history: Sequence[str], prompt: str, with_history: bool = False) -> list[float]:
    """Compute the sentiment scores of a history and its prompt, in the order of `Samples.sentiments`.

    Args:
        history: The utterances before the prompt.
        prompt: The utterance to answer.
        with_history: Whether to add the course of the user's sentiment.
    """
    return scores_of_compounds([sentiment(text).compound for text in (*history, prompt)], with_history)


def scores_of_compounds(compounds: Sequence[float], with_history: bool = False) -> list[float]:
    """Compute the return value of `scores_of` from the compound scores of the history and the prompt."""
    scores = [compounds[-1], float(np.mean(compounds[:-1])) if len(compounds) > 1 else 0.0]
    return [*scores, *(sentiment_history.course_of(compounds) if with_history else ())]


def context(
    history: Sequence[str],
    prompt: str,
    with_sentiment: bool,
    emotion: str | None = None,
    with_history: bool = False,
    profile: Profile | None = None,
) -> list[Utterance]:
    """Return a history and its prompt as utterances with control tokens.

    Args:
        history: The utterances before the prompt.
        prompt: The utterance to answer.
        with_sentiment: Whether each utterance gets the control token for its sentiment.
        emotion: The prompt's emotion, or None. If given, its control token replaces the one for the prompt's sentiment.
        with_history: Whether the prompt also gets the control tokens for the course of the user's sentiment.
        profile: The profile of the response, or None. If given, the prompt also gets the profile's control tokens.
    """
    texts = (*history, prompt)
    compounds = [sentiment(text).compound for text in texts] if with_sentiment or with_history else []
    utterances = with_controls([Utterance(text) for text in texts], compounds, with_sentiment, with_history)
    if emotion is not None:
        utterances[-1] = utterances[-1]._replace(control=emotion_token(emotion))
    of_profile = () if profile is None else profile.tokens
    utterances[-1] = utterances[-1]._replace(further=(*utterances[-1].further, *of_profile))
    return utterances


def with_controls(
    utterances: Sequence[Utterance], compounds: Sequence[float], with_sentiment: bool, with_history: bool
) -> list[Utterance]:
    """Return the utterances of a history and a prompt with control tokens for their sentiments.

    Args:
        utterances: The utterances, with the prompt last.
        compounds: The compound scores of the complete history and the prompt. Scores are used only if `with_sentiment`
            or `with_history` is true. If old utterances are left out, there are more scores than utterances.
        with_sentiment: See `context`.
        with_history: See `context`.
    """
    made = list(utterances)
    if with_sentiment:
        names = map(name_of, compounds[-len(made) :])
        made = [each._replace(control=control_token(name)) for each, name in zip(made, names, strict=True)]
    if with_history:
        words = sentiment_history.words_of_scores(compounds)
        made[-1] = made[-1]._replace(further=tuple(map(control_token, words)))
    return made
