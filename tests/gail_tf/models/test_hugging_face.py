import dataclasses
import json
import shutil

import numpy as np
import pytest
import safetensors.numpy

from gail_tf.models import hugging_face
from gail_tf.models.architectures import config_of
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters
from keras_gca.errors import UserError
from tests.factories.gail import SIZES, padded, randomise
from tests.oracles.pytorch import torch_logits

TOKENS, MASK = padded([0, 3, 7, 1], [0] * 4, 12)


@pytest.fixture
def folder(torch_folder, tmp_path):
    return shutil.copytree(torch_folder, tmp_path / "model")


def read_tensors(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


def logits(gpt2):
    return gpt2.logits(gpt2.hidden(TOKENS, MASK)).numpy()


def test_config_is_read_and_written(torch_folder):
    config = hugging_face.read_config(torch_folder / "config.json", config_of)
    assert config == GPT2Config(**SIZES)
    assert GPT2Config.from_hugging_face(config.to_hugging_face()) == config


def test_pytorch_reads_what_was_written(gpt2, tmp_path):
    hugging_face.write_network(tmp_path / "new", gpt2)
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["config.json", "model.safetensors"]
    expected = torch_logits(tmp_path / "new", TOKENS, MASK)
    np.testing.assert_allclose(logits(gpt2)[MASK], expected[MASK], atol=1e-4)


def test_adapters_are_merged_when_written(tmp_path):
    gpt2 = randomise(GPT2(GPT2Config(**SIZES), adapters=Adapters(rank=2)))
    before = logits(gpt2)
    draw = np.random.default_rng(7)
    for variable in gpt2.adapter_weights:
        variable.assign(draw.normal(0, 0.2, variable.shape))
    assert np.abs(logits(gpt2) - before).max() > 0.5
    hugging_face.write_network(tmp_path, gpt2)
    np.testing.assert_allclose(logits(gpt2)[MASK], torch_logits(tmp_path, TOKENS, MASK)[MASK], atol=1e-4)


def test_bare_names_and_old_constants(torch_folder, folder):
    """In the file of the Hub's own gpt2, names have no prefix, and the causal masks are stored, too."""
    tensors = {name.removeprefix("transformer."): values for name, values in read_tensors(folder).items()}
    tensors |= {"h.0.attn.bias": np.ones((1, 1, 24, 24), np.float32), "lm_head.weight": tensors["wte.weight"]}
    safetensors.numpy.save_file(tensors, folder / "model.safetensors")
    np.testing.assert_array_equal(
        logits(hugging_face.read_network(folder)), logits(hugging_face.read_network(torch_folder))
    )  # fmt: skip


def test_shards(torch_folder, folder):
    from transformers import GPT2LMHeadModel

    shutil.rmtree(folder)
    GPT2LMHeadModel.from_pretrained(torch_folder).save_pretrained(folder, max_shard_size="20KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 1
    np.testing.assert_array_equal(
        logits(hugging_face.read_network(folder)), logits(hugging_face.read_network(torch_folder))
    )  # fmt: skip
    next(folder.glob("model-00002*")).unlink()
    with pytest.raises(UserError, match=r"model-00002.*cannot be read"):
        hugging_face.read_network(folder)


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision_files(torch_folder, folder, kind):
    import torch
    from transformers import GPT2LMHeadModel

    GPT2LMHeadModel.from_pretrained(torch_folder, dtype=getattr(torch, kind)).save_pretrained(folder)
    read, exact = (hugging_face.read_network(each).weights for each in (folder, torch_folder))
    for name, variable in read.items():
        assert variable.dtype == "float32"
        np.testing.assert_allclose(variable.numpy(), exact[name].numpy(), rtol=0.005, atol=1e-5)


def test_added_tokens_start_as_the_mean_of_the_tokens_of_their_names(folder):
    gpt2 = hugging_face.read_network(folder, [[5, 7], [9], []])
    embeddings = gpt2.weights["wte.weight"].numpy()
    assert gpt2.config.vocab_size == 64
    expected = [embeddings[[5, 7]].mean(0), embeddings[9], embeddings[:61].mean(0)]
    np.testing.assert_allclose(embeddings[61:], expected, atol=1e-6)
    np.testing.assert_array_equal(logits(gpt2)[..., :61], logits(hugging_face.read_network(folder)))
    with pytest.raises(UserError, match="61 tokens; at least 62 are expected"):
        hugging_face.read_network(folder, rows=62)


def test_dropout_rates_can_be_set(folder):
    config = hugging_face.read_network(folder, dropout=0.25).config
    assert config.embd_pdrop == config.attn_pdrop == config.resid_pdrop == 0.25


def damage_config(folder, **changes):
    values = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "config.json: model_type is 'bert'; one of gpt2, llama, qwen2 is expected"),
        ({"activation_function": "relu"}, "config.json: activation_function is 'relu'; only 'gelu_new' is supported"),
        ({"tie_word_embeddings": False}, "config.json: tie_word_embeddings is False"),
        ({"n_head": 3}, "config.json: n_embd is 16; a multiple of n_head"),
        (
            {"n_embd": 32},
            r"model.safetensors: 'h.0.attn.c_attn.bias' has the shape \[48\]; config.json requires \[96\]",
        ),
        ({"n_layer": 2}, r"model.safetensors: 'h.2.\S+' is not a tensor of a GPT-2 with 2 blocks"),
        ({"n_layer": 4}, "the tensor 'h.3.ln_1.weight' is missing"),
        ({"vocab_size": 60}, r"'wte.weight' has the shape \[61, 16\]; config.json requires \[60, 16\]"),
    ],
)
def test_a_config_that_does_not_fit(folder, changes, message):
    damage_config(folder, **changes)
    with pytest.raises(UserError, match=message) as error:
        hugging_face.read_network(folder)
    assert str(folder) in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_and_missing_files(folder, tmp_path):
    (folder / "model.safetensors").write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"model.safetensors: the file cannot be read as safetensors"):
        hugging_face.read_network(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"model.safetensors is missing; weights in other formats"):
        hugging_face.read_network(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"config.json: the file is damaged; valid JSON is expected"):
        hugging_face.read_config(folder / "config.json", GPT2Config.from_hugging_face)
    with pytest.raises(UserError, match=r"config.json: cannot be read"):
        hugging_face.read_config(tmp_path / "config.json", GPT2Config.from_hugging_face)


