"""GPT-2 (Radford et al. 2019) in Keras 3: whole sequences in one pass, or token by token with a cache.

Two functional models share their layers. `whole` reads sequences, padded on either side; `stepwise` reads one more
token of each sequence, whose earlier keys and values wait in a cache of fixed size. Both end at the hidden states: the
product with the vocabulary is made by `logits`, for the positions that need it.

The layers bear the names of GPT-2's own files. Shapes: B sequences, T tokens, C places in the cache, E = n_embd,
H = n_head, V = vocab_size.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from gail_tf.models.transformer import (
    Initial,
    attend,
    check_heads,
    check_sizes,
    dtype_policy,
    from_hugging_face,
    merge_heads,
    product,
    split_heads,
)
from keras_gca.engine.memory import count, refuse_beyond_memory
from keras_gca.engine.random import dropout
from keras_gca.errors import UserError

Cache = list[tuple[tf.Tensor, tf.Tensor]]  # for each block its keys and values, (B, H, C, E / H)


class Kernels(NamedTuple):
    """The weights of the matrix products in the precision that these are computed in: what each step reads all of.

    wte: (V, E). blocks: the four kernels of each block, in the order of `Block.projections`.
    """

    wte: tf.Tensor
    blocks: list[list[tf.Tensor]]


@dataclass(frozen=True)
class GPT2Config:
    """The sizes of a GPT-2, under the names of Hugging Face's config.json; the defaults are those of the smallest.

    The three dropout rates, of embeddings, attention and residual branches, matter only where seeds are given.
    Raises UserError on an impossible value.
    """

    vocab_size: int = 50257
    n_positions: int = 1024
    n_embd: int = 768
    n_layer: int = 12
    n_head: int = 12
    n_inner: int | None = None  # units of a block's hidden layer; 4 n_embd if not given
    layer_norm_epsilon: float = 1e-5
    embd_pdrop: float = 0.1
    attn_pdrop: float = 0.1
    resid_pdrop: float = 0.1
    initializer_range: float = 0.02
    eos_token_id: int = 50256

    def __post_init__(self):
        counts = ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head", "inner")
        shares = ("embd_pdrop", "attn_pdrop", "resid_pdrop", "layer_norm_epsilon", "initializer_range")
        check_sizes(self, dict.fromkeys(counts, 1) | {"eos_token_id": 0}, shares)
        check_heads(self, "n_embd", "n_head")
        if self.eos_token_id >= self.vocab_size:
            raise UserError(f"eos_token_id is {self.eos_token_id}; vocab_size, {self.vocab_size}, must be more")

    @property
    def inner(self) -> int:
        return 4 * self.n_embd if self.n_inner is None else self.n_inner

    @property
    def shapes(self) -> dict[str, list[int]]:
        """Of all weights, under the names of GPT-2's files."""
        size = self.n_embd
        layers = {"wte": [self.vocab_size, size], "wpe": [self.n_positions, size]}
        for i in range(self.n_layer):
            layers |= {f"h.{i}.ln_1": [size], f"h.{i}.attn.c_attn": [size, 3 * size]}
            layers |= {f"h.{i}.attn.c_proj": [size, size], f"h.{i}.ln_2": [size]}
            layers |= {f"h.{i}.mlp.c_fc": [size, self.inner], f"h.{i}.mlp.c_proj": [self.inner, size]}
        layers["ln_f"] = [size]
        named = {}
        for name, shape in layers.items():
            named[f"{name}.weight"] = shape
            if name not in ("wte", "wpe"):
                named[f"{name}.bias"] = shape[-1:]
        return named

    @classmethod
    def from_hugging_face(cls, values: dict[str, Any]) -> "GPT2Config":
        """From the content of a config.json. Raises UserError where it is no GPT-2, or a variant that is not built."""
        return from_hugging_face(cls, values, "gpt2", _ONE_VALUE)

    def to_hugging_face(self) -> dict[str, Any]:
        """The content of a config.json."""
        return {
            "architectures": ["GPT2LMHeadModel"],
            "model_type": "gpt2",
            "activation_function": "gelu_new",
            "bos_token_id": self.eos_token_id,
            **dataclasses.asdict(self),
        }


