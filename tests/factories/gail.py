"""Makes GPT-2s of toy sizes with random weights, and tokens for them to read."""

import numpy as np

from gail_tf.models.gpt2 import GPT2

SIZES = {"vocab_size": 61, "n_positions": 24, "n_embd": 16, "n_layer": 3, "n_head": 2, "eos_token_id": 3}
CONTROLS = ("<|negative|>", "<|neutral|>", "<|positive|>")


def randomise(gpt2: GPT2, seed: int = 0, scale: float = 0.3) -> GPT2:
    """Give all weights random values, also biases and layer norms, so that no term is without effect."""
    draw = np.random.default_rng(seed)
    for name, variable in gpt2.weights.items():
        centre = 1.0 if (".ln" in name and name.endswith("weight")) or name == "ln_f.weight" else 0.0
        variable.assign(draw.normal(centre, scale, variable.shape))
    return gpt2


def padded(lengths_left, lengths_right, total: int, seed: int = 1):
    """Return random tokens (B, total), and a mask with the given numbers of padding tokens on the left and right."""
    tokens = np.random.default_rng(seed).integers(0, SIZES["vocab_size"], (len(lengths_left), total)).astype(np.int32)
    places = np.arange(total)
    left, right = np.array(lengths_left)[:, None], np.array(lengths_right)[:, None]
    return tokens, (places >= left) & (places < total - right)
