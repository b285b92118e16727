"""Fixtures of the second paper's tests: tiny GPT-2s, folders of GPT-2s written by PyTorch, and a tokenizer."""

import contextlib
import io

import pytest
import tensorflow as tf

from gail_tf.data.tokenizer import Tokenizer
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from keras_gca.data.conversations import read_conversations
from keras_gca.engine import command_line
from tests.factories.commands import LONGER, SMALL_GAIL
from tests.factories.gail import CONTROLS, SIZES, randomise
from tests.oracles.pytorch import randomise_torch


@pytest.fixture(scope="session")
def layers():
    """A GPT-2 that is built only once, because building it takes most of a second.

    Drawing new weights takes no time.
    """
    return GPT2(GPT2Config(**SIZES))


@pytest.fixture
def gpt2(layers):
    """The same GPT-2 for all tests. Each test gets fresh weights, which it may change."""
    return randomise(layers)


@pytest.fixture(scope="session")
def torch_folder(tmp_path_factory):
    """A folder with a GPT-2 of random weights, written by PyTorch's transformers."""
    from transformers import GPT2Config as TorchConfig
    from transformers import GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("torch_gpt2")
    model = GPT2LMHeadModel(TorchConfig(**SIZES, bos_token_id=3)).eval()
    randomise_torch(model)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def small_run(tmp_path_factory):
    """A small complete training run by the command: its run folder, which no test may change, and its printed output.

    It learns from the longer conversations of the embedded corpus, so that each part has one, two and three turns.
    """
    from gail_tf import train

    path = tmp_path_factory.mktemp("trained") / "run"
    with contextlib.redirect_stdout(io.StringIO()) as out:
        assert command_line.run(train.main, "train", [*SMALL_GAIL, *LONGER, "--run", str(path)]) == 0
    return path, out.getvalue()


@pytest.fixture(scope="session")
def texts():
    """The utterances of the first paper's embedded corpus."""
    return [text for conversation in read_conversations() for text in conversation.utterances]


@pytest.fixture(scope="session")
def fitted(texts):
    """A tokenizer with 600 tokens, including the control tokens in CONTROLS."""
    return Tokenizer.fit(texts, 600, CONTROLS)


@pytest.fixture
def eagerly():
    """Run functions without graphs. If a test makes few steps of many kinds, tracing would take most of its time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
