"""BERT's tokenizer (Devlin et al. 2019): WordPiece on lower-case words, with [CLS] before a text and [SEP] after it.

Only the vocabulary is read from tokenizer.json. Everything else is fixed in this module, so the rest of the file does
not affect how texts are encoded.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from gail_tf.data.batches import bucket_width, pad_rows
from keras_gca.engine.batching import BUCKET
from keras_gca.errors import UserError
from keras_gca.storage import json_files

TOKENIZER = "tokenizer.json"
PAD, UNKNOWN, BEGIN, END = SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
# The values that a tokenizer.json must have, because this module computes exactly these steps.
_EXPECTED: dict[str, dict[str, Any]] = {
    "model": {"type": "WordPiece", "unk_token": UNKNOWN, "continuing_subword_prefix": "##"},
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
}


class WordPieceTokenizer:
    """A WordPiece tokenizer. A special token that is spelled out in a text, such as "[SEP]", is read as plain text.

    Args:
        vocabulary: The id of each token. Ids are consecutive integers from 0.

    Raises:
        ValueError: A special token is missing.
    """

    def __init__(self, vocabulary: dict[str, int]):
        missing = [token for token in SPECIAL if token not in vocabulary]
        if missing:
            raise ValueError(f"the tokenizer has no {missing[0]}")
        self._pad, self._begin, self._end = (vocabulary[token] for token in (PAD, BEGIN, END))
        self._implementation = tokenizers.Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN))
        self._implementation.normalizer = normalizers.BertNormalizer()
        self._implementation.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        self._size = len(vocabulary)

    @classmethod
    def read(cls, folder: str | os.PathLike) -> "WordPieceTokenizer":
        """Read a folder's tokenizer.json.

        Raises:
            UserError: The file is missing or damaged, or the tokenizer is not a BERT tokenizer. The message names the
                file.
        """
        path = Path(folder) / TOKENIZER
        values = json_files.read_object(path)
        for part, expected in _EXPECTED.items():
            stated = values.get(part)
            for name, value in expected.items():
                said = stated.get(name) if isinstance(stated, dict) else None
                if said != value:
                    raise UserError(f"{path}: {name} of the {part} is {said!r}; {value!r} is expected, as in BERT")
        vocabulary = values["model"].get("vocab")
        whole = isinstance(vocabulary, dict) and all(type(number) is int for number in vocabulary.values())
        if not whole or sorted(vocabulary.values()) != list(range(len(vocabulary))):
            raise UserError(f"{path}: a vocabulary with consecutive ids starting at 0 is expected")
        try:
            return cls(vocabulary)
        except ValueError as error:
            raise UserError(f"{path}: {error}") from None

    def encode(self, texts: Sequence[str], limit: int) -> tuple[np.ndarray, np.ndarray]:
        """Encode each text as `[CLS] text [SEP]`, padded on the right.

        Args:
            texts: B texts. Texts that are too long are truncated at the end.
            limit: The maximum number of tokens in an encoded text, at least 2.

        Returns:
            An int32 array of token ids and a bool mask that is false at padding, both of shape (B, T). T is a multiple
            of 16 or equals the limit.

        Raises:
            ValueError: The limit is below 2.
        """
        if limit < 2:
            raise ValueError(f"the limit is {limit}; 2 or more tokens are expected")
        encodings = self._implementation.encode_batch(list(texts), add_special_tokens=False)
        rows = [[self._begin, *encoding.ids[: limit - 2], self._end] for encoding in encodings]
        return pad_rows(rows, bucket_width(rows, limit, BUCKET), self._pad, on_left=False)

    def __len__(self) -> int:
        return self._size
