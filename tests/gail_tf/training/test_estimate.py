"""The estimate before a long training run, against operations counted by hand for SmolLM2-135M."""

import numpy as np
import pytest

from gail_tf.config import GAILConfig
from gail_tf.data.batches import Batch
from gail_tf.data.samples import Samples
from gail_tf.imitation import phases
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.training import estimate
from keras_gca.engine.matrix_products import matrix_product_rate

SIZES = LlamaConfig()  # SmolLM2-135M: 30 blocks of width 576, 3 heads of keys of width 64, 1536 hidden units
# Queries and outputs, keys and values, and the three matrices of the gated hidden layer
BLOCKS = 2 * 30 * (2 * 576 * 576 + 2 * 576 * 192 + 3 * 576 * 1536)
OUTPUT = 2 * 49152 * 576
RATE = 100e9


def samples(count):
    """Trajectories of 30 tokens before each response, and 20 in it."""
    batch = Batch(
        np.zeros((count, 30), np.int32), np.ones((count, 30), bool), np.zeros((count, 20), np.int32),
        np.ones((count, 20), bool),
    )  # fmt: skip
    return Samples(batch, np.zeros((count, 2), np.float32), np.zeros(count, np.float32), (), ())


def of(**changes):
    config = GAILConfig.preset("pretrained").changed(**changes)
    return estimate.estimate(config, SIZES, samples(800), samples(100), RATE)


@pytest.mark.parametrize(("trainable", "passes"), [("lora", 2), ("full", 3)])
def test_an_epoch_of_maximum_likelihood_reads_and_learns_every_response(trainable, passes):
    made = of(trainable=trainable, mle_epochs=2, algorithm="mle")
    read = BLOCKS * 50 + OUTPUT * 20
    expected = 2 * (800 * passes * read + 100 * read) / (0.5 * RATE)
    assert made.seconds["maximum_likelihood"] == pytest.approx(expected)


def test_rollouts_are_drawn_read_twice_and_learned():
    made = of(updates=3, rollouts=64, discriminator_steps=16, ppo_epochs=2, validation_frequency=2)
    read = BLOCKS * 50 + OUTPUT * 20
    drawn = BLOCKS * 30 + (BLOCKS + OUTPUT) * 40 * 2  # the preset's longest response has 40 tokens
    of_updates = 3 * 64 * (drawn + 2 * read + 2 * 2 * read) + 2 * 100 * read
    assert made.seconds["imitation"] == pytest.approx(of_updates / (0.5 * RATE))
    # 64 responses are 8 batches of 8, in each of which D takes a step; so 16 steps need 2 buffers.
    assert made.seconds["discriminator"] == pytest.approx(2 * 64 * (drawn + 2 * read) / (0.5 * RATE))


def test_training_all_weights_needs_more_memory_than_adapters():
    assert of(trainable="full").memory > of().memory > 4 * 134_515_008


def test_the_memory_is_that_of_weights_the_longest_batch_and_the_cache_of_keys_and_values():
    # The widths of the inputs of the seven matrices of a block; 8 responses of 96 and 40 tokens are learned together.
    inputs = 30 * (6 * 576 + 1536)
    activations = 4 * 8 * (2 * inputs * 136 + 3 * 49152 * 40)
    cache = 64 * 136 * 30 * 2 * 3 * 64 * 4  # 64 responses are drawn together
    expected = 0.9e9 + 1.5 * 4 * 134_515_008 + activations + cache
    assert of(rollouts=64).memory == pytest.approx(expected, rel=1e-3)
    assert of(updates=0, algorithm="mle").memory == pytest.approx(expected - cache, rel=1e-3)


def test_pretraining_learns_the_general_text_in_each_epoch():
    config = GAILConfig.preset("default", pretraining_epochs=6, mle_epochs=1)
    general = samples(50).batch
    made = estimate.estimate(config, SIZES, samples(800), samples(100), RATE, general)
    read = BLOCKS * 50 + OUTPUT * 20
    assert made.seconds["pretraining"] == pytest.approx(6 * (50 * 3 + 100) * read / (0.5 * RATE))
    assert "pretraining" not in of().seconds


def test_only_the_stages_that_are_left_are_counted():
    config = GAILConfig.preset("pretrained", updates=4, mle_epochs=3, validation_frequency=2)
    stages = phases.schedule(config, from_scratch=False)
    left = [stage for stage in stages if stage.phase == phases.IMITATION][-2:]
    data = SIZES, samples(800), samples(100), RATE
    made, half = (estimate.estimate(config.changed(updates=n), *data, stages=s) for n, s in ((4, left), (2, None)))
    assert made.seconds["maximum_likelihood"] == made.seconds["discriminator"] == 0
    assert made.seconds["imitation"] == pytest.approx(half.seconds["imitation"])


def test_small_networks_reach_a_smaller_share_of_the_rate():
    config = GAILConfig.preset("default")
    small = GPT2Config(vocab_size=1000, n_embd=32, n_layer=2, n_head=2, eos_token_id=0)
    blocks, output = 2 * 2 * 12 * 32 * 32, 2 * 1000 * 32
    made = estimate.Costs(config, small).read(samples(10).batch)
    assert made == pytest.approx(10 * (blocks * 50 + output * 20) / 0.2)


def test_the_rate_of_this_machine_is_measured():
    assert 1e8 < matrix_product_rate(64, 256) < 1e16
