"""GPT-2's layers. Layers and weights are named as in GPT-2's files.

Shapes: B sequences, T tokens to read, S tokens to attend to, E = n_embd, H = n_head. With a cache, S is the number of
positions in the cache.
"""

from functools import partial

import keras
import tensorflow as tf

from gail_tf.models.block import BlockInputs, TransformerBlock
from gail_tf.models.gpt2_config import GPT2Config
from gail_tf.models.projection import Adapters, Projection
from gail_tf.models.recomputation import LayerNorm, gelu
from gail_tf.models.transformer import Initial, attend, build_parts, merge_heads, split_heads
from keras_gca.engine.random import dropout


class Embeddings(keras.layers.Layer):
    """The embedding layer: adds the embeddings of each token and its position.

    The inputs are the tokens and their positions, two int32 arrays of shape (B, T). The output has shape (B, T, E).
    """

    def __init__(self, config: GPT2Config, initial: Initial, policy: keras.DTypePolicy, stored: str = "float32"):
        super().__init__(dtype=policy, name="embeddings")
        self.rate = config.embd_pdrop
        # The tables do not use this layer's dtype policy. With mixed precision, Keras would convert a whole table in
        # every call, although only a few of its rows are used.
        self.wte = keras.layers.Embedding(config.vocab_size, config.n_embd, initial.normal(), dtype=stored, name="wte")
        self.wpe = keras.layers.Embedding(config.n_positions, config.n_embd, initial.normal(), dtype=stored, name="wpe")

    def build(self, shape: tuple[int | None, ...]) -> None:
        for table in (self.wte, self.wpe):
            table.build()

    def call(
        self, tokens: tf.Tensor, positions: tf.Tensor, seeds: tf.Tensor | None = None, training: bool = False
    ) -> tf.Tensor:
        vectors = tf.cast(self.wte(tokens) + self.wpe(positions), self.compute_dtype)
        return dropout(vectors, self.rate, seeds, 0) if training else vectors


class Block(TransformerBlock):
    """One transformer block: attention, then two dense layers with a GELU between them.

    One layer norm precedes the attention, and another precedes the dense layers.
    """

    def __init__(
        self,
        config: GPT2Config,
        number: int,
        initial: Initial,
        adapters: Adapters | None,
        policy: keras.DTypePolicy,
        shared: "Block | None" = None,
        stored: str = "float32",
    ):
        super().__init__(policy, config.cache_frame, f"h_{number}")
        self.config = config
        self.number = number
        width = config.n_embd

        def projection(units: int, kernel: keras.Initializer, name: str) -> Projection:
            own = None if shared is None else getattr(shared, name)
            return Projection(units, kernel, adapters, initial.adapter(), policy, name, shared=own, stored=stored)

        def norm(name: str) -> keras.layers.Layer:
            return layer_norm(config, policy, name) if shared is None else getattr(shared, name)

        self.ln_1 = norm("ln_1")
        self.c_attn = projection(3 * width, initial.normal(), "c_attn")
        self.attn_c_proj = projection(width, initial.residual(), "attn_c_proj")
        self.ln_2 = norm("ln_2")
        self.c_fc = projection(config.inner, initial.normal(), "c_fc")
        self.mlp_c_proj = projection(width, initial.residual(), "mlp_c_proj")

    @property
    def parts(self) -> dict[str, keras.layers.Layer]:
        """The layers with weights, keyed by their names in GPT-2's files."""
        return {
            "ln_1": self.ln_1,
            "attn.c_attn": self.c_attn,
            "attn.c_proj": self.attn_c_proj,
            "ln_2": self.ln_2,
            "mlp.c_fc": self.c_fc,
            "mlp.c_proj": self.mlp_c_proj,
        }

    def build(self, shape: tuple[int | None, ...]) -> None:
        inputs = {"mlp_c_proj": self.config.inner}
        build_parts(self.parts.values(), shape, inputs)

    def compute(self, inputs: BlockInputs, training: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        h, visible, seeds, memory, place, kernels, _ = inputs
        attend_to, project, widen, narrow = (
            partial(projection.__call__, kernel=kernel)
            for projection, kernel in zip(self.projections, kernels, strict=True)
        )

        def drop(values: tf.Tensor, rate: float, site: int) -> tf.Tensor:
            return dropout(values, rate, seeds, 1 + 3 * self.number + site) if training else values

        parts = tf.split(attend_to(self.ln_1(h)), 3, axis=-1)
        query, keys, values = (split_heads(part, self.config.n_head) for part in parts)
        if memory is not None:
            new = zip(memory, (keys, values), strict=True)
            keys, values = (keras.ops.slice_update(old, (0, 0, place, 0), one) for old, one in new)
        read = attend(query, keys, values, visible[:, None], lambda p: drop(p, self.config.attn_pdrop, 0))
        read = project(merge_heads(read))  # (B, T, E)
        h += drop(read, self.config.resid_pdrop, 1)
        thought = narrow(gelu(widen(self.ln_2(h))))
        h += drop(thought, self.config.resid_pdrop, 2)
        return h, keys, values


def layer_norm(config: GPT2Config, policy: keras.DTypePolicy, name: str) -> keras.layers.Layer:
    """Make a layer norm with the config's epsilon."""
    return LayerNorm(epsilon=config.layer_norm_epsilon, dtype=policy, name=name)
