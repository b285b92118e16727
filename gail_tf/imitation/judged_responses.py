"""Responses as a judge sees them.

Shapes: B responses, R the width of responses, F numbers of D's features.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from gail_tf.data.batches import Batch, take
from keras_gca.engine.batching import filled


class JudgedResponses(NamedTuple):
    """What D may look at of B responses.

    batch: conditions and responses. features: (B, F) float32, of the responses, by the frozen reference; (B, R, F) for
    a token discriminator. sentiments: (B, SENTIMENTS) float32. exchanges: the utterances that are answered, and the
    response, as text.
    """

    batch: Batch
    features: np.ndarray
    sentiments: np.ndarray
    exchanges: Sequence[tuple[Sequence[str], str]]

    def rows(self, rows: np.ndarray, size: int | None = None) -> Self:
        """Some of them, filled up with empty rows to `size`; see `batches.take`."""
        size = len(rows) if size is None else size
        batch = take(self.batch, rows, size, response_width=self.batch.response.shape[1])
        features, sentiments = (filled(array[rows], size) for array in (self.features, self.sentiments))
        exchanges = [*(self.exchanges[row] for row in rows), *[((), "")] * (size - len(rows))]
        return type(self)(batch, features, sentiments, exchanges)
