"""Folders of small encoders with random weights, as `--encoder` reads them."""

import json
from pathlib import Path

import safetensors.numpy

from gail_tf.data.wordpiece import SPECIAL
from gail_tf.models.bert import Bert, BertConfig

NORMALIZER = {
    "type": "BertNormalizer",
    "clean_text": True,
    "handle_chinese_chars": True,
    "strip_accents": None,
    "lowercase": True,
}


def tokenizer_json(vocabulary: dict[str, int]) -> dict:
    """The content of a tokenizer.json like BERT's."""
    model = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "vocab": vocabulary}
    return {"model": model, "normalizer": NORMALIZER, "pre_tokenizer": {"type": "BertPreTokenizer"}}


def write_encoder(folder: Path) -> Path:
    """Make a folder with a BERT that reads texts letter by letter."""
    letters = "abcdefghijklmnopqrstuvwxyz.,!?'"
    pieces = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    config = BertConfig(len(pieces), 8, 1, 2, 16, 128, initializer_range=0.5)
    folder.mkdir(parents=True)
    weights = {name: variable.numpy() for name, variable in Bert(config, seed=1).weights.items()}
    safetensors.numpy.save_file(weights, folder / "model.safetensors")
    sizes = {name: getattr(config, name) for name in config.__dataclass_fields__}
    (folder / "config.json").write_text(json.dumps({"model_type": "bert", **sizes}))
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer_json(vocabulary)))
    return folder
