import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.models import hugging_face
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters
from keras_gca.engine.random import sample_seeds
from keras_gca.errors import UserError
from tests.factories.gail import SIZES, padded, randomise
from tests.oracles.gpt2 import gpt2_in_numpy
from tests.oracles.pytorch import torch_logits

CONFIG = GPT2Config(**SIZES)
PADDINGS = {"left": ([0, 3, 7, 1], [0] * 4), "right": ([0] * 4, [0, 3, 7, 1]), "both": ([0, 2, 4, 1], [1, 3, 0, 2])}


def test_the_network_is_the_papers(gpt2):
    tokens = padded([0, 0], [0, 0], 11)[0]
    logits = gpt2.logits(gpt2.hidden(tokens, np.ones_like(tokens, bool)))
    for i in range(2):
        np.testing.assert_allclose(logits[i], gpt2_in_numpy(gpt2.weights, CONFIG, tokens[i]), atol=1e-5)


@pytest.mark.parametrize("side", PADDINGS)
def test_logits_are_those_of_pytorch_whatever_the_padding(torch_folder, side):
    gpt2 = hugging_face.read_network(torch_folder)
    tokens, mask = padded(*PADDINGS[side], 12)
    expected = torch_logits(torch_folder, tokens, mask)
    assert expected[mask].std() > 0.5
    np.testing.assert_allclose(gpt2.logits(gpt2.hidden(tokens, mask))[mask], expected[mask], atol=1e-4)


def test_logits_through_the_cache_are_those_of_pytorch(torch_folder):
    gpt2 = hugging_face.read_network(torch_folder)
    tokens, mask = padded([0, 2, 5, 1], [0] * 4, 12)
    expected = torch_logits(torch_folder, tokens, mask)
    first, capacity = 6, 15
    hidden, cache = gpt2.prefill(tokens[:, :first], mask[:, :first], capacity)
    seen = mask[:, :first]
    np.testing.assert_allclose(gpt2.logits(hidden)[seen], expected[:, :first][seen], atol=1e-4)
    for i in range(first, 12):
        places = np.pad(mask[:, : i + 1], [[0, 0], [0, capacity - i - 1]])
        hidden, cache = gpt2.step(tokens[:, i], places.sum(1) - 1, places, cache, i, gpt2.kernels())
        np.testing.assert_allclose(gpt2.logits(hidden), expected[:, i], atol=1e-4)
    assert all(each.shape == (4, 2, capacity, 8) for each in tf.nest.flatten(cache))


def test_continuations_that_share_a_beginning_are_those_read_apart(gpt2):
    """No continuation influences another one, whatever the padding is. States at padding positions are not compared."""
    tokens, mask = padded(*PADDINGS["left"], 12)
    draw = np.random.default_rng(4)
    continuations = []
    for width in (5, 3, 1):
        response_mask = np.arange(width) < draw.integers(1, width + 1, len(tokens))[:, None]
        continuations.append((draw.integers(1, 20, response_mask.shape, np.int32), response_mask))
    beginning, *found = gpt2.hidden_of_each(tokens, mask, continuations)
    np.testing.assert_allclose(beginning[mask], gpt2.hidden(tokens, mask)[mask], atol=1e-5)
    for states, (response, response_mask) in zip(found, continuations, strict=True):
        whole = gpt2.hidden(np.concatenate([tokens, response], 1), np.concatenate([mask, response_mask], 1))
        np.testing.assert_allclose(states[response_mask], whole[:, 12:][response_mask], atol=1e-5)


@pytest.mark.thorough
def test_compiled_by_xla_it_is_the_same(gpt2):
    tokens, mask = padded(*PADDINGS["both"], 12)
    compiled = tf.function(gpt2.hidden, jit_compile=True)(tf.constant(tokens), tf.constant(mask))
    np.testing.assert_allclose(compiled[mask], gpt2.hidden(tokens, mask)[mask], atol=1e-5)


def test_more_tokens_than_positions_are_refused(gpt2):
    tokens, mask = padded([0], [0], 25)
    with pytest.raises(ValueError, match="25 tokens are too many; GPT-2 has 24 positions"):
        gpt2.hidden(tokens, mask)
    for widths in ((13,), (12, 13)):  # one compiled graph for each width
        with pytest.raises(ValueError, match="25 tokens are too many; GPT-2 has 24 positions"):
            gpt2.hidden_of_each(tokens[:, :12], mask[:, :12], [(tokens[:, :w], mask[:, :w]) for w in widths])


def test_bfloat16_is_near():
    exact, near = (randomise(GPT2(CONFIG, precision=precision), scale=0.2) for precision in ("float32", "bfloat16"))
    tokens, mask = padded(*PADDINGS["left"], 12)
    expected, logits = (gpt2.logits(gpt2.hidden(tokens, mask)) for gpt2 in (exact, near))
    assert logits.dtype == tf.float32
    assert all(variable.dtype == "float32" for variable in near.weights.values())
    difference = np.abs(logits - expected)[mask]
    assert 0 < difference.max() < 0.1
    with pytest.raises(UserError, match="float16"):
        GPT2(CONFIG, precision="float16")


