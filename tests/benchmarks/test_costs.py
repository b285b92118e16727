import numpy as np
import pytest

from benchmarks import costs, full_scale
from benchmarks.exercise import LEARNING, REFERENCE, SAMPLING, SIZES, Exercise
from benchmarks.our_update import update_flops
from gail_tf.config import GAILConfig
from gail_tf.models.architectures import make_network
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters
from gail_tf.policies.language_model_policy import Policy

# 48 weights in its block's products: 4 x 2 x 2 + 2 x 2 x 8; 20 in that with the vocabulary.
TOY = GPT2Config(vocab_size=10, n_positions=8, n_embd=2, n_layer=1, n_head=1, eos_token_id=9)


@pytest.mark.parametrize(
    ("name", "count"),
    [("small", 124_439_808), ("medium", 354_823_168), ("large", 774_030_080), ("xl", 1_557_611_200)],
)
def test_gpt2s_have_as_many_weights_as_the_published_ones(name, count):
    assert costs.parameters(SIZES[name]) == count


def test_a_llama_has_as_many_weights_as_the_published_one():
    assert costs.parameters(SIZES["smollm2-135m"]) == 134_515_008


@pytest.mark.parametrize("size", ["tiny", "tiny-llama"])
@pytest.mark.parametrize("trainable", costs.PRODUCTS)
def test_what_learns_is_counted_as_the_policy_has_it(trainable, size):
    sizes = SIZES[size]
    policy = Policy(make_network(sizes, adapters=Adapters() if trainable == "lora" else None), trainable)
    assert costs.learned(sizes, trainable) == sum(np.size(variable) for variable in policy.trainable_variables)
    assert costs.parameters(sizes) == sum(np.size(variable) for variable in policy.network.weights.values())


def test_operations_are_two_for_each_weight_and_token():
    assert costs.block_weights(SIZES["small"]) == 12 * 12 * 768**2
    assert costs.flops(SIZES["small"], read=2, predicted=1) == 416_933_376  # 2 (2 x 84,934,656 + 38,597,376)
    assert costs.flops(TOY, read=8, predicted=4) == 928  # 2 (48 x 8 + 20 x 4)
    # 30 blocks: queries 576 x 576, keys and values 2 x 576 x 192, the output 576 x 576, the hidden layer 3 x 576 x 1536
    assert costs.block_weights(SIZES["smollm2-135m"]) == 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536)
    assert costs.flops(SIZES["smollm2-135m"], read=0, predicted=1) == 2 * 576 * 49152


@pytest.mark.parametrize(
    ("trainable", "count"),
    [
        ("full", 2784),  # 3 x 928
        ("lora", 1856),  # 2 x 928: no gradients of the frozen weights
        ("head", 320),  # 2 x 2 x 20 x 4: what is below the head has been read
    ],
)
def test_operations_of_an_update(trainable, count):
    found = update_flops(Exercise(TOY, rollouts=2, prompt=3, response=2), trainable)
    assert found == {SAMPLING: 928, REFERENCE: 1504, LEARNING: count}  # 1504: 2 (48 x 14 + 20 x 4)


def test_memory():
    weights = 124_439_808
    assert costs.memory(SIZES["small"]) == 20 * weights  # two networks, gradients, two moments
    assert costs.memory(SIZES["small"], weight_bytes=2, master=True) == 18 * weights
    # Adapters of rank 8, 12 blocks: x (768 + 3 x 768), (768 + 768), (768 + 4 x 768), (4 x 768 + 768)
    adapters = 12 * 8 * (4 + 2 + 5 + 5) * 768
    assert costs.memory(SIZES["small"], "lora") == 8 * (weights + adapters) + 12 * adapters
    head = 2 * 768 + 769 * 100 + 101 * 100 + 101 * 768
    assert costs.memory(SIZES["small"], "head") == 4 * weights + 8 * head + 12 * head


def test_traffic_of_a_ring():
    assert costs.traffic(SIZES["small"], "full", steps=16, workers=8) == 16 * 4 * 124_439_808 * 1.75
    assert costs.traffic(SIZES["small"], "full", steps=16, workers=1) == 0


def test_table_1_at_full_scale():
    """The work is counted by hand for 146,020 trajectories of 3 + 2 tokens.

    Each of the 750 updates has 64 batches of 2 rollouts. So has each of the 50 buffers on which D makes its 200 first
    steps, 4 on each.
    """
    found = {(each.phase, each.kind): each.flops for each in full_scale.plan(TOY, GAILConfig(), prompt=3, response=2)}
    assert found == {
        ("maximum likelihood", LEARNING): 609_779_520,  # 3 epochs x 3 x 2 (48 x 4 + 20 x 2) x 146,020
        ("D's first steps", SAMPLING): 50 * 64 * 928,
        ("D's first steps", REFERENCE): 50 * 64 * 1504,
        ("updates", SAMPLING): 750 * 64 * 928,
        ("updates", REFERENCE): 750 * 64 * 1504,
        ("updates", LEARNING): 750 * 64 * 2784,
    }


def test_hours_are_by_the_rate_of_each_kind_of_work():
    work = [full_scale.Work("a", SAMPLING, 3.6e12), full_scale.Work("b", LEARNING, 3.6e12)]
    assert full_scale.hours(work, {SAMPLING: 1e9, LEARNING: 1e10}) == pytest.approx([1, 0.1])
