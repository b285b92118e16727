"""The functional models compute what the layers compute directly, and are built only when they are used."""

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.models.architectures import make_network
from gail_tf.models.functional_models import read_next, read_whole
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.models.projection import Adapters
from tests.factories.gail import SIZES, padded

TOKENS, MASK = padded([0, 2], [0, 0], 6)
CONFIGS = {
    "gpt2": GPT2Config(vocab_size=SIZES["vocab_size"], n_positions=12, n_embd=8, n_layer=2, n_head=2, eos_token_id=0),
    "llama": LlamaConfig(
        vocab_size=SIZES["vocab_size"],
        hidden_size=8,
        intermediate_size=12,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=12,
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_the_functional_models_are_built_on_use_and_compute_what_the_layers_compute(name):
    network = make_network(CONFIGS[name], seed=1, adapters=Adapters(rank=2))
    assert not {"whole", "stepwise"} & vars(network).keys()
    states = tf.function(network.hidden, autograph=False)(tf.constant(TOKENS), tf.constant(MASK)).numpy()
    assert {"whole", "stepwise"} & vars(network).keys() == {"whole"}
    hidden, cache = network.prefill(TOKENS, MASK, 7)
    np.testing.assert_allclose(hidden.numpy()[MASK], states[MASK], atol=1e-6)

    parts, positions = network._layers_in_order, np.maximum(np.cumsum(MASK, 1) - 1, 0).astype(np.int32)
    visible = np.tril(np.ones((6, 6), bool)) & MASK[:, None]
    seeds = np.zeros((len(TOKENS), 2), np.int32)
    direct, _ = read_whole(parts, *map(tf.constant, (TOKENS, positions, visible, seeds)))
    np.testing.assert_allclose(direct.numpy()[MASK], states[MASK], atol=1e-6)

    new, count = tf.constant([3] * len(TOKENS)), tf.constant(MASK.sum(1), tf.int32)
    seen, kernels = np.pad(MASK, [(0, 0), (0, 1)], constant_values=True), network.kernels()
    read, _ = network.step(new, count, seen, cache, 6, kernels)
    inputs = new[:, None], count[:, None], tf.constant(seen[:, None]), tf.constant(6), cache, kernels.blocks
    np.testing.assert_allclose(read_next(parts, *inputs)[0][:, 0], read, atol=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_network_to_be_loaded_draws_values_only_for_its_adapters(name):
    drawn, loaded = (make_network(CONFIGS[name], 5, Adapters(rank=2), loaded=loaded) for loaded in (False, True))
    assert len(drawn.adapter_weights) == 16
    for expected, found in zip(drawn.adapter_weights, loaded.adapter_weights, strict=True):
        np.testing.assert_array_equal(found, expected)
    loaded.load(drawn.tensors().items())
    np.testing.assert_array_equal(loaded.hidden(TOKENS, MASK), drawn.hidden(TOKENS, MASK))
