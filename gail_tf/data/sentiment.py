"""The sentiment of utterances by VADER (Hutto and Gilbert 2014): the abstract's "sentiment analysis history-based".

The paper does not say by what means. VADER brings its lexicon and its rules for negation, capitals and emoticons, so
the same text has the same sentiment everywhere, and nothing is trained.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

NAMES = ("negative", "neutral", "positive")  # in the order of the compound score
THRESHOLD = 0.05  # VADER's customary bound between neutral and the others


@dataclass(frozen=True)
class Sentiment:
    """compound: from -1 (most negative) to 1. name: one of NAMES."""

    compound: float
    name: str


@lru_cache(maxsize=2**16)  # an utterance stands in the histories of all later turns
def sentiment(utterance: str) -> Sentiment:
    """The sentiment of one utterance; positive from 0.05 on, negative from -0.05 down, neutral between."""
    compound = _analyser().polarity_scores(utterance)["compound"]
    sign = (compound >= THRESHOLD) - (compound <= -THRESHOLD)
    return Sentiment(compound, NAMES[sign + 1])


def sentiments(history: Sequence[str], prompt: str) -> tuple[Sentiment, ...]:
    """The sentiment of each utterance that a response answers: the history's, oldest first, and the prompt's."""
    return tuple(sentiment(utterance) for utterance in (*history, prompt))


@cache
def _analyser() -> "SentimentIntensityAnalyzer":
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # reads its lexicon when it is made

    return SentimentIntensityAnalyzer()
