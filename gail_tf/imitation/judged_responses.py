"""Responses as a judge sees them.

Shapes: B responses of width R, F features of D.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from gail_tf.data.batches import Batch, take
from keras_gca.engine.batching import filled


class JudgedResponses(NamedTuple):
    """B responses with all that a judge may read of them.

    Attributes:
        batch: The conditions and responses as tokens.
        features: (B, F) float32, the frozen reference's features of the responses; (B, R, F) for a token discriminator.
        sentiments: (B, SENTIMENTS) float32, the sentiments of history, prompt and response.
        exchanges: The utterances that are answered and the response, as text.
    """

    batch: Batch
    features: np.ndarray
    sentiments: np.ndarray
    exchanges: Sequence[tuple[Sequence[str], str]]

    def rows(self, rows: np.ndarray, size: int | None = None) -> Self:
        """Select some responses; see `batches.take`.

        Args:
            rows: Their numbers.
            size: The number of rows to fill up to with empty ones; none are added if None.

        Returns:
            The selected responses.
        """
        size = len(rows) if size is None else size
        batch = take(self.batch, rows, size, response_width=self.batch.response.shape[1])
        features, sentiments = (filled(array[rows], size) for array in (self.features, self.sentiments))
        exchanges = [*(self.exchanges[row] for row in rows), *[((), "")] * (size - len(rows))]
        return type(self)(batch, features, sentiments, exchanges)
