"""Tiny GPT-2s, and the same ones in PyTorch's transformers, which are the independent truth here."""

import numpy as np
import pytest
import tensorflow as tf

from gail_tf.data.tokenizer import Tokenizer
from gail_tf.models.gpt2 import GPT2, GPT2Config
from keras_gca.data.conversations import read_conversations

SIZES = {"vocab_size": 61, "n_positions": 24, "n_embd": 16, "n_layer": 3, "n_head": 2, "eos_token_id": 3}
CONTROLS = ("<|negative|>", "<|neutral|>", "<|positive|>")


def randomise(gpt2: GPT2, seed: int = 0, scale: float = 0.3) -> GPT2:
    """Weights that leave no term without effect: biases and layer norms too."""
    draw = np.random.default_rng(seed)
    for name, variable in gpt2.weights.items():
        centre = 1.0 if (".ln" in name and name.endswith("weight")) or name == "ln_f.weight" else 0.0
        variable.assign(draw.normal(centre, scale, variable.shape))
    return gpt2


def padded(lengths_left, lengths_right, total: int, seed: int = 1):
    """Random tokens (B, total) and a mask with so much padding on the left and on the right."""
    tokens = np.random.default_rng(seed).integers(0, SIZES["vocab_size"], (len(lengths_left), total)).astype(np.int32)
    places = np.arange(total)
    left, right = np.array(lengths_left)[:, None], np.array(lengths_right)[:, None]
    return tokens, (places >= left) & (places < total - right)


@pytest.fixture
def gpt2():
    return randomise(GPT2(GPT2Config(**SIZES)))


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


def randomise_torch(model) -> None:
    import torch

    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))


def torch_logits(folder, tokens, mask) -> np.ndarray:
    """Logits of PyTorch's GPT-2 with explicit positions, (B, T, V)."""
    import torch
    from transformers import GPT2LMHeadModel

    model = GPT2LMHeadModel.from_pretrained(folder).eval()
    mask = torch.tensor(np.array(mask, np.int64))
    positions = torch.clamp(mask.cumsum(1) - 1, min=0)
    with torch.no_grad():
        tokens = torch.tensor(np.array(tokens, np.int64))
        return model(input_ids=tokens, attention_mask=mask, position_ids=positions).logits.numpy()


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