class TestDropout:
    tokens, mask = padded([0] * 6, [0] * 6, 12)

    def hidden(self, gpt2, seeds, rows=slice(None)):
        return gpt2.hidden(self.tokens[rows], self.mask[rows], seeds[rows])

    def test_the_same_seeds_drop_the_same(self, gpt2):
        seeds = sample_seeds([5, 6], tf.range(6))
        once = self.hidden(gpt2, seeds)
        np.testing.assert_array_equal(once, self.hidden(gpt2, seeds))
        assert np.abs(once - self.hidden(gpt2, sample_seeds([5, 7], tf.range(6)))).mean() > 0.1
        assert np.abs(once - gpt2.hidden(self.tokens, self.mask)).mean() > 0.1

    def test_a_sample_does_not_depend_on_its_batch(self, gpt2):
        seeds = sample_seeds([5, 6], tf.range(6)).numpy()
        np.testing.assert_allclose(
            self.hidden(gpt2, seeds)[2:5], self.hidden(gpt2, seeds, slice(2, 5)), atol=1e-5
        )  # fmt: skip

    def test_rates_of_zero_drop_nothing(self):
        rates = {"embd_pdrop": 0.0, "attn_pdrop": 0.0, "resid_pdrop": 0.0}
        gpt2 = randomise(GPT2(dataclasses.replace(CONFIG, **rates)))
        dropped = self.hidden(gpt2, sample_seeds([5, 6], tf.range(6)))
        np.testing.assert_array_equal(dropped, gpt2.hidden(self.tokens, self.mask))


class TestAdapters:
    tokens, mask = padded(*PADDINGS["left"], 12)

    def test_training_starts_from_gpt2(self, gpt2):
        adapted = randomise(GPT2(CONFIG, adapters=Adapters(rank=2)))
        np.testing.assert_array_equal(adapted.hidden(self.tokens, self.mask), gpt2.hidden(self.tokens, self.mask))
        assert len(adapted.adapter_weights) == 2 * 4 * CONFIG.n_layer

    def test_an_adapter_is_a_low_rank_change_of_the_weights(self, gpt2):
        adapted = randomise(GPT2(CONFIG, adapters=Adapters(rank=2, alpha=6.0)))
        draw = np.random.default_rng(7)
        for variable in adapted.adapter_weights:
            variable.assign(draw.normal(0, 0.2, variable.shape))
        for name, product in adapted.products.items():
            change = product.merged() - product.kernel.numpy()
            np.testing.assert_allclose(change, 3 * product.A.numpy() @ product.B.numpy(), atol=1e-6)
            gpt2.weights[name].assign(product.merged())
        np.testing.assert_allclose(
            adapted.hidden(self.tokens, self.mask)[self.mask], gpt2.hidden(self.tokens, self.mask)[self.mask], atol=1e-4
        )

    def test_only_the_last_blocks_may_have_them(self):
        adapted = GPT2(CONFIG, adapters=Adapters(rank=2, blocks=1))
        assert {name for name, product in adapted.products.items() if product.adapters} == {
            f"h.2.{part}.weight" for part in ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
        }
        with pytest.raises(UserError, match="4 blocks, but the GPT-2 has only 3"):
            GPT2(CONFIG, adapters=Adapters(blocks=4))
        with pytest.raises(UserError, match="greater than 0"):
            Adapters(rank=0)


def test_initial_weights_are_narrower_where_they_end_in_the_residual_stream():
    gpt2 = GPT2(dataclasses.replace(CONFIG, n_embd=64, n_layer=2))
    deviation = {name: variable.numpy().std() for name, variable in gpt2.weights.items()}
    assert deviation["h.0.attn.c_attn.weight"] == pytest.approx(0.02, rel=0.05)
    assert deviation["h.1.mlp.c_proj.weight"] == pytest.approx(0.02 / np.sqrt(4), rel=0.05)
    other = GPT2(dataclasses.replace(CONFIG, n_embd=64, n_layer=2), seed=1)
    assert not np.array_equal(gpt2.weights["wte.weight"], other.weights["wte.weight"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_head": 3}, r"n_embd is 16; a multiple of n_head \(3\)"),
        ({"n_layer": 0}, "n_layer is 0; a whole number of at least 1"),
        ({"vocab_size": "many"}, "vocab_size is 'many'"),
        ({"attn_pdrop": 1.0}, "attn_pdrop is 1.0; a number of at least 0 and below 1"),
        ({"eos_token_id": 61}, r"eos_token_id is 61; a number below vocab_size \(61\)"),
    ],
)
def test_impossible_sizes(changes, message):
    with pytest.raises(UserError, match=message):
        GPT2Config(**{**SIZES, **changes})
