"""GGUF files become folders with the same weights, and with the config and tokenizer that transformers reads."""

import hashlib
import json
import os
import struct

import gguf
import numpy as np
import pytest
import safetensors.numpy
from gguf import GGMLQuantizationType as Kind

from gail_tf.base_models import cache, gguf_files
from gail_tf.base_models.gguf_files import convert_gguf
from gail_tf.base_models.gguf_networks import llama_3_factors, rows_in_order
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.hugging_face import read_config, read_network
from keras_gca.errors import UserError
from tests.factories import gguf_models
from tests.factories.gguf_models import HEAD, HEADS, SIZE, metadata, state, tensors_of, write, write_model

KINDS = [Kind.F32, Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q4_1, Kind.Q5_0, Kind.Q5_1]


def weights_of(folder):
    return safetensors.numpy.load_file(folder / "model.safetensors")


def same(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, values in theirs.items():
        assert ours[name].dtype == np.float32
        np.testing.assert_array_equal(ours[name].view(np.uint32), values.astype(np.float32).view(np.uint32), name)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("architecture", ["llama", "qwen2", "gpt2"])
def test_weights_are_those_that_were_quantised(tmp_path, architecture, kind, monkeypatch):
    monkeypatch.setattr(gguf_files, "PART", 5 * SIZE)  # so that a weight is read in several parts
    expected = write_model(tmp_path / "a.gguf", architecture, kind)
    sha256 = convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    same(weights_of(tmp_path / "a"), expected)
    assert sha256 == hashlib.sha256((tmp_path / "a" / "model.safetensors").read_bytes()).hexdigest()
    assert sorted(os.listdir(tmp_path)) == ["a", "a.gguf"]


def test_k_quants(tmp_path):
    """The package `gguf` cannot quantise to these types, so the blocks are random bytes with finite scales."""
    values = metadata("llama") | {"embedding_length": 256, "feed_forward_length": 256, "rope.dimension_count": 64}
    weights = state("llama", len(values["tokenizer.ggml.tokens"]), size=256, inner=256)
    tensors = tensors_of(weights, "llama")
    draw, expected = np.random.default_rng(0), dict(weights)
    for name, kind in (("mlp.gate_proj", Kind.Q4_K), ("mlp.up_proj", Kind.Q6_K), ("mlp.down_proj", Kind.Q5_K)):
        name = f"model.layers.1.{name}.weight"
        blocks = draw.integers(0, 256, (256, gguf.GGML_QUANT_SIZES[kind][1]), np.uint8)
        scale = np.array([0.01, 0.02], np.float16).view(np.uint8)
        blocks[:, -2:] = scale[:2]
        blocks[:, :4] = blocks[:, :4] if kind is Kind.Q6_K else scale
        tensors[gguf_models.gguf_name(name)] = blocks, kind
        expected[name] = gguf.dequantize(blocks, kind)
    write(tmp_path / "a.gguf", values, tensors)
    convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    ours = weights_of(tmp_path / "a")
    for name in ours:
        np.testing.assert_array_equal(ours[name], expected[name], name)


def test_rows_are_put_in_order_by_hand():
    # Two heads of four units. llama.cpp stores unit 0, unit 2 (its partner), unit 1, unit 3.
    assert rows_in_order(8, 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    there = gguf_models.llama_cpp_order(np.arange(24)[:, None], 2)
    np.testing.assert_array_equal(there[rows_in_order(24, 2)], np.arange(24)[:, None])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("architecture", "tied"), [("llama", True), ("llama", False), ("qwen2", True), ("qwen2", False), ("gpt2", True)]
)
def test_transformers_reads_the_same(tmp_path, architecture, tied):
    """transformers reads the same network from the GGUF file and from the folder to which it was converted."""
    import torch
    from transformers import AutoModelForCausalLM

    values, sizes = metadata(architecture), {}
    if architecture == "gpt2":  # transformers reads only GGUF files of these proportions
        values |= {"feed_forward_length": 4 * SIZE, "context_length": 1024}
        sizes = {"inner": 4 * SIZE, "positions": 1024}
    weights = state(architecture, len(values["tokenizer.ggml.tokens"]), tied, **sizes)
    write(tmp_path / "a.gguf", values, tensors_of(weights, architecture, Kind.Q8_0))
    convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, gguf_file="a.gguf", dtype=torch.float32)
    folder, about = AutoModelForCausalLM.from_pretrained(tmp_path / "a", output_loading_info=True)
    assert not any(about.values())
    same(*({name: tensor.numpy() for name, tensor in model.state_dict().items()} for model in (folder, theirs)))
    ours, expected = folder.config.to_dict(), theirs.config.to_dict()
    # rms_norm_eps is compared below. The other values are not compared: they are copies, the path, or values that
    # transformers leaves out.
    left_out = {
        "_name_or_path",
        "quantization_config",
        "rms_norm_eps",
        "unk_token_id",
        "n_ctx",
        "feed_forward_length",
        "dtype",
    }
    left_out |= {"layer_norm_epsilon", "architectures", "head_dim", "n_inner"}
    differ = {name for name in expected if name not in left_out and ours.get(name) != expected[name]}
    assert differ == set()
    if architecture != "gpt2":
        assert folder.config.rms_norm_eps == 1e-6  # and not 9.999999974752427e-07
        assert folder.config.rope_parameters == {"rope_type": "default", "rope_theta": 50000.0}


