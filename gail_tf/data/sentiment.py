"""The sentiment of utterances, computed with VADER (Hutto and Gilbert 2014).

The paper's abstract mentions a "sentiment analysis history-based reinforcement learning approach", but the paper does
not name a method of sentiment analysis. VADER combines a fixed lexicon with rules for negation, capitals and emoticons.
It needs no training, and always gives the same text the same sentiment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

NAMES = ("negative", "neutral", "positive")  # in the order of the compound score
THRESHOLD = 0.05  # the usual threshold: texts with a score between -0.05 and 0.05 are neutral


@dataclass(frozen=True)
class Sentiment:
    """The sentiment of a text.

    Attributes:
        compound: VADER's compound score, from -1 (most negative) to 1.
        name: One of NAMES.
    """

    compound: float
    name: str


@lru_cache(maxsize=2**16)  # an utterance occurs in the histories of all later turns
def sentiment(utterance: str) -> Sentiment:
    """Compute an utterance's sentiment: positive for scores >= 0.05, negative for scores <= -0.05, else neutral."""
    compound = _analyser().polarity_scores(utterance)["compound"]
    return Sentiment(compound, name_of(compound))


def name_of(compound: float) -> str:
    """Return the name of the sentiment for a compound score; see `sentiment`."""
    return NAMES[(compound >= THRESHOLD) - (compound <= -THRESHOLD) + 1]


def sentiments(history: Sequence[str], prompt: str) -> tuple[Sentiment, ...]:
    """Compute the sentiment of each utterance in the history, oldest first, and of the prompt."""
    return tuple(sentiment(utterance) for utterance in (*history, prompt))


@cache
def _analyser() -> "SentimentIntensityAnalyzer":
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer  # reads its lexicon when it is created

    return SentimentIntensityAnalyzer()
