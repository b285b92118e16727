"""BERT's tokenizer equals that of transformers, and refuses files of other tokenizers."""

import json

import numpy as np
import pytest

from gail_tf.data.wordpiece import SPECIAL, WordPieceTokenizer
from keras_gca.errors import UserError
from tests.factories.encoders import tokenizer_json

WORDS = [*SPECIAL, "play", "##ing", "##s", "un", "##able", "!", "'", "cafe", "你", "s", "["]
VOCABULARY = {word: number for number, word in enumerate(WORDS)}
FILE = tokenizer_json(VOCABULARY)
TEXTS = ["Playing plays!", "UNABLE  café's\t你你", "", "unknownable words play"]


def test_ids_are_those_of_transformers():
    import transformers

    theirs = transformers.BertTokenizer(vocab=VOCABULARY)
    tokens, mask = WordPieceTokenizer(VOCABULARY).encode(TEXTS, 16)
    assert [row[seen].tolist() for row, seen in zip(tokens, mask, strict=True)] == theirs(TEXTS)["input_ids"]
    assert tokens.dtype == np.int32
    assert len(WordPieceTokenizer(VOCABULARY)) == len(WORDS)


def test_by_hand():
    tokens, mask = WordPieceTokenizer(VOCABULARY).encode(["Playing!"], 16)
    assert tokens[0][mask[0]].tolist() == [2, 4, 5, 9, 3]  # [CLS] play ##ing ! [SEP]


def test_a_long_text_is_cut_and_keeps_its_end_token():
    tokens, mask = WordPieceTokenizer(VOCABULARY).encode(["play " * 30], 5)
    assert tokens.tolist() == [[2, 4, 4, 4, 3]]
    assert mask.all()
    with pytest.raises(ValueError, match="the limit is 1; 2 or more tokens are expected"):
        WordPieceTokenizer(VOCABULARY).encode(["play"], 1)


def test_a_special_token_in_a_text_is_plain_text():
    tokens, mask = WordPieceTokenizer(VOCABULARY).encode(["[SEP]"], 16)
    assert tokens[0][mask[0]].tolist() == [2, 14, 1, 1, 3]  # "[", then two unknown words


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model": FILE["model"] | {"type": "BPE"}},
            "type of the model is 'BPE'; 'WordPiece' is expected, as in BERT",
        ),
        ({"normalizer": None}, "type of the normalizer is None; 'BertNormalizer' is expected, as in BERT"),
        ({"pre_tokenizer": {"type": "Split"}}, "type of the pre_tokenizer is 'Split'"),
        ({"model": FILE["model"] | {"vocab": {"a": 1}}}, "consecutive ids starting at 0 is expected"),
        ({"model": FILE["model"] | {"vocab": {"a": 0, "b": True}}}, "consecutive ids starting at 0 is expected"),
        ({"model": FILE["model"] | {"vocab": {"a": 0}}}, r"the tokenizer has no \[PAD\]"),
    ],
)
def test_other_tokenizers_are_refused(tmp_path, change, message):
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(FILE))
    assert len(WordPieceTokenizer.read(tmp_path)) == len(WORDS)
    path.write_text(json.dumps(FILE | change))
    with pytest.raises(UserError, match=rf"tokenizer\.json: .*{message}"):
        WordPieceTokenizer.read(tmp_path)
