"""The costs of a GPT-2, calculated without running it: parameters, floating-point operations, memory and traffic.

E = n_embd, I = inner units of a block, L = n_layer, V = vocab_size.
"""

from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters
from gail_tf.models.tanh_network import HIDDEN_UNITS

# How often a step of learning computes the products of the blocks, and those with the vocabulary: once forward, once
# for the gradient of their input if something below learns, and once for the gradient of their weights if these learn.
# Nothing below a head is computed again, because the reference has computed the same states.
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
    """The number of weights that learn: all, low-rank adapters of all products, or the head of two tanh layers."""
    width, inner = sizes.n_embd, sizes.inner
    if trainable == "lora":
        return sizes.n_layer * Adapters().rank * (4 * width + 2 * width + 2 * (width + inner))
    if trainable == "head":
        hidden = HIDDEN_UNITS
        return 2 * width + (width + 1) * hidden + (hidden + 1) * hidden + (hidden + 1) * width
    return parameters(sizes)


def flops(sizes: GPT2Config, read: float, predicted: float = 0) -> float:
    """Floating-point operations of passes over `read` tokens, of which `predicted` positions get logits.

    Each weight of a product counts two operations per token. Attention's products of tokens with tokens are left out:
    at a hundred tokens they add 2 % to the smallest GPT-2.
    """
    return 2.0 * (block_weights(sizes) * read + sizes.vocab_size * sizes.n_embd * predicted)


def learning_flops(sizes: GPT2Config, read: float, predicted: float, trainable: str = "full") -> float:
    """Floating-point operations of learning from these tokens, forward and backward."""
    blocks, vocabulary = PRODUCTS[trainable]
    return blocks * flops(sizes, read) + vocabulary * flops(sizes, 0, predicted)


def memory(sizes: GPT2Config, trainable: str = "full", weight_bytes: int = 4, master: bool = False) -> int:
    """Bytes of the policy, its gradients, AdamW's two moments (float32) and the reference; activations come on top.

    weight_bytes: the size of a weight and of its gradient. master: weights that learn have a float32 copy as well. A
    head shares its GPT-2 with the reference.
    """
    all_weights, moved = parameters(sizes), learned(sizes, trainable)
    networks = {"full": 2 * all_weights, "lora": 2 * (all_weights + moved), "head": all_weights + 2 * moved}[trainable]
    return weight_bytes * (networks + moved) + (8 + 4 * master) * moved


def traffic(sizes: GPT2Config, trainable: str, steps: int, workers: int, gradient_bytes: int = 4) -> float:
    """Bytes that each worker sends, and receives, to sum the gradients of `steps` steps by a ring all-reduce."""
    return steps * gradient_bytes * learned(sizes, trainable) * 2 * (workers - 1) / workers
