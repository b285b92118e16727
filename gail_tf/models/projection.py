"""The matrix products in a transformer's blocks, with optional low-rank adapters (LoRA)."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.transformer import product
from keras_gca.errors import UserError


@dataclass(frozen=True)
class Adapters:
    """The settings of the low-rank adapters (LoRA, Hu et al. 2021) for the matrix products in a transformer's blocks.

    An adapter changes a product x W + b to x W + b + (alpha / rank) * x A B. A has shape (inputs, rank) and random
    initial values. B has shape (rank, units) and is initially zero, so new adapters leave the network's outputs
    unchanged.

    Args:
        rank: The rank of the product A B.
        alpha: The product A B is multiplied by alpha / rank.
        blocks: How many of the last blocks have adapters, or None for all blocks. Gradients are not propagated below
            the first block with adapters.

    Raises:
        UserError: A value is not greater than 0.
    """

    rank: int = 8
    alpha: float = 16.0
    blocks: int | None = None

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or (self.blocks is not None and self.blocks < 1):
            raise UserError(f"adapters: rank, alpha and blocks must all be greater than 0; got {self}")

    @property
    def scale(self) -> float:
        """The factor by which A B is multiplied: alpha / rank."""
        return self.alpha / self.rank


class Projection(keras.layers.Layer):
    """A layer that computes x W + b or, with an adapter, x W + b + (alpha / rank) * x A B. W has shape (inputs, units).

    Args:
        units: The number of outputs.
        kernel: The initializer of W.
        adapters: The settings of the adapter, or None for no adapter.
        adapter: The initializer of A.
        policy: The Keras dtype policy.
        name: The layer's name.
        bias: Whether the layer has a bias b.
        shared: A layer of the same dimensions that shares its W and b with this layer, or None for a new W and b.
        stored: The dtype in which W is stored. Storing a frozen W in the precision of the computation avoids converting
            W for each product.
    """

    kernel: keras.Variable
    bias: keras.Variable | None

    def __init__(
        self,
        units: int,
        kernel: keras.Initializer,
        adapters: Adapters | None,
        adapter: keras.Initializer,
        policy: keras.DTypePolicy,
        name: str,
        bias: bool = True,
        shared: "Projection | None" = None,
        stored: str = "float32",
    ):
        super().__init__(dtype=policy, name=name)
        self.units = units
        self.adapters = adapters
        self.use_bias = bias
        self._shared = shared
        self._stored = stored
        self._initial, self._initial_A = kernel, adapter

    def build(self, shape: tuple[int | None, ...]) -> None:
        if self._shared is not None:
            self.kernel, self.bias = self._shared.kernel, self._shared.bias
        else:
            self.kernel = self.add_weight((shape[-1], self.units), self._initial, self._stored, name="kernel")
            self.bias = self.add_weight((self.units,), "zeros", name="bias") if self.use_bias else None
        if self.adapters is not None:
            self.A = self.add_weight((shape[-1], self.adapters.rank), self._initial_A, name="A")
            self.B = self.add_weight((self.adapters.rank, self.units), "zeros", name="B")

    def call(self, x: tf.Tensor, kernel: tf.Tensor | None = None) -> tf.Tensor:
        y = product(x, self.kernel if kernel is None else kernel)
        if self.bias is not None:
            y += self.bias
        if self.adapters is not None:
            y += product(product(x, self.A) * self.adapters.scale, self.B)  # scales the few columns, not the many
        return y

    @property
    def adapter_weights(self) -> list[keras.Variable]:
        """The weights [A, B], or an empty list if there is no adapter."""
        return [] if self.adapters is None else [self.A, self.B]

    def merged(self) -> np.ndarray:
        """Return W + (alpha / rank) * A B, the weight of an equivalent layer without an adapter, as float32.

        The array has shape (inputs, units).
        """
        kernel = self.kernel.numpy().astype(np.float32)
        if self.adapters is None:
            return kernel
        return kernel + self.A.numpy() @ self.B.numpy() * np.float32(self.adapters.scale)
