"""The base class of causal language models in Keras 3, which read whole sequences or, with a cache, single tokens.

A language model has two functional models with the same layers (`functional_models.py`). `whole` reads complete
sequences, which may be padded on either side. `stepwise` reads one more token of each sequence and finds the keys and
values of the earlier tokens in a cache of fixed size. Both return hidden states. The method `logits` computes logits
from them, only at the positions where logits are needed.

Shapes: B sequences, T tokens, C places in the cache, E the width of a hidden state, V the size of the vocabulary, K
heads of keys and values, D the width of a head.
"""

import abc
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.functional_models import stepwise_model, whole_model
from gail_tf.models.language_model_config import LanguageModelConfig
from gail_tf.models.masks import causal_mask, positions_of
from gail_tf.models.pretrained_base import Base
from gail_tf.models.projection import Adapters, Projection
from gail_tf.models.transformer import Initial, dtype_policy
from glove.text_files import counted
from keras_gca.engine.memory import count, refuse_beyond_memory
from keras_gca.errors import UserError

Cache = list[tuple[tf.Tensor, tf.Tensor]]  # for each block its keys and its values, (B, K, C, D) each


class Kernels(NamedTuple):
    """The weights of all matrix products, converted to the precision of the computation for a loop of decoding steps.

    Attributes:
        output: The weight of the output layer, (V, E). The logits of a state are its products with these rows.
        blocks: The kernels of each block, in the order of its `projections`.
    """

    output: tf.Tensor
    blocks: list[list[tf.Tensor]]


