"""Calculates the costs of a GPT-2 without running it: parameters, floating-point operations, memory and traffic.

E = n_embd is the width of the hidden states, I the number of inner units of a block, and L = n_layer the number of
blocks.
"""

from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters
from gail_tf.models.tanh_network import HIDDEN_UNITS

# How often a step of learning computes the matrix products of the blocks, and how often the product with the
# vocabulary. A product is computed once in the forward pass. It is computed once more for the gradient of its input if
# weights below it learn, and once more for the gradient of its weights if they learn. If only a head learns, the blocks
# are not computed at all, because the reference policy has already computed the same states.
PRODUCTS = {"full": (3, 3), "lora": (2, 2), "head": (0, 2)}


def parameters(sizes: GPT2Config) -> int:
    """The number of all weights of a GPT-2."""
    width, inner = sizes.n_embd, sizes.inner
    block = block_weights(sizes) // sizes.n_layer + 9 * width + inner  # biases, and two layer norms
    return (sizes.vocab_size + sizes.n_positions) * width + sizes.n_layer * block + 2 * width


def block_weights(sizes: GPT2Config) -> int:
    """The number of weights in the blocks' four matrix products: L (4 E^2 + 2 E I)."""
    return sizes.n_layer * (4 * sizes.n_embd**2 + 2 * sizes.n_embd * sizes.inner)


def learned(sizes: GPT2Config, trainable: str = "full") -> int:
    """The number of weights that learn.

    `trainable` is "full" (all weights), "lora" (low-rank adapters of all products) or "head" (two tanh layers).
    """
    width, inner = sizes.n_embd, sizes.inner
    if trainable == "lora":
        return sizes.n_layer * Adapters().rank * (4 * width + 2 * width + 2 * (width + inner))
    if trainable == "head":
        hidden = HIDDEN_UNITS
        return 2 * width + (width + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * width
    return parameters(sizes)


def flops(sizes: GPT2Config, read: float, predicted: float = 0) -> float:
    """The number of floating-point operations to read `read` tokens and to compute logits at `predicted` positions.

    A matrix product needs two operations for each weight and token. The products of tokens with tokens in the attention
    are left out. With a hundred tokens they would add 2 % to the operations of the smallest GPT-2.
    """
    return 2.0 * (block_weights(sizes) * read + sizes.vocab_size * sizes.n_embd * predicted)


def learning_flops(sizes: GPT2Config, read: float, predicted: float, trainable: str = "full") -> float:
    """The number of floating-point operations of a training step, its forward and backward pass; see `flops`."""
    blocks, vocabulary = PRODUCTS[trainable]
    return blocks * flops(sizes, read) + vocabulary * flops(sizes, 0, predicted)


def memory(sizes: GPT2Config, trainable: str = "full", weight_bytes: int = 4, master: bool = False) -> int:
    """The bytes of the policy, its gradients, AdamW's two moments (in float32) and the reference policy.

    Activations are not included. If only a head learns, policy and reference share one GPT-2.

    Args:
        sizes: The sizes of the GPT-2.
        trainable: Which weights learn; see `learned`.
        weight_bytes: The size of a weight, and of its gradient.
        master: Whether the weights that learn have an additional copy in float32.
    """
    all_weights, moved = parameters(sizes), learned(sizes, trainable)
    networks = {"full": 2 * all_weights, "lora": 2 * (all_weights + moved), "head": all_weights + 2 * moved}[trainable]
    return weight_bytes * (networks + moved) + (8 + 4 * master) * moved


def traffic(sizes: GPT2Config, trainable: str, steps: int, workers: int, gradient_bytes: int = 4) -> float:
    """The number of bytes that each worker sends to sum the gradients of `steps` steps by a ring all-reduce.

    Each worker receives the same number of bytes.
    """
    return steps * gradient_bytes * learned(sizes, trainable) * 2 * (workers - 1) / workers
