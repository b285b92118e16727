"""Folders of GPT-2s that others fine-tuned, with added tokens, padded tables, extra heads, old configs or pickles."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy

from gail_tf.config import GAILConfig
from gail_tf.data.samples import CONTROL_TOKENS
from gail_tf.data.tokenizer import END, Tokenizer
from gail_tf.models import hugging_face
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from gail_tf.training import pipeline
from keras_gca.errors import UserError
from tests.factories.gail import SIZES
from tests.oracles.pytorch import randomise_torch, torch_logits

ADDED = ("<pad>", "<speaker1>", "<speaker2>")
TEXTS = ["<speaker1>Hello there. <speaker2> Hi<speaker1>", "plain", "<speaker>1", "<pad><speaker2>"]


@pytest.fixture
def folder(tmp_path):
    """A folder with vocab.json and merges.txt (256 bytes, END and some merges) but without tokenizer.json."""
    made = tmp_path / "tuned"
    Tokenizer.fit(["Hello there, how are you? Hi.", "I am fine. plain speaker"], 290).save(made)
    (made / "tokenizer.json").unlink()
    (made / "tokenizer_config.json").unlink()
    return made


def size_of(folder):
    return len(json.loads((folder / "vocab.json").read_text()))


def add_tokens(folder, tokens=ADDED):
    """Add tokens as transformers' slow tokenizers save them: <pad> is special, and the speakers are not."""
    size = size_of(folder)
    (folder / "added_tokens.json").write_text(json.dumps({token: size + i for i, token in enumerate(tokens)}))
    special = {"bos_token": END, "eos_token": {"content": END, "lstrip": False}, "pad_token": "<pad>"}
    (folder / "special_tokens_map.json").write_text(json.dumps(special))


def add_weights(folder, rows, architecture="GPT2LMHeadModel", **others):
    """Write a folder with random weights by PyTorch's transformers."""
    import transformers

    sizes = SIZES | {"vocab_size": rows, "n_positions": 48, "eos_token_id": 0, "bos_token_id": 0}
    model = getattr(transformers, architecture)(transformers.GPT2Config(**sizes, **others)).eval()
    randomise_torch(model)
    model.save_pretrained(folder)
    return model


def peer(folder, **options):
    from transformers import GPT2Tokenizer

    return GPT2Tokenizer.from_pretrained(folder, **options)


# Tokens


def test_ids_of_added_tokens_are_those_of_transformers(folder):
    """Special tokens in a text are read as text, as with the option `split_special_tokens` of transformers."""
    add_tokens(folder)
    tokenizer, other = Tokenizer.read(folder), peer(folder)
    assert len(tokenizer) == len(other) == size_of(folder) + 3
    assert tokenizer.encode_all(TEXTS[:3]) == [other(text)["input_ids"] for text in TEXTS[:3]]
    assert size_of(folder) + 1 in tokenizer.encode(TEXTS[0])
    assert tokenizer.encode_all(TEXTS) == [other(text, split_special_tokens=True)["input_ids"] for text in TEXTS]
    assert tokenizer.special("<pad>") == other.pad_token_id == size_of(folder)
    assert tokenizer.end == other.eos_token_id


def test_added_tokens_of_a_newer_config(folder):
    """tokenizer_config.json has more details of each token, and overrides the other two files."""
    size = size_of(folder)
    tokens = {
        size: {"content": "<speaker1>", "lstrip": True, "rstrip": False, "normalized": False, "special": False},
        size + 1: {"content": "<sep>", "lstrip": False, "rstrip": False, "normalized": False, "special": True},
    }
    config = {"tokenizer_class": "GPT2Tokenizer", "added_tokens_decoder": tokens}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer, other = Tokenizer.read(folder), peer(folder)
    text = "Hello  <speaker1> there"
    assert tokenizer.encode(text) == other(text)["input_ids"]
    assert size in tokenizer.encode(text)
    assert tokenizer.special("<sep>") == other.convert_tokens_to_ids("<sep>") == size + 1


