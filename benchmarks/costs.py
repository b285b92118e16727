"""Calculates the costs of a GPT-2 or Llama without running it: parameters, operations, memory and network traffic.

E is the width of the hidden states, I the number of units in a block's hidden layer, and L the number of blocks.
"""

import math

from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.llama_config import LlamaConfig
from gail_tf.models.projection import Adapters
from gail_tf.models.tanh_network import HIDDEN_UNITS

Sizes = GPT2Config | LlamaConfig  # the config of a network

# How often a training step computes the matrix products in the blocks, and how often it computes the product with the
# vocabulary. A product is computed once in the forward pass. It is computed once more for the gradient of its input if
# weights below it are trained, and once more for the gradient of its weights if they are trained. If only a head is
# trained, the blocks are not computed at all, because the reference policy has already computed the same states.
PRODUCTS = {"full": (3, 3), "lora": (2, 2), "head": (0, 2)}


def parameters(sizes: Sizes) -> int:
    """Return the total number of weights in a network."""
    return sum(math.prod(shape) for shape in sizes.shapes.values())


def products(sizes: Sizes) -> list[tuple[int, int]]:
    """Return the numbers of inputs and outputs of the four matrix products in each block.

    Llama's products that read the same states count as one product, as in this project's networks.
    """
    if isinstance(sizes, LlamaConfig):
        width, queries, inner = sizes.hidden_size, sizes.query_width, sizes.intermediate_size
        return [(width, queries + 2 * sizes.key_width), (queries, width), (width, 2 * inner), (inner, width)]
    width, inner = sizes.n_embd, sizes.inner
    return [(width, 3 * width), (width, width), (width, inner), (inner, width)]


def block_weights(sizes: Sizes) -> int:
    """Return the number of weights in all blocks' matrix products, for GPT-2 L * (4 * E^2 + 2 * E * I)."""
    return sizes.depth * sum(inputs * outputs for inputs, outputs in products(sizes))


def learned(sizes: Sizes, trainable: str = "full") -> int:
    """Return the number of trained weights.

    `trainable` is "full" (all weights), "lora" (low-rank adapters for all products) or "head" (two tanh layers).
    """
    width = sizes.width
    if trainable == "lora":
        return sizes.depth * Adapters().rank * sum(inputs + outputs for inputs, outputs in products(sizes))
    if trainable == "head":
        hidden = HIDDEN_UNITS
        return 2 * width + (width + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * width
    return parameters(sizes)


def flops(sizes: Sizes, read: float, predicted: float = 0) -> float:
    """Return the number of operations needed to read `read` tokens and compute logits at `predicted` positions.

    A matrix product needs two floating-point operations per weight and token. The query-key and attention-value
    products are not counted; with a hundred tokens, they would add 2 % to the operations of the smallest GPT-2.
    """
    return 2.0 * (block_weights(sizes) * read + sizes.vocab_size * sizes.width * predicted)


def learning_flops(sizes: Sizes, read: float, predicted: float, trainable: str = "full") -> float:
    """Return the number of floating-point operations in a training step (forward and backward pass); see `flops`."""
    blocks, vocabulary = PRODUCTS[trainable]
    return blocks * flops(sizes, read) + vocabulary * flops(sizes, 0, predicted)


def memory(sizes: Sizes, trainable: str = "full", weight_bytes: int = 4, master: bool = False) -> int:
    """Return the memory for the policy, its gradients, AdamW's two float32 moments and the reference policy, in bytes.

    Activations are not included. If only a head is trained, the policy and the reference share one network.

    Args:
        sizes: The config of the network.
        trainable: The weights to train; see `learned`.
        weight_bytes: The size of a weight and of its gradient, in bytes.
        master: Whether the trained weights have an additional float32 copy.
    """
    all_weights, moved = parameters(sizes), learned(sizes, trainable)
    networks = {"full": 2 * all_weights, "lora": 2 * (all_weights + moved), "head": all_weights + 2 * moved}[trainable]
    return weight_bytes * (networks + moved) + (8 + 4 * master) * moved


def traffic(sizes: Sizes, trainable: str, steps: int, workers: int, gradient_bytes: int = 4) -> float:
    """Return how many bytes each worker sends if the gradients of `steps` steps are summed by ring all-reduce.

    Each worker receives the same number of bytes.
    """
    return steps * gradient_bytes * learned(sizes, trainable) * 2 * (workers - 1) / workers
