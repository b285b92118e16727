"""Policies that share a graph draw the responses that they draw with graphs of their own."""

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters
from gail_tf.policies.language_model_policy import Policy
from gail_tf.policies.sampling import Sampling
from gail_tf.policies.shared_graph import DrawWith, share_graph
from tests.factories.gail import SIZES, padded, randomise

CONDITION, MASK = padded([0, 3], [0, 0], 6)
SEEDS, SAMPLING = [(1, 0), (2, 0)], Sampling(5)


def drawn(policy):
    return [array.numpy() for array in policy.sample(CONDITION, MASK, SEEDS, SAMPLING, candidates=2)]


@pytest.mark.parametrize("trainable", ["lora", "head"])
def test_each_policy_uses_its_own_weights(trainable):
    base = randomise(GPT2(GPT2Config(**SIZES)))
    networks = [base.sharing(Adapters(rank=2)) if trainable == "lora" else base.sharing(None) for _ in range(2)]
    policies = [Policy(network, trainable) for network in networks]
    for seed, policy in enumerate(policies):
        random = np.random.default_rng(seed)
        for variable in policy.trainable_variables:
            variable.assign(random.normal(0, 0.5, variable.shape))
    expected = [drawn(policy) for policy in policies]
    assert not np.array_equal(expected[0][2], expected[1][2])
    share_graph(policies)
    for policy, responses in zip(policies, expected, strict=True):
        for found, array in zip(drawn(policy), responses, strict=True):
            np.testing.assert_array_equal(found, array)
    assert [policy.trace_counts()["sample"] for policy in policies] == [1, 1]

    policies[1].trainable_variables[-1].assign_add(np.ones(policies[1].trainable_variables[-1].shape))
    assert not np.array_equal(drawn(policies[1])[2], expected[1][2])  # later changes count as well
    np.testing.assert_array_equal(drawn(policies[0])[2], expected[0][2])


def test_policies_of_different_structures_keep_their_own_graphs():
    base = GPT2(GPT2Config(**SIZES))
    policies = [Policy(base.sharing(Adapters(rank=rank)), "lora") for rank in (1, 2)]
    share_graph(policies)
    assert not any(isinstance(policy.compiled_draw, DrawWith) for policy in policies)


def test_policies_of_a_strategy_keep_their_own_graphs():
    base = GPT2(GPT2Config(**SIZES))
    policies = [Policy(base.sharing(Adapters(rank=1)), "lora") for _ in range(2)]
    with tf.distribute.OneDeviceStrategy("/cpu:0").scope():
        share_graph(policies)
    assert not any(isinstance(policy.compiled_draw, DrawWith) for policy in policies)
    share_graph(policies)
    assert all(isinstance(policy.compiled_draw, DrawWith) for policy in policies)