def test_our_own_gpt2_reads_the_folder(tmp_path):
    expected = write_model(tmp_path / "a.gguf", "gpt2")
    convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    config = read_config(tmp_path / "a" / "config.json", GPT2Config.from_hugging_face)
    assert (config.n_layer, config.n_head, config.inner, config.n_positions) == (2, 4, 96, 24)
    for name, variable in read_network(tmp_path / "a").weights.items():
        np.testing.assert_array_equal(variable.numpy(), expected[f"transformer.{name}"])


def test_biases_of_a_llama(tmp_path):
    values = metadata("llama")
    weights = state("llama", len(values["tokenizer.ggml.tokens"]))
    for name in list(weights):
        if "self_attn" in name:
            weights[name.replace("weight", "bias")] = np.arange(len(weights[name]), dtype=np.float32)
    write(tmp_path / "a.gguf", values, tensors_of(weights, "llama"))
    convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    same(weights_of(tmp_path / "a"), weights)
    assert json.loads((tmp_path / "a" / "config.json").read_text())["attention_bias"] is True


# Rotary embeddings


def with_factors(path, factors, **changes):
    values = metadata("llama") | changes
    tensors = tensors_of(state("llama", len(values["tokenizer.ggml.tokens"])), "llama")
    tensors["rope_freqs.weight"] = np.asarray(factors, np.float32), Kind.F32
    return write(path, values, tensors)


