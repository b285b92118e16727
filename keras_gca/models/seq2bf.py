"""Builds the beginnings of answers around keywords (seq2BF).

Mou et al. 2016, "Sequence to Backward and Forward Sequences" (arXiv 1607.00970), generate the answer y to a context x
in three steps:

    y_k                                    the keyword with the highest PMI with x (`data/keywords.py`)
    p_backward(y_(k-1) ... y_1 | y_k, x)   the words before the keyword, from right to left
    p_forward(y_(k+1) ... y_T | y_1 ... y_k, x)    the rest of the answer, from left to right

Both networks are generators of Figure 1. The backward one reads the keyword in place of BOS. The forward one is the
run's own generator: for a given beginning, Eq. 3 is the probability of the next word.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from keras_gca.data.keywords import KeywordModel
from keras_gca.data.vocabulary import BOS, EOS, PAD
from keras_gca.models.decoding import Decoder
from keras_gca.models.decoding_settings import Decoding

OTHER_SEEDS = 2**30  # added to the seeds of sampling, so that the two networks draw different random numbers


class Beginnings:
    """Predicts keywords, and generates the words before them.

    Args:
        keywords: The model that predicts keywords.
        decoder: The decoder of the backward network.
    """

    def __init__(self, keywords: KeywordModel, decoder: Decoder):
        self.keywords = keywords
        self._decoder = decoder

    def of(self, contexts: np.ndarray, decoding: Decoding, seed: int | Sequence[int]) -> np.ndarray:
        """Return the beginning of the answer to each context, up to and including its keyword.

        Args:
            contexts: The contexts, shape (B, s) and dtype int32, padded on the left.
            decoding: How the backward network generates words.
            seed: The random seed for sampling: one for all contexts, or one for each context.

        Returns:
            `BOS y_1 ... y_k`, padded on the right: an int32 array of shape (B, L). If a context has no word from which
            a keyword can be predicted, its row contains only BOS. If the words before a keyword would leave no place
            for the end of the answer, the first of them are left out.
        """
        tokens = self.keywords.keywords_of(contexts)
        begun: list[list[int]] = [[] for _ in contexts]
        rows = np.flatnonzero(tokens != PAD)
        if len(rows):
            seeds: int | list[int]
            seeds = _other(seed) if isinstance(seed, int | np.integer) else [_other(seed[int(row)]) for row in rows]
            alone = dataclasses.replace(decoding, anti_language_model=0.0, keywords=False)
            halves = alone.run(self._decoder, contexts[rows], seeds, beginnings=tokens[rows, None]).answers
            for row, half in zip(rows, halves, strict=True):
                words = half[(half != PAD) & (half != BOS) & (half != EOS)][: halves.shape[1] - 3]
                begun[row] = [*words[::-1].tolist(), int(tokens[row])]
        made = np.full((len(contexts), 1 + max(map(len, begun), default=0)), PAD, np.int32)
        made[:, 0] = BOS
        for number, words_of_row in enumerate(begun):
            made[number, 1 : len(words_of_row) + 1] = words_of_row
        return made


def _other(seed: int) -> int:
    return (int(seed) + OTHER_SEEDS) % 2**31
