"""The base class of causal language models in Keras 3.

A language model has two functional models with the same layers (`functional_models.py`), each of which is built when it
is first used. `whole` reads complete sequences, which may be padded on either side. `stepwise` reads one more token of
each sequence and keeps the keys and values of the earlier tokens in a cache of fixed size. Both return hidden states.
`logits` then computes logits only at the positions where they are needed.

Shapes: B sequences, T tokens, C positions in the cache, hidden states of width E, V tokens in the vocabulary, K key and
value heads of width D.
"""

import abc
import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.functional_models import Parts, stepwise_model, whole_model
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
    """The weights of all matrix products, converted once to the precision of the computation and reused in every step.

    Attributes:
        output: The output layer's weight matrix, of shape (V, E). The logits are the dot products of a state with the
            matrix's rows.
        blocks: Each block's kernels, in the order of the block's `projections`.
    """

    output: tf.Tensor
    blocks: list[list[tf.Tensor]]


class LanguageModel(abc.ABC):
    """The base class of the language models. Subclasses create the layers.

    Args:
        config: The dimensions of the network.
        seed: The seed of the initial weights.
        adapters: The settings of low-rank adapters for all blocks or only the last ones, or None for no adapters.
        precision: "float32" or "bfloat16". With "bfloat16", everything except the softmax and the norms is computed in
            bfloat16. The weights are stored as float32 either way, unless they are frozen.
        shared: A network of the same dimensions whose weights the new network shares; only the adapters are new. If
            None, all weights are new.
        frozen: Whether to freeze all weights except the adapters. Frozen matrices and tables are stored in the
            precision of the computation.
        loaded: Whether all weights except the adapters are set before they are used, so that no initial values are
            drawn for them.

    Attributes:
        base: The pretrained network whose files contain this network's frozen weights, or None.

    Raises:
        UserError: The precision is unknown, the adapters need more blocks than the network has, or the machine does not
            have enough memory.
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
        loaded: bool = False,
    ):
        policy = dtype_policy(precision)
        if shared is None:
            refuse_beyond_memory(count(config.shapes.values()), f"a {config.title}")
        adapted = 0 if adapters is None else adapters.blocks or config.depth
        if adapted > config.depth:
            raise UserError(
                f"adapters are requested for {counted(adapted, 'block')}, but the {config.title} has only "
                f"{config.depth}"
            )
        self.config = config
        self.adapters = adapters
        self.precision = precision
        self.base: Base | None = None if shared is None else shared.base
        self._compute_dtype = policy.compute_dtype
        self._stored = policy.compute_dtype if frozen else policy.variable_dtype
        first_adapted = config.depth - adapted
        initial = Initial(config.initializer_range, seed, residual_layers=2 * config.depth, loaded=loaded)
        self._make_layers(
            [adapters if i >= first_adapted else None for i in range(config.depth)], initial, policy, shared
        )
        for layer in (self.embeddings, *self.blocks, self.last_norm):
            if not layer.built:
                layer.build((None, None, config.width))
        first = first_adapted if adapted else None
        self._layers_in_order = Parts(self.embeddings, self.blocks, self.last_norm, self._of_positions, first)

    @functools.cached_property
    def whole(self) -> keras.Model:
        """The functional model that reads whole sequences; see `read_whole`. It is built on first use."""
        with tf.init_scope():  # outside the graph in which it is used first
            return whole_model(self._layers_in_order, self._name)

    @functools.cached_property
    def stepwise(self) -> keras.Model:
        """The functional model that reads one more token; see `read_next`. It is built on first use."""
        frame, kind = self.config.cache_frame, self._compute_dtype
        with tf.init_scope():
            return stepwise_model(self._layers_in_order, frame, kind, f"{self._name}_stepwise")

    @property
    def _name(self) -> str:
        return self.config.title.lower().replace("-", "")

    @abc.abstractmethod
    def _make_layers(
        self,
        adapters: Sequence[Adapters | None],
        initial: Initial,
        policy: keras.DTypePolicy,
        shared: "LanguageModel | None",
    ) -> None:
        """Create the layers `embeddings`, `blocks` and `last_norm`.

        Args:
            adapters: For each block, the settings of its adapters, or None for no adapters.
            initial: The initializers of the weights.
            policy: The Keras dtype policy.
            shared: A network whose embeddings and last norm are reused. The blocks are new, because their adapters
                differ, but they share all other weights with that network's blocks. If None, all layers and weights are
                new.
        """

    def _of_positions(self, positions: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return additional arguments for the blocks, computed from the positions. By default there are none.

        All blocks get the same arguments, so these are computed only once.
        """
        return {}

    @property
    @abc.abstractmethod
    def output(self) -> keras.Variable:
        """The output layer's weight matrix, of shape (V, E). A state's logits are its dot products with the rows."""

    @property
    @abc.abstractmethod
    def weights(self) -> dict[str, keras.Variable]:
        """The network's weights without the adapters, in a fixed order, keyed by name."""

    def sharing(self, adapters: Adapters | None) -> "LanguageModel":
        """Make a network that shares this network's weights and has new adapters or none.

        Args:
            adapters: The new adapters, or None for no adapters.
        """
        return type(self)(self.config, 0, adapters, self.precision, shared=self)

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """Compute the last layer's hidden states, one for each token.

        Args:
            tokens: An int32 array of shape (B, T).
            mask: A bool array of shape (B, T), false at padding, which may be on either or both sides.
            seeds: The dropout seeds (`engine.random.sample_seeds`), an int32 array of shape (B, 2), or None for no
                dropout.

        Returns:
            A float32 array of shape (B, T, E); the states at padding are meaningless.

        Raises:
            ValueError: T is greater than the number of positions.
        """
        return self._read_all(tokens, mask, seeds)[0]

    def hidden_of_each(
        self, tokens: tf.Tensor, mask: tf.Tensor, continuations: Sequence[tuple[tf.Tensor, tf.Tensor]]
    ) -> list[tf.Tensor]:
        """Compute the hidden states of several continuations of each sequence, reading the sequence itself only once.

        Args:
            tokens: An int32 array of shape (B, T).
            mask: A bool array of shape (B, T), false at padding.
            continuations: For each continuation, its tokens, an int32 array of shape (B, R), and its mask, a bool array
                of shape (B, R). R may differ between continuations. No continuation attends to another.

        Returns:
            A list of float32 arrays: the states at `tokens`, of shape (B, T, E), then the states at each continuation,
            of shape (B, R, E).

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
            hidden: Hidden states, an array of shape (..., E).
            kernels: The result of `kernels()`, if it has already been computed.

        Returns:
            A float32 array of shape (..., V).
        """
        rows = tf.reshape(tf.cast(hidden, self._compute_dtype), [-1, self.config.width])
        output = self._cast(self.output) if kernels is None else kernels.output
        scores = tf.cast(tf.matmul(rows, output, transpose_b=True), tf.float32)
        return tf.reshape(scores, [*tf.unstack(tf.shape(hidden))[:-1], self.config.vocab_size])

    def kernels(self) -> Kernels:
        """Convert the weights of the matrix products for repeated calls to `step`.

        Converting to bfloat16 is slow, so call this method once, before the decoding loop.
        """
        blocks = [[self._cast(part.kernel) for part in block.projections] for block in self.blocks]
        return Kernels(self._cast(self.output), blocks)

    def _cast(self, variable: keras.Variable) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(variable), self._compute_dtype)

    def prefill(self, tokens: tf.Tensor, mask: tf.Tensor, capacity: int | tf.Tensor) -> tuple[tf.Tensor, Cache]:
        """Read the beginning of each sequence and create a cache for `step`.

        Args:
            tokens: An int32 array of shape (B, T).
            mask: A bool array of shape (B, T), false at padding.
            capacity: The number of positions in the cache, at least T.

        Returns:
            The states after every token, a float32 array of shape (B, T, E), and a cache whose first T positions hold
            these tokens.

        Raises:
            ValueError: T is greater than the number of positions.
        """
        hidden, cache = self._read_all(tokens, mask)
        free = [[0, 0], [0, 0], [0, capacity - tf.shape(tokens)[1]], [0, 0]]
        return hidden, tf.nest.map_structure(lambda tensor: tf.pad(tensor, free), cache)

    def step(
        self, tokens: tf.Tensor, positions: tf.Tensor, mask: tf.Tensor, cache: Cache, place: tf.Tensor, kernels: Kernels
    ) -> tuple[tf.Tensor, Cache]:
        """Read the next token of each sequence.

        Args:
            tokens: An int32 array of shape (B,).
            positions: The number of tokens before the new token in each sequence, an int32 array of shape (B,).
            mask: A bool array of shape (B, C), true at the cache positions that hold tokens, including the new token.
            cache: The keys and values of the preceding tokens.
            place: The cache position where the new token's keys and values are written, an int32 scalar.
            kernels: The result of `kernels()`.

        Returns:
            The states after the new tokens, a float32 array of shape (B, E), and the updated cache.
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
        """Raise ValueError if consecutive token arrays, each of shape (B, T), are together too long for the network.

        Nothing is checked if a width is unknown, which can happen inside a graph.
        """
        widths = [part.shape[1] for part in parts]
        if None not in widths and sum(widths) > self.config.positions:
            raise ValueError(
                f"{sum(widths)} tokens are too many; {self.config.title} has {self.config.positions} positions"
            )

    # Weights

    @property
    def products(self) -> dict[str, Projection]:
        """The layers of the blocks' matrix products, keyed by the names of their weights."""
        return {f"{name}.weight": part for name, part in self._parts.items() if isinstance(part, Projection)}

    @property
    @abc.abstractmethod
    def _parts(self) -> dict[str, keras.layers.Layer]:
        """The blocks' layers with weights, keyed by name."""

    def merged(self) -> dict[str, np.ndarray]:
        """Return the weights of an equivalent network without adapters, keyed by name.

        An adapted weight W becomes W + (alpha / rank) * A B.
        """
        values = {name: variable.numpy().astype(np.float32) for name, variable in self.weights.items()}
        return values | {name: product.merged() for name, product in self.products.items()}

    @property
    def adapter_weights(self) -> list[keras.Variable]:
        """The matrices A and B of every adapter."""
        return [weight for product in self.products.values() for weight in product.adapter_weights]

    def names_in_files(self, name: str) -> Sequence[str]:
        """Return the names, without `config.prefix`, of the tensors that store one of `weights`.

        Usually a single tensor of the same name stores the weight. In subclasses, several tensors may be joined into
        one weight.
        """
        return (name,)

    def from_file(self, name: str, tensors: Sequence[np.ndarray]) -> np.ndarray:
        """Convert the tensors named by `names_in_files` to the values of one of `weights`."""
        return tensors[0]

    def to_file(self, name: str, values: np.ndarray) -> Sequence[np.ndarray]:
        """Convert the values of a weight to the tensors that files store for it; see `names_in_files`."""
        return (values,)

    def load(self, tensors: Iterable[tuple[str, np.ndarray]]) -> None:
        """Set the weights from the tensors of a file.

        Args:
            tensors: Pairs of a tensor's name, without `config.prefix`, and its values, in any order.
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
        """Return the tensors to write to a file, keyed by name without `config.prefix`. Adapters are merged."""
        return {
            part: tensor
            for name, values in self.merged().items()
            for part, tensor in zip(self.names_in_files(name), self.to_file(name, values), strict=True)
        }
