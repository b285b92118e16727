"""The tokenizer of a GGUF file equals the one that transformers reads, and splits text as the original models do."""

import json
import os

import pytest
import tokenizers
from tokenizers import Regex, pre_tokenizers

from gail_tf.base_models.gguf_files import convert_gguf
from gail_tf.base_models.gguf_header import Header
from gail_tf.base_models.gguf_tokenizer import read_tokenizer
from keras_gca.errors import UserError
from tests.factories.gguf_models import (
    SPECIAL,
    TEMPLATE,
    TEXTS,
    USER_DEFINED,
    bpe,
    metadata,
    state,
    tensors_of,
    write,
    write_model,
)

# The regular expressions of the models' own tokenizer.json, as their makers published them.
LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN_2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def read(path, **changes):
    """The tokenizer of a file without tensors."""
    return read_tokenizer(Header(write(path / "a.gguf", metadata("llama") | changes, {})))


def words(tokenizer, text):
    """Return the words into which a text is split before the merges are applied."""
    return [text[begin:end] for _, (begin, end) in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.parametrize(
    ("pre", "text", "expected"),
    [
        ("gpt-2", "We've 12  345 HE'LL", ["We", "'ve", " 12", " ", " 345", " HE", "'", "LL"]),
        ("smollm", "We've 12  345 HE'LL", ["We", "'ve", " ", "1", "2", "  ", "3", "4", "5", " HE", "'", "LL"]),
        ("llama-bpe", "We've 1234  5 HE'LL", ["We", "'ve", " ", "123", "4", " ", " ", "5", " HE", "'LL"]),
        ("qwen2", "We've 1234  5 HE'LL", ["We", "'ve", " ", "1", "2", "3", "4", " ", " ", "5", " HE", "'LL"]),
        ("qwen2", "a\n\nb!\n c", ["a", "\n\n", "b", "!\n", " c"]),
    ],
)
def test_text_is_split_as_the_model_does(tmp_path, pre, text, expected):
    assert words(read(tmp_path, **{"tokenizer.ggml.pre": pre}), text) == expected


@pytest.mark.parametrize(("pre", "split"), [("llama-bpe", LLAMA_3), ("qwen2", QWEN_2)])
def test_the_expressions_are_the_published_ones(tmp_path, pre, split):
    steps = [pre_tokenizers.Split(Regex(split), "isolated"), pre_tokenizers.ByteLevel(False, use_regex=False)]
    published = tokenizers.Tokenizer(tokenizers.models.BPE())
    published.pre_tokenizer = pre_tokenizers.Sequence(steps)
    ours = read(tmp_path, **{"tokenizer.ggml.pre": pre})
    for text in TEXTS:
        assert words(ours, text) == words(published, text)


def test_the_steps_of_smollm_are_those_of_its_tokenizer_json(tmp_path):
    steps = json.loads(read(tmp_path).to_str())["pre_tokenizer"]["pretokenizers"]
    assert [step["type"] for step in steps] == ["Digits", "ByteLevel"]
    assert steps[0]["individual_digits"] is True
    assert (steps[1]["add_prefix_space"], steps[1]["use_regex"]) == (False, True)


@pytest.mark.parametrize("pre", ["gpt-2", "llama-bpe", "qwen2"])
def test_transformers_gives_the_same_ids(tmp_path, pre):
    from transformers import AutoTokenizer

    write_model(tmp_path / "a.gguf", **{"tokenizer.ggml.pre": pre})
    convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    theirs = AutoTokenizer.from_pretrained(tmp_path, gguf_file="a.gguf")
    folder = AutoTokenizer.from_pretrained(tmp_path / "a")
    for text in TEXTS:
        if pre == "qwen2" and "\u0301" in text:  # transformers leaves out Qwen2's normalisation when it reads GGUF
            assert folder(text).input_ids == folder(text.replace("e\u0301", "é")).input_ids
            continue
        assert folder(text).input_ids == theirs(text).input_ids, text
        assert folder.decode(folder(text).input_ids) == text
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        assert getattr(folder, name) == getattr(theirs, name)
    assert folder.chat_template == theirs.chat_template == TEMPLATE
    assert folder.all_special_ids == theirs.all_special_ids
    assert len(folder) == len(theirs)


def test_tokens_and_their_types(tmp_path):
    made = read(tmp_path)
    vocabulary = bpe().get_vocab()
    assert {token: made.token_to_id(token) for token in vocabulary} == vocabulary
    added = {token.content: token.special for token in made.get_added_tokens_decoder().values()}
    assert added == {**dict.fromkeys(SPECIAL, True), USER_DEFINED: False}
    assert made.encode(f"a{USER_DEFINED}b<|im_end|>").tokens == ["a", USER_DEFINED, "b", "<|im_end|>"]


def test_spare_rows_are_not_tokens(tmp_path):
    write_model(tmp_path / "a.gguf")
    tokens = len(read(tmp_path).get_vocab())
    values = metadata("llama", spare=5)
    assert len(values["tokenizer.ggml.tokens"]) == tokens + 5
    write_model(tmp_path / "b.gguf", **{k: v for k, v in values.items() if k.startswith("tokenizer")})
    convert_gguf(tmp_path / "b.gguf", tmp_path / "b", "toy")
    read_back = tokenizers.Tokenizer.from_file(str(tmp_path / "b" / "tokenizer.json"))
    assert read_back.get_vocab_size() == tokens
    assert json.loads((tmp_path / "b" / "config.json").read_text())["vocab_size"] == tokens + 5


def test_llama_3_takes_a_whole_word_of_its_vocabulary(tmp_path):
    """Llama 3's own tokenizer.json sets `ignore_merges`: if a word is a token, merges are not applied to it."""
    values = metadata("llama")
    tokens = [*values["tokenizer.ggml.tokens"][:-1], "zebra"]
    types = [*values["tokenizer.ggml.token_type"][:-1], 1]
    changes = {"tokenizer.ggml.tokens": tokens, "tokenizer.ggml.token_type": types}
    assert read(tmp_path, **changes, **{"tokenizer.ggml.pre": "llama-bpe"}).encode("zebra").tokens == ["zebra"]
    assert read(tmp_path, **changes).encode("zebra").tokens != ["zebra"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"tokenizer.ggml.model": "llama"},
            "the tokenizer 'llama' is not supported; byte-level BPE \\('gpt2'\\) is expected",
        ),
        ({"tokenizer.ggml.model": None}, "'tokenizer.ggml.model' is missing from the metadata"),
        ({"tokenizer.ggml.pre": "unheard-of"}, "the pre-tokenizer 'unheard-of' is not supported; one of gpt-2, "),
        ({"tokenizer.ggml.pre": None}, "the pre-tokenizer '' is not supported; one of gpt-2, "),
        ({"tokenizer.ggml.tokens": None}, "'tokenizer.ggml.tokens' is missing from the metadata; a list of texts"),
        ({"tokenizer.ggml.tokens": [1, 2]}, "'tokenizer.ggml.tokens' is another type in the metadata; a list of texts"),
        ({"tokenizer.ggml.merges": None}, "'tokenizer.ggml.merges' is missing from the metadata"),
        ({"tokenizer.ggml.merges": ["ab"]}, "the tokenizer is damaged"),
        ({"tokenizer.ggml.merges": ["a b c"]}, "the tokenizer is damaged"),
        ({"tokenizer.ggml.merges": ["a nowhere"]}, "the tokenizer is damaged"),
        ({"tokenizer.ggml.token_type": [1]}, "there are 301 tokens, but 1 token types"),
        ({"tokenizer.ggml.token_type": 3}, "'tokenizer.ggml.token_type' is 3 in the metadata; a list of whole numbers"),
        ({"tokenizer.ggml.bos_token_id": -1}, "'tokenizer.ggml.bos_token_id' is -1 in the metadata; a whole number"),
        ({"tokenizer.ggml.padding_token_id": 301}, "padding_token_id' is not an id in the vocabulary of 301 tokens"),
        ({"tokenizer.chat_template": 5}, "'tokenizer.chat_template' is 5 in the metadata; a text is expected"),
        ({"tokenizer.chat_template": "x" * 1_000_001}, "the chat template has more than 1,000,000 characters"),
    ],
)
def test_tokenizers_that_cannot_be_read(tmp_path, changes, message):
    values = metadata("llama")
    if changes.get("tokenizer.ggml.tokens"):
        write(tmp_path / "a.gguf", values | changes, {})
        with pytest.raises(UserError, match=message):
            read_tokenizer(Header(tmp_path / "a.gguf"))
        return
    weights = state("llama", len(values["tokenizer.ggml.tokens"]))
    write(tmp_path / "a.gguf", values | changes, tensors_of(weights, "llama"))
    with pytest.raises(UserError, match=message) as error:
        convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    assert str(error.value).startswith(f"{tmp_path / 'a.gguf'}: ")
    assert "\n" not in str(error.value)
    assert os.listdir(tmp_path) == ["a.gguf"]


def test_a_token_twice(tmp_path):
    tokens = metadata("llama")["tokenizer.ggml.tokens"]
    with pytest.raises(UserError, match="a token occurs twice in the vocabulary"):
        read(tmp_path, **{"tokenizer.ggml.tokens": [*tokens[:-1], tokens[5]]})


def test_more_tokens_than_rows(tmp_path):
    write(tmp_path / "a.gguf", metadata("llama"), tensors_of(state("llama", 300), "llama"))
    with pytest.raises(UserError, match="the tokenizer has 301 tokens, but the network has only 300 token embeddings"):
        convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
