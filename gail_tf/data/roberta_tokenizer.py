"""RoBERTa's tokenizer for text pairs (Liu et al. 2019): GPT-2's byte-level BPE with RoBERTa's special tokens.

A special token that is spelled out in a text, for example "</s>", is read as plain text, as in `tokenizer.py`.
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
import tokenizers

from gail_tf.data.batches import bucket_width, pad_rows
from gail_tf.data.tokenizer import fit_byte_level, read_byte_level, write_byte_level
from keras_gca.engine.batching import BUCKET

BEGIN, PAD, END, UNKNOWN, MASK = SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


class RobertaTokenizer:
    """A tokenizer for text pairs, which uses the same files as transformers' RobertaTokenizerFast.

    Args:
        implementation: A tokenizer from the library `tokenizers`.

    Raises:
        ValueError: One of RoBERTa's special tokens is missing.
    """

    def __init__(self, implementation: tokenizers.Tokenizer):
        self._implementation = implementation
        self._begin, self.pad, self._end = (_id(implementation, token) for token in (BEGIN, PAD, END))

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "RobertaTokenizer":
        """Read a tokenizer from tokenizer.json, or from vocab.json and merges.txt.

        Raises:
            UserError: A file is missing or damaged, or the tokenizer is not a RoBERTa tokenizer. The message names the
                file.
        """
        return cls(read_byte_level(folder, SPECIAL)[0])

    @classmethod
    def fit(cls, texts: Iterable[str], size: int) -> "RobertaTokenizer":
        """Fit a byte-level BPE to texts.

        Args:
            texts: The texts.
            size: The maximum number of tokens in the vocabulary. The special tokens have the ids 0 to 4.

        Raises:
            UserError: The size is too small for the 256 bytes and the special tokens.
        """
        return cls(fit_byte_level(texts, size, SPECIAL))

    def save(self, folder: str | os.PathLike) -> None:
        """Write tokenizer.json, tokenizer_config.json, vocab.json and merges.txt to a new or existing folder."""
        names = {"bos_token": BEGIN, "cls_token": BEGIN, "eos_token": END, "sep_token": END}
        names |= {"pad_token": PAD, "unk_token": UNKNOWN, "mask_token": MASK}
        write_byte_level(
            folder, self._implementation, {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": False, **names}
        )

    def encode_pairs(self, first: Sequence[str], second: Sequence[str], limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Encode each pair as `<s> first </s></s> second </s>`, padded on the right.

        Args:
            first: The first text of each pair. If a pair is too long, its first text is truncated at the beginning.
            second: The second text of each pair. A second text that is too long by itself is truncated at the end.
            limit: The maximum number of tokens in a pair.

        Returns:
            An int32 array of token ids and a bool mask that is false at padding, both of shape (B, T). T is a multiple
            of 16 or equals the limit.

        Raises:
            ValueError: `first` and `second` have different lengths, or the limit is below 5.
        """
        if len(first) != len(second):
            raise ValueError(f"{len(first)} first texts, but {len(second)} second texts; equal numbers are expected")
        room = limit - 4  # the maximum total number of tokens in the two texts
        if room < 1:
            raise ValueError(f"the limit is {limit}; 5 or more tokens are expected")
        rows = []
        for old, new in zip(self._ids(first), self._ids(second), strict=True):
            new = new[:room]
            old = old[max(len(old) + len(new) - room, 0) :]
            rows.append([self._begin, *old, self._end, self._end, *new, self._end])
        return pad_rows(rows, bucket_width(rows, limit, BUCKET), self.pad, on_left=False)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._implementation.encode_batch(list(texts), add_special_tokens=False)]

    def __len__(self) -> int:
        return self._implementation.get_vocab_size(with_added_tokens=True)


def _id(implementation: tokenizers.Tokenizer, token: str) -> int:
    number = implementation.token_to_id(token)
    if number is None:
        raise ValueError(f"the tokenizer has no {token}")
    return number