class LanguageModel(abc.ABC):
    """Base class of the language models. A subclass makes the layers.

    Args:
        config: The dimensions of the network.
        seed: The seed of the initial weights.
        adapters: The settings of low-rank adapters for all blocks or for the last ones, or None for no adapters.
        precision: "float32" or "bfloat16". With "bfloat16", everything except the softmax and the norms is computed in
            bfloat16. The weights are float32 in both cases, unless they are frozen.
        shared: A network of the same dimensions. The new network uses its weights, and only the adapters are new. If
            None, new weights are made.
        frozen: Whether the network's own weights, which are all weights except the adapters, are never trained.
            Matrices and tables are then stored in the precision of the computation.

    Attributes:
        base: The pretrained network whose files contain this network's frozen weights, or None if there is none.

    Raises:
        UserError: The precision is unknown, the adapters require more blocks than the network has, or the machine has
            too little memory.
    """

    embeddings: keras.layers.Layer
    blocks: Sequence[Any]
    last_norm: keras.layers.Layer

    def __init__(
        self,
        config: LanguageModelConfig,
        seed: int = 0,
        adapters: Adapters | None = None,
        precision: str = "float32",
        shared: "LanguageModel | None" = None,
        frozen: bool = False,
    ):
        policy = dtype_policy(precision)
        if shared is None:
            refuse_beyond_memory(count(config.shapes.values()), f"a {config.title}")
        adapted = 0 if adapters is None else adapters.blocks or config.depth
        if adapted > config.depth:
            raise UserError(
                f"adapters are required for {counted(adapted, 'block')}, but the {config.title} has only {config.depth}"
            )
        self.config = config
        self.adapters = adapters
        self.precision = precision
        self.base: Base | None = None if shared is None else shared.base
        self._compute_dtype = policy.compute_dtype
        self._stored = policy.compute_dtype if frozen else policy.variable_dtype
        first_adapted = config.depth - adapted
        initial = Initial(config.initializer_range, seed, residual_layers=2 * config.depth)
        self._make_layers(
            [adapters if i >= first_adapted else None for i in range(config.depth)], initial, policy, shared
        )

        name = config.title.lower().replace("-", "")
        self.whole = whole_model(
            self.embeddings, self.blocks, self.last_norm, self._of_positions, first_adapted if adapted else None, name
        )
        self.stepwise = stepwise_model(
            self.embeddings,
            self.blocks,
            self.last_norm,
            self._of_positions,
            config.cache_frame,
            self._compute_dtype,
            f"{name}_stepwise",
        )

    @abc.abstractmethod
    def _make_layers(
        self,
        adapters: Sequence[Adapters | None],
        initial: Initial,
        policy: keras.DTypePolicy,
        shared: "LanguageModel | None",
    ) -> None:
        """Make the layers `embeddings`, `blocks` and `last_norm`.

        Args:
            adapters: The adapters of each block, or None for a block without adapters.
            initial: The source of the initial weights.
            policy: The Keras policy of the precision.
            shared: A network whose layers and weights are used. Only the blocks are new layers with the same weights,
                because their adapters differ. If None, new layers with new weights are made.
        """

    def _of_positions(self, positions: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return the arguments of the blocks that depend only on the positions. In the base class there are none.

        They are computed once, because all blocks get the same arguments.
        """
        return {}

    @property
    @abc.abstractmethod
    def output(self) -> keras.Variable:
        """The weight of the output layer, (V, E). The logits of a state are its products with these rows."""

    @property
    @abc.abstractmethod
    def weights(self) -> dict[str, keras.Variable]:
        """The network's weights by name, in a fixed order. The adapters' weights are not included."""

    def sharing(self, adapters: Adapters | None) -> "LanguageModel":
        """Make a network that uses this network's weights, with new adapters or without adapters.

        Args:
            adapters: The new adapters, or None for no adapters.
        """
        return type(self)(self.config, 0, adapters, self.precision, shared=self)

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Compute the last layer's states after every token.

        Args:
            tokens: (B, T) int32.
            mask: (B, T) bool, false at padding, which may be on either side or on both.
            seeds: The seeds of dropout (`engine.random.sample_seeds`), (B, 2) int32, or None for no dropout.

        Returns:
            (B, T, E) float32; the states at padding have no meaning.

        Raises:
            ValueError: T is greater than the number of positions.
        """
        return self._read_all(tokens, mask, seeds)[0]

    def hidden_of_each(
        self, tokens: tf.Tensor, mask: tf.Tensor, continuations: Sequence[tuple[tf.Tensor, tf.Tensor]]
    ) -> list[tf.Tensor]:
        """Compute the hidden states of several continuations of each sequence. The sequence itself is read only once.

        Args:
            tokens: (B, T) int32.
            mask: (B, T) bool, false at padding.
            continuations: The tokens, (B, R) int32, and the mask, (B, R) bool, of each continuation. R may differ
                between continuations. No continuation attends to another.

        Returns:
            A list: the states at `tokens`, (B, T, E) float32, then the states at each continuation, (B, R, E) float32.

        Raises:
            ValueError: A continuation ends beyond the last position.
        """
        parts = [tf.convert_to_tensor(part, tf.int32) for part in (tokens, *(part for part, _ in continuations))]
        masks = [tf.convert_to_tensor(part) for part in (mask, *(part for _, part in continuations))]
        for part in parts[1:]:
            self._check_width(parts[0], part)
        lengths = tf.reduce_sum(tf.cast(masks[0], tf.int32), axis=1, keepdims=True)
        positions = [positions_of(masks[0]), *(lengths + positions_of(part) for part in masks[1:])]
        widths = [tf.shape(part)[1] for part in parts]
        # For each place, 0 if it belongs to the sequence, otherwise the number of its continuation.
        number = tf.concat([tf.fill([width], i) for i, width in enumerate(widths)], 0)
        visible = causal_mask(tf.concat(masks, 1)) & ((number == 0) | (number == number[:, None]))
        states, _ = self._read(tf.concat(parts, 1), tf.concat(positions, 1), visible)
        return tf.split(states, widths, axis=1, num=len(parts))

    def logits(self, hidden: tf.Tensor, kernels: Kernels | None = None) -> tf.Tensor:
        """Compute the logits of the next token from hidden states.

        Args:
            hidden: (..., E).
            kernels: The result of `kernels()`, if it has already been computed for a loop.

        Returns:
            (..., V) float32.
        """
        rows = tf.reshape(tf.cast(hidden, self._compute_dtype), [-1, self.config.width])
        output = self._cast(self.output) if kernels is None else kernels.output
        scores = tf.cast(tf.matmul(rows, output, transpose_b=True), tf.float32)
        return tf.reshape(scores, [*tf.unstack(tf.shape(hidden))[:-1], self.config.vocab_size])

    def kernels(self) -> Kernels:
        """Convert the weights of the matrix products for a loop of calls to `step`.

        Call this method once, before the loop, because the conversion to bfloat16 takes long.
        """
        blocks = [[self._cast(part.kernel) for part in block.projections] for block in self.blocks]
        return Kernels(self._cast(self.output), blocks)

    def _cast(self, variable: keras.Variable) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(variable), self._compute_dtype)

    def prefill(self, tokens: tf.Tensor, mask: tf.Tensor, capacity: int | tf.Tensor) -> tuple[tf.Tensor, Cache]:
        """Read the beginning of each sequence and make a cache for `step`.

        Args:
            tokens: (B, T) int32.
            mask: (B, T) bool, false at padding.
            capacity: The number of places in the cache, T or more.

        Returns:
            The states after every token, (B, T, E) float32, and a cache whose first T places contain these tokens.

        Raises:
            ValueError: T is greater than the number of positions.
        """
        hidden, cache = self._read_all(tokens, mask)
        free = [[0, 0], [0, 0], [0, capacity - tf.shape(tokens)[1]], [0, 0]]
        return hidden, tf.nest.map_structure(lambda tensor: tf.pad(tensor, free), cache)

    def step(
        self, tokens: tf.Tensor, positions: tf.Tensor, mask: tf.Tensor, cache: Cache, place: tf.Tensor, kernels: Kernels
    ) -> tuple[tf.Tensor, Cache]:
        """Read one more token of each sequence.

        Args:
            tokens: (B,) int32.
            positions: The number of tokens before the new token in each sequence, (B,) int32.
            mask: True at the places of the cache that contain tokens, including the new token's place, (B, C) bool.
            cache: The keys and values of the preceding tokens.
            place: The place of the cache where the new token's keys and values are written, () int32.
            kernels: The result of `kernels()`.

        Returns:
            The states after the new tokens, (B, E) float32, and the updated cache.
        """
        tokens, positions, place = (tf.convert_to_tensor(argument, tf.int32) for argument in (tokens, positions, place))
        visible = tf.convert_to_tensor(mask)[:, None]
        inputs = [tokens[:, None], positions[:, None], visible, place, cache, kernels.blocks]
        hidden, cache = self.stepwise(inputs)
        return tf.cast(hidden[:, 0], tf.float32), cache

    def _read_all(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tuple[tf.Tensor, Cache]:
        tokens, mask = tf.convert_to_tensor(tokens, tf.int32), tf.convert_to_tensor(mask)
        self._check_width(tokens)
        return self._read(tokens, positions_of(mask), causal_mask(mask), seeds)

    def _read(
        self, tokens: tf.Tensor, positions: tf.Tensor, visible: tf.Tensor, seeds: tf.Tensor | None = None
    ) -> tuple[tf.Tensor, Cache]:
        training = seeds is not None
        seeds = tf.convert_to_tensor(seeds) if training else tf.zeros([tf.shape(tokens)[0], 2], tf.int32)
        hidden, cache = self.whole([tokens, positions, visible, seeds], training=training)
        return tf.cast(hidden, tf.float32), cache

    def _check_width(self, *parts: tf.Tensor) -> None:
        """Raise ValueError if arrays of successive tokens, (B, T) each, are together too long for the network.

        In a graph a width may be unknown; then nothing is checked.
        """
        widths = [part.shape[1] for part in parts]
        if None not in widths and sum(widths) > self.config.positions:
            raise ValueError(
                f"{sum(widths)} tokens are too many; {self.config.title} has {self.config.positions} positions"
            )

    # Weights

    @property
    def products(self) -> dict[str, Projection]:
        """The layers that compute the blocks' matrix products, by the names of their weights."""
        return {f"{name}.weight": part for name, part in self._parts.items() if isinstance(part, Projection)}

    @property
    @abc.abstractmethod
    def _parts(self) -> dict[str, keras.layers.Layer]:
        """The layers in the blocks that have weights, by name."""

    def merged(self) -> dict[str, np.ndarray]:
        """Return the weights of an equivalent network without adapters, by name.

        A weight W with an adapter becomes W + A B alpha / rank.
        """
        values = {name: variable.numpy().astype(np.float32) for name, variable in self.weights.items()}
        return values | {name: product.merged() for name, product in self.products.items()}

    @property
    def adapter_weights(self) -> list[keras.Variable]:
        """The matrices A and B of every adapter."""
        return [weight for product in self.products.values() for weight in product.adapter_weights]

    def names_in_files(self, name: str) -> Sequence[str]:
        """Return the names, without `config.prefix`, of the tensors in files that make up one of `weights`.

        Usually this is one tensor of the same name. A subclass may join several tensors of a file into one weight.
        """
        return (name,)

    def from_file(self, name: str, tensors: Sequence[np.ndarray]) -> np.ndarray:
        """Convert the tensors that `names_in_files` names to the values of one of `weights`."""
        return tensors[0]

    def to_file(self, name: str, values: np.ndarray) -> Sequence[np.ndarray]:
        """Convert the values of one of `weights` to the tensors that `names_in_files` names."""
        return (values,)

    def load(self, tensors: Iterable[tuple[str, np.ndarray]]) -> None:
        """Set the weights to the tensors of a file.

        Args:
            tensors: The name of each tensor, without `config.prefix`, and its values, in any order.
        """
        weights = self.weights
        own_names = {part: name for name in weights for part in self.names_in_files(name)}
        waiting: dict[str, dict[str, np.ndarray]] = {}
        for part, values in tensors:
            name = own_names[part]
            parts = waiting.setdefault(name, {})
            parts[part] = values
            if len(parts) == len(self.names_in_files(name)):
                weights[name].assign(self.from_file(name, [parts[one] for one in self.names_in_files(name)]))
                del waiting[name]

    def tensors(self) -> dict[str, np.ndarray]:
        """Return the tensors to write to a file, by their names without `config.prefix`. Adapters are merged."""
        return {
            part: tensor
            for name, values in self.merged().items()
            for part, tensor in zip(self.names_in_files(name), self.to_file(name, values), strict=True)
        }
