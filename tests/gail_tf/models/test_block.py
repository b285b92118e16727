"""The shapes that blocks announce, and blocks that compute with one shared graph."""

import keras
import numpy as np
import pytest

from gail_tf.models.architectures import config_of
from gail_tf.models.block import share_graph_of_blocks
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.llama import Llama
from gail_tf.models.projection import Adapters
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from gail_tf.policies.shared_graph import share_graph
from tests.factories import llama
from tests.factories.gail import SIZES, padded, randomise

CONDITION, MASK = padded([0, 3, 1], [0, 0, 0], 7)
RESPONSE, RESPONSE_MASK = padded([0, 0, 0], [0, 2, 1], 4)


def network_of(architecture, precision="float32", adapters=None):
    config = config_of({"model_type": architecture, **(SIZES if architecture == "gpt2" else llama.SIZES)})
    return randomise((GPT2 if architecture == "gpt2" else Llama)(config, 0, adapters, precision))


def results(policy):
    """What the policy draws, and the probabilities that it gives to a fixed response."""
    drawn = policy.sample(CONDITION, MASK, (1, 0), Sampling(5))
    scores = policy.log_probs(CONDITION, MASK, RESPONSE, RESPONSE_MASK)
    return drawn.tokens.numpy(), drawn.log_probs.numpy(), scores.log_probs.numpy(), scores.entropy.numpy()


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_shapes_that_a_block_announces_are_those_that_keras_computes(architecture, precision):
    network = network_of(architecture, precision)
    block, (heads, size) = network.blocks[0], network.config.cache_frame
    for tokens, places in ((None, None), (1, None)):
        h = keras.KerasTensor((None, tokens, network.config.width), precision)
        visible = keras.KerasTensor((None, tokens, places), "bool")
        angles = {} if architecture == "gpt2" else {"angles": keras.KerasTensor((None, 1, tokens, size), "float32")}
        memory = [keras.KerasTensor((None, heads, places, size), precision) for _ in range(2)]
        if tokens == 1:
            angles |= {"memory": memory, "place": keras.KerasTensor((), "int32")}
        computed = keras.layers.Layer.compute_output_spec(block, h, visible, **angles)
        announced = block.compute_output_spec(h, visible, **angles)
        assert [(one.shape[1:], one.dtype) for one in announced] == [(one.shape[1:], one.dtype) for one in computed]


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
@pytest.mark.parametrize(
    ("adapters", "precision"),
    [
        (None, "float32"),
        (Adapters(2, 4.0), "float32"),
        (Adapters(2, 4.0, blocks=1), "float32"),
        (Adapters(2, 4.0), "bfloat16"),
    ],
    ids=["no adapters", "adapters", "adapters in the last block", "bfloat16"],
)
def test_blocks_compute_the_same_with_one_graph(architecture, adapters, precision):
    network = network_of(architecture, precision, adapters)
    for weight in network.adapter_weights:
        weight.assign(np.random.default_rng(1).normal(0, 0.5, weight.shape))
    policy = Policy(network, "full" if adapters is None else "lora")
    expected = results(policy)
    share_graph_of_blocks(network.blocks)
    shared = Policy(network, policy.trainable)
    tolerance = 1e-5 if precision == "float32" else 0.05
    for found, array in zip(results(shared), expected, strict=True):
        np.testing.assert_allclose(found, array, rtol=0, atol=tolerance)


@pytest.mark.parametrize("architecture", ["gpt2", "llama"])
def test_a_block_is_computed_once_per_kind_of_pass(architecture, monkeypatch):
    network = network_of(architecture)
    share_graph_of_blocks(network.blocks)
    kind, computed = type(network.blocks[0]), []
    compute = kind.compute

    def counting(block, *arguments, **others):
        computed.append(block)
        return compute(block, *arguments, **others)

    monkeypatch.setattr(kind, "compute", counting)
    results(Policy(network))
    assert len(network.blocks) > 1
    assert set(computed) == {network.blocks[0]}


def test_policies_that_share_a_graph_keep_their_weights_when_their_blocks_share_one_too():
    base = network_of("llama")
    policies = [Policy(base.sharing(Adapters(2)), "lora") for _ in range(2)]
    for seed, policy in enumerate(policies):
        for weight in policy.trainable_variables:
            weight.assign(np.random.default_rng(seed).normal(0, 0.5, weight.shape))
    expected = [results(policy) for policy in policies]
    assert not np.allclose(expected[0][2], expected[1][2], atol=1e-3)
    for policy in policies:
        share_graph_of_blocks(policy.network.blocks)
    new = [Policy(policy.network, "lora") for policy in policies]
    share_graph(new)
    for policy, arrays in zip(new, expected, strict=True):
        for found, array in zip(results(policy), arrays, strict=True):
            np.testing.assert_allclose(found, array, atol=1e-5)


def test_dropout_is_computed_without_the_shared_graph():
    network = network_of("gpt2")
    share_graph_of_blocks(network.blocks)
    seeds = np.arange(6, dtype=np.int32).reshape(3, 2)
    with_dropout = network.hidden(CONDITION, MASK, seeds).numpy()
    assert not np.allclose(with_dropout[MASK], network.hidden(CONDITION, MASK).numpy()[MASK])