def test_our_control_tokens_come_after_the_added_ones(folder):
    add_tokens(folder)
    size = size_of(folder)
    tokenizer = Tokenizer.read(folder, CONTROL_TOKENS)
    assert [tokenizer.special(token) for token in CONTROL_TOKENS] == [size + 3, size + 4, size + 5]
    assert (tokenizer.known, len(tokenizer)) == (size + 3, size + 6)
    tokenizer.save(folder / "again")
    again = Tokenizer.read(folder / "again", CONTROL_TOKENS)
    assert again.encode_all(TEXTS) == tokenizer.encode_all(TEXTS)
    assert (again.known, len(again)) == (size + 6, size + 6)
    # A control token that is already in the files keeps its id.
    add_tokens(folder, ("<pad>", CONTROL_TOKENS[1]))
    tokenizer = Tokenizer.read(folder, CONTROL_TOKENS)
    assert [tokenizer.special(token) for token in CONTROL_TOKENS] == [size + 2, size + 1, size + 3]
    assert size + 1 not in tokenizer.encode(CONTROL_TOKENS[1])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("added_tokens.json", "{", r"added_tokens\.json: the file is damaged"),
        ("added_tokens.json", "[]", r"added_tokens\.json: the content is not a JSON object"),
        ("added_tokens.json", '{"<pad>": "first"}', r"added_tokens\.json: '<pad>' has the id 'first'"),
        ("added_tokens.json", '{"<pad>": 999}', r"added_tokens\.json: '<pad>' has the id 999; 2\d\d is expected"),
        ("added_tokens.json", '{"a": 3}', r"added_tokens\.json: 'a' has the id 3; \d+ is expected"),
        ("added_tokens.json", '{"": 290}', r"added_tokens\.json: the token with the id 290 is empty"),
        (
            "special_tokens_map.json",
            '{"pad_token": {"content": ["x"]}, "a": [["y"]]} 1',
            r"special_tokens_map\.json: the file is damaged",
        ),
        ("special_tokens_map.json", "[1]", r"special_tokens_map\.json: the content is not a JSON object"),
        ("tokenizer_config.json", '{"added_tokens_decoder": [1]}', r"tokenizer_config\.json: added_tokens_decoder"),
        (
            "tokenizer_config.json",
            '{"added_tokens_decoder": {"x": {}}}',
            r"tokenizer_config\.json: added_tokens_decode",
        ),
        ("tokenizer_config.json", '{"added_tokens_decoder": {"1": {"content": 1}}}', r"tokenizer_config\.json: added_"),
    ],
)
def test_damaged_files_of_tokens(folder, name, content, message):
    add_tokens(folder)
    (folder / name).write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        Tokenizer.read(folder)
    assert "\n" not in str(caught.value)


def test_the_hub_is_asked_for_the_added_tokens(folder, monkeypatch):
    import huggingface_hub

    asked = {}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda _, **others: asked.update(others) or str(folder))
    hugging_face.find("somebody/tuned")
    assert {"added_tokens.json", "special_tokens_map.json"} <= set(asked["allow_patterns"])


# Rows


def language_model(folder):
    source = pipeline.Source(model=str(folder))
    config = GAILConfig.preset("tiny", condition_tokens=16, response_tokens=8, dropout=0.0)
    return pipeline._language_model(source, config, None, None)