@pytest.mark.thorough
def test_the_scaling_of_llama_3_is_recovered(tmp_path):
    import torch
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    scaling = {"factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
    rope = {"rope_type": "llama3", "rope_theta": 500000.0, **scaling}
    config = LlamaConfig(hidden_size=SIZE, num_attention_heads=HEADS, rope_parameters=rope)
    scaled, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 500000.0 ** -(np.arange(0, HEAD, 2) / HEAD)
    factors = plain / scaled.numpy()
    np.testing.assert_allclose(llama_3_factors(500000.0, HEAD, 8.0), factors, rtol=1e-5)
    with_factors(tmp_path / "a.gguf", factors, **{"rope.freq_base": 500000.0})
    convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    read = json.loads((tmp_path / "a" / "config.json").read_text())
    assert read["rope_theta"] == 500000.0
    assert read["rope_scaling"] == {"rope_type": "llama3", **scaling} | {"factor": pytest.approx(8.0)}


def test_other_scalings(tmp_path):
    write_model(tmp_path / "a.gguf", **{"rope.scaling.type": "linear", "rope.scaling.factor": 4.0})
    convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    read = json.loads((tmp_path / "a" / "config.json").read_text())
    assert read["rope_scaling"] == {"rope_type": "linear", "factor": 4.0}
    with_factors(tmp_path / "b.gguf", np.linspace(1, 3, HEAD // 2))
    with pytest.raises(
        UserError, match=r"b\.gguf: 'rope_freqs.weight' does not scale rotary embeddings as Llama 3 does"
    ):
        convert_gguf(tmp_path / "b.gguf", tmp_path / "b", "toy")


# Files that cannot be read


def fails(path, message):
    """Assert that the conversion ends with one line of error, and leaves no file behind."""
    before = sorted(os.listdir(path.parent))
    with pytest.raises(UserError, match=message) as error:
        convert_gguf(path, path.parent / "out", "toy")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(str(path))
    assert sorted(os.listdir(path.parent)) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"general.architecture": "mamba"},
            "the architecture 'mamba' is not supported; one of llama, qwen2, gpt2 is expected",
        ),
        (
            {"block_count": None},
            "'llama.block_count' is missing from the metadata; a whole number, 1 or more, is expected",
        ),
        ({"block_count": 3}, "the tensor 'blk.2.attn_q.weight' is missing"),
        ({"block_count": 2**32 - 1}, "the tensor 'blk.2.attn_q.weight' is missing"),
        ({"block_count": 1}, r"'blk.1.\w+.weight' is not a tensor of a llama network with these dimensions"),
        (
            {"embedding_length": 32, "rope.dimension_count": None},
            r"'token_embd.weight' has the shape \(\d+, 64\); the metadata requires \(\d+, 32\)",
        ),
        ({"embedding_length": 65}, "65 units cannot be divided into 4 query heads and 2 key heads"),
        (
            {"embedding_length": "64"},
            "'llama.embedding_length' is '64' in the metadata; a whole number, 1 or more, is expected",
        ),
        ({"attention.head_count": 0}, "head_count' is 0 in the metadata; a whole number, 1 or more, is expected"),
        ({"feed_forward_length": 0}, "'llama.feed_forward_length' is 0 in the metadata; a whole number, 1 or more"),
        ({"attention.head_count_kv": 3}, "64 units cannot be divided into 4 query heads and 3 key heads"),
        ({"attention.head_count": [4, 4]}, "'llama.attention.head_count' is another type in the metadata"),
        ({"attention.layer_norm_rms_epsilon": float("nan")}, "epsilon' is nan in the metadata; a number above 0"),
        ({"attention.key_length": 32}, "llama.attention.key_length must be 16, the size of an attention head"),
        ({"rope.dimension_count": 8}, "llama.rope.dimension_count must be 16"),
        ({"rope.scaling.type": "yarn"}, "the rotary scaling 'yarn' is not supported; none or linear is expected"),
        (
            {"tokenizer.ggml.eos_token_id": 5000},
            "'tokenizer.ggml.eos_token_id' is not an id in the vocabulary of 301 tokens",
        ),
    ],
)
def test_metadata_of_another_network(tmp_path, changes, message):
    write_model(tmp_path / "a.gguf", **changes) if "general.architecture" not in changes else write(
        tmp_path / "a.gguf", metadata("llama") | changes, {}
    )
    fails(tmp_path / "a.gguf", message)


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("blk.0.ffn_up.weight", None, "the tensor 'blk.0.ffn_up.weight' is missing"),
        ("token_embd.weight", None, "the tensor 'token_embd.weight' is missing"),
        ("blk.0.ffn_up.weight", (np.zeros((64, 96), np.float32), Kind.F32), r"'blk.0.ffn_up.weight' has the shape"),
        ("blk.0.ffn_up.weight", (np.zeros((96, 64), np.int32), Kind.I32), "is stored as I32, which cannot be read"),
        ("blk.0.ffn_gate_exps.weight", (np.zeros(4, np.float32), Kind.F32), "'blk.0.ffn_gate_exps.weight' is not a"),
    ],
)  # fmt: skip
def test_tensors_of_another_network(tmp_path, name, tensor, message):
    values = metadata("llama")
    tensors = tensors_of(state("llama", len(values["tokenizer.ggml.tokens"])), "llama")
    tensors[name] = tensor
    write(tmp_path / "a.gguf", values, {name: one for name, one in tensors.items() if one is not None})
    fails(tmp_path / "a.gguf", message)


