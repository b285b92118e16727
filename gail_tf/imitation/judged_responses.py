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
        features: (B, F) float32, the features of the responses that the frozen reference policy has computed; (B, R, F)
            for a discriminator of tokens.
        sentiments: (B, S) float32, the sentiment scores of the prompt and the history, with the history of sentiments
            also the course of the user's sentiment, and the score of the response (`samples.scores_of`).
        exchanges: For each response a pair of texts: the utterances of history and prompt, and the response.
    """

    batch: Batch
    features: np.ndarray
    sentiments: np.ndarray
    exchanges: Sequence[tuple[Sequence[str], str]]

    def rows(self, rows: np.ndarray, size: int | None = None) -> Self:
        """Select some responses; see `batches.take`.

        Args:
            rows: The numbers of the responses to select.
            size: Empty rows are added until there are this many rows. If None, no rows are added.

        Returns:
            The selected responses.
        """
        size = len(rows) if size is None else size
        batch = take(self.batch, rows, size, response_width=self.batch.response.shape[1])
        features, sentiments = (filled(array[rows], size) for array in (self.features, self.sentiments))
        exchanges = [*(self.exchanges[row] for row in rows), *[((), "")] * (size - len(rows))]
        return type(self)(batch, features, sentiments, exchanges)