@pytest.mark.parametrize("spare", [0, 2, 27])
def test_trained_rows_keep_their_tokens_and_spare_rows_have_none(folder, capsys, spare):
    """Two spare rows are fewer than the control tokens. 27 spare rows make the number of rows a multiple of 64."""
    add_tokens(folder)
    known = size_of(folder) + 3
    assert known == 320 - 27
    add_weights(folder, known + spare)
    tokenizer, gpt2 = language_model(folder)
    assert gpt2.config.vocab_size == len(tokenizer) == known + 3
    ids = np.array([tokenizer.encode(TEXTS[0])])
    assert (ids >= known - 2).any()
    mask = np.ones_like(ids, bool)
    expected = torch_logits(folder, ids, mask)
    logits = gpt2.logits(gpt2.hidden(ids, mask)).numpy()
    np.testing.assert_allclose(logits[..., :known], expected[..., :known], atol=1e-4)
    rows = safetensors.numpy.load_file(folder / "model.safetensors")["transformer.wte.weight"]
    table = gpt2.weights["wte.weight"].numpy()
    np.testing.assert_array_equal(table[:known], rows[:known])
    expected = [rows[tokenizer.encode(f" {name}")].mean(0) for name in ("negative", "neutral", "positive")]
    np.testing.assert_allclose(table[known:], expected, atol=1e-6)
    out = capsys.readouterr().out
    assert (f"{spare} spare rows" in out) == bool(spare)


@pytest.mark.thorough
def test_spare_rows_have_no_probability(folder):
    """Spare rows are never drawn and do not count in likelihoods, however large their logits in PyTorch are."""
    known = size_of(folder)
    model = add_weights(folder, 320)
    import torch

    with torch.no_grad():
        model.transformer.wte.weight[known:] += 50 * model.transformer.ln_f.bias
    model.save_pretrained(folder)
    tokenizer, gpt2 = language_model(folder)
    policy = Policy(gpt2)
    condition = np.array([tokenizer.encode("Hello there, how")] * 64, np.int32)
    mask = np.ones_like(condition, bool)
    drawn = policy.sample(condition, mask, (0, 1), Sampling(6, top_p=1.0, temperature=1.0))
    assert drawn.tokens.numpy().max() < known + 3
    scores = policy.log_probs(condition[:4], mask[:4], drawn.tokens[:4], drawn.mask[:4])
    whole = np.concatenate([condition[:4], drawn.tokens[:4]], axis=1)
    logits = torch_logits(folder, np.minimum(whole, known - 1), np.ones_like(whole, bool))
    assert logits[..., known:].max() > logits[..., :known].max()
    # Rows that have drawn no control token. The expected logits of real tokens are PyTorch's, and those of the three
    # control tokens follow from the mean row.
    table = gpt2.weights["wte.weight"].numpy()
    plain = np.flatnonzero((drawn.tokens[:4].numpy() < known).all(1))
    assert len(plain)
    hidden = gpt2.hidden(whole, np.ones_like(whole, bool)).numpy()
    for row in plain:
        of_row = np.concatenate([logits[row, :, :known], hidden[row] @ table[known:].T], axis=1).astype(np.float64)
        log_p = (
            of_row
            - np.log(np.exp(of_row - of_row.max(1, keepdims=True)).sum(1, keepdims=True))
            - of_row.max(1, keepdims=True)
        )
        start = condition.shape[1]
        for t in np.flatnonzero(drawn.mask[row].numpy()):
            expected = log_p[start + t - 1, whole[row, start + t]]
            assert scores.log_probs[row, t].numpy() == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("rows", [300, 330, 332, 450])
def test_a_table_of_another_tokenizer_is_not_taken_for_a_padded_one(folder, rows):
    """None of these numbers of rows is the next multiple of a power of two after 290."""
    add_weights(folder, rows)
    with pytest.raises(UserError, match=rf"the vocabulary has {rows} tokens, but the tokenizer has only 293"):
        language_model(folder)


def test_a_table_that_is_too_small(folder):
    add_tokens(folder)
    add_weights(folder, size_of(folder) - 5)
    with pytest.raises(UserError, match=r"the tokenizer has \d+ tokens, but the weights have \d+"):
        language_model(folder)


# Weights and configs