# Settings of Hugging Face's GPT-2 that change the computation: what they must be, under each of its names.
_ONE_VALUE = {
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}


@dataclass(frozen=True)
class Adapters:
    """Low-rank adapters (LoRA, Hu et al. 2021): each of a block's four products gains x A B alpha / rank.

    A is (inputs, rank), drawn at random; B is (rank, units), zero at first, so that training starts from GPT-2.
    blocks: how many of the last blocks have them; None means all. No gradient passes below the first that has.
    """

    rank: int = 8
    alpha: float = 16.0
    blocks: int | None = None

    def __post_init__(self):
        if self.rank < 1 or self.alpha <= 0 or (self.blocks is not None and self.blocks < 1):
            raise UserError(f"adapters: rank, alpha and blocks above 0 are expected, not {self}")


class GPT2:
    """The network, and what is done with it: `hidden`, `hidden_of_each`, `logits`, `prefill` and `step`.

    seed: of the initial weights, which are drawn as GPT-2's own were (Section 2.3 of its paper). precision: "float32",
    or "bfloat16" for all that is computed but softmax and layer norms; weights stay float32.
    """

    def __init__(self, config: GPT2Config, seed: int = 0, adapters: Adapters | None = None, precision: str = "float32"):
        policy = dtype_policy(precision)
        refuse_beyond_memory(count(config.shapes.values()), "a GPT-2")
        adapted = 0 if adapters is None else adapters.blocks or config.n_layer
        if adapted > config.n_layer:
            raise UserError(f"adapters: {adapted} blocks where GPT-2 has {config.n_layer}")
        self.config = config
        self.adapters = adapters
        self._compute_dtype = policy.compute_dtype
        initial = Initial(config.initializer_range, seed, residual_layers=2 * config.n_layer)

        # Layers
        self.embeddings = Embeddings(config, initial, policy)
        self.blocks = [
            Block(config, i, initial, adapters if i >= config.n_layer - adapted else None, policy)
            for i in range(config.n_layer)
        ]
        self.ln_f = _layer_norm(config, policy, "ln_f")

        # Functional model: whole sequences
        tokens = keras.Input((None,), dtype="int32", name="tokens")
        positions = keras.Input((None,), dtype="int32", name="positions")
        visible = keras.Input((None, None), dtype="bool", name="visible")  # (B, T, T)
        seeds = keras.Input((2,), dtype="int32", name="seeds")
        h, written = self.embeddings(tokens, positions, seeds=seeds), []  # (B, T, E)
        for i, block in enumerate(self.blocks):
            if adapted and i == config.n_layer - adapted:
                h = keras.ops.stop_gradient(h)  # nothing below learns
            h, *memory = block(h, visible, seeds=seeds)
            written.append(memory)
        self.whole = keras.Model([tokens, positions, visible, seeds], [self.ln_f(h), written], name="gpt2")

        # Functional model: one token more
        token = keras.Input((1,), dtype="int32", name="token")
        position = keras.Input((1,), dtype="int32", name="position")
        visible = keras.Input((1, None), dtype="bool", name="visible")  # (B, 1, C)
        place = keras.Input(batch_shape=(), dtype="int32", name="place")
        frame = (config.n_head, None, config.n_embd // config.n_head)
        cache = [
            [keras.Input(frame, dtype=self._compute_dtype, name=f"{name}_{i}") for name in ("keys", "values")]
            for i in range(config.n_layer)
        ]
        kernels = [
            [keras.Input(batch_shape=part.kernel.shape, dtype=self._compute_dtype) for part in block.projections]
            for block in self.blocks
        ]
        h, written = self.embeddings(token, position), []  # (B, 1, E)
        for block, memory, given in zip(self.blocks, cache, kernels, strict=True):
            h, *memory = block(h, visible, memory=memory, place=place, kernels=given)
            written.append(memory)
        inputs = [token, position, visible, place, cache, kernels]
        self.stepwise = keras.Model(inputs, [self.ln_f(h), written], name="gpt2_stepwise")

    def hidden(self, tokens: tf.Tensor, mask: tf.Tensor, seeds: tf.Tensor | None = None) -> tf.Tensor:
        """The last layer's states after every token.

        tokens: (B, T) int32. mask: (B, T) bool, false at padding, which may stand on either side or on both; the states
        there mean nothing. seeds: (B, 2) int32 for dropout (`noise.sample_seeds`); None leaves it out.
        Returns (B, T, E) float32. Raises ValueError where T is more than n_positions.
        """
        return self._read_all(tokens, mask, seeds)[0]

    def hidden_of_each(
        self, tokens: tf.Tensor, mask: tf.Tensor, continuations: Sequence[tuple[tf.Tensor, tf.Tensor]]
    ) -> list[tf.Tensor]:
        """As `hidden`, for several continuations of each sequence, which itself is read once.

        tokens, mask: (B, T). continuations: tokens and mask of each, (B, R), R at choice; none sees another.
        Returns the states after `tokens`, (B, T, E) float32, then those after each continuation, (B, R, E). Raises
        ValueError where a continuation ends beyond n_positions.
        """
        parts = [tf.convert_to_tensor(part, tf.int32) for part in (tokens, *(part for part, _ in continuations))]
        masks = [tf.convert_to_tensor(part) for part in (mask, *(part for _, part in continuations))]
        for part in parts[1:]:
            self._check_width(parts[0], part)
        lengths = tf.reduce_sum(tf.cast(masks[0], tf.int32), axis=1, keepdims=True)
        positions = [positions_of(masks[0]), *(lengths + positions_of(part) for part in masks[1:])]
        widths = [tf.shape(part)[1] for part in parts]
        number = tf.concat([tf.fill([width], i) for i, width in enumerate(widths)], 0)  # of each place's part
        visible = causal_mask(tf.concat(masks, 1)) & ((number == 0) | (number == number[:, None]))
        states, _ = self._read(tf.concat(parts, 1), tf.concat(positions, 1), visible)
        return tf.split(states, widths, axis=1, num=len(parts))

    def logits(self, hidden: tf.Tensor, kernels: Kernels | None = None) -> tf.Tensor:
        """The product with the token embeddings, which GPT-2 ties: (..., E) -> (..., V) float32.

        kernels: where a loop has them already.
        """
        rows = tf.reshape(tf.cast(hidden, self._compute_dtype), [-1, self.config.n_embd])
        embeddings = self._cast(self.embeddings.wte.embeddings) if kernels is None else kernels.wte
        scores = tf.cast(tf.matmul(rows, embeddings, transpose_b=True), tf.float32)
        return tf.reshape(scores, [*tf.unstack(tf.shape(hidden))[:-1], self.config.vocab_size])

    def kernels(self) -> Kernels:
        """To be taken once, before a loop of steps: in bfloat16 the weights are converted, which takes long."""
        blocks = [[self._cast(part.kernel) for part in block.projections] for block in self.blocks]
        return Kernels(self._cast(self.embeddings.wte.embeddings), blocks)

    def _cast(self, variable: keras.Variable) -> tf.Tensor:
        return tf.cast(tf.convert_to_tensor(variable), self._compute_dtype)

    def prefill(self, tokens: tf.Tensor, mask: tf.Tensor, capacity: int | tf.Tensor) -> tuple[tf.Tensor, Cache]:
        """As `hidden`, and a cache of `capacity` places, the first T of which hold these tokens."""
        hidden, cache = self._read_all(tokens, mask)
        free = [[0, 0], [0, 0], [0, capacity - tf.shape(tokens)[1]], [0, 0]]
        return hidden, tf.nest.map_structure(lambda each: tf.pad(each, free), cache)

    def step(
        self, tokens: tf.Tensor, positions: tf.Tensor, mask: tf.Tensor, cache: Cache, place: tf.Tensor, kernels: Kernels
    ) -> tuple[tf.Tensor, Cache]:
        """Read one more token of each sequence.

        tokens, positions: (B,) int32, the tokens and how many stand before them. mask: (B, C) bool, the places of the
        cache that hold tokens, this one included. place: () int32, where in the cache it goes. kernels: see `kernels`.
        Returns the states after it, (B, E) float32, and the cache.
        """
        tokens, positions, place = (tf.convert_to_tensor(each, tf.int32) for each in (tokens, positions, place))
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
        """Of tokens (B, T) that follow each other; in a graph they may be unknown."""
        widths = [part.shape[1] for part in parts]
        if None not in widths and sum(widths) > self.config.n_positions:
            raise ValueError(f"{sum(widths)} tokens where GPT-2 has {self.config.n_positions} positions")

    @property
    def weights(self) -> dict[str, keras.Variable]:
        """GPT-2's own weights under the names of its files, in a fixed order; without the adapters'."""
        layers = {"wte": self.embeddings.wte, "wpe": self.embeddings.wpe}
        for i, block in enumerate(self.blocks):
            layers |= {f"h.{i}.{name}": layer for name, layer in block.parts.items()}
        named = {}
        for name, layer in {**layers, "ln_f": self.ln_f}.items():
            if isinstance(layer, keras.layers.Embedding):
                named[f"{name}.weight"] = layer.embeddings
            else:
                named[f"{name}.weight"], named[f"{name}.bias"] = layer.weights[:2]
        return named

    @property
    def products(self) -> dict[str, "Projection"]:
        """The layers of the blocks' matrix products, by the names of their weights."""
        found = {}
        for i, block in enumerate(self.blocks):
            parts = block.parts.items()
            found |= {f"h.{i}.{name}.weight": part for name, part in parts if isinstance(part, Projection)}
        return found

    def merged(self) -> dict[str, np.ndarray]:
        """The weights of a plain GPT-2 that does the same: `weights`, with the adapters merged into them."""
        values = {name: variable.numpy() for name, variable in self.weights.items()}
        return values | {name: product.merged() for name, product in self.products.items()}

    @property
    def adapter_weights(self) -> list[keras.Variable]:
        """A and B of every adapter."""
        return [weight for product in self.products.values() for weight in product.weights[2:]]


def positions_of(mask: tf.Tensor) -> tf.Tensor:
    """How many tokens stand before each: (B, T) bool -> (B, T) int32; 0 in padding on the left."""
    return tf.maximum(tf.cumsum(tf.cast(mask, tf.int32), axis=1) - 1, 0)


def causal_mask(mask: tf.Tensor) -> tf.Tensor:
    """Which tokens each token may attend to, itself and those before it: (B, T) bool -> (B, T, T) bool."""
    places = tf.range(tf.shape(mask)[1])
    return (places[None, :, None] >= places) & mask[:, None]


class Embeddings(keras.layers.Layer):
    """The sum of a token's vector and its position's: (B, T) int32 each -> (B, T, E)."""

    def __init__(self, config: GPT2Config, initial: Initial, policy):
        super().__init__(dtype=policy, name="embeddings")
        self.rate = config.embd_pdrop
        # In float32: at another precision Keras would convert the whole table to take a few rows of it.
        self.wte = keras.layers.Embedding(config.vocab_size, config.n_embd, initial.normal(), name="wte")
        self.wpe = keras.layers.Embedding(config.n_positions, config.n_embd, initial.normal(), name="wpe")

    def call(self, tokens, positions, seeds=None, training=False):
        vectors = tf.cast(self.wte(tokens) + self.wpe(positions), self.compute_dtype)
        return dropout(vectors, self.rate, seeds, 0) if training else vectors


class Block(keras.layers.Layer):
    """One transformer block: attention, then two layers with gelu between them, each after a layer norm."""

    def __init__(self, config: GPT2Config, number: int, initial: Initial, adapters: Adapters | None, policy):
        super().__init__(dtype=policy, name=f"h_{number}")
        self.config = config
        self.number = number
        width = config.n_embd

        def projection(units: int, kernel: keras.Initializer, name: str) -> Projection:
            return Projection(units, kernel, adapters, initial.normal(), policy, name)

        self.ln_1 = _layer_norm(config, policy, "ln_1")
        self.c_attn = projection(3 * width, initial.normal(), "c_attn")
        self.attn_c_proj = projection(width, initial.residual(), "attn_c_proj")
        self.ln_2 = _layer_norm(config, policy, "ln_2")
        self.c_fc = projection(config.inner, initial.normal(), "c_fc")
        self.mlp_c_proj = projection(width, initial.residual(), "mlp_c_proj")

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers that have weights, by their names in GPT-2's files."""
        return {
            "ln_1": self.ln_1,
            "attn.c_attn": self.c_attn,
            "attn.c_proj": self.attn_c_proj,
            "ln_2": self.ln_2,
            "mlp.c_fc": self.c_fc,
            "mlp.c_proj": self.mlp_c_proj,
        }

    @property
    def projections(self) -> list["Projection"]:
        """The matrix products, in their order."""
        return [part for part in self.parts.values() if isinstance(part, Projection)]

    def call(self, h, visible, seeds=None, memory=None, place=None, kernels=(None,) * 4, training=False):
        """
        h: (B, T, E). visible: (B, T, S) bool, the keys that each token may attend to. Without a memory the keys are
        those of the T tokens, S = T; else the keys and values of one token, T = 1, are written at `place` into memory,
        (B, H, S, E / H) each. kernels: of the projections, where they have been read already. Returns the next h, and
        all keys and values.
        """
        attend_to, project, widen, narrow = (
            partial(projection, kernel=kernel) for projection, kernel in zip(self.projections, kernels, strict=True)
        )

        def drop(values, rate, site):
            return dropout(values, rate, seeds, 1 + 3 * self.number + site) if training else values

        parts = tf.split(attend_to(self.ln_1(h)), 3, axis=-1)
        query, keys, values = (split_heads(part, self.config.n_head) for part in parts)
        if memory is not None:
            new = zip(memory, (keys, values), strict=True)
            keys, values = (keras.ops.slice_update(old, (0, 0, place, 0), one) for old, one in new)
        read = attend(query, keys, values, visible[:, None], lambda p: drop(p, self.config.attn_pdrop, 0))
        read = project(merge_heads(read))  # (B, T, E)
        h += drop(read, self.config.resid_pdrop, 1)
        thought = narrow(tf.nn.gelu(widen(self.ln_2(h)), approximate=True))
        h += drop(thought, self.config.resid_pdrop, 2)
        return h, keys, values


class Projection(keras.layers.Layer):
    """x W + b, with an adapter x W + b + x A B alpha / rank. W is (inputs, units), as in GPT-2's files."""

    def __init__(
        self,
        units: int,
        kernel: keras.Initializer,
        adapters: Adapters | None,
        adapter: keras.Initializer,
        policy: keras.DTypePolicy,
        name: str,
    ):
        super().__init__(dtype=policy, name=name)
        self.units = units
        self.adapters = adapters
        self._initial, self._initial_A = kernel, adapter

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.units), self._initial, name="kernel")
        self.bias = self.add_weight((self.units,), "zeros", name="bias")
        if self.adapters is not None:
            self.A = self.add_weight((shape[-1], self.adapters.rank), self._initial_A, name="A")
            self.B = self.add_weight((self.adapters.rank, self.units), "zeros", name="B")

    def call(self, x, kernel=None):
        y = product(x, self.kernel if kernel is None else kernel) + self.bias
        if self.adapters is not None:
            y += product(product(x, self.A), self.B) * self._scale
        return y

    def merged(self) -> np.ndarray:
        """W of the plain product that does the same, (inputs, units) float32."""
        kernel = self.kernel.numpy()
        return kernel if self.adapters is None else kernel + self.A.numpy() @ self.B.numpy() * np.float32(self._scale)

    @property
    def _scale(self) -> float:
        return self.adapters.alpha / self.adapters.rank


def _layer_norm(config: GPT2Config, policy: keras.DTypePolicy, name: str) -> keras.layers.Layer:
    return keras.layers.LayerNormalization(epsilon=config.layer_norm_epsilon, dtype=policy, name=name)
