"""Vectors of texts, computed by an independent encoder that no discriminator, reward or policy uses."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from gail_tf.data.wordpiece import WordPieceTokenizer
from gail_tf.models.bert import Bert, read_bert
from keras_gca.engine.compiled import Compiled

LIMIT = 128  # the maximum number of tokens in a text; according to its files, all-MiniLM-L6-v2 was trained with 128


class SentenceEncoder:
    """An encoder that computes the vector of each text independently of other texts.

    Args:
        bert: The network.
        tokenizer: The network's tokenizer.
    """

    def __init__(self, bert: Bert, tokenizer: WordPieceTokenizer):
        self._bert, self._tokenizer = bert, tokenizer
        self._limit = min(LIMIT, bert.config.max_tokens)
        self.compiled_vectors = Compiled(bert.vectors)

    @classmethod
    def read(cls, folder: Path) -> "SentenceEncoder":
        """Read the BERT model and the tokenizer in a folder.

        Raises:
            UserError: A file is missing or damaged, or the tokenizer does not belong to the model.
        """
        return cls(read_bert(folder), WordPieceTokenizer.read(folder))

    def __call__(
        self, texts: Sequence[str], size: int = 32, report: Callable[[int], object] = lambda _: None
    ) -> np.ndarray:
        """Compute the vectors of n texts.

        Args:
            texts: The texts. Texts with more than LIMIT tokens are truncated at the end.
            size: The number of texts in a batch.
            report: A function that is called after each batch with the number of texts in the batch.

        Returns:
            A float32 array of shape (n, hidden_size). Each vector has norm 1.
        """
        vectors = np.zeros((len(texts), self._bert.config.hidden_size), np.float32)
        order = np.argsort([len(text) for text in texts], kind="stable")  # texts of similar lengths need little padding
        for start in range(0, len(order), size):
            rows = order[start : start + size]
            read = self._tokenizer.encode([texts[row] for row in rows], self._limit)
            vectors[rows] = self.compiled_vectors(*read).numpy()
            report(len(rows))
        return vectors
