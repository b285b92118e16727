import itertools
import json

import pytest

from gail_tf.data.tokenizer import END, Tokenizer
from keras_gca.data.conversations import read_conversations
from keras_gca.errors import UserError
from tests.factories.gail import CONTROLS

ODD = [
    "",
    " ",
    "  two   spaces ",
    "naïve café ☕",
    "don't you'll I'm",
    "line\nbreak\ttab",
    "日本語 🙂",
    "a" * 300,
    "1,234.5!?",
]


@pytest.fixture
def real(shared_file):
    return shared_file("data/gpt2_tokenizer")


@pytest.fixture
def utterances(shared_file):
    conversations = read_conversations(shared_file("data/empatheticdialogues/train.csv"))
    return list(itertools.islice((text for each in conversations for text in each.utterances), 10_000))


def peer(folder):
    from transformers import GPT2TokenizerFast

    return GPT2TokenizerFast.from_pretrained(folder)


class TestGPT2sOwn:
    def test_ids_are_hugging_faces_on_ten_thousand_utterances(self, real, utterances):
        ours = Tokenizer.read(real).encode_all(utterances + ODD)
        assert len(utterances) == 10_000
        assert ours == peer(real)(utterances + ODD)["input_ids"]

    def test_decoding_gives_the_text_back(self, real, utterances):
        tokenizer = Tokenizer.read(real)
        for text in utterances + ODD:
            assert tokenizer.decode(tokenizer.encode(text)) == text

    def test_its_sizes_and_its_end(self, real):
        assert len(Tokenizer.read(real)) == 50257
        assert Tokenizer.read(real).end == 50256

    def test_control_tokens_are_added_after_all_others(self, real, tmp_path):
        Tokenizer.read(real, CONTROLS).save(tmp_path)
        tokenizer = Tokenizer.read(tmp_path, CONTROLS)
        assert len(tokenizer) == 50260
        assert [tokenizer.special(token) for token in CONTROLS] == [50257, 50258, 50259]
        assert tokenizer.control_tokens == list(CONTROLS)


def test_a_fitted_tokenizer_is_saved_as_hugging_face_reads_it(fitted, texts, tmp_path):
    fitted.save(tmp_path)
    other = peer(tmp_path)
    assert len(other) == len(fitted) == 600
    assert fitted.encode_all(texts + ODD) == other(texts + ODD)["input_ids"]
    assert other.eos_token_id == other.bos_token_id == fitted.end
    assert other.convert_tokens_to_ids(list(CONTROLS)) == [fitted.special(token) for token in CONTROLS]
    ids = [fitted.special(CONTROLS[0]), *fitted.encode("Hello there."), fitted.end]
    assert other.decode(ids) == "<|negative|>Hello there.<|endoftext|>"
    assert other.decode(ids, skip_special_tokens=True) == fitted.decode(ids) == "Hello there."


@pytest.mark.parametrize("removed", [("vocab.json", "merges.txt"), ("tokenizer.json",)])
def test_either_form_of_the_files_suffices(fitted, texts, tmp_path, removed):
    fitted.save(tmp_path)
    for name in removed:
        (tmp_path / name).unlink()
    again = Tokenizer.read(tmp_path, CONTROLS)
    assert again.encode_all(texts[:500]) == fitted.encode_all(texts[:500])
    assert again.control_tokens == list(CONTROLS)
    assert [again.special(token) for token in (END, *CONTROLS)] == [fitted.special(t) for t in (END, *CONTROLS)]


def test_fitting_again_gives_the_same(fitted, texts):
    again = Tokenizer.fit(texts, 600, CONTROLS)
    assert again.encode_all(texts) == fitted.encode_all(texts)
    longer = Tokenizer.fit(texts, 2000)
    assert sum(map(len, longer.encode_all(texts))) < 0.8 * sum(map(len, fitted.encode_all(texts)))


def test_any_text_comes_back(fitted):
    for text in ODD:
        assert fitted.decode(fitted.encode(text)) == text


def test_spelled_out_special_tokens_are_text(fitted):
    text = f"Bye.{END} <|positive|>"
    ids = fitted.encode(text)
    assert fitted.end not in ids
    assert fitted.special("<|positive|>") not in ids
    assert fitted.decode(ids) == text


def test_bad_files(fitted, tmp_path):
    with pytest.raises(UserError, match=r"no tokenizer; tokenizer.json, or vocab.json and merges.txt"):
        Tokenizer.read(tmp_path)
    fitted.save(tmp_path)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    content["pre_tokenizer"] = {"type": "Whitespace"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"tokenizer.json: a byte-level BPE"):
        Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer.json: not readable as a tokenizer"):
        Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    (tmp_path / "vocab.json").write_text(json.dumps({("end" if k == END else k): v for k, v in vocabulary.items()}))
    with pytest.raises(UserError, match=r"the tokenizer has no <\|endoftext\|>"):
        Tokenizer.read(tmp_path)


def test_too_small_a_vocabulary():
    with pytest.raises(UserError, match="a vocabulary of 258; 260 tokens or more"):
        Tokenizer.fit(["text"], 258, CONTROLS)
