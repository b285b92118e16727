"""Responses as inputs to a judge: tokens, features, sentiments and text.

A judge, for example the discriminator D, rates how similar a response is to an expert's. Shapes: B responses of at most
R tokens; F features; S sentiment scores.
"""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from gail_tf.data.batches import Batch, take
from keras_gca.engine.batching import filled


class JudgedResponses(NamedTuple):
    """B responses, with all arrays and texts that a judge may need. A judge may ignore some of them.

    Attributes:
        batch: The conditions (history and prompt) and the responses, as tokens.
        features: The frozen reference policy's features of the responses, dtype float32. The shape is (B, F), or (B, R,
            F) for a token discriminator.
        sentiments: The sentiment scores of history, prompt and response, shape (B, S) and dtype float32; see
            `samples.scores_of`. With `--sentiment-history on`, they include the course of the user's sentiment.
        exchanges: A pair for each response: the utterances in its condition (history and prompt), and the text of the
            response.
    """

    batch: Batch
    features: np.ndarray
    sentiments: np.ndarray
    exchanges: Sequence[tuple[Sequence[str], str]]

    def rows(self, rows: np.ndarray, size: int | None = None) -> Self:
        """Select some responses; see `batches.take`.

        Args:
            rows: The indices of the responses to select.
            size: The number of rows in the result; empty rows are added to reach this number. If None, no rows are
                added.

        Returns:
            The selected responses.
        """
        size = len(rows) if size is None else size
        batch = take(self.batch, rows, size, response_width=self.batch.response.shape[1])
        features, sentiments = (filled(array[rows], size) for array in (self.features, self.sentiments))
        exchanges = [*(self.exchanges[row] for row in rows), *[((), "")] * (size - len(rows))]
        return type(self)(batch, features, sentiments, exchanges)
