"""The sentiment of a text by its authors' own program (Hutto and Gilbert 2014)."""

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer


def compound(text):
    """Compute the compound score of a text, from -1 to 1."""
    return SentimentIntensityAnalyzer().polarity_scores(text)["compound"]
