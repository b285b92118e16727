"""Fixtures of the second paper's tests: tiny GPT-2s, the same ones written by PyTorch, and a tokenizer."""

import pytest
import tensorflow as tf

from gail_tf.data.tokenizer import Tokenizer
from gail_tf.models.gpt2 import GPT2
from gail_tf.models.gpt2_config import GPT2Config
from keras_gca.data.conversations import read_conversations
from tests.factories.gail import CONTROLS, SIZES, randomise
from tests.oracles.pytorch import randomise_torch


@pytest.fixture(scope="session")
def layers():
    """A GPT-2: to build it takes most of a second, to draw its weights none."""
    return GPT2(GPT2Config(**SIZES))


@pytest.fixture
def gpt2(layers):
    """The same GPT-2 for all tests, with weights that each may change."""
    return randomise(layers)


@pytest.fixture(scope="session")
def torch_folder(tmp_path_factory):
    """A folder written by PyTorch's transformers, with random weights."""
    from transformers import GPT2Config as TorchConfig
    from transformers import GPT2LMHeadModel

    folder = tmp_path_factory.mktemp("torch_gpt2")
    model = GPT2LMHeadModel(TorchConfig(**SIZES, bos_token_id=3)).eval()
    randomise_torch(model)
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def texts():
    """The utterances of the first paper's embedded corpus."""
    return [text for conversation in read_conversations() for text in conversation.utterances]


@pytest.fixture(scope="session")
def fitted(texts):
    """A tokenizer of 600 tokens, CONTROLS among them."""
    return Tokenizer.fit(texts, 600, CONTROLS)


@pytest.fixture
def eagerly():
    """Without graphs: where a test takes few steps of many kinds, tracing them would take most of its time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)
