"""Weights are stored in the number formats that `packed_weights` describes; gguf's quantisation is the reference."""

import numpy as np
import pytest
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize

from keras_gca.errors import UserError
from keras_gca.storage.bot_file import read_bot, write_bot
from keras_gca.storage.packed_weights import BLOCK, FORMATS, pack, unpack

SHAPES = [(7, 32), (5,), (3, 64), (), (2, 2, 16)]


@pytest.fixture
def weights():
    generator = np.random.default_rng(3)
    return [generator.normal(0, 0.1, shape).astype(np.float32) for shape in SHAPES]


@pytest.mark.parametrize(
    ("weight_format", "kind"), [("int8", GGMLQuantizationType.Q8_0), ("int4", GGMLQuantizationType.Q4_0)]
)
def test_matrices_are_those_of_the_gguf_format(weights, weight_format, kind):
    read = unpack("network", pack("network", weights, weight_format), SHAPES)
    for before, after in zip(weights, read, strict=True):
        assert after.dtype == np.float32
        assert after.shape == before.shape
        if before.ndim > 1:
            rows = before.reshape(-1, BLOCK)
            np.testing.assert_array_equal(after.reshape(-1, BLOCK), dequantize(quantize(rows, kind), kind))
        else:
            np.testing.assert_array_equal(after, before.astype(np.float16).astype(np.float32))


def test_a_block_by_hand():
    block = np.zeros((1, BLOCK), np.float32)
    block[0, :4] = 127 / 128, -0.5, 1 / 256, 0.1  # the scale is 1/128
    arrays = pack("one", [block], "int8")
    assert arrays["one.scales"].tolist() == [1 / 128]
    assert arrays["one.values"][0, :5].tolist() == [127, -64, 0, 13, 0]  # 0.5 is rounded to the even number 0
    np.testing.assert_array_equal(unpack("one", arrays, [(1, BLOCK)])[0][0, :4], np.array([127, -64, 0, 13]) / 128)


def test_a_block_of_4_bits_by_hand():
    block = np.zeros((1, BLOCK), np.float32)
    block[0, [0, 1, 16, 17]] = 0.8, -0.7, 0.26, -0.04  # the scale is -0.1: the values are -8, 7, -3 (2.6) and 0 (0.4)
    arrays = pack("one", [block], "int4")
    assert arrays["one.scales"].tolist() == [np.float16(-0.1)]
    assert arrays["one.values"][0, :3].tolist() == [0 | 5 << 4, 15 | 8 << 4, 8 | 8 << 4]
    (read,) = unpack("one", arrays, [(1, BLOCK)])
    np.testing.assert_allclose(read[0, [0, 1, 2, 16, 17]], [0.8, -0.7, 0, 0.3, 0], rtol=1e-3)


@pytest.mark.parametrize("shapes", [[(3, 5)], [(1, 1), (2, 3)], [(4,)], [], [(0, 3), (2,)]], ids=str)
def test_numbers_that_do_not_fill_a_block(shapes):
    weights = [np.full(shape, 0.25, np.float32) for shape in shapes]
    for weight_format in ("float16", "int8", "int4"):
        read = unpack("few", pack("few", weights, weight_format), shapes)
        for before, after in zip(weights, read, strict=True):
            np.testing.assert_allclose(after, before, rtol=1e-3)
            assert after.shape == before.shape


def test_a_bias_that_excludes_a_token_does_not_change_its_neighbours():
    bias = np.array([-1e9, 0.01, -0.02], np.float32)
    (read,) = unpack("one", pack("one", [bias], "int8"), [(3,)])
    np.testing.assert_allclose(read, [-65504, 0.01, -0.02], rtol=1e-3)


def test_a_file_has_every_format_and_4_bits_take_the_least_space(weights, tmp_path):
    sizes = []
    weights.append(np.random.default_rng(0).normal(0, 0.1, (3000, 64)).astype(np.float32))
    for weight_format in FORMATS:
        path = tmp_path / f"{weight_format}.h5"
        write_bot(path, "test bot", {"a": 1}, {"one": weights, "none": []}, weight_format)
        _, facts, networks = read_bot(path, "test bot")
        assert facts["a"] == 1
        assert networks["none"] == []
        for before, after in zip(weights, networks["one"], strict=True):
            tolerance = {"float32": 0, "float16": 2e-4, "int8": 2e-3, "int4": 0.04}[weight_format]
            np.testing.assert_allclose(after, before, atol=tolerance)
        sizes.append(path.stat().st_size)
    assert sizes[0] > 1.8 * sizes[1]
    assert sizes[1] > 1.6 * sizes[2]
    assert sizes[2] > 1.6 * sizes[3]


def test_arrays_that_do_not_match_are_refused(weights, tmp_path):
    arrays = pack("one", weights, "int8")
    with pytest.raises(ValueError, match="scales do not match"):
        unpack("one", arrays | {"one.scales": arrays["one.scales"][:-1]}, SHAPES)
    with pytest.raises(ValueError, match="which do not match the shapes"):
        unpack("one", arrays, [*SHAPES, (70, 32)])
    with pytest.raises(ValueError, match="which do not match the shapes"):
        unpack("one", arrays, [*SHAPES, (3,)])
    with pytest.raises(KeyError):
        unpack("two", arrays, SHAPES)
    with pytest.raises(ValueError, match="no weight format 'int2'; the formats are float32, float16, int8, int4"):
        write_bot(tmp_path / "bot.h5", "test bot", {}, {"one": weights}, "int2")
    write_bot(tmp_path / "bot.h5", "test bot", {"shapes": {"one": [(1,)]}}, {"one": weights})
    with pytest.raises(UserError, match="the file is damaged"):
        read_bot(tmp_path / "bot.h5", "test bot")