def test_an_index_cannot_lead_out_of_its_folder(folder, tmp_path):
    (folder / "model.safetensors").rename(tmp_path / "outside.safetensors")
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"weight_map": {"wte.weight": "../outside.safetensors"}})
    )
    with pytest.raises(UserError, match=r"model.outside.safetensors: the file cannot be read"):
        hugging_face.read_network(folder)


def test_a_folder_or_a_name_on_the_hub(folder, monkeypatch):
    assert hugging_face.find(folder) == folder
    with pytest.raises(UserError, match=r"not a folder; a folder with config.json"):
        hugging_face.find(folder / "absent")
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        UserError, match=r"^nobody/nothing: there is no such folder, and the model is not available on the Hub \("
    ) as error:
        hugging_face.find("nobody/nothing")
    assert "\n" not in str(error.value)


def test_the_hub_is_asked_for_no_more_than_is_read(folder, monkeypatch):
    import huggingface_hub

    asked = {}
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **others: asked.update(others) or str(folder)
    )
    assert hugging_face.find("gpt2") == folder
    from huggingface_hub.utils import filter_repo_objects

    files = ["config.json", "model.safetensors", "pytorch_model.bin", "tf_model.h5", "onnx/decoder_model.onnx",
             "vocab.json", "merges.txt", "tokenizer.json", "64.tflite", "rust_model.ot"]  # fmt: skip
    kept = set(filter_repo_objects(files, allow_patterns=asked["allow_patterns"]))
    assert kept == {"config.json", "model.safetensors", "vocab.json", "merges.txt", "tokenizer.json"}


def test_larger_gpt2s():
    """The published numbers of parameters of GPT-2 small and medium follow from one block of each."""
    for n_layer, n_embd, millions in ((12, 768, 124.4), (24, 1024, 354.8)):
        config = GPT2Config(n_layer=n_layer, n_embd=n_embd, n_head=n_embd // 64)
        smaller = dataclasses.replace(config, vocab_size=8, n_positions=4, n_layer=1, eos_token_id=0)
        weights = GPT2(smaller).weights
        block = sum(variable.shape.num_elements() for name, variable in weights.items() if name.startswith("h."))
        ends = sum(variable.shape.num_elements() for name, variable in weights.items() if name.startswith("ln_f"))
        count = n_layer * block + ends + (config.vocab_size + config.n_positions) * n_embd
        assert count / 1e6 == pytest.approx(millions, abs=0.05)
