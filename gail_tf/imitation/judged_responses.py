"""The responses that a judge reads, with their tokens, features, sentiments and text.

A judge, for example the discriminator D, rates how much a response looks like an expert's. Shapes: B responses of at
most R tokens; F is the number of features.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from gail_tf.data.batches import Batch, take
from keras_gca.engine.batching import filled


class JudgedResponses(NamedTuple):
    """B responses with all arrays and texts that judges read. Each judge uses only some of them.

    Attributes:
        batch: The conditions (history and prompt) and the responses, as tokens.
        features: The features that the frozen reference policy has computed for the responses, (B, F) float32, or
            (B, R, F) for a token discriminator.
        sentiments: The sentiment scores of the history, the prompt and the response (`samples.scores_of`), shape (B, S)
            and dtype float32. With `--sentiment-history on` they also contain the course of the user's sentiment.
        exchanges: For each response, a pair: the texts of the utterances in the history and the prompt, and the text of
            the response.
    """

    batch: Batch
    features: np.ndarray
    sentiments: np.ndarray
    exchanges: Sequence[tuple[Sequence[str], str]]

    def rows(self, rows: np.ndarray, size: int | None = None) -> Self:
        """Select some responses; see `batches.take`.

        Args:
            rows: The indices of the responses to select.
            size: Empty rows are added until there are this many rows. If None, no rows are added.

        Returns:
            The selected responses.
        """
        size = len(rows) if size is None else size
        batch = take(self.batch, rows, size, response_width=self.batch.response.shape[1])
        features, sentiments = (filled(array[rows], size) for array in (self.features, self.sentiments))
        exchanges = [*(self.exchanges[row] for row in rows), *[((), "")] * (size - len(rows))]
        return type(self)(batch, features, sentiments, exchanges)