@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ("GPT2DoubleHeadsModel", ["multiple_choice_head.summary.weight", "multiple_choice_head.summary.bias"]),
        ("GPT2ForSequenceClassification", ["score.weight"]),
        ("v_head", ["v_head.summary.weight", "v_head.summary.bias"]),
    ],
)
def test_extra_heads_are_passed_over_and_named(folder, capsys, architecture, names):
    if architecture == "v_head":  # a value head, as the library TRL writes it
        add_weights(folder, size_of(folder))
        tensors = safetensors.numpy.load_file(folder / "model.safetensors")
        tensors |= {"v_head.summary.weight": np.ones((1, 16), np.float32), "v_head.summary.bias": np.ones(1, "f4")}
        safetensors.numpy.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    else:
        add_weights(folder, size_of(folder), architecture, pad_token_id=0, num_labels=1)
    tokenizer, gpt2 = language_model(folder)
    out = capsys.readouterr().out
    assert all(name in out for name in names)
    assert f"{folder}: left out heads that are not part of GPT-2: " in out
    ids = np.array([tokenizer.encode("Hello there")])
    expected = torch_logits(folder, ids, np.ones_like(ids, bool))
    ours = gpt2.logits(gpt2.hidden(ids, np.ones_like(ids, bool))).numpy()
    np.testing.assert_allclose(ours[..., : size_of(folder)], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "read"),
    [
        ({"architectures": ["GPT2LMHeadModel"]}, True),
        ({"architectures": ["GPT2DoubleHeadsModel"]}, True),
        ({"architectures": ["BertModel"]}, False),
        ({"architectures": "GPT2LMHeadModel"}, False),
        ({"architectures": [1]}, False),
        ({"architectures": None}, False),
        ({"architectures": ["GPT2LMHeadModel"], "model_type": "llama"}, False),
    ],
)
def test_old_configs_say_what_they_are_by_their_architecture(folder, changes, read):
    add_weights(folder, size_of(folder))
    values = json.loads((folder / "config.json").read_text())
    del values["model_type"]
    (folder / "config.json").write_text(json.dumps(values | changes))
    if read:
        assert hugging_face.read_config(folder / "config.json", GPT2Config.from_hugging_face).n_layer == 3
    else:
        with pytest.raises(UserError, match=r"config\.json: model_type is .*; gpt2 is expected"):
            hugging_face.read_config(folder / "config.json", GPT2Config.from_hugging_face)


@pytest.mark.thorough
def test_the_line_about_a_pickle_converts_it(folder):
    import torch

    model = add_weights(folder, size_of(folder))
    before = hugging_face.read_network(folder).weights
    (folder / "model.safetensors").unlink()
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"model\.safetensors is missing; .* are not supported") as caught:
        hugging_face.read_network(folder)
    assert "\n" not in str(caught.value)
    code = re.search(r'python -c "(.*)"$', str(caught.value))[1]
    subprocess.run([sys.executable, "-c", code], check=True)
    for name, variable in hugging_face.read_network(folder).weights.items():
        np.testing.assert_array_equal(variable, before[name])


def test_an_exported_policy_of_a_padded_model_is_read_by_transformers(folder, tmp_path):
    from gail_tf.policies.exporting import export_policy

    add_tokens(folder)
    add_weights(folder, 320)
    tokenizer, gpt2 = language_model(folder)
    export_policy(Policy(gpt2), tokenizer, tmp_path / "out")
    ids = np.array([tokenizer.encode(TEXTS[0])])
    mask = np.ones_like(ids, bool)
    np.testing.assert_allclose(
        torch_logits(tmp_path / "out", ids, mask), gpt2.logits(gpt2.hidden(ids, mask)), atol=1e-4
    )
    assert peer(tmp_path / "out")(TEXTS[0])["input_ids"] == ids[0].tolist()


def test_special_tokens_of_another_kind_are_not_names(folder):
    add_tokens(folder)
    (folder / "special_tokens_map.json").write_text('{"pad_token": {"content": ["x"]}, "others": [["y"], 1]}')
    assert Tokenizer.read(folder).encode("hello")
