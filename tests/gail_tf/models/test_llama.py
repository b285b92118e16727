"""Llama and Qwen2 against PyTorch's transformers, another implementation of the same networks."""

import json

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.models import hugging_face
from gail_tf.models.architectures import config_of
from gail_tf.models.llama import Llama
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.models.projection import Adapters
from keras_gca.engine.learner import NOT_DECAYED
from keras_gca.errors import UserError
from tests.factories.gail import padded
from tests.factories.llama import LLAMA_3, SIZES, VARIANTS, write_by_pytorch
from tests.oracles.pytorch import torch_logits

LEFT = padded([0, 3, 7, 1], [0] * 4, 12)
RIGHT = padded([0] * 4, [0, 3, 7, 1], 12)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A function that returns the folder of a variant, which PyTorch has written once."""
    made = {}

    def folder(variant):
        if variant not in made:
            made[variant] = write_by_pytorch(tmp_path_factory.mktemp("torch_llama"), variant)
        return made[variant]

    return folder


def read(folder, **how):
    return hugging_face.read_network(folder, **how)


def logits(network, tokens, mask):
    return network.logits(network.hidden(tokens, mask)).numpy()


@pytest.mark.parametrize("variant", VARIANTS)
def test_logits_equal_pytorchs_with_both_paddings(folders, variant):
    network = read(folders(variant))
    assert isinstance(network, Llama)
    for tokens, mask in (LEFT, RIGHT):
        expected = torch_logits(folders(variant), tokens, mask)
        np.testing.assert_allclose(logits(network, tokens, mask)[mask], expected[mask], atol=1e-4)


@pytest.mark.parametrize("variant", ["llama", "llama 3", "qwen2"])
def test_token_by_token_equals_whole_sequences(folders, variant):
    network, (tokens, mask) = read(folders(variant)), LEFT
    whole = network.hidden(tokens, mask).numpy()
    hidden, cache = network.prefill(tokens[:, :7], mask[:, :7], 12)
    np.testing.assert_allclose(hidden.numpy()[mask[:, :7]], whole[:, :7][mask[:, :7]], atol=1e-5)
    kernels = network.kernels()
    for t in range(7, 12):
        seen = mask & (np.arange(12) <= t)
        state, cache = network.step(tokens[:, t], mask[:, :t].sum(1), seen, cache, t, kernels)
        np.testing.assert_allclose(state.numpy(), whole[:, t], atol=1e-5)


def test_several_continuations_are_read_as_each_alone(folders):
    network = read(folders("llama"))
    (tokens, mask), (first, first_mask) = padded([0, 3, 2, 1], [0] * 4, 8), padded([0] * 4, [0, 1, 2, 3], 5, seed=2)
    second, second_mask = padded([0] * 4, [2, 0, 1, 0], 4, seed=3)
    read_condition, *after = network.hidden_of_each(tokens, mask, [(first, first_mask), (second, second_mask)])
    np.testing.assert_allclose(read_condition.numpy()[mask], network.hidden(tokens, mask).numpy()[mask], atol=1e-5)
    for states, part, part_mask in zip(after, (first, second), (first_mask, second_mask), strict=True):
        joined = network.hidden(np.concatenate([tokens, part], 1), np.concatenate([mask, part_mask], 1)).numpy()
        np.testing.assert_allclose(states.numpy()[part_mask], joined[:, 8:][part_mask], atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize("variant", VARIANTS)
def test_pytorch_reads_what_was_written(folders, tmp_path, variant):
    network, (tokens, mask) = read(folders(variant)), LEFT
    hugging_face.write_network(tmp_path, network)
    np.testing.assert_allclose(
        logits(network, tokens, mask)[mask], torch_logits(tmp_path, tokens, mask)[mask], atol=1e-4
    )
    config = json.loads((tmp_path / "config.json").read_text())
    assert config_of(config) == network.config


def test_adapters_change_nothing_at_first_and_are_merged_when_written(folders, tmp_path):
    plain, (tokens, mask) = read(folders("llama")), LEFT
    network = read(folders("llama"), adapters=Adapters(rank=2))
    before = logits(network, tokens, mask)
    np.testing.assert_allclose(before[mask], logits(plain, tokens, mask)[mask], atol=1e-6)
    draw = np.random.default_rng(7)
    for variable in network.adapter_weights:
        variable.assign(draw.normal(0, 0.2, variable.shape))
    changed = logits(network, tokens, mask)
    assert np.abs(changed - before).max() > 0.5
    hugging_face.write_network(tmp_path, network)
    np.testing.assert_allclose(changed[mask], torch_logits(tmp_path, tokens, mask)[mask], atol=2e-4)


@pytest.mark.thorough
def test_a_network_that_shares_weights_has_adapters_of_its_own(folders):
    network, (tokens, mask) = read(folders("llama"), adapters=Adapters(rank=2)), LEFT
    other = network.sharing(Adapters(rank=2))
    assert all(own is shared for own, shared in zip(network.weights.values(), other.weights.values(), strict=True))
    before = logits(other, tokens, mask)
    for variable in network.adapter_weights:
        variable.assign(np.random.default_rng(7).normal(0, 0.2, variable.shape))
    np.testing.assert_array_equal(logits(other, tokens, mask), before)
    assert np.abs(logits(network, tokens, mask) - before).max() > 0.5


def test_only_adapted_blocks_and_those_above_learn(folders):
    network, (tokens, mask) = read(folders("llama"), adapters=Adapters(rank=2, blocks=1)), LEFT
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network.hidden(tokens, mask) ** 2)
    lowest = network.blocks[0].qkv_proj.kernel.value
    assert tape.gradient(loss, lowest) is None
    assert len(network.adapter_weights) == 2 * 4


def test_dropout_depends_on_the_seeds_alone(folders):
    network, (tokens, mask) = read(folders("llama"), dropout=0.5), LEFT
    seeds = np.arange(8, dtype=np.int32).reshape(4, 2)
    one, again, other = (network.hidden(tokens, mask, s).numpy()[mask] for s in (seeds, seeds, seeds + 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01
    np.testing.assert_array_equal(network.hidden(tokens, mask), read(folders("llama")).hidden(tokens, mask))


@pytest.mark.thorough
def test_bfloat16_stays_near_float32(folders):
    tokens, mask = LEFT
    exact = logits(read(folders("llama")), tokens, mask)[mask]
    rough = logits(read(folders("llama"), precision="bfloat16"), tokens, mask)[mask]
    assert np.abs(rough - exact).mean() < 0.05 * np.abs(exact).mean()
    assert not np.array_equal(rough, exact)


def test_added_tokens_reach_both_tables(folders):
    network = read(folders("own output layer"), added=[[5, 7], []])
    assert network.config.vocab_size == 63
    for name in ("embed_tokens.weight", "lm_head.weight"):
        rows = network.weights[name].numpy()
        np.testing.assert_allclose(rows[61:], [rows[[5, 7]].mean(0), rows[:61].mean(0)], atol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "mistral"}, "model_type is 'mistral'; one of gpt2, llama, qwen2 is expected"),
        ({"model_type": ["llama"]}, "model_type is"),
        ({"hidden_act": "gelu"}, "hidden_act is 'gelu'; only 'silu' is supported"),
        (
            {"rope_parameters": {"rope_type": "yarn"}},
            "rope_scaling has the type 'yarn'; only default and llama3 are supported",
        ),
        ({"rope_parameters": {"rope_type": "llama3", "factor": 8}}, "low_freq_factor is missing"),
        ({"rope_parameters": LLAMA_3 | {"factor": -1}}, "factor is -1; a number above 0 is expected"),
        ({"rope_parameters": [1]}, "an object is expected"),
        ({"rope_parameters": {"rope_theta": "x"}}, "rope_theta is 'x'"),
        ({"num_key_value_heads": 3}, "a multiple of num_key_value_heads"),
        ({"head_dim": 3}, "head_dim is 3; an even number is expected"),
        ({"num_hidden_layers": 10**6}, "num_hidden_layers"),
        ({"hidden_size": "16"}, "hidden_size is '16'"),
        ({"eos_token_id": 61}, "eos_token_id is 61"),
        ({"eos_token_id": []}, "eos_token_id is"),
        ({"tie_word_embeddings": "yes"}, "tie_word_embeddings is 'yes'; true or false is expected"),
        ({"use_sliding_window": True}, "use_sliding_window is True"),
        ({"vocab_size": 60}, "embed_tokens.weight' has the shape"),
        ({"num_hidden_layers": 2}, "layers.2"),
        ({"num_hidden_layers": 4}, "is missing"),
        ({"intermediate_size": 10**12}, "has the shape"),
    ],
)
def test_damaged_configs_are_refused_in_one_line(folders, tmp_path, changes, message):
    folder = folders("llama")
    config = json.loads((folder / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    with pytest.raises(UserError) as caught:
        read(tmp_path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_old_files_name_theta_at_the_top():
    config = LlamaConfig.from_hugging_face({"model_type": "llama", **SIZES})
    assert config.rope_theta == 100.0
    old = {"model_type": "llama", **SIZES, "rope_scaling": {"type": "llama3", **LLAMA_3}}
    assert LlamaConfig.from_hugging_face(old).rope_scaling.factor == 8.0


def test_only_matrices_decay(folders):
    network = read(folders("llama"))
    decays = {name: not any(word in each.name for word in NOT_DECAYED) for name, each in network.weights.items()}
    assert decays == {name: len(each.shape) == 2 for name, each in network.weights.items()}
    assert set(decays.values()) == {True, False}