def test_a_file_that_is_cut_anywhere(tmp_path):
    write_model(tmp_path / "a.gguf")
    whole = (tmp_path / "a.gguf").read_bytes()
    for end in [0, 3, 4, 8, 20, 24, 40, 300, 3000, len(whole) // 2, len(whole) - 40]:
        (tmp_path / "b.gguf").write_bytes(whole[:end])
        fails(tmp_path / "b.gguf", r"cannot be read as GGUF \(the file ends ")


def test_a_file_with_any_byte_changed_is_read_or_refused(tmp_path):
    """Only bytes of the header are changed, because a changed weight cannot be recognised as wrong."""
    write_model(tmp_path / "a.gguf")
    whole = bytearray((tmp_path / "a.gguf").read_bytes())
    draw, messages = np.random.default_rng(1), []
    for place in [*range(24), *draw.integers(24, 9000, 60)]:
        changed = bytearray(whole)
        changed[place] ^= int(draw.integers(1, 256))
        (tmp_path / "b.gguf").write_bytes(changed)
        try:
            convert_gguf(tmp_path / "b.gguf", tmp_path / f"b{place}", "toy")
        except UserError as error:
            messages.append(str(error))
            assert not (tmp_path / f"b{place}").exists()
    assert len(messages) > 30
    assert all(message.startswith(f"{tmp_path / 'b.gguf'}: ") for message in messages)


def string(text):
    return struct.pack("<Q", len(text)) + text.encode()


def header(values=b"", count=0, tensors=b"", number=0, version=3):
    return b"GGUF" + struct.pack("<IQQ", version, number, count) + values + tensors


HUGE = 2**62
HOSTILE = {
    "nothing": (b"", "the file ends too early"),
    "another format": (b"PK\3\4" + bytes(100), "the file does not begin with GGUF"),
    "version 1": (header(version=1), "the version is 1; 2 or 3, little-endian, is expected"),
    "big-endian": (header(version=3 << 24), "the version is 50331648; 2 or 3"),
    "values without end": (header(count=HUGE), "the file ends too early"),
    "tensors without end": (header(number=HUGE), "the file ends too early"),
    "a long text": (header(struct.pack("<Q", HUGE), 1), "the file ends too early"),
    "a long list": (header(string("a") + struct.pack("<IIQ", 9, 0, HUGE), 1), "the file ends too early"),
    "lists in lists": (header(string("a") + struct.pack("<IIQ", 9, 9, HUGE), 1), "a list of lists"),
    "an unknown type": (header(string("a") + struct.pack("<I", 99), 1), "99 is not a valid GGUFValueType"),
    "a key twice": (header((string("a") + struct.pack("<IB", 0, 1)) * 2, 2), "'a' occurs twice in the metadata"),
    "not UTF-8": (header(struct.pack("<Q", 1) + b"\xff" + struct.pack("<IB", 0, 1), 1), "can't decode"),
    "no dimensions": (header(b"", 0, string("t") + struct.pack("<IIQ", 0, 0, 0), 1), "has 0 dimensions"),
    "many dimensions": (header(b"", 0, string("t") + struct.pack("<I", 2**31), 1), "2147483648 dimensions"),
    "an unknown kind": (header(b"", 0, string("t") + struct.pack("<IQIQ", 1, 1, 99, 0), 1), "99 is not a valid GGML"),
    "a huge tensor": (
        header(b"", 0, string("t") + struct.pack("<IQQIQ", 2, 2**40, 2**40, 0, 0), 1),
        "the file ends before the end of the tensor 't'",
    ),
    "a far tensor": (
        header(b"", 0, string("t") + struct.pack("<IQIQ", 1, 1, 0, 2**63), 1),
        "the file ends before the end of the tensor 't'",
    ),
    "rows between blocks": (
        header(b"", 0, string("t") + struct.pack("<IQIQ", 1, 33, 2, 0), 1),
        "the rows of 't' have 33 numbers; with Q4_0, a multiple of 32 is expected",
    ),
    "one tensor in many": (
        header(b"", 0, b"".join(string(f"t{i}") + struct.pack("<IQIQ", 1, 99, 0, 0) for i in range(9)), 9) + bytes(500),
        "the tensors overlap",
    ),
    "no alignment": (
        header(string("general.alignment") + struct.pack("<II", 4, 0), 1),
        "general.alignment must be a whole number above 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers(tmp_path, name):
    content, message = HOSTILE[name]
    (tmp_path / "a.gguf").write_bytes(content)
    fails(tmp_path / "a.gguf", rf"a\.gguf: the file cannot be read as GGUF \(.*{message}")


def test_metadata_beyond_all_measure(tmp_path):
    with (tmp_path / "a.gguf").open("wb") as stream:
        stream.write(header(string("a") + struct.pack("<IIQ", 9, 0, 250_000_000), 1))
        stream.truncate(300_000_000)  # a sparse file, which takes little space on the disk
    fails(tmp_path / "a.gguf", r"the metadata is larger than 200,000,000 bytes")


@pytest.mark.parametrize("kind", [Kind.F32, Kind.Q4_0])
def test_weights_that_are_not_numbers(tmp_path, kind):
    values = metadata("llama")
    tensors = tensors_of(state("llama", len(values["tokenizer.ggml.tokens"])), "llama", kind)
    spoiled, _ = tensors["blk.1.ffn_up.weight"]
    spoiled.reshape(-1).view(np.uint8)[:4] = 255  # the bytes of the first number, or of the first block's scale
    write(tmp_path / "a.gguf", values, tensors)
    fails(tmp_path / "a.gguf", r"'blk\.1\.ffn_up\.weight' contains NaN or infinity")


def test_no_such_file(tmp_path):
    fails(tmp_path / "absent.gguf", r"absent\.gguf: cannot be read \(No such file or directory\)")


def test_a_full_disk(tmp_path, monkeypatch):
    write_model(tmp_path / "a.gguf")
    monkeypatch.setattr(cache.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1_000}))
    with pytest.raises(UserError, match=r"0 MB are needed, but 0 MB are free"):
        convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    assert os.listdir(tmp_path) == ["a.gguf"]


def test_an_error_while_writing_leaves_nothing(tmp_path, monkeypatch):
    write_model(tmp_path / "a.gguf")

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(gguf_files, "_parts", full)
    with pytest.raises(OSError, match="No space left") as error:
        convert_gguf(tmp_path / "a.gguf", tmp_path / "a", "toy")
    assert error.value.filename == str(tmp_path / "a")
    assert os.listdir(tmp_path) == ["a.gguf"]
