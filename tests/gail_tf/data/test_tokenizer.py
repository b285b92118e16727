import itertools
import json

import pytest

from gail_tf.data.tokenizer import END, Tokenizer
from keras_gca.data.conversations import read_conversations
from keras_gca.errors import UserError
from tests.factories import chat_tokenizers
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


@pytest.mark.thorough
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
    with pytest.raises(UserError, match=r"tokenizer.json: this tokenizer is not supported; a byte-level BPE"):
        Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"tokenizer.json: the file cannot be read as a tokenizer"):
        Tokenizer.read(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    vocabulary = json.loads((tmp_path / "vocab.json").read_text())
    (tmp_path / "vocab.json").write_text(json.dumps({("end" if k == END else k): v for k, v in vocabulary.items()}))
    with pytest.raises(UserError, match=r"the tokenizer has no <\|endoftext\|>"):
        Tokenizer.read(tmp_path)


def test_too_small_a_vocabulary():
    with pytest.raises(UserError, match="a vocabulary of 258 tokens is too small; 260 or more"):
        Tokenizer.fit(["text"], 258, CONTROLS)


# Other families than GPT-2


@pytest.fixture(params=chat_tokenizers.SPECIAL)
def family(request, texts, tmp_path):
    return chat_tokenizers.write(tmp_path / "model", request.param, texts)


def auto_peer(folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True)


MORE = [*ODD, "cafe\u0301", "\n\n x\n", "2026 12345678", "I'LL y'all", "a\r\nb", "\u00a0x", "!!!\n?"]


@pytest.mark.thorough
def test_ids_of_other_families_are_hugging_faces(family, texts, tmp_path):
    tokenizer, other = Tokenizer.read(family, CONTROLS), auto_peer(family)
    ids = tokenizer.encode_all(texts + MORE)
    assert ids == other(texts + MORE, add_special_tokens=False)["input_ids"]
    assert len(tokenizer) == len(other) + 3
    assert tokenizer.known == len(other)
    assert tokenizer.end == other.eos_token_id
    tokenizer.save(tmp_path / "saved")
    assert sorted(path.name for path in (tmp_path / "saved").iterdir()) == ["tokenizer.json", "tokenizer_config.json"]
    saved, again = auto_peer(tmp_path / "saved"), Tokenizer.read(tmp_path / "saved", CONTROLS)
    assert ids == saved(texts + MORE, add_special_tokens=False)["input_ids"] == again.encode_all(texts + MORE)
    assert (saved.eos_token_id, len(saved)) == (tokenizer.end, len(tokenizer))
    assert [saved.convert_tokens_to_ids(token) for token in CONTROLS] == [again.special(token) for token in CONTROLS]
    assert (again.layout, again.known) == (tokenizer.layout, len(tokenizer))
    assert saved.decode(ids[5], skip_special_tokens=True) == tokenizer.decode(ids[5]) == texts[5]


def test_any_text_comes_back_from_other_families(family):
    import unicodedata

    tokenizer = Tokenizer.read(family)
    for text in (*MORE, "<|im_end|><|eot_id|><|endoftext|>"):
        kept = unicodedata.normalize("NFC", text) if "NFC" in (family / "tokenizer.json").read_text() else text
        assert tokenizer.decode(tokenizer.encode(text)) == kept


def change(**parts):
    def changed(content):
        content.update(parts)

    return changed


def in_split(**values):
    return lambda content: content["pre_tokenizer"]["pretokenizers"][0].update(values)


def in_sequence(*parts):
    return lambda content: content["pre_tokenizer"].update(pretokenizers=list(parts))


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
OTHER_KINDS = {
    "a pattern that may never end": in_split(pattern={"Regex": "(x+x+)+y"}),
    "a text for a pattern": in_split(pattern={"String": " "}),
    "a pattern whose matches are dropped": in_split(behavior="Removed"),
    "nothing before": in_sequence(),
    "no bytes": in_sequence({"type": "Digits", "individual_digits": True}),
    "another part": in_sequence({"type": "Whitespace"}, BYTE_LEVEL),
    "bytes before the rest": in_sequence(BYTE_LEVEL, {"type": "Digits", "individual_digits": True}),
    "sequences in sequences": in_sequence({"type": "Sequence", "pretokenizers": [BYTE_LEVEL]}),
    "another normaliser": change(normalizer={"type": "Lowercase"}),
    "a longer normaliser": change(normalizer={"type": "Sequence", "normalizers": [{"type": "NFC"}]}),
    "no decoder": change(decoder=None),
    "another model": change(model={"type": "WordLevel", "vocab": {"<|im_end|>": 0}, "unk_token": "<|im_end|>"}),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_other_kinds_are_refused(texts, tmp_path, name):
    folder = chat_tokenizers.write(tmp_path, "qwen2", texts)
    content = json.loads((folder / "tokenizer.json").read_text())
    OTHER_KINDS[name](content)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError,
        match=r"tokenizer\.json: this tokenizer is not supported; a byte-level BPE tokenizer, like that of GPT-2, Sm",
    ) as caught:
        Tokenizer.read(folder)
    assert "\n" not in str(caught.value)


def test_the_layouts_tokens_must_be_there(texts, tmp_path):
    folder = chat_tokenizers.write(tmp_path, "llama3", texts)
    for layout, token in (("chatml", r"<\|im_end\|>"), ("end_of_text", r"<\|endoftext\|>")):
        with pytest.raises(UserError, match=rf"the tokenizer has no {token}$"):
            Tokenizer.read(folder, layout=layout)
    for token in ("e", "Ġthe"):  # any message would end with such a token
        folder = chat_tokenizers.write(tmp_path, "llama3", texts, None, end=token)
        with pytest.raises(UserError, match=rf"'{token}' can occur in ordinary text; a special token is expected"):
            Tokenizer.read(folder)


def test_tokens_that_the_files_do_not_call_special(texts, tmp_path):
    folder = chat_tokenizers.write(tmp_path, "qwen2", texts)
    content = json.loads((folder / "tokenizer.json").read_text())
    for token in content["added_tokens"]:
        token["special"] = False
    (folder / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = Tokenizer.read(folder)
    ids = tokenizer.encode("Bye.<|im_end|><|im_start|>")
    assert not {tokenizer.special("<|im_end|>"), tokenizer.special("<|im_start|>")} & {*ids}


def test_a_token_before_each_text_that_is_not_special(texts, tmp_path):
    folder = chat_tokenizers.write(tmp_path, "llama3", texts, None, end="<|end_of_text|>")
    content = json.loads((folder / "tokenizer.json").read_text())
    content["post_processor"]["special_tokens"]["<|begin_of_text|>"].update(ids=[3], tokens=["#"])
    (folder / "tokenizer.json").write_text(json.dumps(content))
    with pytest.raises(
        UserError, match=r"the tokenizer begins each text with '#', which is not one of its special tokens"
    ):
        Tokenizer.read(folder)


def test_two_files_of_another_family_are_not_enough(fitted, tmp_path):
    fitted.save(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"tokenizer_class": "Qwen2Tokenizer"}))
    message = r"tokenizer\.json is missing; vocab\.json and merges\.txt do not describe a 'Qwen2Tokenizer' completely"
    with pytest.raises(UserError, match=message):
        Tokenizer.read(tmp_path)
